"""What the minutes, hours and days of a stack must be: written from the standard.

    oracle.take(device, t_ms, raw, bad=..., state=...)
    oracle.close(until_ms)
    oracle.minutes[t]["so2"].digits          {"avg": "29.31", "n": 12, ...}

Nothing of the gateway is used here. Registers come in as whole numbers; every number is
an exact fraction until its digits are written, once, half to even. A value worked out
of several is rounded to 1e-12 of its unit, once a sample (docs/averages.md).

Source: HJ 212-2017, annex D and the notes of C.16 to C.18.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction
from typing import NamedTuple

HOUR, DAY = 3_600_000, 86_400_000
BEIJING = 8 * HOUR
GRAIN = 10**12
REFERENCE_O2, AREA, ATMOSPHERE = Fraction(6), Fraction("3.14"), Fraction(101325)
NO2_OF_NO = Fraction("46.005") / Fraction("30.006")
EARLY = 25
"""A poll that comes so few ms before its slot is the slot's."""


class Fed(NamedTuple):
    """Where a factor comes from, and how it is written."""

    device: str
    place: int
    """Register."""
    scale: Fraction
    decimals: int
    cou: int | None = None
    """Decimals of its total."""
    sort: str = "plain"


_TENTH, _CENT = Fraction(1, 10), Fraction(1, 100)
FACTORS = {
    "so2": Fed("gas", 0, _TENTH, 2, 3, "gas"),
    "nox": Fed("gas", 1, _TENTH, 1, 3, "gas"),
    "co": Fed("gas", 3, _CENT, 3, 3, "gas"),
    "hcl": Fed("gas", 4, _CENT, 3, 3, "gas"),
    "dust": Fed("flue", 0, _TENTH, 1, 3, "gas"),
    "o2": Fed("gas", 5, _CENT, 1),
    "temperature": Fed("flue", 1, _TENTH, 1),
    "pressure": Fed("flue", 2, Fraction(1, 1000), 3),
    "moisture": Fed("flue", 3, _TENTH, 1),
    "velocity": Fed("flue", 4, _CENT, 2),
    "flow": Fed("flue", 4, _CENT, 0, 1, "flow"),
    "energy": Fed("meter", 0, _CENT, 2, 2, "counter"),
}
_SIGNED = {("gas", 4), ("flue", 1), ("flue", 2)}
_MOST = Fraction(3, 4)
"""So many parts must be valid; of a day's hours 20."""
_BESIDE = {
    "no2": ("gas", 2, _TENTH),
    "o2": ("gas", 5, _CENT),
    "t": ("flue", 1, _TENTH),
    "p": ("flue", 2, Fraction(1)),
    "x": ("flue", 3, _TENTH),
    "v": ("flue", 4, _CENT),
}


def written(value: Fraction, decimals: int) -> str:
    """Digits, half to even."""
    count = round(value * 10**decimals)  # of a Fraction: half to even
    sign, digits = "-" if count < 0 else "", str(abs(count))
    if not decimals:
        return sign + digits
    digits = digits.rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


class Reading(NamedTuple):
    """What an instrument answered in one slot; ``raw`` None: nothing usable."""

    t: int
    raw: tuple[int, ...] | None
    valid: bool


class Sample(NamedTuple):
    value: Fraction | None
    valid: bool
    zs: Fraction | None = None
    over: bool = False
    rate: Fraction | None = None


class Part:
    """One factor in one period."""

    __slots__ = ("avg", "cou", "max", "min", "ms", "n", "of", "over", "total", "valid",
                 "zs", "zs_max", "zs_min")  # fmt: skip

    def __init__(self, n, of, share):
        self.n, self.of = n, of
        self.valid = of > 0 and Fraction(n, of) >= share
        self.avg = self.min = self.max = self.zs = self.zs_min = self.zs_max = None
        self.cou = self.total = None
        self.ms = self.over = 0

    def without_proof(self, lacking, share):
        """No ``-Zs`` of so few parts that they alone would make no valid period."""
        if self.valid and lacking and Fraction(self.n - lacking, self.of) < share:
            self.zs = self.zs_min = self.zs_max = None
            self.over = 0

    def digits(self, fed):
        """As records show it."""
        told = {"n": self.n, "of": self.of, "flag": "N" if self.valid else "D"}
        for name, value in (
            ("avg", self.avg), ("min", self.min), ("max", self.max),
            ("zs_avg", self.zs), ("zs_min", self.zs_min), ("zs_max", self.zs_max),
        ):  # fmt: skip
            if value is not None:
                told[name] = written(value, fed.decimals)
        if self.cou is not None:
            told["cou"] = written(self.cou, fed.cou)
        if fed.sort == "gas" and self.ms:
            told["rate"] = written(self.total * HOUR / self.ms, fed.cou)
        if self.over:
            told["over_oxygen"] = self.over
        return told


class Oracle:
    """Of one stack.

    Args:
        every: Device -> period, ms.
        phase: Device -> when in it the instrument is asked, ms.
        minute: Length of the shortest period, ms.
    """

    def __init__(self, every, phase, minute=60_000):
        self.every, self.phase = every, phase
        self.lengths = {"minute": minute, "hour": HOUR, "day": DAY}
        self.read = {device: {} for device in every}
        """Device -> slot -> readings in it, the earliest first."""
        self._old = {device: [] for device in every}
        """Valid readings of the end of what is closed already."""
        self._meter = Meter(every["meter"])
        self.minutes, self.hours, self.days = {}, {}, {}

    def start(self, kind, t):
        """Where the period begins that holds this moment, in Beijing."""
        return t - (t + BEIJING) % self.lengths[kind]

    # -- in -------------------------------------------------------------------

    def slot(self, device, t):
        return (t + EARLY - self.phase[device]) // self.every[device]

    def due(self, device, slot):
        return slot * self.every[device] + self.phase[device]

    def take(self, device, t, raw, *, valid):
        """One answer, or one question without any (``raw`` None)."""
        mine = self.read[device].setdefault(self.slot(device, t), [])
        mine.append(Reading(t, raw, valid and raw is not None))
        mine.sort(key=lambda one: one.t)

    def minutes_read(self):
        """Starts of minutes that have any reading."""
        return {
            self.start("minute", self.due(device, slot))
            for device, slots in self.read.items()
            for slot in slots
        }

    def slots_of(self, device, start):
        """The slots that are due in a minute."""
        every, phase = self.every[device], self.phase[device]
        end = start + self.lengths["minute"]
        return range(-((phase - start) // every), -((phase - end) // every))

    def died(self, since, until, minutes):
        """All but what was read in ``since < t <= until`` in these minutes."""
        return {
            device: {
                slot: left
                for slot, mine in slots.items()
                if (
                    left := mine
                    if self.start("minute", self.due(device, slot)) not in minutes
                    else [one for one in mine if not since < one.t <= until]
                )
            }
            for device, slots in self.read.items()
        }

    # -- minutes --------------------------------------------------------------

    def beside(self):
        """What can stand beside samples: device -> (times, readings)."""
        found = {}
        for device, slots in self.read.items():
            first = (mine[0] for mine in slots.values())
            valid = self._old[device] + [one for one in first if one.valid]
            valid.sort(key=lambda one: one.t)
            found[device] = [one.t for one in valid], valid
        return found

    def minute(self, start, beside):
        """All factors of a minute."""
        found = {}
        for name, fed in FACTORS.items():
            every, due = self.every[fed.device], self.slots_of(fed.device, start)
            slots = self.read[fed.device]
            readings = [slots[slot][0] for slot in due if slot in slots]
            samples = [self._sample(fed, name, one, beside) for one in readings]
            part = Part(sum(s.valid for s in samples), len(due), _MOST)
            self._means(part, samples)
            if fed.cou is not None and fed.sort != "counter":
                rates = [s.rate for s in samples if s.rate is not None]
                if rates:
                    part.ms = len(rates) * every
                    part.total = part.cou = sum(rates) * every / HOUR
            found[name] = part
        return found

    @staticmethod
    def _means(part, samples):
        shown = [s for s in samples if s.value is not None]
        used = [s for s in shown if s.valid] or shown
        part.over = sum(s.over for s in used)
        if not used:
            return
        values = [s.value for s in used]
        part.avg, part.min, part.max = sum(values) / len(used), min(values), max(values)
        zs = [s.zs for s in used if s.zs is not None]
        if zs:
            part.zs, part.zs_min, part.zs_max = sum(zs) / len(zs), min(zs), max(zs)
        part.without_proof(sum(s.zs is None and not s.over for s in used), _MOST)

    def _sample(self, fed, name, one, beside):
        if one.raw is None:
            return Sample(None, valid=False)
        raw = one.raw[fed.place]
        if (fed.device, fed.place) in _SIGNED and raw >= 1 << 15:
            raw -= 1 << 16
        if fed.sort == "counter":
            raw = (one.raw[0] << 16) + one.raw[1]
        measured = raw * fed.scale
        if fed.sort in {"plain", "counter"}:
            return Sample(measured, one.valid)

        def near(what):
            device, place, scale = _BESIDE[what]
            times, readings = beside[device]
            index = bisect_right(times, one.t) - 1
            if index < 0 or one.t - times[index] > 2 * self.every[device]:
                return None
            number = readings[index].raw[place]
            if (device, place) in _SIGNED and number >= 1 << 15:
                number -= 1 << 16
            return number * scale

        t, p, x = near("t"), near("p"), near("x")
        v = measured if fed.sort == "flow" else near("v")
        swollen = dry_share = flow = None
        if t is not None and p is not None and x is not None:
            swollen = Fraction(101325) / (ATMOSPHERE + p) * (273 + t) / 273
            dry_share = 1 - x / 100
            if v is not None:
                flow = 3600 * AREA * v / swollen * dry_share
        if fed.sort == "flow":
            if flow is None:
                return Sample(None, valid=False)
            flow = _grain(flow)
            return Sample(flow, one.valid, rate=flow if one.valid else None)
        if name == "nox":
            no2 = near("no2")
            measured = None if no2 is None else measured * NO2_OF_NO + no2
        if measured is None or swollen is None:
            return Sample(None, valid=False)
        dry = measured * swollen / dry_share
        o2, zs = near("o2"), None
        over = o2 is not None and o2 >= 21
        if o2 is not None and not over:
            zs = _grain(dry * (21 - REFERENCE_O2) / (21 - o2))
        rate = None
        if flow is not None and one.valid:
            rate = _grain(dry * flow / 1_000_000)
        return Sample(_grain(dry), one.valid, zs, over, rate)

    # -- all of it ------------------------------------------------------------

    def close(self, until, told):
        """Work out what begins before ``until``; ``told``: which minutes there are.

        Readings of what is closed are forgotten.
        """
        beside = self.beside()
        for start in sorted(t for t in told if t not in self.minutes and t < until):
            self.minutes[start] = self.minute(start, beside)
            self._count(start)
        for kind, parts, kept in (
            ("hour", self.minutes, self.hours),
            ("day", self.hours, self.days),
        ):
            length = self.lengths[kind]
            found = defaultdict(list)
            for t in sorted(parts):
                found[self.start(kind, t)].append(t)
            for start, inner in found.items():
                if start not in kept and start + length <= until:
                    mine = [parts[t] for t in inner]
                    kept[start] = self._longer(kind, start, inner, mine)
        for device, slots in self.read.items():
            edge = self.slot(device, until)
            gone = sorted(slot for slot in slots if slot < edge)
            self._old[device] = [slots[s][0] for s in gone if slots[s][0].valid][-3:]
            for slot in gone:
                del slots[slot]

    def forget(self, before):
        """Let go of what nobody will ask for."""
        for kept in (self.minutes, self.hours):
            for t in [t for t in kept if t < before]:
                del kept[t]

    def _longer(self, kind, start, times, parts):
        of = HOUR // self.lengths["minute"] if kind == "hour" else 24
        share = _MOST if kind == "hour" else Fraction(20, 24)
        found = {}
        for name, fed in FACTORS.items():
            mine = [one[name] for one in parts]
            part = found[name] = Part(sum(m.valid for m in mine), of, share)
            shown = [m for m in mine if m.avg is not None]
            used = [m for m in shown if m.valid] or shown
            part.over = sum(m.over > 0 and m.zs is None for m in used)
            if used:
                part.avg = sum(m.avg for m in used) / len(used)
                part.min, part.max = min(m.min for m in used), max(m.max for m in used)
            zs = [m for m in used if m.zs is not None]
            if zs:
                part.zs = sum(m.zs for m in zs) / len(zs)
                part.zs_min = min(m.zs_min for m in zs)
                part.zs_max = max(m.zs_max for m in zs)
            lacking = sum(m.zs is None and not m.over for m in used)
            part.without_proof(lacking, share)
            if fed.sort == "counter":
                counted = [m.cou for m in mine if m.cou is not None]
                counted += self._meter.loose_in(kind, start, times)
                part.cou = sum(counted) if counted else None
            else:
                part.ms = sum(m.ms for m in mine)
                if part.ms:
                    part.total = sum(m.total for m in mine if m.total is not None)
                    part.cou = part.total
        return found

    def _count(self, start):
        """The meter's share of a minute."""
        scale, slots = FACTORS["energy"].scale, self.read["meter"]
        readings = [
            (self.due("meter", slot), ((one.raw[0] << 16) + one.raw[1]) * scale)
            for slot in self.slots_of("meter", start)
            if slot in slots and (one := slots[slot][0]).valid
        ]
        self.minutes[start]["energy"].cou = self._meter.minute(start, readings)


class Meter:
    """A counter: differences of readings, none over a replacement."""

    def __init__(self, every):
        self._every = every
        self._last = self._odd = None
        self._loose = []

    def minute(self, start, readings):
        """What was counted in it; None: nothing is known."""
        total = None
        for at, value in readings:
            for since, amount in self._step(at, value):
                short = at - since <= 2 * self._every or since >= start
                if short:
                    total = (total or 0) + amount
                else:
                    self._loose.append((since, at, amount))
        return total

    def _step(self, at, value):
        last, odd = self._last, self._odd
        if last is None or (value >= last[1] and odd is None):
            self._last = at, value
            return [] if last is None else [(last[0], value - last[1])]
        if odd is None:
            self._odd = at, value
            return []
        if value >= last[1]:  # one wrong reading
            self._last, self._odd = (at, value), None
            return [(last[0], value - last[1])]
        if value >= odd[1]:  # another meter: what passed meanwhile nobody knows
            self._last, self._odd = (at, value), None
            return [(odd[0], value - odd[1])]
        self._odd = at, value
        return []

    def loose_in(self, kind, start, times):
        """Pieces in no minute that lie whole in here, and in no part of it."""
        end = start + (HOUR if kind == "hour" else DAY)

        def inside(piece, a, b):
            return a <= piece[0] and piece[1] < b

        inner = [(t, t + HOUR) for t in times] if kind == "day" else []
        return [
            piece[2]
            for piece in self._loose
            if inside(piece, start, end) and not any(inside(piece, *i) for i in inner)
        ]


def _grain(value):
    return Fraction(round(value * GRAIN), GRAIN)

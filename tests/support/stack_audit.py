"""Holds what platforms were told of a stack against what its instruments answered.

Of every record at the MQTT platform: that its values are what the instrument answered
then. Of every slot: that it is a reading, or in a gap that was told. Of every minute,
hour and day: that there is one, that its digits are the oracle's, and that both HJ 212
platforms hold the same digits once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

from simulators.hj212_platform_account import stamp
from simulators.intervals import Intervals
from tests.support.stack_oracle import FACTORS, HOUR, Oracle
from tests.support.stack_site import CITIES, MN, NORMAL

CN = {"minute": 2051, "hour": 2061, "day": 2031}
CODES = {
    "so2": "a21026", "nox": "a21002", "co": "a21005", "hcl": "a21024",
    "dust": "a34013", "o2": "a19001", "temperature": "a01012", "pressure": "a01013",
    "moisture": "a01014", "velocity": "a01011", "flow": "a00000", "energy": "d30101",
}  # fmt: skip
_FIELDS = (
    ("cou", "Cou"), ("min", "Min"), ("avg", "Avg"), ("max", "Max"),
    ("zs_min", "ZsMin"), ("zs_avg", "ZsAvg"), ("zs_max", "ZsMax"),
)  # fmt: skip
_GREATEST = {
    "so2": "99999.99", "nox": "9999.99", "co": "999.999", "hcl": "9999.999",
    "dust": "9999.9",
}  # fmt: skip
"""HJ 212-2025 where oxygen is 21 % and more: the greatest number of the code's type."""
_WHOLE, _TENTH, _CENT = Fraction(1), Fraction(1, 10), Fraction(1, 100)
_POINTS = {
    "gas": {
        "so2": _TENTH,
        "no": _TENTH,
        "no2": _TENTH,
        "co": _CENT,
        "hcl": _CENT,
        "o2": _CENT,
        "state": _WHOLE,
    },
    "flue": {
        "dust": _TENTH,
        "temperature": _TENTH,
        "pressure": _WHOLE,
        "moisture": _TENTH,
        "velocity": _CENT,
        "state": _WHOLE,
    },
}
_SIGNED = {"hcl", "temperature", "pressure"}
CHECKPOINT_MS = 12_000
"""10 s between two notes, and what it takes to have one on the disk."""
_STORE_MS = 1_500
_LATE_MS = 61_000
"""The gap of a run that was killed begins up to a minute early (docs/mqtt.md)."""
UNITS = {
    "o2": "%",
    "temperature": "Cel",
    "pressure": "kPa",
    "moisture": "%",
    "velocity": "m/s",
    "flow": "m3/h",
    "energy": "kW.h",
}
"""As the site file asks for them; the others in mg/m3."""


def shown(device, raw):
    """The values that a scan of these registers has."""
    if device == "meter":
        return {"energy": float(Fraction((raw[0] << 16) + raw[1], 100))}
    told = {}
    for (name, scale), word in zip(_POINTS[device].items(), raw, strict=True):
        minus = name in _SIGNED and word >= 1 << 15
        number = word - (1 << 16) if minus else word
        told[name] = number if scale is _WHOLE else float(number * scale)
    return told


def item(name, digits, city):
    """A factor as an HJ 212 frame has it."""
    code = CODES[name]
    digits = dict(digits)
    if city == "b" and digits.get("over_oxygen") and "zs_avg" not in digits:
        digits |= dict.fromkeys(("zs_min", "zs_avg", "zs_max"), _GREATEST[name])
    pairs = [f"{code}-{as_}={digits[key]}" for key, as_ in _FIELDS if key in digits]
    return ",".join([*pairs, f"{code}-Flag={digits['flag']}"])


class Audit:
    """Of one site; ``kills`` and ``windows`` are noted by whoever causes them."""

    def __init__(self, site):
        self.site = site
        self.oracle = None
        self.kills = []
        """UTC ms of the wall clock."""
        self.windows = []
        """(device, since, until) of an operator's work."""
        self.away = []
        """(since, until) of times without a gateway."""
        self.counts = Counter()
        self.worst_lost_ms = 0
        self._wrong = []
        self._seen = {name: set() for name in site.instruments}
        self._hours = set()
        self._days = set()

    # -- what came ------------------------------------------------------------

    def check(self, until):
        """Everything that begins before this moment; it must be there by now."""
        if self.oracle is None:
            self._begin()
        self._take_scans(until)
        self._slots(until)
        for kills in self._together(until):
            self._cut(kills)
        told = self._told("minute", until)
        self._minutes_there(told, until)
        self.oracle.close(until, told)
        for kind, kept in (
            ("minute", self.oracle.minutes),
            ("hour", self.oracle.hours),
            ("day", self.oracle.days),
        ):
            self._compare(kind, kept, until)
        self.oracle.forget(until - 3 * HOUR)
        for one in self.site.instruments.values():
            one.forget(until - 3 * HOUR)
        assert not self._wrong, "\n".join(self._wrong[:20])

    def _say(self, text):
        self._wrong.append(text)

    def _begin(self):
        instruments = self.site.instruments
        every = {name: one.every_ms for name, one in instruments.items()}
        phase = {}
        for name, one in instruments.items():
            phase[name] = one.phases.most_common(1)[0][0]
        self.oracle = Oracle(every, phase, 60_000 * self.site.minutes)

    def _take_scans(self, until):
        scans, later = self.site.told.scans, []
        while scans:
            scan = scans.popleft()
            if scan["t"] >= until:
                later.append(scan)
            else:
                self._take(scan)
        scans.extend(later)

    def _take(self, scan):
        name, t = scan["device"], scan["t"]
        instrument, flawed = self.site.instruments[name], scan.get("q", {})
        bad = {point for point, (quality, _) in flawed.items() if quality == "bad"}
        self.counts["scans"] += 1
        if bad:
            self.counts["bad"] += 1
            if scan["values"]:
                self._say(f"{name} at {t}: only some points are bad: {scan}")
            self.oracle.take(name, t, None, valid=False)
            return
        found = [raw for raw in instrument.at(t) if shown(name, raw) == scan["values"]]
        if not found:
            self._say(f"{name} at {t}: it never answered {scan['values']}")
            return
        raw = found[0]
        normal = name == "meter" or raw[-1] == NORMAL
        if normal == ("state" in scan) and not self._worked_on(name, t):
            self._say(f"{name} at {t}: state of {raw} told as {scan.get('state')}")
        valid = normal and not self._worked_on(name, t) and not flawed
        self.counts["valid" if valid else "not valid"] += 1
        self.oracle.take(name, t, raw, valid=valid)

    def _worked_on(self, device, t):
        return any(d == device and a <= t < b for d, a, b in self.windows)

    # -- slots ----------------------------------------------------------------

    def _slots(self, until):
        """Each is a reading, or in a gap; near a start or a step one may be neither."""
        oracle, site = self.oracle, self.site
        loose = [(since, since) for since, _, _ in site.runs]
        loose += [(site.since_ms, site.since_ms), *map(sorted, site.steps)]
        killed = [end for _, end, how in site.runs if how == "killed"]
        for name, slots in oracle.read.items():
            if not slots:
                continue
            every = oracle.every[name]
            seen = sorted(slots)
            gaps = [gap for (d, _, _), gap in site.told.gaps.items() if d == name]
            first = self._seen[name] or seen[0]
            for slot in range(first, oracle.slot(name, until)):
                due = oracle.due(name, slot)
                inside = any(g["t"] - every < due < g["until"] + every for g in gaps)
                self.counts["slots"] += 1
                if slot in slots:
                    deep = any(g["t"] + every < due < g["until"] - every for g in gaps)
                    if deep and not any(0 < at - due < _LATE_MS for at in killed):
                        self._say(f"{name}: slot {due} is a reading and in a gap")
                elif inside:
                    self.counts["slots in gaps"] += 1
                elif any(a - 2 * every < due < b + 2 * every for a, b in loose):
                    self.counts["slots at a start or step"] += 1
                elif self._lost_at(due, every):
                    self.counts["slots lost"] += 1
                else:
                    self._say(f"{name}: slot {due} is nowhere")
            self._seen[name] = oracle.slot(name, until)

    def _lost_at(self, due, every):
        return any(
            lost["t"] - every <= due <= lost["until"] + every
            for lost in self.site.told.lost
        ) and any(-every < at - due < _STORE_MS + every for at in self.kills)

    # -- kills ----------------------------------------------------------------

    def _cut(self, kills):
        """Which readings died with the gateway: those after one moment before each.

        What was told before is on the disk. A minute whose readings all died may be
        told by nobody.
        """
        oracle, told = self.oracle, self.site.told.periods
        before = oracle.read
        near = [self._near(kill) for kill in kills]
        minutes = {
            m
            for kill, found in zip(kills, near, strict=True)
            for m, _ in found
            if ("minute", m) not in told or told["minute", m][0]["noted"] > kill
        }
        tried = [
            sorted({kill, *(t - 1 for _, t in found)}, reverse=True)
            for kill, found in zip(kills, near, strict=True)
        ]
        for cuts in itertools.product(*tried):
            for cut, kill in zip(cuts, kills, strict=True):
                oracle.read = oracle.died(cut, kill, minutes)
            if self._fits(minutes):
                self.counts["readings lost by kills"] += _readings(before) - _readings(
                    oracle.read
                )
                longest = max(kill - cut for cut, kill in zip(cuts, kills, strict=True))
                self.worst_lost_ms = max(self.worst_lost_ms, longest)
                return
            oracle.read = before
        self._say(f"kills at {kills}: no cut gives the minutes {sorted(minutes)}")

    def _near(self, kill):
        """(minute, time) of readings that may have died."""
        return {
            (self.oracle.start("minute", self.oracle.due(name, slot)), one.t)
            for name, slots in self.oracle.read.items()
            for slot, mine in slots.items()
            for one in mine
            if kill - CHECKPOINT_MS < one.t <= kill
        }

    def _fits(self, minutes):
        """Whether these minutes were told as the oracle has them now."""
        oracle, told = self.oracle, self.site.told.periods
        beside, left = oracle.beside(), oracle.minutes_read()
        return all(
            self._digits(oracle.minute(m, beside), self._newest("minute", m))
            if ("minute", m) in told
            else m not in left
            for m in minutes
        )

    def _together(self, until):
        """Kills that may touch the same minute."""
        found, room = [], self.oracle.lengths["minute"] + CHECKPOINT_MS
        for kill in sorted(k for k in self.kills if k < until):
            if found and kill - found[-1][-1] < room:
                found[-1].append(kill)
            else:
                found.append([kill])
        self.kills = [k for k in self.kills if k >= until]
        return found

    def _digits(self, found, record):
        """Whether they are the same, but for what a counter grew by since before."""
        return all(
            _no_cou(name, found[name].digits(fed))
            == _no_cou(name, plain(record["agg"][name]))
            for name, fed in FACTORS.items()
        )

    # -- periods --------------------------------------------------------------

    def _newest(self, kind, t):
        revs = self.site.told.periods[kind, t]
        return revs[max(revs)]

    def _told(self, kind, until):
        periods = self.site.told.periods
        return sorted(t for k, t in periods if k == kind and t < until)

    def _minutes_there(self, told, until):
        """None is missing but those in which no reading outlived the gateway."""
        oracle = self.oracle
        there = set(told) | set(oracle.minutes)
        self._wrong += [
            f"minute {start} has readings and was never told"
            for start in sorted(oracle.minutes_read() - there)
            if start < until
        ]
        length = oracle.lengths["minute"]
        for start in range(min(there), until, length):
            if start in there:
                continue
            self.counts["minutes without a gateway"] += 1
            at = start
            for since, until_ in sorted(self.away):
                if since - CHECKPOINT_MS <= at < until_:
                    at = until_
            if at < start + length:
                self._say(f"minute {start} is missing")

    def _compare(self, kind, kept, until):
        periods = self.site.told.periods
        told = self._told(kind, until)
        for start in told:
            if start + self.oracle.lengths[kind] > until:
                continue
            record, found = self._newest(kind, start), kept.get(start)
            revs = periods[kind, start]
            self.counts[f"{kind}s"] += 1
            self.counts["revisions"] += len(revs) - 1
            if sorted(revs) != list(range(len(revs))):
                self._say(f"{kind} {start}: revisions {sorted(revs)}")
            if any(one.get("reason", "") == "" for rev, one in revs.items() if rev):
                self._say(f"{kind} {start}: a revision without a reason")
            if found is None:
                self._say(f"{kind} {start}: told, but there is nothing of it")
                continue
            for name, fed in FACTORS.items():
                expected = found[name].digits(fed)
                came = plain(record["agg"][name])
                if record["agg"][name]["unit"] != UNITS.get(name, "mg/m3"):
                    self._say(f"{kind} {start} {name}: unit {record['agg'][name]}")
                if expected != came:
                    self._say(
                        f"{kind} {start} {name}: expected {expected}, told {came}"
                    )
            for city in CITIES:
                self._held(city, kind, start, revs, found)
            del periods[kind, start]
        for start in kept:
            over = start + self.oracle.lengths[kind] <= until
            if over and start not in told and not self._was(kind, start):
                self._say(f"{kind} {start}: never told")
        seen = {"minute": set(), "hour": self._hours, "day": self._days}[kind]
        seen.update(told)

    def _was(self, kind, start):
        seen = {"hour": self._hours, "day": self._days}.get(kind)
        return seen is None or start in seen

    def _held(self, city, kind, start, revs, found):
        """A platform has it once, or again with the same content.

        City a wants dust in whole mg/m3: the exact number is rounded, not its digits.
        """
        host, label = self.site.cities[city], stamp(start // 1000)
        kept = host.held.periods(MN, CN[kind]).get(label)
        if kept is None:
            self._say(f"{city} {kind} {label}: missing")
            return
        contents = [
            {CODES[n]: item(n, one["agg"][n], city) for n in FACTORS}
            for _, one in sorted(revs.items())
        ]
        if city == "a":
            digits = found["dust"].digits(FACTORS["dust"]._replace(decimals=0))
            contents[-1][CODES["dust"]] = item("dust", digits, city)
        if kept.items != contents[-1]:
            wrong = {
                code: (text, contents[-1].get(code))
                for code, text in kept.items.items()
                if text != contents[-1].get(code)
            }
            self._say(f"{city} {kind} {label}: held and told differ: {wrong}")
        for code, before in kept.changed.items():
            if any(text not in [c[code] for c in contents[:-1]] for text in before):
                self._say(f"{city} {kind} {label} {code}: was {before}")
        again = sum(kept.again.values())
        self.counts[f"{city} sent again"] += again > 0
        late = sum(kept.rf.values()) > 0
        self.counts[f"{city} RF=1"] += late

    # -- the end --------------------------------------------------------------

    def seqs(self):
        """Seqs that neither came nor are stated as lost; those that surely are both."""
        came, sure, told = Intervals(), Intervals(), self.site.told
        for seq in told.seqs:
            came.add(seq, seq)
        for record in told.lost:
            if record["certain"]:
                sure.add(record["seq_from"], record["seq_to"])
        both = sum(came.overlap(a, b) for a, b in sure)
        for record in told.lost:
            came.add(record["seq_from"], record["seq_to"])
        return came.missing(1), both

    def complaints(self):
        """What each HJ 212 platform holds against the gateway's frames.

        That some minutes never came is no news here: see ``_minutes_there``.
        """
        return {
            city: {
                name: line.examples[:2]
                for name, line in host.ledger.lines.items()
                if line.failed
            }
            for city, host in self.site.cities.items()
        }


def _readings(read):
    return sum(len(mine) for slots in read.values() for mine in slots.values())


def _no_cou(name, digits):
    return {k: d for k, d in digits.items() if name != "energy" or k != "cou"}


def plain(told):
    """A factor's record without what says the same in other words, and the units."""
    beside = {"mark", "marks", "unit", "cou_unit"}
    return {key: told[key] for key in told if key not in beside}

"""What a simulated site must have delivered, from what its instruments said.

Nothing of the drivers is asked. Compared is, for every value of every scan:

* Modbus, DL/T 645 and ASCII: with the numbers that the simulator put on the wire for
  this point in this scan (it tells each, see ``simulators.site_process``), turned into
  the point's unit by the rules below: exact fractions, a float32 as four bytes, an
  ASCII number as the digits of its manual's format;
* HJ 212 and GNSS, which say when they measured: with what the simulator's instrument
  shows at exactly that instant.

Also compared: the instant itself (what is delivered was said in this scan, or as long
ago as its ``age_ms`` states), and that no instant is delivered twice.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_left
from collections import defaultdict
from datetime import UTC, datetime
from fractions import Fraction

from drivers.profiles.model import ModbusPoint
from simulators.site_parts import PushingPart, ReceiverPart

EARLY_S = 0.002
"""A scan's time is in whole milliseconds."""
SCAN_S = 3.5
"""The longest that a scan takes: a question that could be answered by a late answer to
another is held back for two seconds. Never up to the next scan."""
CT = ("current", "active_power", "reactive_power", "apparent_power", "active_energy",
      "reactive_energy")  # fmt: skip
"""Quantities of a DL/T 645 meter that a current transformer's ratio multiplies."""
THOUSAND = ("active_power", "reactive_power", "apparent_power")
"""The standard has kW, kvar and kVA; the profiles W, var and VA."""

# Instrument -> point -> quantity, its format in the manual, and the factor to our unit.
ASCII = {
    "thermo": {
        "no_ppb": ("no", ".3f", 1),
        "no2_ppb": ("no2", ".3f", 1),
        "nox_ppb": ("nox", ".3f", 1),
        "co2": ("co2", ".3f", 1),
        "o2": ("o2", ".3f", 1),
        "status_word": 0x9C040000,
        "device_state": "sample",
    },
    "yaohua": {"weight": ("weight", ".1f", 1)},
    "toledo": {
        "weight": ("weight", ".1f", 1),
        "weight_tare": 80.0,
        "status_word": 0x30,
        "status_word.net": False,
        "status_word.negative": False,
        "status_word.out_of_range": False,
        "status_word.motion": False,
        "status_word.not_zeroed": False,
    },
    "bam": {"pm10": ("pm", ".3f", 1000), "maintenance": False},
    "dusttrak": {"pm10": ("pm", ".3f", 1000)},
    "windsonic": {
        "wind_direction": ("direction", ".0f", 1),
        "wind_speed": ("speed", ".2f", 1),
    },
    "wxt": {
        "wind_direction": ("direction", ".0f", 1),
        "wind_speed": ("speed", ".1f", 1),
        "temperature": ("temperature", ".1f", 1),
        "humidity": ("humidity", ".1f", 1),
        "pressure": ("pressure", ".1f", Fraction(1, 10)),
        "rainfall": ("rain", ".2f", 1),
        "rain_intensity": ("rain", ".1f", 1),
    },
}
ASCII["wxt-auto"] = ASCII["wxt"]


class Said:
    """What was said of one point, and when; the oldest is forgotten."""

    def __init__(self):
        self.times = []
        self.numbers = []

    def add(self, at_s, number):
        self.times.append(at_s)
        self.numbers.append(number)
        if len(self.times) > 4000:
            del self.times[:3000], self.numbers[:3000]

    def between(self, first_s, last_s):
        at = bisect_left(self.times, first_s)
        found = []
        while at < len(self.times) and self.times[at] <= last_s:
            found.append(self.numbers[at])
            at += 1
        return found


class Oracle:
    """Is told what is said; judges what is delivered."""

    def __init__(self, plan, utc_s):
        self.plan = plan
        self._utc_s = utc_s
        self.parts = {}
        self.every_s = {}
        """By device; both are set when the site is up."""
        self._said = defaultdict(Said)
        self._points = {
            name: {p.name: p for p in one.profile.points}
            for name, one in plan.devices.items()
        }
        self._taken = {}
        self.judged = 0
        self.several = 0
        """Values for which the device was asked twice within one scan."""
        self.wrong = []

    def said(self, device, point, number):
        self._said[device, point].add(self._utc_s(), number)

    def take(self, record):
        """Judge a scan as delivered."""
        one = self.plan.devices[record["device"]]
        judge = getattr(self, f"_{one.bus.family}")
        for name, value in record["values"].items():
            self.judged += 1
            why = judge(one, name, value, record)
            if why:
                self.wrong.append(f"{record['t']} {one.name}.{name}: {why}, {value!r}")

    # -- what was put on the wire in this scan ------------------------------

    def _numbers(self, device, name, record):
        at = record["t"] / 1000
        age_ms = record.get("age_ms", {}).get(name)
        if age_ms is not None:  # it spoke unasked
            at -= age_ms / 1000
            found = self._said[device, name].between(at - EARLY_S, at + EARLY_S)
        else:
            upto = at + min(SCAN_S, self.every_s[device] - 0.05)
            found = self._said[device, name].between(at - EARLY_S, upto)
        self.several += len(set(found)) > 1
        return found

    def _modbus(self, one, name, value, record):
        base, _, bit = name.partition(".")
        point = self._points[one.name][base]
        assert isinstance(point, ModbusPoint)
        numbers = self._numbers(one.name, base, record)
        if not numbers:
            return "nothing was said of it"
        if any(_modbus_fits(point, bit, number, value) for number in numbers):
            return ""
        return f"said were {numbers}"

    def _dlt645(self, one, name, value, record):
        ratio = 1
        if name.startswith(CT):
            ratio *= _ct(self.plan, one.name)
        if name.startswith(THOUSAND):
            ratio *= 1000
        numbers = self._numbers(one.name, name, record)
        if any(_same(value, Fraction(repr(number)) * ratio) for number in numbers):
            return ""
        return f"said were {numbers}, times {ratio}"

    def _ascii(self, one, name, value, record):
        rule = ASCII[one.play["kind"]][name]
        if not isinstance(rule, tuple):
            return "" if value == rule else f"expected {rule!r}"
        quantity, form, factor = rule
        record = {**record, "age_ms": _age_of(record, name, quantity)}
        told = {
            format(number, form) for number in self._numbers(one.name, quantity, record)
        }
        if any(_same(value, Fraction(text) * factor) for text in told):
            return ""
        return f"said were {told}"

    # -- what it shows at the instant that it states ------------------------

    def _hj212(self, one, name, value, record):
        part = self.parts[one.name]
        assert isinstance(part, PushingPart)
        sampled = record["sampled"][name]
        if why := self._instant(one.name, name, sampled, record):
            return why
        flag = record["flag"].get(name)
        if flag != "N" and name not in record.get("q", {}):
            return f"flag {flag}, and good"
        expected = part.instrument.value(name, sampled // 1000)
        near = math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9)
        return "" if near else f"expected {expected}"

    def _gnss(self, one, name, value, record):
        part = self.parts[one.name]
        assert isinstance(part, ReceiverPart)
        # A burst takes no time here: it came at the full second that it is about.
        sampled = 1000 * round((record["t"] - record["age_ms"][name]) / 1000)
        stated = record.get("sampled", {}).get(name, sampled)
        if stated != sampled:
            return f"sampled at {stated}, came at {sampled}"
        if why := self._instant(one.name, name, sampled, record):
            return why
        start = part.receiver.start_utc_ms
        now = part.receiver.moment((sampled - start) / 1000)
        used = {system: len(numbers) for system, numbers in now.used.items()}
        total = sum(used.values())
        at = datetime.fromtimestamp(sampled / 1000, UTC)
        expected = {
            "latitude": now.latitude,
            "longitude": now.longitude,
            "altitude": now.altitude,
            "datum": "WGS-84",
            "fix": "single" if now.quality else "none",
            "hdop": now.hdop,
            "satellites_used": total,
            "used_beidou": used["GB"],
            "share_beidou": round(100 * used["GB"] / max(total, 1), 1),
            "satellites_in_view": sum(map(len, now.sky.values())),
            "receiver_time": f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
        }[name]
        if isinstance(expected, float):
            # Five decimals of a minute of arc are 1.7e-7 degrees.
            near = 1e-7 if name in ("latitude", "longitude") else 1e-9
            return "" if abs(value - expected) <= near else f"expected {expected}"
        return "" if value == expected else f"expected {expected!r}"

    def _instant(self, device, name, sampled, record):
        """It is of this scan, and was never delivered before."""
        late_s = record["t"] / 1000 - sampled / 1000
        if not -EARLY_S <= late_s <= 12:
            return f"sampled {late_s:.1f} s before the scan"
        if self._taken.get((device, name), 0) >= sampled:
            return "delivered twice"
        self._taken[device, name] = sampled
        return ""


def _age_of(record, name, quantity):
    age_ms = record.get("age_ms", {}).get(name)
    return {} if age_ms is None else {quantity: age_ms}


def _ct(plan, device):
    """As the site file says, read by hand."""
    entry = plan.text.split(f"\n  {device}:\n")[1]
    own = entry.split("\n  ")[0:]
    for line in own:
        if not line.startswith("  "):
            break
        if line.strip().startswith("ct:"):
            return int(line.split(":")[1])
    return 1


def _same(value, exact):
    return math.isclose(value, float(exact), rel_tol=1e-12, abs_tol=1e-12)


def _modbus_fits(point, bit, number, value):
    """Whether a delivered value is what these registers mean."""
    if point.type == "bool":
        return value is bool(number)
    if bit:
        (which,) = (at for at, word in point.bits.items() if word == bit)
        return value is bool(int(number) >> which & 1)
    if point.enum:
        return value == point.enum[int(number)]
    return _number_fits(point, number, value)


def _number_fits(point, number, value):
    if point.type == "float32":
        (held,) = struct.unpack(">f", struct.pack(">f", number))
        if point.scale == 1 and not point.offset and point.decimals is None:
            # Any number of decimals that means these four bytes.
            return struct.pack(">f", value) == struct.pack(">f", held)
        exact = Fraction(held) * point.scale + point.offset
        return math.isclose(value, float(exact), rel_tol=2**-23)
    exact = Fraction(int(number)) * point.scale + point.offset
    if point.loop is not None:
        loop = point.loop
        share = (exact - loop.start) / (loop.end - loop.start)
        exact = loop.low + share * (loop.high - loop.low)
    if point.decimals is not None:
        # Rounding half up or to even: both are within half of the last digit.
        half = 0.5 * 10.0**-point.decimals + 1e-9
        return abs(value - float(exact)) <= half
    return _same(value, exact)

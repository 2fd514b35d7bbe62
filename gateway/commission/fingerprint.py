"""Which profile fits a device, by what its registers say. Pure.

For and against each profile: its fingerprint (constants, texts, refused addresses), and
whether its points decode to values an instrument shows. What fits is proposed with its
evidence and never called certain; what nothing speaks for is not proposed at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from drivers.modbus.decode import decoder
from drivers.profiles.model import ModbusPoint
from gateway.commission.plausible import weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drivers.profiles.fingerprint import Trait
    from drivers.profiles.model import Profile, Table
    from drivers.values import Flaw, Value

LIKELY, POSSIBLE = 6.0, 1.0
LEAD = 2.0
"""By so much a likely profile is ahead of the next one that reads otherwise."""
_TRAIT, _NO_TRAIT = 6.0, -6.0
_IDENTITY = 8.0
_REFUSED = -4.0
_NOT_IN_ENUM, _NOT_FINITE, _OUT_OF_RANGE = -2.0, -2.0, -2.0
_FLAWS = {
    "not_in_enum": _NOT_IN_ENUM,
    "not_finite": _NOT_FINITE,
    "out_of_range": _OUT_OF_RANGE,
}
_FACTORY, _ALL_FIT = 0.4, 0.5
_ZEROS, _ZEROS_MOST = 0.15, 2.0
_UNKNOWN, _UNKNOWN_MOST = 0.1, 3.0
_POWER_FITS = 3.0
_POWER_WITHIN = 0.1
_RUN_MOST = 60
_SHOWN = 6


class Span(NamedTuple):
    """Registers to read."""

    table: Table
    address: int
    registers: int


class Memory:
    """What was read of one unit, and what it refused."""

    def __init__(self) -> None:
        self.words: dict[tuple[str, int], int] = {}
        self.refused: set[Span] = set()

    def refuses(self, table: str, address: int, registers: int) -> bool:
        """Whether the device refuses a read of these: it refused one within them."""
        return any(
            gone.table == table
            and address <= gone.address
            and gone.address + gone.registers <= address + registers
            for gone in self.refused
        )

    def data(self, table: str, address: int, registers: int) -> bytes | None:
        """The registers as received; None: not all were read."""
        keys = [(table, a) for a in range(address, address + registers)]
        if not all(key in self.words for key in keys):
            return None
        return b"".join(self.words[key].to_bytes(2, "big") for key in keys)


class Sign(msgspec.Struct, frozen=True):
    """One thing that speaks for a profile, or against it."""

    what: str
    """A point's name, or how a trait is called."""
    found: str
    weight: float


class Match(msgspec.Struct, frozen=True):
    """How well a profile fits."""

    profile: str
    score: float
    certainty: Literal["likely", "possible", "unlikely"]
    signs: tuple[Sign, ...]
    """The strongest, for and against."""
    same_as: tuple[str, ...] = ()
    """Profiles that fit as well: nothing that was read tells them apart."""


def spans(profile: Profile) -> list[Span]:
    """What has to be read to judge a profile: traits first, then runs of points."""
    traits = [
        Span(trait.table, trait.address, trait.count)
        for trait in profile.fingerprint
        if trait.table is not None
    ]
    most = min(profile.max_registers, _RUN_MOST)
    runs: list[Span] = []
    for point in sorted(_points(profile), key=lambda p: (p.table, p.address)):
        table, address = point.table, point.address
        if table in {"coil", "discrete"}:
            continue
        if runs and runs[-1].table == table:
            last = runs[-1]
            size = address + point.registers - last.address
            if address <= last.address + last.registers and size <= most:
                runs[-1] = Span(table, last.address, max(last.registers, size))
                continue
        runs.append(Span(table, address, point.registers))
    return traits + runs


def parts(profile: Profile, span: Span) -> list[Span]:
    """The points of a run that was refused as a whole, one by one."""
    end = span.address + span.registers
    return [
        Span(span.table, point.address, point.registers)
        for point in _points(profile)
        if point.table == span.table
        and span.address <= point.address < end
        and point.registers < span.registers
    ]


def judge(
    profile: Profile, memory: Memory, identity: str = "", setting: str = ""
) -> Match:
    """Weigh one profile against what was read.

    Args:
        profile: Which.
        memory: What was read.
        identity: What the device calls itself, where it was asked.
        setting: How the device was reached: a factory setting is a small sign.
    """
    signs = [
        sign
        for trait in profile.fingerprint
        if (sign := _trait(trait, memory, identity)) is not None
    ]
    values: dict[str, Value] = {}
    for point in _points(profile):
        sign = _point(point, memory, values)
        if sign is not None:
            signs.append(sign)
    signs += _power(values, _points(profile))
    if profile.baud and setting == f"{profile.baud} {profile.framing or '8N1'}":
        signs.append(Sign("setting", setting, _FACTORY))
    if len(values) > 1 and all(sign.weight > 0 for sign in signs):
        signs.append(Sign("points", str(len(values)), _ALL_FIT))
    signs += _leftovers(profile, memory)
    score = round(sum(sign.weight for sign in signs), 2)
    strongest = sorted(signs, key=lambda s: -abs(s.weight))[:_SHOWN]
    return Match(profile.profile, score, _certainty(score), tuple(strongest))


def rank(matches: Iterable[Match]) -> list[Match]:
    """Best first; the best is likely only when it is ahead of what reads otherwise."""
    ordered = sorted(matches, key=lambda m: (-m.score, m.profile))
    if not ordered or ordered[0].score < POSSIBLE:
        return []
    best, *others = ordered
    twins = tuple(m.profile for m in others if m.score == best.score)
    rival = max((m.score for m in others if m.score != best.score), default=0.0)
    certainty = best.certainty
    if twins or best.score - rival < LEAD:
        certainty = "possible"
    first = msgspec.structs.replace(best, certainty=certainty, same_as=twins)
    return [first, *(m for m in others if m.score >= POSSIBLE)]


def hopeless(profile: Profile, memory: Memory) -> bool:
    """Whether what was read already speaks against it: no need to read more."""
    return judge(profile, memory).score <= 2 * _REFUSED


def _certainty(score: float) -> Literal["likely", "possible", "unlikely"]:
    if score >= LIKELY:
        return "likely"
    return "possible" if score >= POSSIBLE else "unlikely"


def _points(profile: Profile) -> list[ModbusPoint]:
    return [p for p in profile.points if isinstance(p, ModbusPoint)]


def _trait(trait: Trait, memory: Memory, identity: str) -> Sign | None:
    if trait.identity:
        fits = trait.identity.lower() in identity.lower()
        says = _IDENTITY if fits else _NO_TRAIT / 2
        return Sign("identity", identity, says) if identity else None
    where = f"{trait.table} pdu:{trait.address}"
    if memory.refuses(trait.table or "", trait.address, trait.count):
        return Sign(where, "-", _TRAIT / 2 if trait.refused else _NO_TRAIT)
    data = memory.data(trait.table or "", trait.address, trait.count)
    if data is None:
        return None
    number, text = int.from_bytes(data, "big"), data.decode("ascii", "replace")
    fits = not trait.refused and (
        (not trait.equals or number in trait.equals)
        and (trait.minimum is None or number >= trait.minimum)
        and (trait.maximum is None or number <= trait.maximum)
        and trait.text in text
    )
    # A range fits many numbers by chance.
    says = _TRAIT if trait.equals or trait.text else _TRAIT / 4
    shown = text.strip("\0 ") if trait.text else str(number)
    return Sign(where, shown, says if fits else _NO_TRAIT)


def _point(point: ModbusPoint, memory: Memory, values: dict[str, Value]) -> Sign | None:
    if memory.refuses(point.table, point.address, point.registers):
        return Sign(point.name, "-", _REFUSED)
    data = memory.data(point.table, point.address, point.registers)
    if data is None:
        return None
    found: dict[str, Value] = {}
    flaws: dict[str, Flaw] = {}
    decoder([point], point.address).decode(data, point.address, found, flaws)
    flaw = flaws.get(point.name)
    if flaw is not None and flaw.reason in _FLAWS:
        return Sign(point.name, data.hex(), _FLAWS[flaw.reason])
    value = found.get(point.name)
    if value is None or point.type == "bool" or point.bits:
        return None
    if point.enum:
        return Sign(point.name, str(value), 0.3) if any(data) else None
    values[point.name] = value
    says = weight(value, point.unit, point.name)
    shown = f"{value} {point.unit}" if point.unit != "1" else str(value)
    return Sign(point.name, shown, says) if says else None


def _leftovers(profile: Profile, memory: Memory) -> list[Sign]:
    """Points that read as zero, and registers in use that the profile does not know."""
    known: set[tuple[str, int]] = set()
    zeros = 0
    for point in _points(profile):
        cells = range(point.address, point.address + point.registers)
        keys = [(point.table, a) for a in cells]
        known.update(keys)
        zeros += all(memory.words.get(key) == 0 for key in keys)
    others = sum(1 for key, word in memory.words.items() if word and key not in known)
    signs = []
    if zeros:
        signs.append(Sign("zeros", str(zeros), -min(_ZEROS * zeros, _ZEROS_MOST)))
    if others:
        says = -min(_UNKNOWN * others, _UNKNOWN_MOST)
        signs.append(Sign("unknown registers", str(others), round(says, 2)))
    return signs


def _power(values: Mapping[str, Value], points: Sequence[ModbusPoint]) -> list[Sign]:
    """Voltage times current times power factor is power: hardly so by chance."""
    units = {point.name: point.unit for point in points}
    parts = [values.get(n) for n in ("voltage", "current", "power_factor")]
    power = values.get("active_power")
    numbers = [n for n in (*parts, power) if isinstance(n, (int, float)) and n]
    if len(numbers) < 4:  # noqa: PLR2004 all of them, none of them zero
        return []
    volts, amps, factor, told = numbers
    watts = told * (1000 if units["active_power"] == "kW" else 1)
    if abs(volts * amps * factor - watts) > _POWER_WITHIN * abs(watts):
        return []
    return [Sign("voltage * current", f"{watts:g} W", _POWER_FITS)]

"""A period's stored form: the wire's JSON, a zero byte, and its exact numbers.

    {"station":"DA001","rev":0,"agg":{"so2":{"avg":"12.3",...,"n":12,"of":12}}}
    00
    MessagePack: factor -> numbers as "n" or "n/d", parts, marks

JSON has no zero byte of its own, so publishing only cuts there.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.aggregate import FactorPeriod, Mark, Period, PeriodKind

if TYPE_CHECKING:
    from gateway.clock import Instant

_NUMBERS = ("avg", "min", "max", "cou", "rate", "zs_avg", "zs_min", "zs_max")
_CUT = b"\0"


class _Exact(msgspec.Struct, array_like=True):
    numbers: dict[str, str]
    extra: dict[str, str]
    n: int
    of: int
    marks: dict[Mark, int]
    mark: Mark
    sums: dict[str, str] = {}
    over_oxygen: int = 0
    unit: str = ""
    cou_unit: str = ""


class _Tail(msgspec.Struct, omit_defaults=True):
    station: str
    t: int
    until: int
    rev: int
    agg: dict[str, dict[str, Any]]
    reason: str = ""


def tail(period: Period) -> bytes:
    """The JSON object with its braces, the cut, and the exact numbers."""
    agg = {name: _shown(period, name) for name in period.factors}
    wire = _Tail(
        station=period.station,
        t=period.t_ms,
        until=period.until_ms,
        rev=period.rev,
        agg=agg,
        reason=period.reason,
    )
    exact = {name: _exact(factor) for name, factor in period.factors.items()}
    return msgspec.json.encode(wire) + _CUT + msgspec.msgpack.encode(exact)


def wire_end(data: bytes, start: int) -> int:
    """Where the JSON ends that begins at ``start``."""
    return data.index(_CUT, start)


def read(kind: PeriodKind, at: Instant, body: bytes) -> Period:
    """The period behind its JSON, cut and exact numbers.

    Raises:
        msgspec.MsgspecError: Damaged.
    """
    text, cut, packed = body.partition(_CUT)
    if not cut:
        raise msgspec.DecodeError("the exact numbers are missing")
    wire = msgspec.json.decode(text, type=_Tail)
    exact = msgspec.msgpack.decode(packed, type=dict[str, _Exact])
    return Period(
        kind=kind,
        station=wire.station,
        t_ms=wire.t,
        until_ms=wire.until,
        rev=wire.rev,
        reason=wire.reason,
        factors={name: _factor(found) for name, found in exact.items()},
        figures={
            name: {key: word for key, word in shown.items() if key not in _BESIDE}
            for name, shown in wire.agg.items()
        },
        flags={
            name: shown["flag"] for name, shown in wire.agg.items() if "flag" in shown
        },
        at=at,
    )


_BESIDE = frozenset(
    ("unit", "cou_unit", "n", "of", "marks", "flag", "mark", "over_oxygen")
)


class Shown(msgspec.Struct, frozen=True):
    """A period's digits without its exact numbers: quickly read."""

    kind: PeriodKind
    station: str
    t_ms: int
    rev: int
    agg: dict[str, dict[str, Any]]
    """Factor -> its digits by name, and beside them n, of, mark, marks, flag,
    over_oxygen."""


def shown(kind: PeriodKind, body: bytes) -> Shown:
    """What a period's JSON says.

    Raises:
        msgspec.MsgspecError: Damaged.
    """
    text, _, _ = body.partition(_CUT)
    wire = msgspec.json.decode(text, type=_Tail)
    return Shown(kind, wire.station, wire.t, wire.rev, wire.agg)


def _shown(period: Period, name: str) -> dict[str, Any]:
    factor = period.factors[name]
    shown: dict[str, Any] = {**period.figures.get(name, {})}
    for key in ("unit", "cou_unit"):
        if unit := getattr(factor, key):
            shown[key] = unit
    shown["n"], shown["of"] = factor.n, factor.of
    if name in period.flags:
        shown["flag"] = period.flags[name]
    if factor.mark != "valid":
        shown["mark"] = factor.mark
    if factor.n != factor.of:
        shown["marks"] = factor.marks
    if factor.over_oxygen:
        shown["over_oxygen"] = factor.over_oxygen
    return shown


def _exact(factor: FactorPeriod) -> _Exact:
    numbers = {
        key: str(value)
        for key in _NUMBERS
        if (value := getattr(factor, key)) is not None
    }
    extra = {key: str(value) for key, value in factor.extra.items()}
    sums = {key: str(value) for key, value in factor.sums.items()}
    return _Exact(
        numbers,
        extra,
        factor.n,
        factor.of,
        factor.marks,
        factor.mark,
        sums,
        factor.over_oxygen,
        factor.unit,
        factor.cou_unit,
    )


def _factor(found: _Exact) -> FactorPeriod:
    try:
        numbers = {key: Fraction(text) for key, text in found.numbers.items()}
        extra = {key: Fraction(text) for key, text in found.extra.items()}
        sums = {key: Fraction(text) for key, text in found.sums.items()}
    except (ValueError, ZeroDivisionError) as exc:
        raise msgspec.DecodeError(f"no number: {exc}") from exc
    if not numbers.keys() <= set(_NUMBERS):
        raise msgspec.DecodeError(f"unknown numbers: {sorted(numbers)}")
    return FactorPeriod(
        **numbers,
        extra=extra,
        sums=sums,
        over_oxygen=found.over_oxygen,
        n=found.n,
        of=found.of,
        marks=found.marks,
        mark=found.mark,
        unit=found.unit,
        cou_unit=found.cou_unit,
    )

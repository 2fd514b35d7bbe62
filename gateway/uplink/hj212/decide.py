"""What a request that is ours asks for: a plan, or a refusal. Pure.

Source: HJ 212-2017, 6.5, table 4 (ranges), table 9, annex C; what HJ 212-2025 adds
follows public implementations, its own text was not at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.hj212.fields import NUMBER
from drivers.values import Value
from gateway.aggregate import PeriodKind
from gateway.config.model import Hj212Target
from gateway.config.rights import Order, Shown
from gateway.uplink.hj212.codes import QnRtn
from gateway.uplink.hj212.settings import Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.hj212.segment import Segment


class Refuse(msgspec.Struct, frozen=True):
    """It is not done."""

    code: QnRtn
    why: str = ""
    """A key of the texts ``hj212.why.*``; empty: not worth telling."""


class Set(msgspec.Struct, frozen=True):
    """Settings become these."""

    values: dict[str, Setting]


class SetPassword(msgspec.Struct, frozen=True):
    """PW becomes this."""

    password: str


class SetKey(msgspec.Struct, frozen=True):
    """The SM4 key becomes this."""

    key: str


class SetClock(msgspec.Struct, frozen=True):
    """Our clock should become this: told to people, never done."""

    time: str


class Tell(msgspec.Struct, frozen=True):
    """One value of ours is said."""

    name: str


class Pull(msgspec.Struct, frozen=True):
    """Stored periods are sent, from the one label to the other."""

    kind: PeriodKind
    begin: str
    end: str


class Act(msgspec.Struct, frozen=True):
    """Points are written, in this order."""

    writes: tuple[tuple[Order, Value], ...]
    also: tuple[Shown, ...] = ()
    """What is said of it afterwards: ``VaseNo`` of a retained sample."""


class Look(msgspec.Struct, frozen=True):
    """Points are read, or texts are said."""

    items: tuple[Shown, ...]
    factor: str | None


Plan = Refuse | Set | SetPassword | SetKey | SetClock | Tell | Pull | Act | Look


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan may lean on."""

    conf: Hj212Target
    minute_s: int
    """The station's shortest period."""
    encrypts: bool = False
    """A key is in force."""
    facilities: bool = False
    """The station has facilities whose state could be sent."""


NOTICES = frozenset((2012, 2022, 9015))
"""What a platform says and has confirmed with 9013."""
ACTING = frozenset((3011, 3012, 3013, 3014, 3015, 3016, 3021, 3022, 3024))
"""What is done to an instrument; never without ``allow`` and an order."""
ONLY_2025 = frozenset((1002, 1014, 2013, 2052, 2062, 2111, 3022, 3024, 9015))
_PERIODS: dict[int, PeriodKind] = {
    2031: "day",
    2041: "day",
    2051: "minute",
    2061: "hour",
}
_MINUTES = frozenset((1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30))
_SECONDS = (30, 3600)
_READS = {3017: ("CstartTime", "Ctime"), 3018: ("Stime",), 3019: ("SN",)}
_VASE = 3015
_PW_LENGTH = 6
_LIMITS = {2017: (1, 99), 2025: (0, 99)}
"""Of OverTime (s) and ReCount."""
_NO_SUCH = Refuse(QnRtn.CN)
_WRONG = Refuse(QnRtn.REFUSED, "values")


def decide(segment: Segment, rights: Rights) -> Plan:
    """What to do about a request whose PW, MN, ST and Flag are right.

    Args:
        segment: It.
        rights: What the site file allows and has.
    """
    cn = segment.cn
    if cn in ONLY_2025 and rights.conf.version < 2025:  # noqa: PLR2004
        return _NO_SUCH
    if cn in ACTING:
        return _act(segment, rights)
    found = _DECIDERS.get(cn)
    return _NO_SUCH if found is None else found(segment, rights)


def _time_limits(segment: Segment, rights: Rights) -> Plan:
    limits = _LIMITS[rights.conf.version]
    overtime = _whole(segment, "OverTime", limits)
    recount = _whole(segment, "ReCount", limits)
    if overtime is None or recount is None:
        return _WRONG
    # No wait at all would make every answer a late one.
    return Set({"overtime_s": float(max(1, overtime)), "recount": recount})


def _set_interval(segment: Segment, _rights: Rights) -> Plan:
    seconds = _whole(segment, "RtdInterval", _SECONDS)
    return _WRONG if seconds is None else Set({"rtd_interval_s": float(seconds)})


def _set_minutes(segment: Segment, rights: Rights) -> Plan:
    minutes = _whole(segment, "MinInterval", (1, 30))
    if minutes is None or minutes not in _MINUTES:
        return _WRONG
    if minutes * 60 == rights.minute_s:
        return Set({})
    # One value holds for the station and all its platforms: the site file's.
    return Refuse(QnRtn.REFUSED, "minutes")


def _set_password(segment: Segment, _rights: Rights) -> Plan:
    password = segment.get("NewPW")
    if password is None or len(password) != _PW_LENGTH:
        return _WRONG
    return SetPassword(password)


def _set_key(segment: Segment, rights: Rights) -> Plan:
    key = segment.get("NewSK")
    if not rights.encrypts:
        # Who knows PW alone must not be able to make us encrypt.
        return Refuse(QnRtn.REFUSED, "no_key")
    return _WRONG if not key else SetKey(key)


def _set_mn(segment: Segment, rights: Rights) -> Plan:
    if "i23005" not in rights.conf.hardware:
        return Refuse(QnRtn.REFUSED, "nothing")
    return _WRONG if len(segment.mn) != 24 else Set({"mn": segment.mn})  # noqa: PLR2004


def _clock(segment: Segment, rights: Rights) -> Plan:
    factor = segment.get("PolId")
    if factor is None:
        return Tell("SystemTime")
    items = _shown(rights, factor, ("SystemTime",))
    return Look(items, factor) if items else Refuse(QnRtn.REFUSED, "nothing")


def _set_clock(segment: Segment, rights: Rights) -> Plan:
    time = segment.get("SystemTime")
    if time is None:
        return _WRONG
    if segment.get("PolId") is not None:
        return _act(segment, rights)
    return SetClock(time[:14])


def _realtime(segment: Segment, _rights: Rights) -> Plan:
    if segment.get("BeginTime") is not None:
        return Refuse(QnRtn.REFUSED, "nothing")  # real-time values are not kept
    return Set({"realtime": True})


def _facilities(_segment: Segment, rights: Rights) -> Plan:
    if not rights.facilities:
        return Refuse(QnRtn.REFUSED, "nothing")
    return Set({"facilities": True})


def _pull(segment: Segment, _rights: Rights) -> Plan:
    begin, end = segment.get("BeginTime"), segment.get("EndTime")
    if begin is None or end is None or end < begin:
        return _WRONG
    return Pull(_PERIODS[segment.cn], begin[:14], end[:14])


def _act(segment: Segment, rights: Rights) -> Plan:
    cn, factor = segment.cn, segment.get("PolId")
    if cn not in rights.conf.allow:
        return Refuse(QnRtn.REFUSED, "not_allowed")
    info = segment.get("InfoId")
    writes: list[tuple[Order, Value]] = []
    for order in rights.conf.orders:
        if order.command != cn or order.factor not in (None, factor):
            continue
        if cn == 3021 and order.field != info:  # noqa: PLR2004
            continue
        value = order.value if order.field is None else _given(segment, order.field)
        if value is None:
            return _WRONG
        writes.append((order, value))
    if not writes:
        return Refuse(QnRtn.REFUSED, "no_order")
    also = _shown(rights, factor, ("VaseNo",)) if cn == _VASE else ()
    return Act(tuple(writes), also)


def _look(segment: Segment, rights: Rights) -> Plan:
    factor = segment.get("PolId")
    codes = _READS.get(segment.cn) or (segment.get("InfoId") or "",)
    if segment.cn == 3020 and not codes[0]:  # noqa: PLR2004
        return _WRONG
    items = _shown(rights, factor, codes)
    return Look(items, factor) if items else Refuse(QnRtn.REFUSED, "nothing")


def _nothing(_segment: Segment, _rights: Rights) -> Plan:
    return Refuse(QnRtn.REFUSED, "nothing")


def _tell(name: str) -> Callable[[Segment, Rights], Plan]:
    return lambda _segment, _rights: Tell(name)


def _off(name: str) -> Callable[[Segment, Rights], Plan]:
    return lambda _segment, _rights: Set({name: False})


_DECIDERS: dict[int, Callable[[Segment, Rights], Plan]] = {
    1000: _time_limits,
    1002: _set_mn,
    1011: _clock,
    1012: _set_clock,
    1014: _set_key,
    1061: _tell("RtdInterval"),
    1062: _set_interval,
    1063: _tell("MinInterval"),
    1064: _set_minutes,
    1072: _set_password,
    2011: _realtime,
    2012: _off("realtime"),
    2013: _nothing,
    2021: _facilities,
    2022: _off("facilities"),
    2031: _pull,
    2041: _pull,
    2051: _pull,
    2052: _nothing,
    2061: _pull,
    2062: _nothing,
    2111: _nothing,
    3017: _look,
    3018: _look,
    3019: _look,
    3020: _look,
    9015: lambda _segment, _rights: Set({}),  # some platforms say that they are there
}


def _shown(
    rights: Rights, factor: str | None, codes: tuple[str, ...]
) -> tuple[Shown, ...]:
    return tuple(
        item
        for code in codes
        for item in rights.conf.shown
        if item.code == code and item.factor == factor
    )


def _whole(segment: Segment, name: str, limits: tuple[int, int]) -> int | None:
    """A whole number within limits; None: it is none, or not there."""
    text = segment.get(name) or ""
    if not text.isdigit() or not text.isascii():
        return None
    number = int(text)
    return number if limits[0] <= number <= limits[1] else None


def _given(segment: Segment, field: str) -> Value | None:
    """What the request says under a field: a number where it is one."""
    text = segment.get(field)
    if text is None:
        text = segment.get(f"{field}-Info")
    if text is None:
        return None
    text = text.removeprefix("//").removesuffix("//")
    if NUMBER.fullmatch(text) is None:
        return text or None
    return float(text) if "." in text else int(text)

"""Stored minutes, hours and days: their figures, and how they are cut for the disk.

The history keeps the same bytes that the buffer does (`gateway.record.encode`), under
the station's name. Reading the figures (the digits everybody sees) leaves the exact
numbers alone: a day of minutes is then there in some tens of milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.record import PERIOD_AT, RecordError, head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BETWEEN = b'},"'
"""Between two factors in a period's JSON."""
_NAMED = b'"agg":{"'


class Shown(msgspec.Struct, gc=False):
    """One factor in one period, as it is published; see ``period_form``."""

    avg: str | None = None
    min: str | None = None
    max: str | None = None
    cou: str | None = None
    rate: str | None = None
    zs_avg: str | None = None
    zs_min: str | None = None
    zs_max: str | None = None
    l5: str | None = None
    l10: str | None = None
    l50: str | None = None
    l90: str | None = None
    l95: str | None = None
    ld: str | None = None
    ln: str | None = None
    ldn: str | None = None
    unit: str = ""
    """Of all figures but the total; empty: kept before units were told."""
    cou_unit: str = ""
    n: int = 0
    of: int = 0
    flag: str = ""
    mark: str = "valid"
    marks: dict[str, int] = {}


class ShownPeriod(msgspec.Struct, gc=False):
    """One period's figures."""

    station: str
    t: int
    until: int
    rev: int
    agg: dict[str, Shown]
    reason: str = ""


_decode = msgspec.json.Decoder(ShownPeriod).decode


def shown(data: bytes) -> ShownPeriod:
    """The figures of a stored period; its exact numbers are not read.

    Raises:
        RecordError: It is no period, or damaged.
    """
    if head(data).kind not in ("minute", "hour", "day"):
        raise RecordError(f"expected a period, got a {head(data).kind}")
    try:
        return _decode(b"{" + data[PERIOD_AT : data.index(b"\0", PERIOD_AT)])
    except (msgspec.MsgspecError, ValueError) as exc:
        raise RecordError(f"stored period: {exc}") from exc


def cut(data: bytes) -> Sequence[bytes]:
    """A stored period, a few factors at a time, for the history's blocks.

    Whatever else it is given comes back in one part.
    """
    stop = data.find(b"\0", PERIOD_AT)
    found = data.find(_NAMED, PERIOD_AT)
    if stop < 0 or not 0 <= found < stop:
        return (data,)
    digits = data[PERIOD_AT:stop].split(_BETWEEN)
    named = [digits[0], *(_BETWEEN + each for each in digits[1:])]
    places = _exact_places(data, stop, [_name(part) for part in digits[1:]])
    ends = [*places[1:], len(data)]
    exact = [data[low:high] for low, high in zip(places, ends, strict=True)]
    return [data[:PERIOD_AT], *_in(named, 2), *_in(exact, 4)]


def _in(parts: Sequence[bytes], some: int) -> Iterator[bytes]:
    """So many parts together: half as long to join again, and a hundredth more room."""
    return (b"".join(parts[k : k + some]) for k in range(0, len(parts), some))


def _name(part: bytes) -> bytes:
    """The factor's name at the begin of what is said of it."""
    return part[: part.find(b'"')]


def _exact_places(data: bytes, stop: int, names: Sequence[bytes]) -> list[int]:
    """Where the exact numbers of each factor begin, as far as they are found.

    MessagePack: a name's length and its bytes, then an array. What is taken for one
    and is none costs some room on disk, and nothing else.
    """
    places, at = [stop], stop
    for name in names:
        key = _LENGTHS.get(len(name), b"\xd9") + name
        found = data.find(key, at)
        if found < 0:
            break
        places.append(found)
        at = found + len(key)
    return places


_LENGTHS = {size: bytes([0xA0 + size]) for size in range(32)}

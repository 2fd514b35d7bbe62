"""What is open, as a note of the store: written every ten seconds and at stop.

After a kill at most what came since the last note is missing, and no slot counts twice:
a reading is kept with its time, and its time says its slot.
"""

from __future__ import annotations

import logging
import zlib
from typing import TYPE_CHECKING

import msgspec

from gateway.aggregate import PeriodKind
from gateway.average.readings import Reading, keep
from gateway.average.tally import Tally
from gateway.clock import Instant
from gateway.record import Gap
from gateway.texts import t

if TYPE_CHECKING:
    from gateway.average.book import Book
    from gateway.config.stations import Factor

log = logging.getLogger(__name__)

NOTE = "averages"
"""Its name."""


class OfFactor(msgspec.Struct, array_like=True):
    """One factor's readings that are in no period yet."""

    means: str
    """What its numbers are; another one begins anew."""
    since_ms: int
    rows: list[Reading]
    tail: Reading | None = None
    newest: Reading | None = None
    tally: Tally | None = None


class OfStation(msgspec.Struct, array_like=True):
    """One station."""

    next_ms: int | None
    longer: dict[str, int]
    factors: dict[str, OfFactor]
    gaps: list[Gap]
    again: dict[PeriodKind, dict[int, str]] = {}
    """Hours and days to be worked out again once they are over, and why."""


class Saved(msgspec.Struct, array_like=True):
    """The note."""

    at: Instant
    clean: bool
    """The gateway was stopped, and everything told was stored."""
    again_ms: int | None
    """Old periods that were worked out just then begin here."""
    stations: dict[str, OfStation]


def save(book: Book, longer: dict[str, int]) -> OfStation:
    """What is open of one station."""
    factors = {}
    for inlet in book.inlets:
        rows = [
            reading
            for minute in book.minutes.values()
            if not minute.over
            for reading in minute.slots[inlet.index].values()
        ]
        factors[inlet.name] = OfFactor(
            _means(book, inlet.name),
            book.since_ms.get(inlet.name, 0),
            rows,
            book.tails[inlet.index],
            book.newest[inlet.index],
            book.tallies.get(inlet.name),
        )
    gaps = list(book.gaps())
    return OfStation(book.next_ms, longer, factors, gaps, book.again)


def restore(book: Book, saved: OfStation) -> None:
    """Go on where a station was; what is another factor now begins anew."""
    if saved.next_ms is not None:
        book.next_ms = _whole(book, saved.next_ms)
    for kind, again in saved.again.items():
        book.again[kind].update(again)
    for gap in saved.gaps:
        book.gap(gap)
    for inlet in book.inlets:
        known = saved.factors.get(inlet.name)
        if known is None or known.means != _means(book, inlet.name):
            # Also one that was not there: before, its name may have meant another.
            if book.next_ms is not None:
                book.since_ms[inlet.name] = book.next_ms
            continue
        if known.since_ms:
            book.since_ms[inlet.name] = known.since_ms
        for reading in known.rows:
            slot = inlet.slot(reading.t_ms)
            start = book.calendar.minute(inlet.due(slot))
            keep(book.minute_at(start).slots[inlet.index], slot, reading)
        book.tails[inlet.index] = known.tail
        book.newest[inlet.index] = known.newest
        if known.tally is not None and inlet.name in book.tallies:
            book.tallies[inlet.name] = known.tally


def packed(saved: Saved) -> bytes:
    """Its bytes."""
    return zlib.compress(msgspec.msgpack.encode(saved), 1)


def unpacked(note: bytes | None) -> Saved | None:
    """Back from its bytes; None where there is none that can be read."""
    if note is None:
        return None
    try:
        return msgspec.msgpack.decode(zlib.decompress(note), type=Saved)
    except (zlib.error, msgspec.MsgspecError) as exc:
        log.error("%s", t("log.averages_unreadable", error=exc))  # noqa: TRY400
        return None


def _whole(book: Book, t_ms: int) -> int:
    """From then on minutes are whole: their length may be another than it was."""
    start = book.calendar.minute(t_ms)
    return start if start == t_ms else start + book.calendar.minute_ms


def _means(book: Book, name: str) -> str:
    """What decides the numbers of a factor: all but names and digits."""
    station, zone = book.station, book.calendar.timezone
    factor = station.factor(name.removesuffix("+"))
    if factor is None:
        return ""
    bare: Factor = msgspec.structs.replace(
        factor, label={}, code=None, decimals=0, cou_decimals=0
    )
    around = station.flue_gas, station.water
    parts = (zone, station.kind, station.minute_s, bare, *around)
    return f"{zlib.crc32(repr(parts).encode()):08x}"

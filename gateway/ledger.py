"""The books: what was scheduled, what became of it, and what each platform has of it.

One row per device and UTC hour. Of slots it counts *point-slots*, one for each point of
each scheduled poll, and every one is entered once:

    scheduled = value + bad + gap

value: the poll gave a value, good or uncertain. bad: it was asked and has none, with a
reason. gap: it was not asked, as a gap record says. The switches that a word of bits
carries (``state.door_open``) are parts of their point and do not count again. Of
records it counts those stored, and for each target those sent (again each time),
proved, refused for good, filtered out, and written to a target that proves nothing.

Which hour: that of a scan's acquisition; a gap's slots and a loss's records by
``gateway.spread``; other records by the time they end or were made at. What an
untrusted clock dated is counted under ``UNDATED``: nobody knew its hour then.

Counting costs a dict look-up and a few additions a record; nothing is encoded. The rows
are saved every ten minutes and at a clean stop (``gateway.ledger_notes``). After a kill
the hours from the last save on are *incomplete*: what was counted since is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args

import msgspec

from gateway import record as stored_form
from gateway.record import Gap, Scan
from gateway.spread import HOUR_MS, HOURS_KEPT, by_hour

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from gateway.config.model import Site
    from gateway.record import Lost, Record

UNDATED = -1
"""The hour of what no trusted clock dated."""
LONGEST_MS = 31 * 24 * HOUR_MS
"""A span beyond this is a clock gone wrong, not a time: it is counted undated."""
_METAS_KEPT = 8
_TELLINGS_KEPT = 2000
_LOSSES_KEPT = 256

Fate = Literal["sent", "proved", "refused", "filtered", "written"]
FATES: tuple[Fate, ...] = get_args(Fate)
_SENT, _PROVED, _REFUSED, _FILTERED, _WRITTEN = range(len(FATES))

Key = tuple[str, int]
"""Device (empty: the gateway's own records) and hour since 1970 UTC, or UNDATED."""


class Entry(Protocol):
    """One stored record; see ``buffer.Entry``."""

    @property
    def t_ms(self) -> int:
        """Acquisition time, UTC ms."""
        ...

    @property
    def subject(self) -> str:
        """The device."""
        ...

    @property
    def data(self) -> bytes:
        """Its stored bytes."""
        ...


class Row(msgspec.Struct, array_like=True):
    """One device in one hour."""

    records: int = 0
    value: int = 0
    bad: int = 0
    gap: int = 0
    lost: int = 0
    """Records that will never reach a target that has not got them."""
    unsure: int = 0
    """Records that may be lost: a bound."""

    @property
    def scheduled(self) -> int:
        """All point-slots."""
        return self.value + self.bad + self.gap


class Telling(NamedTuple):
    """What was entered for a gap that may be told again."""

    t_ms: int
    until_ms: int
    slots: int
    width: int
    """Points."""
    dated: bool


class DeliveryLedger:
    """The rows, and the hooks that fill them."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.books: dict[str, dict[Key, list[int]]] = {}
        """Target -> row -> counts in the order of ``FATES``."""
        self.incomplete: set[int] = set()
        """Hours of which a kill took some counts."""
        self.tellings: dict[tuple[str, tuple[str, ...], int], Telling] = {}
        """Gaps that may be told again, by device, points and beginning."""
        self.losses: dict[tuple[int, int], None] = {}
        """Losses entered already: one may be stated twice."""
        self.dirty: set[int] = set()
        """Hours that changed since they were saved."""
        self._points: dict[str, dict[str, int]] = {}
        self._newest: dict[str, int] = {}
        self._bits: set[str] = set()

    def adopt(self, meta: str, site: Site) -> None:
        """Learn what ``*`` stands for in records made under this version.

        Args:
            meta: The version's id.
            site: What it describes.
        """
        self._points[meta] = {d.name: len(d.points) for d in site.devices.values()}
        while len(self._points) > _METAS_KEPT:
            del self._points[next(iter(self._points))]
        self.know(self._points[meta])
        self._bits |= {
            d.name for d in site.devices.values() if any(p.bits for p in d.points)
        }

    def know(self, points: dict[str, int]) -> None:
        """How many points devices have; of those no site lists any more, too."""
        self._newest |= points

    # -- from the recorder --------------------------------------------------

    def stored(self, record: Record, t_ms: int, subject: str, meta: str) -> None:
        """Enter a record as it is stored.

        Args:
            record: The record.
            t_ms: As given to the buffer.
            subject: As given to the buffer.
            meta: The version it is stored under.
        """
        if type(record) is Scan:
            hour = t_ms // HOUR_MS if record.at.trusted else UNDATED
            row = self._row(subject, hour)
            row.records += 1
            if record.flaws or subject in self._bits:
                value, bad = _shares(record)
                row.value += value
                row.bad += bad
            else:
                row.value += len(record.values)
            return
        dated = stored_form.dated(record)
        self._row(subject, t_ms // HOUR_MS if dated else UNDATED).records += 1
        if isinstance(record, Gap):
            self._gap(record, meta, dated=dated)

    def _gap(self, gap: Gap, meta: str, *, dated: bool) -> None:
        """Enter a gap's slots; told again, it replaces what it said before."""
        key = (gap.device, gap.points, gap.since.wall_ms)
        told = self.tellings.pop(key, None)
        if told is not None:
            self._spread_gap(gap.device, told, -1)
        told = Telling(
            gap.since.wall_ms,
            gap.until.wall_ms,
            gap.slots,
            self._width(gap, meta),
            dated,
        )
        self._spread_gap(gap.device, told, 1)
        if gap.open or not dated:
            self.tellings[key] = told
            if len(self.tellings) > _TELLINGS_KEPT:
                del self.tellings[next(iter(self.tellings))]

    def _width(self, gap: Gap, meta: str) -> int:
        if gap.points != ("*",):
            return len(gap.points)
        known = self._points.get(meta, {}).get(gap.device)
        return known or self._newest.get(gap.device, 1)

    def _spread_gap(self, device: str, told: Telling, sign: int) -> None:
        if not told.dated or told.until_ms - told.t_ms > LONGEST_MS:
            self._row(device, UNDATED).gap += sign * told.slots * told.width
            return
        for hour, slots in by_hour(told.t_ms, told.until_ms, told.slots):
            self._row(device, hour).gap += sign * slots * told.width

    # -- from the buffer's losses -------------------------------------------

    def loss(self, lost: Lost) -> None:
        """Enter a loss as it is stated; the same range is entered once."""
        self.stored(lost, lost.at.wall_ms, "", "")
        key = (lost.first, lost.last)
        if key in self.losses:
            return
        self.losses[key] = None
        if len(self.losses) > _LOSSES_KEPT:
            del self.losses[next(iter(self.losses))]
        counts = lost.counts or {"": lost.at_most}
        certain = lost.certain and bool(lost.counts)
        known = lost.t_ms > 0 and lost.until_ms - lost.t_ms <= LONGEST_MS
        for device, count in counts.items():
            hours = by_hour(lost.t_ms, lost.until_ms, count) if known else ()
            for hour, part in hours or ((UNDATED, count),):
                row = self._row(device, hour)
                if certain:
                    row.lost += part
                else:
                    row.unsure += part

    # -- from the pumps -----------------------------------------------------

    def sent(self, target: str, entries: Iterable[Entry]) -> None:
        """These were handed to a target's link; a repeat is entered again."""
        self._enter(target, entries, _SENT)

    def proved(self, target: str, entries: Iterable[Entry]) -> None:
        """The target has these."""
        self._enter(target, entries, _PROVED)

    def written(self, target: str, entries: Iterable[Entry]) -> None:
        """These were handed over, and nobody will ever say whether they arrived."""
        self._enter(target, entries, _WRITTEN)

    def lost(self, target: str, entries: Iterable[Entry], cause: str) -> None:
        """The target will never have these.

        Args:
            target: Its name.
            entries: The records.
            cause: ``filtered``: its filter leaves them out; anything else: it refuses
                them for good.
        """
        self._enter(target, entries, _FILTERED if cause == "filtered" else _REFUSED)

    def _enter(self, target: str, entries: Iterable[Entry], fate: int) -> None:
        book = self.books.get(target)
        if book is None:
            book = self.books[target] = {}
        for entry in entries:
            dated = stored_form.is_dated(entry.data)
            key = (entry.subject, entry.t_ms // HOUR_MS if dated else UNDATED)
            counts = book.get(key)
            if counts is None:
                counts = book[key] = [0] * len(FATES)
            counts[fate] += 1
            self.dirty.add(key[1])

    # -- rows ---------------------------------------------------------------

    def _row(self, device: str, hour: int) -> Row:
        self.dirty.add(hour)
        key = (device, hour)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Row()
        return row

    def row(self, device: str, hour: int) -> Row:
        """The counts of one device in one hour; all zero where there is no row."""
        return self.rows.get((device, hour)) or Row()

    def hours(self) -> set[int]:
        """All hours that have a row."""
        tables: list[Iterable[Key]] = [self.rows, *self.books.values()]
        return {hour for table in tables for _, hour in table}

    def devices(self, hour: int) -> list[str]:
        """The devices that have a row in an hour, in alphabetical order."""
        tables: list[Iterable[Key]] = [self.rows, *self.books.values()]
        return sorted({name for table in tables for name, at in table if at == hour})

    def prune(self, now_ms: int, told: Callable[[int], bool]) -> None:
        """Forget rows older than ``HOURS_KEPT`` whose day was told.

        Args:
            now_ms: UTC ms.
            told: Whether the day of an hour is in a record.
        """
        oldest = now_ms // HOUR_MS - HOURS_KEPT
        gone = {h for h in self.hours() if UNDATED < h < oldest and told(h)}
        self.forget(gone)

    def forget(self, hours: Collection[int]) -> None:
        """Drop the rows of these hours."""
        tables: list[dict[Key, Any]] = [self.rows, *self.books.values()]
        for table in tables:
            for key in [key for key in table if key[1] in hours]:
                del table[key]
        self.incomplete.difference_update(hours)
        self.dirty.difference_update(hours)


def _shares(scan: Scan) -> tuple[int, int]:
    """Points with a value and points without one; bits belong to their point."""
    values = sum("." not in name for name in scan.values)
    bad = sum("." not in n and n not in scan.values for n in scan.flaws)
    return values, bad

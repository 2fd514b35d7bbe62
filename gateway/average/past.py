"""What has been told of a station, as averages need it: in memory, else in the history.

history   every minute, hour and day, durable, all revisions
here      the parts of hours and days that are not over for long
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

from buffer import DiskTroubleError
from gateway.average.calendar import HOUR_MS
from gateway.average.finish import by_totaliser
from gateway.average.longer import Part, longer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.aggregate import FactorPeriod, Period, PeriodKind
    from gateway.average.book import Book
    from gateway.average.calendar import Bounds

Longer = Literal["hour", "day"]
LONGER: tuple[Longer, ...] = get_args(Longer)
PARTS: dict[Longer, PeriodKind] = {"hour": "minute", "day": "hour"}
_KEEP_MS: dict[PeriodKind, int] = {
    "minute": 2 * 3_600_000,
    "hour": 50 * 3_600_000,
    "day": 50 * 3_600_000,
}
Found = dict[str, "FactorPeriod"]


class Stored(NamedTuple):
    """A period, and the version of the site that its record is read with."""

    period: Period
    meta: str


class History(Protocol):
    """Where periods are kept for a year."""

    async def put(self, records: Sequence[Stored]) -> Sequence[Stored]:
        """Keep them; durable when it returns.

        Returns:
            Those refused: there is another record with their place and revision.

        Raises:
            DiskTroubleError: The disk refuses.
        """
        ...

    async def last(self, station: str, kind: PeriodKind) -> int | None:
        """When the last period that is kept begins; None: there is none."""
        ...

    async def read(
        self, station: str, kind: PeriodKind, since_ms: int, until_ms: int
    ) -> Sequence[Stored]:
        """The latest revision of each that begins in this time, ascending."""
        ...


class Past:
    """Of one station."""

    def __init__(self, station: str, history: History) -> None:
        self._station = station
        self._history = history
        self._known: dict[PeriodKind, dict[int, Found]] = {
            "minute": {},
            "hour": {},
            "day": {},
        }
        self._revs: dict[tuple[PeriodKind, int], int] = {}
        self._last: dict[PeriodKind, int] = {}
        self._whole: set[tuple[Longer, int]] = set()
        """Hours and days all of whose parts are here."""

    async def rev(self, kind: PeriodKind, t_ms: int) -> int | None:
        """The last revision told; None: it was never told, as far as can be read.

        What an earlier run told and a disk in trouble does not show is refused by the
        history itself, where it differs: to tell nothing meanwhile would be worse.
        """
        key = kind, t_ms
        with contextlib.suppress(DiskTroubleError):
            if kind not in self._last:
                self._last[kind] = await self._history.last(self._station, kind) or 0
            if key not in self._revs and t_ms <= self._last[kind]:
                await self._read_rev(kind, t_ms)
        return self._revs.get(key)

    async def _read_rev(self, kind: PeriodKind, t_ms: int) -> None:
        for one in await self._history.read(self._station, kind, t_ms, t_ms + 1):
            self._revs[kind, t_ms] = one.period.rev

    async def found(self, kind: PeriodKind, t_ms: int) -> Found:
        """What was told last of a period; nothing where it was never told."""
        with contextlib.suppress(DiskTroubleError):
            for one in await self._history.read(self._station, kind, t_ms, t_ms + 1):
                return one.period.factors
        return {}

    def told(
        self, kind: PeriodKind, t_ms: int, found: Found, rev: int | None = None
    ) -> None:
        """Remember what was told."""
        self._known[kind][t_ms] = found
        if rev is not None:
            self._revs[kind, t_ms] = rev
            if kind in self._last:
                self._last[kind] = max(self._last[kind], t_ms)

    async def load(self, kind: Longer, bounds: Bounds, since_ms: int) -> None:
        """Take up from the history what an hour or a day is made of.

        Args:
            kind: Which of them.
            bounds: Its time.
            since_ms: All parts since then are known here anyway.

        Raises:
            DiskTroubleError: A part of it may be there, and cannot be read now.
        """
        if (kind, bounds.start_ms) in self._whole:
            return
        parts = PARTS[kind]
        try:
            read = await self._history.read(self._station, parts, *bounds)
        except DiskTroubleError:
            if bounds.start_ms < since_ms:
                raise
            return
        for period, _ in read:
            unknown = period.t_ms not in self._known[parts]
            if unknown or self._revs.get((parts, period.t_ms), -1) < period.rev:
                self.told(parts, period.t_ms, period.factors, period.rev)
        self._whole.add((kind, bounds.start_ms))

    def parts(self, kind: Longer, bounds: Bounds) -> dict[int, Found]:
        """What is known of the parts of an hour or a day, by their start."""
        return {
            t: found
            for t, found in sorted(self._known[PARTS[kind]].items())
            if bounds.start_ms <= t < bounds.end_ms
        }

    def forget(self, now_ms: int) -> None:
        """Let go of what no open period is made of."""
        for kind, known in self._known.items():
            edge = now_ms - _KEEP_MS[kind]
            for t in [t for t in known if t < edge]:
                del known[t]
        edge = now_ms - max(_KEEP_MS.values())
        for kind, t in [key for key in self._revs if key[1] < edge]:
            del self._revs[kind, t]
        short: dict[Longer, int] = {"hour": now_ms - _KEEP_MS["minute"], "day": edge}
        self._whole = {key for key in self._whole if key[1] >= short[key[0]]}


def longer(book: Book, kind: Longer, bounds: Bounds, past: Past) -> Found:
    """An hour or a day of a station, out of what is known of its parts."""
    calendar = book.calendar
    parts = past.parts(kind, bounds)
    of = calendar.parts(kind, bounds)
    found: Found = {}
    for factor in book.station.factors:
        if factor.states:
            continue
        left_over = None
        if factor.counter:
            inner = [calendar.of("hour", t) for t in parts] if kind == "day" else []
            left_over = book.tallies[factor.name].left_over(bounds, inner)
        since = book.since_ms.get(factor.name, 0)
        if kind == "day":
            since -= HOUR_MS - 1  # the hour in which it began is of it alone
        mine = [
            Part(calendar.hour_of_day(t) if kind == "day" else 0, one[factor.name])
            for t, one in parts.items()
            if factor.name in one
            and t >= since
            and one[factor.name].unit in (factor.unit, "")
        ]
        found[factor.name] = longer_of(book.station, factor, kind, mine, of, left_over)
    return by_totaliser(book.station, found, bounds.ms)

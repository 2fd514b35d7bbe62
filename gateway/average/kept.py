"""The gateway's history as averages use it: periods in, and back with their meta."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffer import Kept
from gateway.aggregate import Period
from gateway.average.past import Stored
from gateway.record import RecordError, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from buffer import History
    from gateway.aggregate import PeriodKind


class KeptPeriods:
    """See ``past.History``."""

    def __init__(self, history: Callable[[], History | None]) -> None:
        """Ask each time: it may be opened by a reload, or not at all.

        Args:
            history: None where the disk refused it; then nothing is kept.
        """
        self._opened = history

    async def put(self, records: Sequence[Stored]) -> Sequence[Stored]:
        """See ``past.History``."""
        history = self._opened()
        if history is None:
            return ()
        entries = {_entry(one): one for one in records}
        refused = await history.put(entries)
        return [entries[entry] for entry in refused]

    async def last(self, station: str, kind: PeriodKind) -> int | None:
        """See ``past.History``."""
        history = self._opened()
        span = None if history is None else await history.span(station, kind)
        return None if span is None else span[1]

    async def read(
        self, station: str, kind: PeriodKind, since_ms: int, until_ms: int
    ) -> Sequence[Stored]:
        """See ``past.History``; what another release wrote is left out."""
        history, found = self._opened(), []
        if history is None:
            return ()
        for _, _, data in await history.read(station, kind, since_ms, until_ms):
            try:
                record, meta = decode(data)
            except RecordError:
                continue
            if isinstance(record, Period):
                found.append(Stored(record, meta))
        return found


def _entry(one: Stored) -> Kept:
    period = one.period
    data = encode(period, one.meta)
    return Kept(period.station, period.kind, period.t_ms, period.rev, data)

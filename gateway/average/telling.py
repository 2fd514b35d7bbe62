"""Periods on their way out: to the history, durably, then to everybody.

After a kill the last of them may be in the history and not in the store: they are told
once more. Whoever has one already knows it by its key.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from buffer import DiskTroubleError
from gateway.events import utc_text
from gateway.logs import CHANGE
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.aggregate import Period, PeriodKind
    from gateway.average.note import Saved
    from gateway.average.past import History, Stored
    from gateway.clock import Instant

log = logging.getLogger(__name__)

_AGAIN_MS = 15_000
"""What was told so shortly before the last note may not have been stored."""
_LOOK_BACK_MS: dict[PeriodKind, int] = {
    "minute": 2 * 3_600_000,
    "hour": 4 * 3_600_000,
    "day": 50 * 3_600_000,
}


class Teller:
    """What is worked out and not told yet."""

    def __init__(
        self, history: History, record: Callable[[Period, str], None], began: Instant
    ) -> None:
        """Nothing is to be told yet.

        Args:
            history: Takes every period first.
            record: Takes it after that, and the version it is read with.
            began: When this run did.
        """
        self._history = history
        self._record = record
        self._began = began
        self._troubled = False
        self.out: list[Stored] = []
        """In order; what is added here is told next."""
        self.refused = 0
        """Periods in whose place the history has others: told to nobody."""

    def from_long_ago(self, now: Instant) -> int | None:
        """When the oldest begins, if a restart would not look so far back by itself."""
        old = [
            period.t_ms
            for period, _ in self.out
            if period.t_ms < now.wall_ms - _LOOK_BACK_MS[period.kind]
        ]
        return min(period.t_ms for period, _ in self.out) if old else None

    async def tell(self) -> None:
        """Tell it; what the disk refuses to keep is told all the same."""
        out = self.out
        refused: Sequence[Stored] = ()
        try:
            refused = await self._history.put(out)
        except DiskTroubleError as exc:
            self.trouble(exc)
        else:
            self._troubled = False
        for one in out:
            if one in refused:
                self._refuse(one.period)
            else:
                self._record(*one)
        self.out = []

    def trouble(self, exc: DiskTroubleError) -> None:
        """The history's disk refuses: said once."""
        said = t("log.history_refuses", error=exc)
        log.error("%s", said, extra=None if self._troubled else CHANGE)
        self._troubled = True

    async def tell_again(self, saved: Saved) -> None:
        """Tell what the history has of the last moments before a kill.

        Args:
            saved: The last note of the run before.

        Raises:
            DiskTroubleError: The history cannot be read now; nothing was told.
        """
        edge = saved.at.wall_ms - _AGAIN_MS
        found: list[Stored] = []
        for name in saved.stations:
            for kind, back_ms in _LOOK_BACK_MS.items():
                since = saved.at.wall_ms - back_ms
                if saved.again_ms is not None:
                    since = min(since, saved.again_ms - _LOOK_BACK_MS["day"])
                last = await self._history.last(name, kind)
                if last is not None:
                    found += await self._history.read(name, kind, since, last + 1)
        for one in found:
            if edge <= one.period.at.wall_ms and not self._is_ours(one.period.at):
                self._record(*one)

    def _is_ours(self, at: Instant) -> bool:
        """Whether this run said it."""
        began = self._began
        return at.boot == began.boot and at.mono_ms >= began.mono_ms

    def _refuse(self, period: Period) -> None:
        self.refused += 1
        said = t(
            "log.period_refused",
            time=utc_text(period.t_ms),
            station=period.station,
            kind=period.kind,
            rev=period.rev,
        )
        log.warning("%s", said)

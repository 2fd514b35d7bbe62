"""The history of a running gateway: open where there are stations, closed at the stop.

What stands in its folder never stops a gateway. Where it cannot be opened (the disk
refuses, a newer release wrote it) averages are made and delivered all the same, nothing
is kept and nothing is found; the log and ``status`` say so, and it is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import msgspec

from buffer import History, StoreError
from gateway.average.kept import KeptPeriods
from gateway.chronicle import Chronicle
from gateway.history import cut
from gateway.logs import CHANGE
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from buffer import Damage, Fate
    from gateway.aggregate import Period, PeriodKind
    from gateway.config.model import Site

log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""Between two attempts to open what could not be opened."""
YIELDS = 64_000_000
"""Bytes above the disk's reserve below which the history gives up its oldest: old
minutes make room before records do that no platform has yet."""
CLOSE_S = 8.0
"""A disk that answers no more must not hold a stop back."""


class HistoryKeeper:
    """The year of periods of one gateway, while there is one."""

    def __init__(
        self, site: Callable[[], Site], damaged: Callable[[Damage], None]
    ) -> None:
        """Nothing is opened yet.

        Args:
            site: The one in force.
            damaged: Told of each file that was set aside.
        """
        self._site = site
        self._damaged = damaged
        self._opening = asyncio.Lock()
        self._trouble = ""
        self.opened: History | None = None
        """None: there are no stations, or it cannot be opened."""
        self.chronicle = Chronicle(lambda: self.opened)
        self.periods = KeptPeriods(lambda: self.opened)

    # -- life ----------------------------------------------------------------

    async def open(self) -> None:
        """Open it where there are stations to keep it of; never fails."""
        async with self._opening:
            site = self._site()
            if not site.stations or self.opened is not None:
                return
            folder = site.buffer.path / "history"
            try:
                self.opened = await History.open(
                    folder,
                    site.history.max_bytes,
                    keep_free=site.buffer.keep_free + YIELDS,
                    cut=cut,
                )
            except (OSError, StoreError) as exc:
                said = t("log.no_history", folder=folder, error=exc)
                if str(exc) != self._trouble:
                    log.error("%s", said, extra=CHANGE)  # noqa: TRY400 - no bug
                self._trouble = str(exc)
            else:
                self.opened.on_damage = self._damaged
                self._trouble = ""

    async def run(self) -> None:
        """Try again what could not be opened; until cancelled."""
        while True:
            await asyncio.sleep(AGAIN_S)
            await self.open()

    async def close(self) -> None:
        """Store what waits, and close it."""
        if self.opened is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.chronicle.flush()
                await self.opened.close()

    def health(self) -> dict[str, Any]:
        """Its statistics; ``trouble`` alone where it cannot be opened."""
        if self.opened is not None:
            return msgspec.to_builtins(self.opened.stats())  # type: ignore[no-any-return]
        return {"trouble": self._trouble} if self._trouble else {}

    # -- what HJ 212 targets ask of it ---------------------------------------

    async def read(
        self, subject: str, kind: PeriodKind, since_ms: int, until_ms: int
    ) -> Sequence[Period]:
        """See ``uplink.hj212.seams.History``; nothing where it is not open."""
        found = await self.periods.read(subject, kind, since_ms, until_ms)
        return [one.period for one in found]

    def mark(
        self,
        target: str,
        subject: str,
        kind: PeriodKind,
        t_ms: int,
        *,
        proved: bool,
        rev: int = 0,
        written: bool = False,
    ) -> None:
        """See ``uplink.hj212.seams.Marks``; forgotten where it is not open."""
        if self.opened is not None:
            fate: Fate = "proved" if proved else "written" if written else "sent"
            self.opened.mark(target, subject, kind, t_ms, rev, fate)

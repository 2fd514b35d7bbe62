"""Between two runs: what the one before left open, and the slots that passed since.

start     the event of the start; gaps that were open; the time away, once it is dated
dated     more instants can be dated: times away that waited for that
stop      what the next run must know: when the polls ended, and where every line of
          slots goes on
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import events, powercut
from gateway.periods import lines
from gateway.recorder import OPEN_GAPS
from gateway.standing import LINES, ends, resume, standing
from gateway.standing import read as read_standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from buffer import Buffer
    from gateway.clock import Instant
    from gateway.config.model import Site
    from gateway.ledger import DeliveryLedger
    from gateway.periods import Key
    from gateway.record import Record
    from gateway.timekeeper import StoreClock, Timekeeper


class BetweenRuns:
    """Of one gateway."""

    def __init__(
        self,
        buffer: Buffer,
        timekeeper: Timekeeper,
        record: Callable[[Record], None],
        ledger: DeliveryLedger,
        began: Instant,
    ) -> None:
        """Nothing is told yet.

        Args:
            buffer: Its notes are what the runs know of each other.
            timekeeper: Dates what untrusted clocks said.
            record: Takes gaps and events.
            ledger: Is told which points were polled.
            began: When this run did.
        """
        self.began = began
        self._buffer = buffer
        self._timekeeper = timekeeper
        self._record = record
        self._ledger = ledger
        self._away: list[powercut.Away] = []

    def start(self, site: Site, version: str) -> None:
        """Tell of the start, and of what was not asked while we were away."""
        buffer, at = self._buffer, self.began
        before = self._timekeeper.ended(buffer.recall(powercut.LAST_POLL))
        cause = before.cause if before else "first_start"
        self._record(events.started(site.gateway, version, cause, at))
        self._away = powercut.untold(buffer.recall(powercut.AWAY))
        if before is not None:
            buffer.remember(powercut.LAST_POLL, None)
            self._tell_away(site, before)
        self.polls(site)

    def polls(self, site: Site) -> None:
        """Note what is polled from now on."""
        self._buffer.remember(LINES, standing(self.began, lines(site)))

    def dated(self, site: Site) -> None:
        """More instants can be dated: what waited for that is told."""
        found, left = powercut.known(self._away, site, self._timekeeper.when)
        for gap in found:
            self._record(gap)
            self._timekeeper.used(gap.since)
            self._timekeeper.used(gap.until)
        if len(left) < len(self._away):
            self._away = left
            self._buffer.remember(powercut.AWAY, powercut.noted(left))

    def stop(
        self, site: Site, due: Mapping[Key, Instant], now: Instant, clock: StoreClock
    ) -> None:
        """Note where the next run goes on.

        Args:
            site: What was polled.
            due: When each line of slots would be due next.
            now: When the polls ended.
            clock: The store's.
        """
        self._buffer.remember(powercut.LAST_POLL, b"%d" % clock())
        self._buffer.remember(LINES, standing(self.began, lines(site), due, now))

    def _tell_away(self, site: Site, before: powercut.Before) -> None:
        """What the run before left open; and what passed since, once it is dated."""
        buffer, at = self._buffer, self.began
        note = buffer.recall(OPEN_GAPS)
        closed = list(powercut.left_open(note, before))
        for gap in closed:
            self._record(gap)
        self._timekeeper.used(before.last)
        if note:
            buffer.remember(OPEN_GAPS, None)
        was = read_standing(buffer.recall(LINES))
        left = None
        if was is not None and before.last is not None:
            clean = before.cause == "maintenance"
            left = list(resume(was, before.last, closed, clean=clean))
        if before.last is not None:
            self._away.append(powercut.Away(before.cause, before.last, at, left))
            buffer.remember(powercut.AWAY, powercut.noted(self._away))
        if was is not None:
            self._ledger.know(was.points())
            old = [stand.line for stand in was.stands]
            for gap in ends(old, lines(site), at):
                self._record(gap)

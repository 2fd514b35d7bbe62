"""Every scheduled slot ends once: asked, or inside one gap record.

A slot's window reaches from its due time to the next slot's. Who starts the question
inside the window has *asked*, and what comes back is the slot's value or its BAD
reading. A window that closes unasked belongs to a gap, with the reason. So

    slots settled == slots asked + slots in gaps

holds at every moment, and an auditor can add it up from the records alone. A gap is
told when it opens, again every ten minutes while it stays open, and when it ends; the
same ``since`` names it each time, and the last telling counts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gateway.record import Gap

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.clock import Instant
    from gateway.schedule import Slots

RESTATE_S = 600.0


class SlotLine:
    """Settles the slots of one job and makes the gap records."""

    __slots__ = (
        "_cause",
        "_count",
        "_since",
        "_told",
        "asked",
        "device",
        "next",
        "points",
        "slots",
        "unasked",
        "when",
    )

    def __init__(
        self,
        device: str,
        points: tuple[str, ...],
        slots: Slots,
        when: Callable[[float], Instant],
    ) -> None:
        """Start at slot 0.

        Args:
            device: Name of the device.
            points: What a gap of this job names; ``("*",)`` for the whole device.
            slots: The grid.
            when: Turns a loop time into an instant of every clock.
        """
        self.device = device
        self.points = points
        self.slots = slots
        self.when = when
        self.next = 0
        """The first slot not settled yet."""
        self.asked = 0
        self.unasked = 0
        self._count = 0
        self._cause = ""
        self._since: Instant | None = None
        self._told = 0.0

    @property
    def every_ms(self) -> int:
        """The period, as gaps state it."""
        return round(1000 * self.slots.every_s)

    @property
    def gap(self) -> str:
        """The cause of the open gap; empty when none is open."""
        return self._cause

    def due(self) -> float:
        """Loop time of the first slot not settled yet."""
        return self.slots.due(self.next)

    def wake(self) -> float:
        """Loop time at which an unasked job has something to tell."""
        if self._cause:
            return self._told + RESTATE_S
        return self.slots.due(self.next + 1)

    def ask(self, now: float) -> list[Gap]:
        """Settle the current slot as asked; end the gap before it.

        Returns:
            What to record before the answer: an ended gap, or the slots that went by
            while the bus was busy (``overrun``).
        """
        slot = self.slots.current(now)
        out = self.skip(now, self._cause or "overrun", tell=False)
        if self._cause:
            out.append(self._end(slot))
        if slot >= self.next:
            self.next = slot + 1
            self.asked += 1
        return out

    def open_slot(self, now: float) -> bool:
        """Whether the current slot is still free to be asked."""
        return self.slots.current(now) >= self.next

    def skip(
        self, now: float, cause: str, *, tell: bool = True, final: bool = False
    ) -> list[Gap]:
        """Settle all slots whose window has closed as not asked, for this cause.

        Returns:
            Gap records to tell: a gap that ended because the cause changed, one that
            opened, or one to restate.
        """
        out: list[Gap] = []
        missed = self.slots.current(now) + final - self.next
        if missed > 0:
            if self._cause and self._cause != cause:
                out.append(self._end(self.next))
            opened = not self._cause
            if opened:
                self._count, self._cause, self._told = 0, cause, now
                # Read once: a later step of the wall clock renames no gap.
                self._since = self.when(self.slots.due(self.next))
            self._count += missed
            self.unasked += missed
            self.next += missed
            if opened and tell:
                out.append(self._gap(self.next, still_open=True))
                return out
        if tell and self._cause and now - self._told >= RESTATE_S:
            self._told = now
            out.append(self._gap(self.next, still_open=True))
        return out

    def close(self, now: float, cause: str, *, final: bool = False) -> list[Gap]:
        """Settle what has passed and end an open gap: the job stops here.

        Args:
            now: Loop time.
            cause: Of slots that no open gap has.
            final: Nobody will ask any more: the slot whose window is open counts, too.
        """
        out = self.skip(now, self._cause or cause, tell=False, final=final)
        if self._cause:
            out.append(self._end(self.next, now))
        return out

    def _end(self, until: int, now: float = math.inf) -> Gap:
        gap = self._gap(until, still_open=False, now=now)
        self._cause, self._count = "", 0
        return gap

    def _gap(self, until: int, *, still_open: bool, now: float = math.inf) -> Gap:
        end = self.when(min(self.slots.due(until), now))
        return Gap(
            device=self.device,
            points=self.points,
            since=self._since or end,
            until=end,
            slots=self._count,
            cause=self._cause,
            open=still_open,
            every_ms=self.every_ms,
        )

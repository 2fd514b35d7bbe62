"""Who is asked next on one bus: pure decisions over its units, jobs and probes.

Polls of healthy units go by their due time. A unit that left a question unanswered is
taken out of that queue and probed (:mod:`gateway.backoff`): in the pauses between the
others' polls, or, on a bus without pauses, with the shortened wait after a second of
patience. Nothing here waits, asks or records.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Literal, NamedTuple

from gateway.backoff import (
    OFFLINE_AFTER,
    SHORT_WAIT_S,
    Budget,
    pause_s,
    probe_wait,
)
from gateway.schedule import EARLY_S, best_room

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drivers.values import Device as Driver
    from gateway.clock import Instant
    from gateway.config.model import Device as DeviceConf
    from gateway.slots import SlotLine

UnitState = Literal["unknown", "online", "doubtful", "offline"]

MARGIN_S = 0.01
"""A probe ends this much before the next poll."""
PATIENCE_S = 1.0
"""How long a probe looks for a pause it fits into."""


class Job:
    """Points of one unit that share a period."""

    __slots__ = ("busy_s", "line", "order", "points", "ticket", "unit")

    def __init__(
        self, unit: Unit, points: tuple[str, ...], line: SlotLine, order: int
    ) -> None:
        self.unit = unit
        self.points = points
        self.line = line
        self.order = order
        self.busy_s = 0.0
        """How long its polls hold the bus, lately."""
        self.ticket = 0
        """Names its one valid entry in the queue."""


class Unit:
    """One device of the bus and what is known about its life."""

    def __init__(self, conf: DeviceConf, driver: Driver) -> None:
        self.conf = conf
        self.driver = driver
        self.jobs: list[Job] = []
        self.state: UnitState = "unknown"
        self.failures = 0
        """Questions without an answer since the last answer."""
        self.probe_at = math.inf
        self.silence_s = 0.0
        """How long a question with the full time-out held the bus, unanswered."""
        self.overhead_s = 0.05
        """The part of it that is no waiting, wire time and pauses; a guess at first."""
        self.patient_at = -math.inf
        """When it was last probed with its full time-out."""
        self.since: Instant | None = None
        """When ``state`` became online or offline."""
        self.last_good: Instant | None = None
        self.worst_s = 0.0
        self.asked = 0
        self.answered = 0
        self.reasons: dict[str, int] = {}
        """BAD readings by reason."""


class Turn(NamedTuple):
    """What to do now: poll a job, probe a unit, or sleep until a loop time."""

    job: Job | None
    probe: Unit | None
    wait_s: float | None
    """For a probe: the shortened time-out; None = the unit's own."""
    until: float


class Roster:
    """The queue of one bus."""

    def __init__(self, now: float) -> None:
        self._queue: list[tuple[float, int, int, Job]] = []
        self._down: list[Unit] = []
        self._budget = Budget(now)

    def fill(self, units: Iterable[Unit], now: float) -> None:
        """Start over with these units: those known to be dead are probed at once."""
        self._queue.clear()
        self._down.clear()
        for unit in units:
            if unit.failures:
                unit.probe_at = now
                self._down.append(unit)
            else:
                self._enqueue(unit)

    def next(self, now: float) -> Turn:
        """Decide; call again after doing it. Pops the job it hands out."""
        probe_at = math.inf
        if self._down:
            unit = min(self._down, key=_by_probe)
            probe_at = unit.probe_at
            if probe_at <= now + EARLY_S and (
                now - probe_at >= PATIENCE_S or self._next_due() > now + EARLY_S
            ):
                return self._probe(unit, now)
        due = self._next_due()
        if due <= now + EARLY_S:
            job = heappop(self._queue)[3]
            return Turn(job, None, None, now)
        return Turn(None, None, None, min(due, probe_at))

    def pending(self) -> Sequence[Unit]:
        """Units that are down: their jobs have gaps to tell."""
        return self._down

    def polled(self, job: Job, now: float, seconds: float, *, answered: bool) -> None:
        """A poll handed out by ``next`` took that long and ended ``now``."""
        unit = job.unit
        if answered:
            job.busy_s = max(seconds, 0.8 * job.busy_s)
            self._push(job)
            return
        unit.silence_s = seconds
        if unit not in self._down:
            self._down.append(unit)
            for other in unit.jobs:
                other.ticket += 1
        self.plan_probe(unit, now)

    def probed(
        self, unit: Unit, now: float, seconds: float, wait_s: float | None
    ) -> None:
        """A probe went unanswered: account for it and plan the next."""
        self._budget.spend(now, seconds)
        if wait_s is None:
            unit.silence_s = seconds
        else:
            unit.overhead_s = max(0.0, seconds - wait_s)
        self.plan_probe(unit, now)

    def plan_probe(self, unit: Unit, now: float) -> None:
        """Find a place on the bus for the next probe."""
        alone = self._next_due() == math.inf
        start = now + pause_s(unit.failures, alone=alone)
        busy = [
            (job.line.slots.due(slot), job.busy_s)
            for _, _, ticket, job in self._queue
            if ticket == job.ticket
            for slot in _slots_until(job, start + PATIENCE_S)
        ]
        unit.probe_at, _ = best_room(start, start + PATIENCE_S, unit.silence_s, busy)

    def up(self, unit: Unit) -> None:
        """The unit answered: its jobs are back in the queue."""
        if unit in self._down:
            self._down.remove(unit)
        unit.probe_at = math.inf
        self._enqueue(unit)

    def room(self, now: float) -> float:
        """Seconds until a healthy unit is due."""
        return self._next_due() - now

    def _probe(self, unit: Unit, now: float) -> Turn:
        if self._next_due() == math.inf:
            return Turn(None, unit, None, now)
        full = max(unit.silence_s - unit.overhead_s, SHORT_WAIT_S)
        budget = self._budget.available(now)
        # Full time-outs go round: a slow unit behind a fast dead one is found, too.
        turn = unit.patient_at <= min(other.patient_at for other in self._down)
        room = self.room(now) - MARGIN_S if turn else 0.0
        wait = probe_wait(room, budget, full, unit.overhead_s)
        if wait is None:
            unit.probe_at = self._budget.ready_at(now, SHORT_WAIT_S + unit.overhead_s)
            return Turn(None, None, None, min(self._next_due(), unit.probe_at))
        if wait > SHORT_WAIT_S:
            unit.patient_at = now
        return Turn(None, unit, None if wait >= full else wait, now)

    def _enqueue(self, unit: Unit) -> None:
        for job in unit.jobs:
            self._push(job)

    def _push(self, job: Job) -> None:
        job.ticket += 1
        heappush(self._queue, (job.line.due(), job.order, job.ticket, job))

    def _next_due(self) -> float:
        queue = self._queue
        while queue and queue[0][2] != queue[0][3].ticket:
            heappop(queue)
        return queue[0][0] if queue else math.inf


def settle_state(unit: Unit) -> UnitState:
    """The state that follows from the failures in a row."""
    if unit.failures == 0:
        return "online"
    if unit.state == "offline" or unit.failures >= OFFLINE_AFTER:
        return "offline"
    return "doubtful"


def _by_probe(unit: Unit) -> float:
    return unit.probe_at


def _slots_until(job: Job, end: float) -> range:
    first = job.line.next
    return range(first, max(first, job.line.slots.current(end)) + 1)

"""What the gateway tells of its platforms: records refused, ids twice, safety gone.

A refused record is stated as ``lost`` (cause ``refused``, not certain: other platforms
have it), so that every seq is accounted for, and told to people as an event.

An event goes to every platform, the one it is about included. So a platform that
refuses whatever it is sent must not be answered with an event for every event: those
made here are known by their seq and never told of again, and of the others only a few
are told one by one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from gateway import events
from gateway.record import Lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.clock import Instant
    from gateway.record import Event, Record
    from gateway.uplink.condition import PumpHealth

ONE_BY_ONE = 10
WINDOW_S = 600.0
"""Of one platform, so many refused records are told in this time; then their number."""
CALM_S = 60.0
"""A connection that lasts this long has its client id for itself."""
_OWN = 1000
"""Seqs of our own events that are remembered."""


class _Refusals:
    def __init__(self) -> None:
        self.told = 0
        self.untold = 0
        self.last = (0, "")


class TargetEvents:
    """The events about the targets of one gateway."""

    def __init__(
        self,
        sink: Callable[[Record], None],
        *,
        now: Callable[[], Instant],
        high: Callable[[], int],
    ) -> None:
        """Prepare.

        Args:
            sink: Stores a record.
            now: The clock.
            high: The store's highest seq, which is that of a record just stored.
        """
        self._sink = sink
        self._now = now
        self._high = high
        self._own: deque[int] = deque(maxlen=_OWN)
        self._refusals: dict[str, _Refusals] = {}
        self._taken: dict[str, Event] = {}
        self._calm: dict[str, asyncio.TimerHandle] = {}
        self._unsafe: dict[tuple[str, str], Event] = {}
        self._plaintext: set[str] = set()

    def set_aside(self, target: str, seq: int, reason: str) -> None:
        """A platform can never take this record."""
        if seq in self._own:
            return
        self._state_lost(seq)
        window = self._refusals.get(target)
        if window is None:
            window = self._refusals[target] = _Refusals()
            asyncio.get_running_loop().call_later(WINDOW_S, self._end_window, target)
        if window.told < ONE_BY_ONE:
            window.told += 1
            self._tell_set_aside(target, seq, reason, 1)
        else:
            window.untold += 1
            window.last = (seq, reason)

    def changed(self, health: PumpHealth) -> None:
        """The state of a target's connection is another."""
        target = health.target
        self._tell_safety(health)
        if timer := self._calm.pop(target, None):
            timer.cancel()
        if health.state == "taken_over" and target not in self._taken:
            event = events.client_id_taken(target, self._now())
            self._taken[target] = event
            self._sink(event)
        elif health.state == "online" and target in self._taken:
            # Each of the two comes through now and then: only time tells.
            self._calm[target] = asyncio.get_running_loop().call_later(
                CALM_S, self._calmed, target
            )

    def _tell_safety(self, health: PumpHealth) -> None:
        """One event per cause and outage, however often it is tried."""
        target, cause = health.target, health.cause
        if cause and (target, cause) not in self._unsafe:
            event = events.link_unsafe(target, cause, health.reason, self._now())
            self._unsafe[target, cause] = event
            self._sink(event)
        if health.state != "online":
            return
        for key in [key for key in self._unsafe if key[0] == target]:
            self._sink(events.link_safe(self._unsafe.pop(key), self._now()))
        if health.plaintext and target not in self._plaintext:
            self._plaintext.add(target)
            self._sink(events.plaintext(target, self._now()))

    def _calmed(self, target: str) -> None:
        del self._calm[target]
        self._sink(events.client_id_free(self._taken.pop(target), self._now()))

    def _end_window(self, target: str) -> None:
        window = self._refusals.pop(target)
        if window.untold:
            self._tell_set_aside(target, *window.last, window.untold)

    def _state_lost(self, seq: int) -> None:
        lost = Lost(
            first=seq,
            last=seq,
            t_ms=0,
            until_ms=0,
            counts={},
            cause="refused",
            certain=False,
            at_most=1,
            at=self._now(),
        )
        self._store(lost)

    def _tell_set_aside(self, target: str, seq: int, reason: str, count: int) -> None:
        self._store(events.record_set_aside(target, seq, reason, count, self._now()))

    def _store(self, record: Record) -> None:
        """Store a record of our own; it is not answered with another."""
        before = self._high()
        self._sink(record)
        if self._high() > before:
            self._own.append(self._high())

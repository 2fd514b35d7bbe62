"""How a unit that does not answer is asked again without costing its neighbours.

The first retry comes at once; then the pauses grow to a cap that keeps "good again
within 2 s of its return" where the bus is the unit's own, and within 5 s where a quiet
place on the bus and in the budget must be found first. A probe takes the unit's full
time-out while the bus has room for it and the budget allows, else a shortened wait of
50 ms, which still finds every unit that answers as fast as Modbus devices do. All
probes of a bus together stay below a tenth of any minute. Where no healthy unit waits
for the bus, nobody is spared by rarer or shorter probes.
"""

from __future__ import annotations

OFFLINE_AFTER = 3
"""Unanswered questions until a unit counts as offline: one poll, its retry at once and
one more. Two in a row happen to healthy units on noisy lines every day."""

SHORT_WAIT_S = 0.05

_REOPEN_S = (0.5, 1.0)
_PAUSES_S = (0.0, 0.5, 1.0, 1.5)
_ALONE_S = 0.5

_BURST_S = 1.5
_RATE = 0.075
"""1.5 s + 60 s * 0.075 = 6 s: a tenth of any 60 s."""


def pause_s(failures: int, *, alone: bool = False) -> float:
    """Seconds until the next probe after that many unanswered questions (>= 1).

    Args:
        failures: Questions without an answer since the last answer.
        alone: No healthy unit is polled on this bus.
    """
    pause = _PAUSES_S[min(failures, len(_PAUSES_S)) - 1]
    return min(pause, _ALONE_S) if alone else pause


def reopen_pause_s(failures: int) -> float:
    """Seconds until a lost port is opened again: 0.5, 1, 1, ... (back in 2 s)."""
    return _REOPEN_S[min(max(failures, 1), len(_REOPEN_S)) - 1]


class Budget:
    """Seconds of one bus that probes may use: a bucket that fills with time."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._tokens = _BURST_S
        self._at = now

    def available(self, now: float) -> float:
        """Seconds of bus time that probes may use now."""
        if now > self._at:
            self._tokens = min(_BURST_S, self._tokens + (now - self._at) * _RATE)
            self._at = now
        return self._tokens

    def spend(self, now: float, seconds: float) -> None:
        """Account for a probe that ended at ``now``."""
        self._tokens = self.available(now) - seconds

    def ready_at(self, now: float, seconds: float) -> float:
        """When that many seconds will be available."""
        lacking = min(seconds, _BURST_S) - self.available(now)
        # The small part makes sure that rounding leaves nothing lacking then.
        return now if lacking <= 0 else now + lacking / _RATE + 0.001


def probe_wait(
    room_s: float, budget_s: float, full_s: float, overhead_s: float
) -> float | None:
    """How long a probe may wait for its answer.

    Args:
        room_s: Until the next due poll of a healthy unit.
        budget_s: What the bus' budget holds.
        full_s: The unit's own time-out.
        overhead_s: Wire time and pauses around the wait.

    Returns:
        Seconds to wait; None when even the shortened probe is over the budget. A full
        budget pays for any probe: a unit slower than the whole bucket is still found.
    """
    purse = budget_s if budget_s < _BURST_S else float("inf")
    longest = min(full_s, room_s - overhead_s)
    if longest > SHORT_WAIT_S and longest + overhead_s <= purse:
        return longest
    short = min(SHORT_WAIT_S, full_s)
    return short if short + overhead_s <= purse else None

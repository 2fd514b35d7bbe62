"""Faults that come and go: a bad plug must not make an event a minute, nor none.

    raised, cleared, raised, cleared, raised, [well: held] ..., cleared
                                              told: N times    when well for HELD_S

From the third time within an hour on a fault stands until the camera has been well for
ten minutes. That it comes and goes, and how often, is told when that begins, each half
an hour while it goes on, and at its end: some seven events in the first hour, two in
each further one. Counts live with the gateway: one that restarts begins to count anew.
"""

from __future__ import annotations

from collections import deque

import msgspec

OFTEN = 3
"""So many times within ``WITHIN_S``: twice is a restart, and its after-effect."""
WITHIN_S = 3600.0
HELD_S = 600.0
"""Longer than a camera needs to restart, a plug to be warmed by the sun."""
RETOLD_S = 1800.0


class _Fault(msgspec.Struct):
    """One fault of one camera."""

    begun_s: deque[float]
    times: int = 0
    """Since it came and went last without being held."""
    well_s: float | None = None
    """Since when it would be over."""
    told_s: float | None = None


class Flapping:
    """What keeps coming back, of all cameras. Pure: times are given, in seconds."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str], _Fault] = {}

    def begins(self, key: tuple[str, str], now_s: float) -> None:
        """A fault begins, or comes back while it is held."""
        fault = self._faults.setdefault(key, _Fault(begun_s=deque(maxlen=OFTEN)))
        if fault.begun_s and now_s - fault.begun_s[-1] > WITHIN_S:
            fault.times = 0
        fault.begun_s.append(now_s)
        fault.times += 1
        fault.well_s = None

    def held(self, key: tuple[str, str]) -> bool:
        """Whether it is over for now, and stands only because it flaps."""
        fault = self._faults.get(key)
        return fault is not None and fault.well_s is not None

    def may_end(self, key: tuple[str, str], now_s: float) -> bool:
        """Whether a fault that is over now is to be cleared; else ask again later."""
        fault = self._faults.get(key)
        if fault is None:
            return True
        often = len(fault.begun_s) == OFTEN
        if fault.well_s is None:
            if not often or now_s - fault.begun_s[0] > WITHIN_S:
                return True
            fault.well_s = now_s
        if now_s - fault.well_s < HELD_S:
            return False
        fault.well_s = fault.told_s = None
        return True

    def times(self, key: tuple[str, str]) -> int:
        """How often it began since it last was well for long; 0: it does not flap."""
        fault = self._faults.get(key)
        return fault.times if fault and fault.times >= OFTEN else 0

    def due(self, key: tuple[str, str], now_s: float) -> bool:
        """Whether to tell now that it flaps; then that counts as told."""
        fault = self._faults.get(key)
        if fault is None or not self.times(key):
            return False
        if fault.told_s is not None and now_s - fault.told_s < RETOLD_S:
            return False
        fault.told_s = now_s
        return True

    def forget(self, key: tuple[str, str]) -> None:
        """Its camera is gone, or it was well for long."""
        self._faults.pop(key, None)

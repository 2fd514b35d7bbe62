"""Where the station was when an instrument was read, or why nobody can say. Pure.

A scan is paired with the nearest moment of the receiver that is known when the scan is
stored: nothing waits for a later one, for a record is safe within a second. The nearest
decides whatever it says: where the receiver had no fix, an older fix is no answer, and
one farther away than ``max_age`` is none either.

    {"lon", "lat", "datum", "age_ms", ["fix", "alt", "acc_m", "hdop"]}
    {"none": reason}    a stable word: the receiver's own, ``no_position``, ``too_old``

``age_ms`` is how long before the scan's ``t`` the position came in; below 0: after it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from gateway.judge.fix import Fix, NoFix

if TYPE_CHECKING:
    from drivers.values import Value
    from gateway.clock import Instant

KEPT = 512
"""Moments of the receiver: 51 s at 10 Hz, 8 min at one a second. Data that was pushed
may have waited so long for its slot."""


class Whereabouts:
    """The last moments of one receiver."""

    def __init__(self, max_age_s: float) -> None:
        self.max_age_s = max_age_s
        self._moments: deque[Fix | NoFix] = deque(maxlen=KEPT)

    def add(self, moment: Fix | NoFix) -> None:
        """What the receiver said; in the order of its scans."""
        self._moments.append(moment)

    def at(self, instant: Instant) -> dict[str, Value]:
        """Where the station was then, as a scan carries it."""
        nearest: Fix | NoFix | None = None
        away = 1000 * self.max_age_s
        mono = instant.mono_ms
        for moment in reversed(self._moments):
            apart = abs(mono - moment.at.mono_ms)
            if apart <= away and moment.at.boot == instant.boot:
                nearest, away = moment, apart
            elif moment.at.mono_ms < mono:
                break  # those before it are farther away
        if nearest is None:
            return {"none": "too_old" if self._moments else "no_position"}
        if isinstance(nearest, NoFix):
            return {"none": nearest.reason}
        return _said(nearest, mono - nearest.at.mono_ms)


def _said(fix: Fix, age_ms: int) -> dict[str, Value]:
    more = {
        "fix": fix.kind,
        "alt": fix.altitude,
        "acc_m": fix.accuracy_m,
        "hdop": fix.hdop,
    }
    return {
        "lon": fix.longitude,
        "lat": fix.latitude,
        "datum": fix.datum,
        "age_ms": age_ms,
        **{key: value for key, value in more.items() if value is not None},
    }

"""How long to wait before a camera is tried again.

What it answers may be meant for good or for a minute: one that boots, and one that has
too many watchers, refuses a right login. Both look alike, so a refused login is tried
so often and no more, whatever it did before.
"""

from __future__ import annotations

import math

FIRST_S, CAP_S = 1.0, 20.0
"""After a lost connection: 1 s, doubling to 20 s: back within 30 s."""
REFUSED_S = (5.0, 20.0, 150.0, 1800.0, 3600.0)
"""After refused logins in a row; the last again and again. Cameras lock an account, or
our address with everybody behind it, for half an hour: Hikvision after five wrong
passwords of a user and seven of the administrator ("Illegal Login Lock" in its
manuals), Dahua after as many as somebody has set. Four tries in half an hour are fewer,
and leave the door open for whoever mends the password. Spread like this they are back
within half a minute with a camera that only restarts, within four with a slow one."""
_QUICK = 3
"""Of these, before the first half an hour."""
FORGOTTEN_S = 1800.0
"""One that is lost for so long and then refuses has only started again."""
LOCKING = "vision.source.refused"
"""Where we have no login to give, no account can be locked."""


class Backoff:
    """The tries of one camera by one process: pure.

    Args:
        refused_s: When its login was refused to the process before, monotonic; None: it
            was not. Then there is one try before the long wait: processes are replaced,
            and sites reloaded, more often than a camera forgets.
    """

    def __init__(self, refused_s: float | None = None) -> None:
        self._failures = self._refusals = 0
        self._refused_s = -math.inf
        self._away = False
        if refused_s is not None:
            self._refused_s, self._refusals = refused_s, _QUICK

    def worked(self) -> None:
        """A frame came: what failed before is over."""
        self._failures = self._refusals = 0

    def wait_s(self, why: str, now_s: float, chance: float) -> float:
        """It failed: how long to wait before the next try.

        Args:
            why: The sentence, ``vision.source.*``.
            now_s: Monotonic.
            chance: From 0 to 1: what spreads many cameras behind one switch.
        """
        self._failures += 1
        if why != LOCKING:
            # One that is lost between two refusals has not forgotten the first.
            self._away = True
            wait_s = min(CAP_S, FIRST_S * 2.0 ** min(self._failures - 1, 10))
            return float(wait_s * (0.75 + chance / 4))
        if self._away and now_s - self._refused_s >= FORGOTTEN_S:
            self._refusals = 0
        self._away, self._refused_s = False, now_s
        self._refusals += 1
        # No sooner than that.
        return REFUSED_S[min(self._refusals, len(REFUSED_S)) - 1] * (1 + chance / 4)

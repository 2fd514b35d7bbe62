"""The site's civil time in the digits of HJ 212, and QNs that are never given twice.

Source: HJ 212-2017, 6.3.2: QN is ``YYYYMMDDhhmmsszzz`` and unique for each exchange;
DataTime and its kin are ``YYYYMMDDhhmmss``. Neither says a zone: it is the site's.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STEP_MS = 60_000
"""A clock set back by less is waited for; further back it is followed."""
_THEIRS = 64
"""So many QNs of the other side are kept in mind."""


class Civil:
    """UTC ms as the digits of one time zone."""

    def __init__(self, timezone: str) -> None:
        """Of an IANA zone such as ``Asia/Shanghai``."""
        self._zone = ZoneInfo(timezone)
        self._minute = -1
        self._digits = ""

    def time(self, t_ms: int) -> str:
        """``YYYYMMDDhhmmss``."""
        minute, rest = divmod(t_ms, 60_000)
        if minute != self._minute:
            at = (_EPOCH + timedelta(minutes=minute)).astimezone(self._zone)
            # Zones are whole minutes off since 1972; before there is nothing to say.
            self._digits, self._minute = at.strftime("%Y%m%d%H%M"), minute
        return f"{self._digits}{rest // 1000:02d}"

    def qn(self, t_ms: int) -> str:
        """``YYYYMMDDhhmmsszzz``."""
        return f"{self.time(t_ms)}{t_ms % 1000:03d}"


class Numbers:
    """QNs: one a millisecond, never the same again."""

    def __init__(self, wall_ms: Callable[[], int], civil: Civil) -> None:
        """Of a wall clock, which may be set back."""
        self._wall_ms = wall_ms
        self._civil = civil
        self._last_ms = 0
        self._theirs: deque[str] = deque(maxlen=_THEIRS)

    def taken(self, qn: str) -> None:
        """The platform used this one: data of ours would pass for its answer."""
        self._theirs.append(qn)

    def next(self) -> str:
        """The next; more than one a millisecond run ahead of the clock."""
        qn = self._next()
        while qn in self._theirs:
            qn = self._next()
        return qn

    def _next(self) -> str:
        now = self._wall_ms()
        if now > self._last_ms or now < self._last_ms - STEP_MS:
            self._last_ms = now
        else:
            self._last_ms += 1
        return self._civil.qn(self._last_ms)

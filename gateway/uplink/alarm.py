"""One timer for many wishes: the earliest counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Alarm:
    """Calls back once at the earliest time wished for."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def by(self, when_s: float) -> None:
        """Ring at this time of the loop or before."""
        if self._timer is not None:
            if self._at <= when_s:
                return
            self._timer.cancel()
        # The instant is kept here: of a time just past, uvloop makes a handle that
        # knows none. Its clock counts milliseconds: an alarm that rings a little before
        # its time finds nothing to do and is set again.
        self._at = when_s
        self._timer = self._loop.call_at(when_s, self._rings)

    def stop(self) -> None:
        """Ring no more; may be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self._ring()

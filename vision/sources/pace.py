"""When the next picture is due, by a camera's stated rate."""

from __future__ import annotations

import threading
import time

from vision.sources.source import SourceError


class Pace:
    """One picture every ``every_s``, without drift and without catching up.

    Args:
        every_s: Seconds from one to the next.
        stop: Set by who closes; a wait ends at once.
    """

    def __init__(self, every_s: float, stop: threading.Event | None = None) -> None:
        self.every_s = every_s
        self._stop = stop or threading.Event()
        self._due_s = time.monotonic()

    def due(self) -> bool:
        """Whether a picture is wanted now; says so once per period."""
        now = time.monotonic()
        # A camera of 25 frames/s asked for one a second: a frame that comes a few
        # milliseconds early is the one meant.
        if now < self._due_s - 0.02:
            return False
        self._due_s = max(self._due_s + self.every_s, now)
        return True

    def wait(self) -> None:
        """Sleep until a picture is due.

        Raises:
            SourceError: It is being closed.
        """
        self.sleep(self._due_s - time.monotonic())
        self._due_s = max(self._due_s + self.every_s, time.monotonic())

    def sleep(self, seconds: float) -> None:
        """Sleep so long, or until closed.

        Raises:
            SourceError: It is being closed.
        """
        if self._stop.wait(max(0.0, seconds)):
            raise SourceError("silent", "vision.source.closing")

    @property
    def stopped(self) -> bool:
        """Whether somebody closes."""
        return self._stop.is_set()

"""Signs of life of the gateway's loops, for the watchdog.

Each loop says by when it will report again: a worker that sleeps until its next poll
names that moment, so an idle but healthy gateway is never restarted, while a loop that
is stuck is noticed as soon as its own promise is broken.
"""

from __future__ import annotations


class Beat:
    """One loop's promise; all times are the event loop's."""

    __slots__ = ("by", "name")

    def __init__(self, name: str, by: float) -> None:
        self.name = name
        self.by = by
        """The loop is healthy until this moment without another sign."""

    def promise(self, by: float) -> None:
        """Report progress and name the next report's latest moment."""
        self.by = by


class Beats:
    """All loops of the process."""

    def __init__(self) -> None:
        self._beats: dict[str, Beat] = {}

    def add(self, name: str, by: float) -> Beat:
        """Watch a loop; a loop of the same name is replaced."""
        beat = self._beats[name] = Beat(name, by)
        return beat

    def remove(self, beat: Beat) -> None:
        """Stop watching; a beat that was replaced meanwhile is left alone."""
        if self._beats.get(beat.name) is beat:
            del self._beats[beat.name]

    def forget(self, name: str) -> None:
        """The loop of this name was ended: it owes no sign."""
        self._beats.pop(name, None)

    def late(self, now: float) -> list[str]:
        """Names of the loops that broke their promise."""
        return [beat.name for beat in self._beats.values() if now > beat.by]

"""The newest pictures of one camera, as JPEG, for what was before an alarm."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Shot(NamedTuple):
    """One picture in memory; private zones are black in it."""

    mono_s: float
    wall_ms: int
    frame: str
    """The frame's id."""
    data: bytes
    """JPEG."""


class Ring:
    """Bounded in seconds and in bytes; the oldest go."""

    def __init__(self, seconds: float, most_bytes: int) -> None:
        self._seconds = seconds
        self._most = most_bytes
        self._shots: deque[Shot] = deque()
        self.size = 0
        """Bytes held."""

    def __len__(self) -> int:
        return len(self._shots)

    def __iter__(self) -> Iterator[Shot]:
        return iter(self._shots)

    def add(self, shot: Shot) -> None:
        """Keep the newest."""
        shots = self._shots
        if shots and shot.mono_s < shots[-1].mono_s:
            shots.clear()  # a monotonic clock that goes back is another clock
            self.size = 0
        shots.append(shot)
        self.size += len(shot.data)
        while len(shots) > 1 and (
            self.size > self._most or shots[0].mono_s < shot.mono_s - self._seconds
        ):
            self.size -= len(shots.popleft().data)

    def clear(self) -> None:
        """Keep none."""
        self._shots.clear()
        self.size = 0

    @property
    def newest(self) -> Shot | None:
        """The last one, if any."""
        return self._shots[-1] if self._shots else None

    def before(self, mono_s: float, wanted_s: float) -> Shot | None:
        """A picture from before something began.

        Args:
            mono_s: When it began.
            wanted_s: So long before that, or longer.

        Returns:
            The newest that is old enough; where none is, the oldest from before it
            began; None: none is.
        """
        earlier = [shot for shot in self._shots if shot.mono_s < mono_s]
        enough = [shot for shot in earlier if shot.mono_s <= mono_s - wanted_s]
        return enough[-1] if enough else earlier[0] if earlier else None

    def between(self, first_s: float, last_s: float) -> list[Shot]:
        """Pictures of a stretch of time, oldest first."""
        return [shot for shot in self._shots if first_s <= shot.mono_s <= last_s]

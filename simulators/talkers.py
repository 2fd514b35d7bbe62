"""Talkers that nobody asked: foreign masters, streaming instruments, noise."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Talker(asyncio.Protocol):
    """Something that talks by itself, from the moment it is attached."""

    def __init__(self, every_s: float, *, first_s: float = 0.0) -> None:
        self._every_s = every_s
        self._first_s = first_s
        self._timer: asyncio.TimerHandle | None = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._first_s, self._turn)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._every_s, self._turn)
        self.transport.write(self.words())

    def words(self) -> bytes:
        """What it says this time."""
        raise NotImplementedError


class Master(Talker):
    """A foreign master: asks without listening whether the line is free."""

    def __init__(
        self, requests: list[bytes], every_s: float, *, first_s: float = 0.01
    ) -> None:
        super().__init__(every_s, first_s=first_s)
        self._requests = requests
        self._next = 0

    def words(self) -> bytes:
        """The next of its requests."""
        self._next += 1
        return self._requests[(self._next - 1) % len(self._requests)]


class Streamer(Talker):
    """An instrument that speaks unasked."""

    def __init__(
        self, say: Callable[[int], bytes], every_s: float = 1.0, *, first_s: float = 0.3
    ) -> None:
        super().__init__(every_s, first_s=first_s)
        self._say = say
        self._count = 0

    def words(self) -> bytes:
        """Its next sentence."""
        self._count += 1
        return self._say(self._count)


class Noise(Talker):
    """A source of interference: short bursts of anything."""

    def __init__(self, every_s: float, *, seed: int = 1, longest: int = 6) -> None:
        super().__init__(every_s, first_s=every_s)
        self._rng = random.Random(seed)
        self._longest = longest

    def words(self) -> bytes:
        """A few bytes without sense."""
        return self._rng.randbytes(self._rng.randint(1, self._longest))

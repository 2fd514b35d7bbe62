"""Records one platform can never take: counted, and the newest of them named."""

from __future__ import annotations

from collections import deque

import msgspec

NEWEST = 100
_LONGEST = 300
"""Characters of a reason; it may come from outside."""


class Aside(msgspec.Struct, frozen=True):
    """One record set aside."""

    seq: int
    device: str
    t_ms: int
    reason: str
    size: int
    """Bytes as stored."""


class _Stored(msgspec.Struct):
    count: int = 0
    newest: list[Aside] = []


class AsideList:
    """All of one target, over restarts."""

    def __init__(self, stored: bytes | None = None) -> None:
        """Go on from ``dump``; a damaged note begins a new list."""
        try:
            loaded = msgspec.json.decode(stored or b"{}", type=_Stored)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            loaded = _Stored()
        self.count = loaded.count
        self.newest: deque[Aside] = deque(loaded.newest, maxlen=NEWEST)

    def add(self, seq: int, device: str, t_ms: int, reason: str, size: int) -> None:
        """One more."""
        self.count += 1
        self.newest.append(Aside(seq, device, t_ms, reason[:_LONGEST], size))

    def dump(self) -> bytes:
        """For a note in the store."""
        return msgspec.json.encode(_Stored(self.count, list(self.newest)))

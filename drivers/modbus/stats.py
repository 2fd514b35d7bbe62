"""What became of the exchanges with one unit, counted by kind."""

from __future__ import annotations

import msgspec


class UnitStats(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot; counts since the bus object was made, times in milliseconds."""

    good: int = 0
    timeout: int = 0
    bad_frame: int = 0
    exception: int = 0
    unprovable: int = 0
    """Reads not sent, because no shape was free that would have proved the answer."""
    late_discarded: int = 0
    duplicate_discarded: int = 0
    foreign: int = 0
    echo: int = 0
    collision: int = 0
    reply_p50_ms: float = 0.0
    reply_p95_ms: float = 0.0
    reply_p99_ms: float = 0.0
    reply_largest_ms: float = 0.0
    timeout_ms: float = 0.0
    """The time-out in force at the last exchange."""


class Tally:
    """The same counts while they grow."""

    __slots__ = (
        "bad_frame",
        "collision",
        "duplicate_discarded",
        "echo",
        "exception",
        "foreign",
        "good",
        "late_discarded",
        "timeout",
        "unprovable",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    good: int
    timeout: int
    bad_frame: int
    exception: int
    unprovable: int
    late_discarded: int
    duplicate_discarded: int
    foreign: int
    echo: int
    collision: int

    def counts(self) -> dict[str, int]:
        """By name, as :class:`UnitStats` has them."""
        return {name: getattr(self, name) for name in self.__slots__}

"""What became of the questions to one instrument, and of what it said unasked."""

from __future__ import annotations

import msgspec


class AsciiStats(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot; counts since the line was made, times in milliseconds."""

    good: int = 0
    timeout: int = 0
    bad_frame: int = 0
    """Something came, but no answer: another form, a check that does not hold."""
    refused: int = 0
    """The instrument said that it cannot answer."""
    unprovable: int = 0
    """Not asked, or not believed: an earlier answer could have been meant."""
    late_discarded: int = 0
    heard: int = 0
    """Messages taken from an instrument that speaks unasked."""
    superseded: int = 0
    """Of those, the ones that nobody asked for before the next came."""
    reply_p50_ms: float = 0.0
    reply_p95_ms: float = 0.0
    reply_p99_ms: float = 0.0
    reply_largest_ms: float = 0.0
    timeout_ms: float = 0.0
    """The time-out in force at the last question."""
    line_unused: int = 0
    """Of the whole line: messages that were for nobody, such as banners and echoes."""
    line_dropped: int = 0
    """Of the whole line: messages too long to be one, or never finished."""


class Tally:
    """The counts of one instrument while they grow."""

    __slots__ = (
        "bad_frame",
        "good",
        "heard",
        "late_discarded",
        "refused",
        "superseded",
        "timeout",
        "unprovable",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    good: int
    timeout: int
    bad_frame: int
    refused: int
    unprovable: int
    late_discarded: int
    heard: int
    superseded: int

    def counts(self) -> dict[str, int]:
        """By name, as :class:`AsciiStats` has them."""
        return {name: getattr(self, name) for name in self.__slots__}

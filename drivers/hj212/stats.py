"""What became of the frames of one instrument, and of its line, counted by kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec


class InstrumentStats(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot; counts since the port object was made."""

    frames: int = 0
    """Frames of this instrument whose length, check and grammar hold."""
    taken: int = 0
    """Measurements that a scan took."""
    superseded: int = 0
    """Measurements that a newer one overtook before a scan came."""
    repeated: int = 0
    """Measurements that came again."""
    history: int = 0
    """Measurements older than what had come before, or marked as sent again (RF)."""
    unwanted: int = 0
    """Measurements of a command that no point asks for."""
    answered: int = 0
    """Frames that were answered with 9013 or 9014."""
    unanswered: int = 0
    """Frames that asked for an answer and got none: not configured, or no QN."""
    deviations: dict[str, int] = {}
    """Of its frames, by name; those of tails: of the whole line."""
    refused: dict[str, int] = {}
    """Frames of the whole line that were not taken, by cause."""
    skipped_bytes: int = 0
    """Of the whole line: bytes of no frame that holds."""
    strangers: dict[str, int] = {}
    """Instruments on the line that no device is: MN -> frames."""
    other_strangers: int = 0
    """Frames of instruments beyond those that are named."""
    connections: int = 0


@dataclass(slots=True)
class InstrumentTally:
    """The counts of one instrument while they grow."""

    frames: int = 0
    taken: int = 0
    superseded: int = 0
    repeated: int = 0
    history: int = 0
    unwanted: int = 0
    answered: int = 0
    unanswered: int = 0
    deviations: Counter[str] = field(default_factory=Counter)

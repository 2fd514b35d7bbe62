"""What goes into the buffer, what comes out, and what it says about itself."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, NamedTuple

import msgspec

Cause = Literal["evicted", "damaged", "unclean_stop"]

MB = 1_000_000
SMALLEST_STORE_BYTES = MB
"""Below this the files' own overhead would leave no room for records."""


class PriorityClass(IntEnum):
    """How dear a record is: the highest number is evicted first."""

    EVENT = 0
    """Events, audit, statements of loss."""
    AGGREGATE = 1
    LIVE = 2
    EVIDENCE = 3
    """Pictures of alarms: a picture weighs as much as a day of scans, and the alarm
    itself is told without it."""
    MEDIA = 4
    """Other pictures: that a camera sees anything, what somebody wanted to see."""


BULKY = frozenset({PriorityClass.EVIDENCE, PriorityClass.MEDIA})
"""Large records, compressed before they come here."""


class Entry(NamedTuple):
    """One stored record; ``data`` and ``subject`` are opaque to the buffer."""

    seq: int
    cls: PriorityClass
    t_ms: int
    """Acquisition time as the gateway gave it, UTC milliseconds."""
    subject: str
    """Short opaque text losses are counted by: the device."""
    data: bytes


class Loss(msgspec.Struct, frozen=True):
    """Seqs no target will ever be given, and what is known of them."""

    id: int
    first: int
    last: int
    counts: dict[str, int]
    """Records by subject, as far as known; empty where only a bound is known."""
    t_ms: int
    """Earliest acquisition time touched, UTC ms; 0 where unknown."""
    until_ms: int
    cause: Cause
    certain: bool
    """False: seqs of the range may never have been used, or may have arrived."""
    at_most: int
    """No more records than this are lost."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one store.

    Raises:
        ValueError: ``max_bytes`` leaves no room for a store.
    """

    max_bytes: int = 512 * MB
    """Bytes of the whole folder, damaged files included."""
    keep_free: int = 200 * MB
    """Bytes of the file system left to others."""
    commit_s: float = 0.7
    """Group commit this long after the oldest pending record."""
    event_s: float = 0.02
    """The same for events: a burst shares a commit and is safe within 50 ms."""
    segment_bytes: int | None = None
    """Size at which a segment is closed; unset: 16 MB or a sixteenth of the bound."""
    segment_age_s: float = 24 * 3600.0
    heartbeat_s: float = 60.0
    """The control file is written at least this often."""
    tail_bytes: int = 2 * MB
    """Recent records kept in memory beside the disk."""
    ring_s: float = 60.0
    """How much is kept in memory while the disk takes nothing."""
    ring_bytes: int = 16 * MB
    park_s: float = 7 * 24 * 3600.0
    """A target no longer configured holds its backlog this long."""
    write_through: bool = False
    """True: every record is written, also what every target proved in time."""

    def __post_init__(self) -> None:
        if self.max_bytes < SMALLEST_STORE_BYTES:
            raise ValueError(
                f"max_bytes: expected at least {SMALLEST_STORE_BYTES}, "
                f"got {self.max_bytes}"
            )

    @property
    def segment(self) -> int:
        """Bytes at which a segment is closed."""
        if self.segment_bytes is not None:
            return self.segment_bytes
        return min(16 * MB, self.max_bytes // 16)

    @property
    def wal_pages(self) -> int:
        """Pages after which SQLite moves its write-ahead log into the segment."""
        return max(32, min(1000, self.segment // 8 // 1024))


class Backlog(msgspec.Struct, frozen=True):
    """What one target still has to be given."""

    records: int
    oldest_t_ms: int | None


class Stats(msgspec.Struct, frozen=True):
    """The buffer's state for status and health."""

    store: str
    high: int
    durable: int
    """All seqs up to here that were ever to be written, are."""
    pending: int
    """Records in memory only."""
    bytes: int
    segments: int
    floors: dict[str, int]
    backlog: dict[str, int]
    losses: int
    """Statements of loss not yet settled."""
    damaged_files: int
    degraded: str | None
    """``"disk"`` while nothing can be written."""
    trouble: str | None
    """The last disk error while degraded, as the system worded it."""
    commits: int
    bytes_appended: int
    bytes_stored: int
    """Bytes of all batch rows written since open, compressed."""
    commit_ms: float
    """How long the last group commit took."""
    avoided: int = 0
    """Records never written since open: every target proved them in time."""
    working_ms: float = 0.0
    """For how long the job under way has been with the disk; 0 when there is none."""

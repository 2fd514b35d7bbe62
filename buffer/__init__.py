"""A durable, bounded log of opaque records with a cursor per target.

Open one with `Buffer.open`; what the files hold stands in ``docs/buffer.md``.
"""

from buffer.buffer import Buffer
from buffer.errors import (
    BufferClosedError,
    BufferLockedError,
    BufferTooNewError,
    DiskTroubleError,
    StoreError,
    may_pass,
)
from buffer.intervals import Intervals
from buffer.model import Backlog, Entry, Limits, Loss, PriorityClass, Stats

__all__ = [
    "Backlog",
    "Buffer",
    "BufferClosedError",
    "BufferLockedError",
    "BufferTooNewError",
    "DiskTroubleError",
    "Entry",
    "Intervals",
    "Limits",
    "Loss",
    "PriorityClass",
    "Stats",
    "StoreError",
    "may_pass",
]

"""A durable, bounded log of opaque records with a cursor per target, and the history.

Open one with `Buffer.open`; what the files hold stands in ``docs/buffer.md``. The
history (`History.open`) keeps a year of minutes in a folder and a quota of its own.
"""

from buffer.archive import Damage, Kept
from buffer.buffer import Buffer
from buffer.errors import (
    BufferClosedError,
    BufferLockedError,
    BufferTooNewError,
    DiskTroubleError,
    StoreError,
    may_pass,
)
from buffer.history import Fate, History, HistoryStats
from buffer.history_block import Revision
from buffer.intervals import Intervals
from buffer.model import BULKY, Backlog, Entry, Limits, Loss, PriorityClass, Stats

__all__ = [
    "BULKY",
    "Backlog",
    "Buffer",
    "BufferClosedError",
    "BufferLockedError",
    "BufferTooNewError",
    "Damage",
    "DiskTroubleError",
    "Entry",
    "Fate",
    "History",
    "HistoryStats",
    "Intervals",
    "Kept",
    "Limits",
    "Loss",
    "PriorityClass",
    "Revision",
    "Stats",
    "StoreError",
    "may_pass",
]

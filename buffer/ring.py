"""What is kept while the disk takes nothing: a minute, events first, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffer.losses import Draft
from buffer.model import PriorityClass

if TYPE_CHECKING:
    from collections.abc import Container

    from buffer.intervals import Intervals
    from buffer.model import Entry

_LOWEST_FIRST = sorted(PriorityClass, reverse=True)


def shed(
    pending: dict[PriorityClass, list[Entry]],
    *,
    cutoff: int,
    ring_bytes: int,
    resolved: Intervals,
    keep: Container[int],
) -> tuple[list[Entry], list[Entry]]:
    """Thin out ``pending`` in place.

    Args:
        pending: Records not durable, by class, ascending; changed.
        cutoff: Live records and aggregates at or below this seq are too old.
        ring_bytes: Data bytes that may stay; events go only for this bound.
        resolved: What every target has: needs no disk any more.
        keep: Seqs that stay although every target has them.

    Returns:
        Records every target has, and records lost.
    """
    had: list[Entry] = []
    lost: list[Entry] = []
    size = 0
    for cls, entries in pending.items():
        kept = []
        for entry in entries:
            if entry.seq in resolved and entry.seq not in keep:
                had.append(entry)
            elif entry.seq <= cutoff and cls is not PriorityClass.EVENT:
                lost.append(entry)
            else:
                kept.append(entry)
                size += len(entry.data)
        pending[cls] = kept
    for cls in _LOWEST_FIRST:
        entries = pending[cls]
        at = 0
        while size > ring_bytes and at < len(entries):
            size -= len(entries[at].data)
            at += 1
        lost += entries[:at]
        del entries[:at]
    lost.sort(key=lambda e: e.seq)
    return had, lost


def tally(drafts: list[Draft], lost: list[Entry]) -> None:
    """Add dropped records to ``drafts``, a run of seqs each."""
    for entry in lost:
        last = drafts[-1] if drafts else None
        if last is not None and last.last == entry.seq - 1:
            last.counts[entry.subject] = last.counts.get(entry.subject, 0) + 1
            drafts[-1] = last._replace(
                last=entry.seq,
                t_ms=min(last.t_ms, entry.t_ms),
                until_ms=max(last.until_ms, entry.t_ms),
                at_most=last.at_most + 1,
            )
        else:
            drafts.append(
                Draft(
                    entry.seq,
                    entry.seq,
                    {entry.subject: 1},
                    entry.t_ms,
                    entry.t_ms,
                    "evicted",
                    certain=True,
                    at_most=1,
                )
            )

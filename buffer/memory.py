"""What the event loop's side of a buffer holds; decides, but waits for nothing.

Where a record can be, and what is kept of it, is one of these:

    waiting     in `pending` and the tail
    in flight   the same, and in the hands of the store's thread
    durable     on disk; in the tail as long as there is room or somebody lags
    avoided     every target proved it before it was due: nowhere
    lost        stated; resolved for every target
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffer import ring
from buffer.cursor import Cursor, resolved_by_all
from buffer.intervals import Intervals
from buffer.losses import unsure
from buffer.ondisk import OnDisk
from buffer.pending import Pending
from buffer.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buffer.losses import Draft
    from buffer.model import Limits, Loss, PriorityClass
    from buffer.recover import Opened


class Memory:
    """Newest records, cursors, and what is at risk."""

    def __init__(self, opened: Opened, limits: Limits) -> None:
        self._limits = limits
        self.cursors = opened.cursors
        self.parked = opened.parked
        """Targets no longer configured: for how long the store was open since, ms."""
        self.high = opened.high
        self.ceiling = opened.store.ceiling
        """Highest seq that may be given to anyone; None: without bound."""
        self.tail = Tail(opened.high + 1)
        self.on_disk = OnDisk(opened.store.present())
        self.pending = Pending()
        self.given = opened.given
        """What was given to any target and may have arrived unproved."""
        self.losses: dict[int, Loss] = {
            loss.id: loss for loss in opened.store.ledger.open()
        }
        self.dropped: list[Draft] = []
        """Losses the store does not know of yet."""
        self.avoided: list[tuple[int, int]] = []
        """Runs of seqs that will not be written, and the store does not know it yet."""
        self.avoided_records = 0

    def copies(self) -> dict[str, Cursor]:
        """The cursors as they are now."""
        return {name: cursor.copy() for name, cursor in self.cursors.items()}

    def durable(self) -> int:
        """All seqs up to here are on disk or need not be."""
        first = self.pending.first()
        return self.high if first is None else first - 1

    def readable(self) -> int:
        """The newest seq that may be given to anyone."""
        return self.high if self.ceiling is None else min(self.high, self.ceiling)

    def is_idle(self) -> bool:
        """Whether nobody is owed anything."""
        return all(cursor.floor >= self.high for cursor in self.cursors.values())

    def has_everyone(self, seq: int) -> bool:
        """Whether every target has this one; there must be a target."""
        return bool(self.cursors) and all(
            cursor.is_resolved(seq) for cursor in self.cursors.values()
        )

    def drop_proved(self) -> None:
        """Forget what waits to be written and every target, parked or not, has."""
        for entry in self.pending.drop_proved(self.cursors.values()):
            self._avoid(entry.seq)

    def shed(self, older_than: float) -> None:
        """While the disk takes nothing: drop what is too old or too much, counted."""
        had, lost = self.pending.shed(
            older_than=older_than,
            ring_bytes=self._limits.ring_bytes,
            resolved=resolved_by_all(self.cursors.values()),
        )
        for entry in had:
            self._avoid(entry.seq)
        for entry in lost:
            self.tail.drop(entry.seq)
            for cursor in self.cursors.values():
                cursor.resolve(entry.seq, entry.seq)
        known = max(len(self.dropped) - 1, 0)
        ring.tally(self.dropped, lost)
        self.dropped[known:] = unsure(self.given, self.dropped[known:])

    def give(self, first: int, last: int) -> None:
        """Some of these are handed to a target."""
        self.given.add(first, last)

    def take_lost(self, lost: Intervals) -> None:
        """No target will be given these."""
        for cursor in self.cursors.values():
            cursor.resolve_all(lost)

    def trim(self) -> None:
        """Forget what nobody is owed, and what the disk holds as well."""
        floor = min((cursor.floor for cursor in self.cursors.values()), default=0)
        self.on_disk.forget(floor)
        self.given.remove(1, floor)
        self.tail.trim(
            self._limits.tail_bytes, durable=self.durable(), wanted=floor + 1
        )

    def retarget(
        self, names: set[str], stored: Mapping[PriorityClass, Intervals]
    ) -> None:
        """Park what is no longer named, begin what is new: owed what there is."""
        new = names - self.cursors.keys()
        if new:
            # What everybody has was forgotten, but is there as long as its file is.
            self.on_disk.learn(stored)
        for name in new:
            cursor = self.cursors[name] = Cursor()
            there = Intervals()
            for runs in stored.values():
                there |= runs
            absent = Intervals.of(there.gaps(1, self.high))
            for seq in range(self.tail.first, self.high + 1):
                if self.tail.get(seq) is not None:
                    absent.remove(seq, seq)
            cursor.resolve_all(absent)
            self.avoided += absent.pairs()
        for name in names:
            self.parked.pop(name, None)
        for name in self.cursors.keys() - names:
            self.parked.setdefault(name, 0)

    def age_parked(self, ms: int) -> None:
        """Time passed; who was parked for long enough is forgotten."""
        for name, since in list(self.parked.items()):
            self.parked[name] = since + ms
            if since + ms > self._limits.park_s * 1000:
                del self.parked[name], self.cursors[name]

    def _avoid(self, seq: int) -> None:
        # Out of the tail as well: a target added later is owed what is stored.
        self.tail.drop(seq)
        self.avoided_records += 1
        runs = self.avoided
        if runs and runs[-1][1] == seq - 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))


def not_before(floors: Iterable[int], high: int) -> int:
    """All up to here is resolved for everyone."""
    return min(floors, default=high)

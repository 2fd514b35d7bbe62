"""The line of seqs of one store: what arrived, and who accounts for the rest."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from simulators.intervals import Intervals

if TYPE_CHECKING:
    from simulators.payloads import Record

_REMEMBERED = 200_000
"""Records whose content is kept to compare with repeats."""


class Loss(NamedTuple):
    """A ``lost`` record's word."""

    first: int
    last: int
    counts: dict[str, int]
    at_most: int


@dataclass
class SeqLine:
    """What is known of one store of one gateway."""

    arrived: Intervals = field(default_factory=Intervals)
    lost: Intervals = field(default_factory=Intervals)
    """For certain."""
    unsure: Intervals = field(default_factory=Intervals)
    skipped: Intervals = field(default_factory=Intervals)
    refused: Intervals = field(default_factory=Intervals)
    losses: dict[tuple[int, int], Loss] = field(default_factory=dict)
    """By their range: who states a loss may itself be lost, and it is stated again."""
    high: int = 0
    """The highest seq given out, by the gateway's status."""
    _contents: OrderedDict[int, int] = field(default_factory=OrderedDict)
    _newest: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def take(self, seq: int, data: bytes) -> Literal["new", "same", "other"]:
        """A record arrived: the first time, again, or again with another content."""
        check = zlib.crc32(data)
        if self.arrived.add(seq, seq):
            return "same" if self._contents.get(seq, check) == check else "other"
        self._contents[seq] = check
        if len(self._contents) > _REMEMBERED:
            self._contents.popitem(last=False)
        return "new"

    def newest(self, lane: str, topic_end: str, device: str, seq: int) -> int:
        """The highest seq of this lane and device before this one; -1: none.

        MQTT keeps the order of one topic, not of two (MQTT 5.0, 4.6).
        """
        key = (lane, topic_end, device)
        before = self._newest.get(key, -1)
        self._newest[key] = max(seq, before)
        return before

    def lose(self, record: Record) -> int | None:
        """A loss was stated.

        Returns:
            How many of its seqs were accounted for before although it is certain; None:
            the same range was stated before.

        Raises:
            ValueError: It names no range.
        """
        first, last = record.seq_from, record.seq_to
        if first is None or last is None:
            raise ValueError(
                f"seq {record.seq}: a lost record without seq_from, seq_to"
            )
        if (first, last) in self.losses:
            return None
        counted = sum(record.counts.values())
        at_most = counted if record.at_most is None else record.at_most
        self.losses[first, last] = Loss(first, last, record.counts, at_most)
        if record.certain is False:
            self.unsure.add(first, last)
            return 0
        return self.arrived.overlap(first, last) + self.lost.add(first, last)

    def absent(self, loss: Loss) -> int:
        """Records that a loss can stand for at most, narrowed by what arrived."""
        held = self.arrived.overlap(loss.first, loss.last)
        return min(loss.at_most, loss.last - loss.first + 1 - held)

    def covered(self) -> Intervals:
        """Every seq that arrived or that somebody accounts for."""
        return _union(self.arrived, self.lost, self.unsure, self.skipped, self.refused)

    def lost_records(self) -> int:
        """Records stated as lost, at most: a range may hold seqs never used."""
        return sum(map(self.absent, self.losses.values()))


def _union(*parts: Intervals) -> Intervals:
    union = Intervals()
    for part in parts:
        for first, last in part:
            union.add(first, last)
    return union

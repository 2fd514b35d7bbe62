"""Packets of one message put together again: PNUM of them, counted by PNO.

Each packet is a frame of its own, with a QN of its own and, in the standard's examples,
its own DataTime; packets of a history are records of different times. So packets are
joined only where they prove that they belong together: same instrument, system and
command, the next number of the same count, and the same DataTime, or none and the same
QN. Whatever breaks the row ends it: what came is delivered as far as it goes.

Source: HJ 212-2017, C.47 to C.50.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drivers.hj212.measurement import DATA_TIME, measured

if TYPE_CHECKING:
    from drivers.hj212.measurement import Measurement
    from drivers.hj212.segment import Segment

WAIT_S = 10.0
"""The time within which the rest of a message must come."""
MOST_OPEN = 16
MOST_NAMES = 4000

_Key = tuple[str, str, int]


class _Open(NamedTuple):
    """A message of which packets are missing."""

    so_far: Measurement
    pnum: int
    pno: int


class Joiner:
    """Of one connection or line; what it holds is bounded."""

    def __init__(self) -> None:
        self._open: dict[_Key, _Open] = {}

    def add(self, segment: Segment, arrived_s: float) -> list[Measurement]:
        """What is complete, or will get no more, now that this segment came.

        Raises:
            SegmentError: Its values cannot be given a time.
        """
        if segment.pnum is None or segment.pno is None:
            return [measured(segment, arrived_s)]
        key = (segment.mn, segment.st, segment.cn)
        before = self._open.get(key)
        joined = _continued(before, segment, arrived_s)
        ended: list[Measurement] = []
        follows_nothing = False
        if joined is None:
            joined = measured(segment, arrived_s)
            follows_nothing = segment.pno > 1
            if before is not None:
                ended.append(before.so_far)
        self._open.pop(key, None)
        last = segment.pno == segment.pnum
        if last or follows_nothing or len(joined.values) > MOST_NAMES:
            return [*ended, joined]
        while len(self._open) >= MOST_OPEN:
            ended.append(self._open.pop(next(iter(self._open))).so_far)
        self._open[key] = _Open(joined, segment.pnum, segment.pno)
        return ended

    def overdue(self, now: float) -> list[Measurement]:
        """Messages whose rest did not come in time."""
        late = [
            key
            for key, message in self._open.items()
            if now - message.so_far.arrived_s >= WAIT_S
        ]
        return [self._open.pop(key).so_far for key in late]


def _continued(
    before: _Open | None, segment: Segment, arrived_s: float
) -> Measurement | None:
    """The message with this packet; None where it does not prove to belong to it."""
    if (
        before is None
        or segment.pnum != before.pnum
        or segment.pno != before.pno + 1
        or arrived_s - before.so_far.arrived_s >= WAIT_S
    ):
        return None
    time = None
    if segment.get(DATA_TIME) is None:
        if segment.qn is None or segment.qn != before.so_far.qn:
            return None
        time = before.so_far.data_time
    return before.so_far.and_also(measured(segment, arrived_s, time))

"""Keeps the shelves of the lanes filled: from memory at once, from disk when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffer import DiskTroubleError, Intervals
from gateway.uplink.lanes import EVENTS, OTHERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.uplink.delivery import Delivery
    from gateway.uplink.lanes import Lane, Lanes
    from gateway.uplink.message import Bounds
    from gateway.uplink.source import Entry, Source

SHELF = 4
"""Read this many messages' worth from disk at a time."""
_END = 2**60


class Stock:
    """What one connection reads of the buffer.

    New events and new records are read in one go while neither lane is behind, which
    is nearly always; and with them new pictures, while none wait. Then an append costs
    one look, however many lanes there are.
    """

    def __init__(
        self,
        source: Source,
        target: str,
        delivery: Delivery,
        lanes: Lanes,
        bounds: Bounds,
    ) -> None:
        self._source = source
        self._target = target
        self._delivery = delivery
        self._lanes = lanes
        self._bounds = bounds
        self._known = 0
        """The highest seq the source gave out: all below it can be read."""
        self._again_changes = 0
        """How often what is to be sent again has changed."""
        self._trouble = False

    def retry(self) -> None:
        """Look again at a disk that was in trouble."""
        if self._trouble:
            self._trouble = False
            self._lanes.news()

    def fill(self) -> Lane | None:
        """Put on the shelves what memory holds.

        Returns:
            The first lane, if any, whose next records must be read from disk.
        """
        lanes = self._lanes
        event, live = lanes.event, lanes.live
        self._again_back()
        if lanes.together and not (event.held or live.held or live.full(self._bounds)):
            self._fill_together(event, live)
        on_disk: Lane | None = None
        for lane in lanes.order:
            if not lane.looked and not lane.held and not lane.full(self._bounds):
                self._fill(lane)
            if on_disk is None and lane.on_disk and not lane.shelf:
                on_disk = lane
        if event.looked and live.looked:
            seen = event.seen = live.seen = max(event.seen, live.seen)
            for lane in (lanes.evidence, lanes.media):
                if lane.looked:
                    lane.seen = max(lane.seen, seen)
        return None if self._trouble else on_disk

    @property
    def unfinished(self) -> bool:
        """Whether all that was found was filtered out, and more can be looked at."""
        return any(
            not (lane.looked or lane.held or lane.on_disk or lane.shelf)
            for lane in self._lanes.order
        )

    async def read(self, lane: Lane) -> None:
        """Put on the shelf what is on disk."""
        turn, known, asked = lane.turns, self._known, self._again_changes
        try:
            found = await self._source.read(
                self._target,
                lane.seen,
                SHELF * self._bounds.records,
                SHELF * self._bounds.payload,
                upto=lane.upto,
                classes=lane.classes,
                skip=self._skip(lane),
            )
        except DiskTroubleError:
            self._trouble = True  # the buffer says so itself; the next tick tries again
            return
        self._again_back()
        stale = lane.again and asked != self._again_changes and not found
        if turn == lane.turns and not stale:
            lane.on_disk = False
            self._take(lane, found, known)

    def _fill_together(self, event: Lane, live: Lane) -> None:
        if event.looked and live.looked:
            return
        bounds, lanes = self._bounds, self._lanes
        pictures = [
            lane
            for lane in (lanes.evidence, lanes.media)
            if lane.seen == live.seen and not lane.held and not lane.full(bounds)
        ]
        classes = EVENTS | OTHERS
        for lane in pictures:
            classes |= lane.classes or classes
        found = self._source.peek(
            self._target,
            live.seen,
            bounds.records,
            bounds.payload,
            classes=None if len(pictures) == 2 else classes,  # noqa: PLR2004 - all
            skip=self._delivery.skip,
        )
        if found is None:
            return  # each for itself
        together = (event, live, *pictures)
        if not found:
            for lane in together:
                lane.looked = True
            return
        self._known = found[-1].seq
        for lane in together:
            lane.seen = self._known
            lane.looked = lane.seen >= self._source.high
        for entry in self._delivery.wanted(found):
            lanes.of(entry.cls).put((entry,))

    def _fill(self, lane: Lane) -> None:
        if lane.again:
            lane.upto = self._last_again()
        if lane.spent:
            lane.looked = True
            return
        bounds, known = self._bounds, self._known
        found = self._source.peek(
            self._target,
            lane.seen,
            bounds.records,
            bounds.payload,
            upto=lane.upto,
            classes=lane.classes,
            skip=self._skip(lane),
        )
        lane.on_disk = found is None
        if found is not None:
            self._take(lane, found, known)

    def _take(self, lane: Lane, found: Sequence[Entry], known: int) -> None:
        """Take in an answer; ``known`` is from when it was asked for."""
        if found:
            lane.seen = found[-1].seq
            self._known = max(self._known, lane.seen)
            lane.looked = lane.seen >= self._source.high
            lane.put(self._delivery.wanted(found))
            return
        lane.looked = True
        if lane.again:
            awaiting = self._delivery.awaiting
            if awaiting is not None and not lane.shelf:
                self._delivery.gone(list(awaiting.again_seqs()))
            return
        # Nothing of this lane up to what others were given: no need to ask again.
        upto = known if lane.upto is None else min(known, lane.upto)
        lane.seen = max(lane.seen, upto)

    def _again_back(self) -> None:
        """What is to be sent again has changed: that lane looks anew."""
        lane, awaiting = self._lanes.again, self._delivery.awaiting
        if awaiting is not None and awaiting.back is not None:
            lane.back_to(awaiting.back)
            lane.looked = False
            awaiting.back = None
            self._again_changes += 1

    def _last_again(self) -> int:
        """The last seq to be sent again; 0: none is."""
        awaiting = self._delivery.awaiting
        return awaiting.again.edges[-1] - 1 if awaiting and awaiting.again else 0

    def _skip(self, lane: Lane) -> Intervals | None:
        """Sent before, and not this lane's to send now."""
        if not lane.again:
            return self._delivery.skip
        awaiting = self._delivery.awaiting
        # Everything but what is to be sent again.
        edges = awaiting.again.edges if awaiting is not None else []
        return Intervals([0, *edges, _END])

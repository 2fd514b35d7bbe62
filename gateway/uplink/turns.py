"""Whose turn it is: events, then what is new, then what is old. Reads no clock.

Pictures have lanes of their own in that order, and are few on their way at a time,
whatever lane they are of: see ``pace.Pictures``.

While a record is suspected of being what the platform cannot take, messages go one at a
time and doubtful records alone, in turn with the rest so that neither waits for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.uplink.lanes import PICTURES
from gateway.uplink.message import Bounds
from gateway.uplink.pace import Pictures

if TYPE_CHECKING:
    from gateway.uplink.delivery import Delivery
    from gateway.uplink.flight import Flight
    from gateway.uplink.lanes import Lane, Lanes
    from gateway.uplink.pace import Share


class Turns:
    """Chooses among the lanes of one connection."""

    def __init__(
        self,
        lanes: Lanes,
        delivery: Delivery,
        share: Share,
        bounds: Bounds,
        *,
        window: int,
        linger_s: float,
    ) -> None:
        """Prepare.

        Args:
            lanes: Of this connection.
            delivery: Of this target.
            share: What of the window the backlog may fill.
            bounds: Of a message.
            window: Messages that may be on their way.
            linger_s: What is new gathers for so long.
        """
        self._lanes = lanes
        self._delivery = delivery
        self._share = share
        self._bounds = bounds
        # The last place is left for an event.
        self._most_live = max(1, window - 1)
        self._pictures = Pictures(window)
        self._linger_s = linger_s
        self._lingers_until: float | None = None
        self._doubt_had_its_turn = False
        self.wake_s: float | None = None
        """Nothing may leave now, but something from this time on."""

    def next(self, now_s: float) -> Lane | None:
        """The lane that may send a message now."""
        self.wake_s = None
        if self._delivery.cautious and not self._doubt_had_its_turn:
            doubt = self._delivery.doubt
            for lane in self._lanes.order:
                doubtful = bool(lane.shelf) and lane.shelf[0].seq in doubt
                if doubtful and self._ready(lane, now_s):
                    return lane
        for lane in self._lanes.order:
            if lane.shelf and self._ready(lane, now_s):
                return lane
        return None

    def idle(self) -> bool:
        """Whether no lane has anything to send, now or in a moment."""
        return not any(lane.shelf and not lane.held for lane in self._lanes.order)

    def bounds(self, lane: Lane) -> Bounds:
        """Of this lane's next message."""
        bounds = self._bounds
        if lane.name == "backfill":
            bounds = Bounds(bounds.records, self._share.message_bytes, bounds.hard)
        if self._delivery.cautious:
            few = self._few(lane, bounds.records)
            bounds = Bounds(few, bounds.payload, bounds.hard)
        return bounds

    def sent(self, flight: Flight, now_s: float) -> None:
        """A message left."""
        if self._delivery.cautious:
            self._doubt_had_its_turn = flight.first in self._delivery.doubt
        lane = flight.lane
        lane.flying += 1
        if lane is self._lanes.live:
            self._lingers_until = None
            return
        if flight.picture:
            self._pictures.sent()
        if flight.picture or lane.name == "backfill":
            self._share.sent(flight.size)
        if self._is_backlog(lane):
            self._delivery.bucket.take(now_s)

    def answered(self, flight: Flight, took_s: float | None) -> None:
        """It was answered; ``took_s`` from sending to proof, None: refused."""
        lane, live = flight.lane, self._lanes.live
        lane.flying -= 1
        size = 0
        if lane is live:
            self._pictures.live_answered()
        elif flight.picture:
            self._pictures.ended(took_s, live.flying)
            self._share.ended(flight.size)
        elif lane.name == "backfill":
            size = flight.size
            self._share.ended(size)
        if took_s is not None:
            # How long one large message took says nothing of small ones.
            self._share.proof(took_s, size)

    # ------------------------------------------------------------------------

    def _ready(self, lane: Lane, now_s: float) -> bool:
        if lane.held:
            return False
        lanes, awaiting = self._lanes, self._delivery.awaiting
        event = lane is lanes.event
        if awaiting is not None and not lane.again and awaiting.full(event=event):
            return False
        if event:
            return True
        if lane.shelf[0].cls in PICTURES and not self._picture(now_s):
            return False
        if lane is lanes.live:
            return self._live(lane, now_s)
        return not self._is_backlog(lane) or self._backlog(now_s)

    def _is_backlog(self, lane: Lane) -> bool:
        """Whether it waits for its share: all but events and what is new."""
        lanes = self._lanes
        return lane not in (lanes.event, lanes.live, lanes.evidence)

    def _picture(self, now_s: float) -> bool:
        live = self._lanes.live
        waits = bool(live.flying or (live.shelf and not live.held))
        return self._pictures.open(live_waits=waits) and self._reached(
            self._delivery.hold_pictures_until, now_s
        )

    def _live(self, lane: Lane, now_s: float) -> bool:
        if lane.full(self._bounds):
            return lane.flying < self._most_live
        if lane.flying or self._linger_s <= 0:
            return not lane.flying
        if self._lingers_until is None:
            self._lingers_until = now_s + self._linger_s
        return self._reached(self._lingers_until, now_s)

    def _backlog(self, now_s: float) -> bool:
        return self._share.open and self._reached(self._delivery.bucket.next_s, now_s)

    def _reached(self, when_s: float, now_s: float) -> bool:
        if now_s >= when_s:
            return True
        self.wake_s = when_s if self.wake_s is None else min(self.wake_s, when_s)
        return False

    def _few(self, lane: Lane, most: int) -> int:
        """Records that may leave together while one is suspected."""
        delivery = self._delivery
        overfull = lane is self._lanes.live and lane.full(self._bounds)
        if delivery.suspicious and not overfull:
            return 1
        for count, entry in enumerate(lane.shelf[:most]):
            if entry.seq in delivery.doubt:
                return max(1, count)
        return most

"""One connection's life: status and meta first, then records until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from gateway.texts import t
from gateway.uplink import filters
from gateway.uplink.alarm import Alarm
from gateway.uplink.flight import Flight, Window
from gateway.uplink.lanes import Lanes
from gateway.uplink.link import LinkLimits, LinkLostError, RefusedError
from gateway.uplink.message import PACKET_HEAD, Bounds, Message, Misfit, Undated
from gateway.uplink.pace import Share
from gateway.uplink.retained import Retained, RetainedQueue
from gateway.uplink.stock import Stock
from gateway.uplink.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.uplink.kit import Kit
    from gateway.uplink.lanes import Lane
    from gateway.uplink.link import Link
    from gateway.uplink.source import Runs

log = logging.getLogger(__name__)

TICK_S = 5.0
"""Waking up costs more than what is done then: an idle link does it rarely."""
STATUS_S = 60.0
LAST_WORDS_S = 0.3
SLOWEST = 2_000
"""Bytes a second of the slowest line we wait for proofs on."""
RETAINED = 8
"""Retained messages have so many times longer: they wait behind whatever there is, but
each takes a place in the window until it is proved."""


class _NoProofError(LinkLostError):
    """The platform takes messages and proves none."""


class Session:
    """One connection.

    A new record leaves at once while no message of its lane is on its way; while one
    is, what accumulates travels together when the proof arrives or a message is full.
    Events never wait for that; the backlog leaves in full messages, as fast as
    ``pace.py`` allows. All share one window: the smaller of ours and the platform's.
    """

    def __init__(self, kit: Kit, link: Link, limits: LinkLimits) -> None:
        self._kit = kit
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._errand = asyncio.Event()
        """Work for the task: read from disk, or end."""
        self._reading: Lane | None = None
        self._turn_due = False
        self._alarm = Alarm(self._loop, self._soon)
        self._stopped = self._over = False
        self._answer = asyncio.Event()
        self._window = Window()
        target = kit.target
        self._in_flight = max(1, min(target.in_flight, limits.receive_max))
        hard = None
        if limits.max_packet is not None:
            hard = max(0, limits.max_packet - PACKET_HEAD)
        self._bounds = Bounds(target.batch_records, target.batch_bytes, hard)
        self.lanes = Lanes(kit.source.high)
        self._share = Share(self._in_flight, self._bounds.payload)
        self._turns = Turns(
            self.lanes,
            kit.delivery,
            self._share,
            self._bounds,
            window=self._in_flight,
            linger_s=target.linger_s,
        )
        self._stock = Stock(
            kit.source, target.name, kit.delivery, self.lanes, self._bounds
        )
        self._retained = RetainedQueue(
            target.name, kit.topics, kit.metas, kit.status, self._bounds
        )
        self._retained_sent: dict[object, float] = {}
        """Retained messages on their way, and since when."""
        self._status_due = 0.0
        self._lost: LinkLostError | None = None
        self._bug: Exception | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._status_alarm = Alarm(self._loop, partial(self._safely, self._tick_now))
        self._proved_alive = False
        self._proved_s = 0.0
        self.refusal = ""
        """Why the platform refuses whatever comes; empty: it does not."""

    @property
    def in_flight(self) -> int:
        """Messages without proof, retained ones included."""
        return len(self._window) + len(self._retained_sent)

    @property
    def unproved(self) -> int:
        """Messages with records on their way."""
        return len(self._window)

    @property
    def suspect(self) -> bool:
        """Whether what is on its way longest has ended a connection before."""
        oldest = self._window.oldest
        return oldest is not None and self._kit.delivery.suspects(oldest.first)

    async def run(self) -> None:
        """Deliver until the connection ends.

        Everything but reading from disk happens in callbacks: a task's turn for every
        message would cost as much as the message.

        Raises:
            LinkLostError: It ended.
        """
        self._kit.delivery.back = None  # the lanes are new
        self._link.on_lost(self._end)
        unsubscribe = self._kit.source.on_append(self._appended)
        self._status_now()
        self._retained.describe(self._kit.metas.current)
        self._tick()
        self._soon()
        try:
            while self._lost is None:
                await self._errand.wait()
                self._errand.clear()
                if self._bug is not None:
                    raise self._bug
                if self._reading is not None and self._lost is None:
                    await self._stock.read(self._reading)
                    self._reading = None
                    self._soon()
            raise self._lost
        finally:
            self._stopped = True
            unsubscribe()
            self._alarm.stop()
            self._status_alarm.stop()
            if self._ticking is not None:
                self._ticking.cancel()

    def status_changed(self) -> None:
        """Have the status said again; changes within a second are said together."""
        soon = self._loop.time() + 1.0
        if self._status_due > soon:
            self._status_due = soon
            self._status_alarm.by(soon)

    def wake(self) -> None:
        """What had no date may have one now."""
        self.lanes.release()
        self._soon()

    def receipt_came(self) -> None:
        """Some records need not be sent again, others may follow."""
        self._soon()

    async def farewell(self, last_words: bytes, wait_s: float = 1.0) -> None:
        """Give proofs on their way a moment, then say that we stop on purpose."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s - LAST_WORDS_S):
                await self._all_answered()
        if self._lost is None:
            self._publish_retained(Retained(self._kit.topics.status, last_words))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await self._all_answered()

    async def _all_answered(self) -> None:
        while self.in_flight and self._lost is None:
            self._answer.clear()
            await self._answer.wait()

    def _safely(self, work: Callable[..., None], *args: object) -> None:
        """Do what a callback does; a bug ends this connection, and is seen.

        In a callback it would be a line in the log and a lane that stands still.
        """
        try:
            work(*args)
        except Exception as exc:  # noqa: BLE001 - raised again by ``run``
            self._bug, self._stopped = exc, True
            self._answer.set()
            self._errand.set()

    # -- what leaves ---------------------------------------------------------

    def _appended(self) -> None:
        self.lanes.news()
        self._soon()

    def _soon(self) -> None:
        """Take a turn when what happens now is over: several causes, one turn."""
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._safely, self._turn)

    def _turn(self) -> None:
        """Hand messages to the link until the window is full or nothing is ready."""
        self._turn_due = False
        while self._lost is None and not self._stopped:
            while self._retained and self.in_flight < self._in_flight:
                self._publish_retained(self._retained.next())
            if self._window.refused:
                if not self._window.settled:
                    return
                self._settle()
            now = self._loop.time()
            if self._retained or not self._may_send(now):
                return
            lane = self._next(now)
            if lane is None:
                return
            self._send(lane, now)

    def _may_send(self, now: float) -> bool:
        """Whether any record may leave now."""
        delivery = self._kit.delivery
        if now < delivery.hold_until:
            self._alarm.by(delivery.hold_until)
            return False
        if self.in_flight >= self._in_flight:
            return False
        self.refusal = ""
        return not (delivery.cautious and self._window)

    def _next(self, now: float) -> Lane | None:
        """The lane whose turn it is."""
        delivery = self._kit.delivery
        if delivery.back is not None:
            self.lanes.back_to(delivery.back)
            delivery.back = None
        on_disk = self._stock.fill()
        if on_disk is not None and self._reading is None:
            self._reading = on_disk
            self._errand.set()
        lane = self._turns.next(now)
        if lane is None:
            if self._stock.unfinished:
                self._soon()
            elif self._turns.wake_s is not None:
                self._alarm.by(self._turns.wake_s)
            elif delivery.doubt and on_disk is None and self._idle():
                delivery.no_more_doubt()
        return lane

    def _idle(self) -> bool:
        """Whether all that can be sent has been, and was answered."""
        return not self._window and self._reading is None and self._turns.idle()

    def _send(self, lane: Lane, now: float) -> None:
        """Make one message of what is on a lane's shelf and hand it over."""
        kit, delivery = self._kit, self._kit.delivery
        first = lane.shelf[0]
        skipped = delivery.skipped.take() if delivery.skipped else ()
        message = kit.packer.pack(
            lane.shelf,
            self._turns.bounds(lane),
            lane.name,
            kit.wall_ms(),
            again=lane.again or delivery.out_of_order(lane.name, first.seq),
            skipped=filters.words(skipped),
        )
        told = isinstance(message, Message) and message.tells
        if isinstance(message, Misfit):
            lane.take(1)
            delivery.put_aside(first, message.reason, len(first.data))
        elif isinstance(message, Undated):
            lane.held = True
        elif self._retained.describe(message.meta):
            told = False  # the description first; the records stay on the shelf
        else:
            self._publish(lane, message, skipped if told else (), now)
        if skipped and not told:
            delivery.skipped.give_back(skipped)

    def _publish(self, lane: Lane, message: Message, told: Runs, now: float) -> None:
        delivery = self._kit.delivery
        entries = lane.take(message.records)
        flight = Flight(lane, entries, len(message.payload), now, told)
        self._window.add(flight)
        self._turns.sent(flight, now)
        delivery.published(flight)
        future = self._link.publish(message.topic, message.payload)
        future.add_done_callback(partial(self._safely, self._answered, flight))

    def _publish_retained(self, message: Retained) -> None:
        token = object()
        self._retained_sent[token] = self._loop.time()
        answered = partial(self._safely, self._retained_answered, message, token)
        future = self._link.publish(message.topic, message.payload, retain=True)
        future.add_done_callback(answered)

    # -- what comes back -----------------------------------------------------

    def _answered(self, flight: Flight, future: asyncio.Future[None]) -> None:
        if self._over:
            return  # unproved, whatever came of it
        error = None if future.cancelled() else future.exception()
        if flight is self._window.unanswered:
            # Proofs of later ones do not count: this one may have been forgotten.
            self._proved_s = self._loop.time()
        if isinstance(error, RefusedError):
            self._turns.answered(flight, None)
            self._window.refuse(
                flight, error.reason, blames_message=error.blames_message
            )
        elif error is None and not future.cancelled():
            now = self._loop.time()
            self._turns.answered(flight, now - flight.sent_s)
            self._window.proved(flight)
            self._kit.delivery.proved(flight, now)
        self._answer.set()
        self._turn()

    def _retained_answered(
        self, message: Retained, token: object, future: asyncio.Future[None]
    ) -> None:
        sent_s = self._retained_sent.pop(token)
        error = None if future.cancelled() else future.exception()
        if isinstance(error, RefusedError):
            self.refusal = error.reason
        elif error is None:
            self._proved_alive = True
            self._share.proof(self._loop.time() - sent_s)
            if message.empties:
                self._kit.metas.cleared(message.empties, self._kit.target.name)
        self._answer.set()
        self._turn()

    def _settle(self) -> None:
        flights = self._window.take_all()
        blameless = next(
            (f for f in flights if not f.blames_message and not f.picture), None
        )
        if blameless is not None:
            self.refusal = blameless.refusal or ""
            log.warning(
                "%s",
                t("uplink.refused", target=self._kit.target.name, reason=self.refusal),
            )
        self._kit.delivery.refused(flights, self._loop.time())

    def over(self) -> None:
        """Whatever is still on its way is unproved; the oldest may be why it ended."""
        self._over = True
        delivery, cause = self._kit.delivery, self._lost
        oldest = self._window.oldest
        for flight in self._window.take_all():
            delivery.unproved(flight)
        # Only a plain end: being taken over, or slow proofs, are no record's fault.
        if oldest is not None and self._proved_alive and type(cause) is LinkLostError:
            delivery.cut(oldest, self._loop.time())

    def _end(self, cause: LinkLostError) -> None:
        if self._lost is None:
            self._lost = cause
        self._answer.set()
        self._errand.set()

    def _tick(self) -> None:
        """Every few seconds: a sign of life, and what is overdue."""
        self._ticking = self._loop.call_later(TICK_S, self._safely, self._tick)
        self._kit.promise(self._loop.time() + 4 * TICK_S)
        self._kit.delivery.overdue(self._loop.time())
        self._stock.retry()
        self.lanes.release()
        if self._idle():
            self._kit.delivery.nothing_left(self._loop.time())
        self._tick_now()

    def _tick_now(self) -> None:
        now = self._loop.time()
        since = self._forgotten_since(now)
        if since is not None:
            # A platform that takes messages and proves none is as good as gone.
            seconds = f"{now - since:.0f}"
            self._end(_NoProofError(t("uplink.reason.no_proof", seconds=seconds)))
            return
        if now >= self._status_due and not self._stopped:
            self._status_now()
            self._kit.delivery.prune()
            self._retained.clear(self._kit.source.floor(self._kit.target.name))
        if not self._stopped:
            self._status_alarm.by(self._status_due)
        self._turn()

    def _status_now(self) -> None:
        self._status_due = self._loop.time() + STATUS_S
        self._retained.status()

    def _forgotten_since(self, now: float) -> float | None:
        """Since when a message waits for its proof that should have it by now."""
        oldest, proof_s = self._window.unanswered, self._kit.proof_s
        if oldest is not None:
            # It may have waited for those before it.
            since = max(oldest.sent_s, self._proved_s)
            if now > since + proof_s + oldest.size / SLOWEST:
                return since
        since = min(self._retained_sent.values(), default=now)
        return since if now > since + RETAINED * proof_s else None

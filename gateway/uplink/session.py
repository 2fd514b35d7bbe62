"""One connection's life: status and meta first, then records until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from buffer import DiskTroubleError
from gateway.texts import t
from gateway.uplink.flight import Flight, Window
from gateway.uplink.link import LinkLimits, LinkLostError, RefusedError
from gateway.uplink.message import PACKET_HEAD, Bounds, Misfit, compressed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.config.model import MqttTarget
    from gateway.meta import MetaStore
    from gateway.uplink.delivery import Delivery
    from gateway.uplink.link import Link
    from gateway.uplink.message import Message, Packer
    from gateway.uplink.source import Entry, Source
    from gateway.uplink.topics import Topics

log = logging.getLogger(__name__)

TICK_S = 5.0
"""Waking up costs more than what is done then: an idle link does it rarely."""
STATUS_S = 60.0
USUAL_PACKET = 1_000_000
"""What brokers take that announce no limit (nats-server's default is 1 MiB)."""
LAST_WORDS_S = 0.3
SLOWEST = 2_000
"""Bytes a second of the slowest line we wait for proofs on."""
SHELF = 4
"""Read this many messages' worth from disk at a time."""


@dataclass(frozen=True)
class Kit:
    """What every connection to one target works with."""

    target: MqttTarget
    topics: Topics
    source: Source
    packer: Packer
    metas: MetaStore
    delivery: Delivery
    status: Callable[[], bytes]
    wall_ms: Callable[[], int]
    promise: Callable[[float], None]
    """Told until when this loop will have reported again."""
    proof_s: float


class _Control(NamedTuple):
    """A retained message beside the records."""

    topic: str
    payload: bytes
    empties: str = ""
    """The meta version whose topic this empties."""


class _NoProofError(LinkLostError):
    """The platform takes messages and proves none."""


class Session:
    """One connection.

    A record leaves at once while nothing is on its way; while something is, what
    accumulates travels together when the proof arrives or a message is full. Full
    messages go out until the window is full: the smaller of ours and the platform's.
    """

    def __init__(self, kit: Kit, link: Link, limits: LinkLimits) -> None:
        self._kit = kit
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._errand = asyncio.Event()
        """Work for the task: read from disk, or end."""
        self._reading = False
        self._turn_due = False
        self._turn_at = 0.0
        self._stopped = False
        self._answer = asyncio.Event()
        self._window = Window()
        self._in_flight = max(1, min(kit.target.in_flight, limits.receive_max))
        hard = None
        if limits.max_packet is not None:
            hard = max(0, limits.max_packet - PACKET_HEAD)
        self._bounds = Bounds(kit.target.batch_records, kit.target.batch_bytes, hard)
        self._single = Bounds(1, kit.target.batch_bytes, hard)
        self._shelf: list[Entry] = []
        self._control: deque[_Control] = deque()
        self._control_sent = 0
        self._metas_sent: set[str] = set()
        self._status_due = 0.0
        self._lingers_until: float | None = None
        self._lost: LinkLostError | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._status_timer: asyncio.TimerHandle | None = None
        self._proved_alive = False
        self._proved_s = 0.0
        self.refusal = ""
        """Why the platform refuses whatever comes; empty: it does not."""

    @property
    def in_flight(self) -> int:
        """Messages without proof, control messages included."""
        return len(self._window) + self._control_sent

    @property
    def unproved(self) -> int:
        """Messages with records on their way."""
        return len(self._window)

    async def run(self) -> None:
        """Deliver until the connection ends.

        Everything but reading from disk happens in callbacks: a task's turn for every
        message would cost as much as the message.

        Raises:
            LinkLostError: It ended.
        """
        self._kit.delivery.rewind()
        self._link.on_lost(self._end)
        unsubscribe = self._kit.source.on_append(self._soon)
        self._status_now()
        self._queue_meta(self._kit.metas.current)
        self._tick()
        self._soon()
        try:
            while self._lost is None:
                await self._errand.wait()
                self._errand.clear()
                if self._reading and self._lost is None:
                    await self._read()
            self._note_cut(self._lost)
            raise self._lost
        finally:
            self._stopped = True
            unsubscribe()
            for timer in (self._ticking, self._status_timer):
                if timer is not None:
                    timer.cancel()

    def status_changed(self) -> None:
        """Have the status said again; changes within a second are said together."""
        soon = self._loop.time() + 1.0
        if self._status_due > soon:
            self._status_by(soon)

    def _status_by(self, when_s: float) -> None:
        self._status_due = when_s
        if self._status_timer is not None:
            self._status_timer.cancel()
        self._status_timer = self._loop.call_at(when_s, self._tick_now)

    async def farewell(self, last_words: bytes, wait_s: float = 1.0) -> None:
        """Give proofs on their way a moment, then say that we stop on purpose."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s - LAST_WORDS_S):
                await self._all_answered()
        if self._lost is None:
            self._publish_control(_Control(self._kit.topics.status, last_words))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await self._all_answered()

    async def _all_answered(self) -> None:
        while self.in_flight and self._lost is None:
            self._answer.clear()
            await self._answer.wait()

    # -- what leaves ---------------------------------------------------------

    def _soon(self) -> None:
        """Take a turn when what happens now is over: several causes, one turn."""
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Hand messages to the link until the window is full or nothing is ready."""
        self._turn_due = False
        kit, delivery = self._kit, self._kit.delivery
        while self._lost is None and not self._stopped:
            while self._control and self.in_flight < self._in_flight:
                self._publish_control(self._control.popleft())
            if self._window.refused:
                if not self._window.settled:
                    return
                self._settle()
            if delivery.stale:
                delivery.stale = False
                self._shelf.clear()
            single = delivery.single
            if self._reading or self._control or not self._may_send(single=single):
                return
            if not self._shelf and not self._restock():
                return
            message = kit.packer.pack(
                self._shelf,
                self._single if single else self._bounds,
                "live",
                kit.wall_ms(),
            )
            if isinstance(message, Misfit):
                delivery.after = message.seq
                del self._shelf[0]
                delivery.put_aside(message.seq, message.reason)
            elif message.meta not in self._metas_sent and self._queue_meta(
                message.meta
            ):
                continue  # the description first; the records stay on the shelf
            else:
                self._publish(message)

    def _may_send(self, *, single: bool) -> bool:
        delivery, now = self._kit.delivery, self._loop.time()
        if now < delivery.hold_until:
            self._later(delivery.hold_until)
            return False
        if self.in_flight >= self._in_flight:
            return False
        self.refusal = ""
        if single:
            return not self._window
        waiting = self._kit.source.high - delivery.after
        if self._shelf or waiting >= self._bounds.records:
            return True
        return waiting > 0 and not self._window and self._lingered(now)

    def _lingered(self, now: float) -> bool:
        linger_s = self._kit.target.linger_s
        if linger_s <= 0:
            return True
        if self._lingers_until is None:
            self._lingers_until = now + linger_s
        self._later(self._lingers_until)
        return now >= self._lingers_until

    def _later(self, when_s: float) -> None:
        """Take a turn at this time; the same wish counts once."""
        if self._turn_at != when_s:
            self._turn_at = when_s
            self._loop.call_at(when_s, self._soon)

    def _restock(self) -> bool:
        """Fill the shelf from memory; False: nothing is there, or it is on disk."""
        kit, after = self._kit, self._kit.delivery.after
        bounds = self._bounds
        found = kit.source.peek(kit.target.name, after, bounds.records, bounds.payload)
        self._lingers_until = None
        if found is None:
            self._reading = True
            self._errand.set()
            return False
        return self._put_on_shelf(found)

    async def _read(self) -> None:
        """Fill the shelf from disk."""
        kit, bounds = self._kit, self._bounds
        try:
            found = await kit.source.read(
                kit.target.name,
                kit.delivery.after,
                SHELF * bounds.records,
                SHELF * bounds.payload,
            )
        except DiskTroubleError:
            # The buffer says so itself; the next tick tries again.
            self._reading = False
            return
        self._reading = False
        if not kit.delivery.stale and self._put_on_shelf(found):
            self._soon()

    def _put_on_shelf(self, found: Sequence[Entry]) -> bool:
        self._shelf = [e for e in found if not self._kit.delivery.skips(e.seq)]
        if found and not self._shelf:
            self._kit.delivery.after = found[-1].seq
            self._soon()
        return bool(self._shelf)

    def _publish(self, message: Message) -> None:
        del self._shelf[: message.records]
        self._kit.delivery.after = message.last
        flight = Flight(message, self._loop.time())
        self._window.add(flight)
        future = self._link.publish(message.topic, message.payload)
        future.add_done_callback(partial(self._answered, flight))

    def _publish_control(self, control: _Control) -> None:
        self._control_sent += 1
        future = self._link.publish(control.topic, control.payload, retain=True)
        future.add_done_callback(partial(self._control_answered, control))

    def _status_now(self) -> None:
        self._status_by(self._loop.time() + STATUS_S)
        topic = self._kit.topics.status
        if all(queued.topic != topic for queued in self._control):
            self._control.append(_Control(topic, self._kit.status()))

    def _queue_meta(self, meta: str) -> bool:
        """Queue the description of a version; False: it is not known here."""
        self._metas_sent.add(meta)
        payload = self._kit.metas.payload(meta)
        if payload is None:
            return False
        if len(payload) > self._bounds.payload:
            payload = compressed(payload)  # thousands of points, much alike
        if len(payload) > (self._bounds.hard or USUAL_PACKET):
            # Sent all the same, it would end the connection, again and again.
            log.error(
                "%s",
                t(
                    "uplink.meta_too_large",
                    target=self._kit.target.name,
                    meta=meta,
                    size=len(payload),
                    limit=self._bounds.hard or USUAL_PACKET,
                ),
            )
            return False
        self._control.append(_Control(self._kit.topics.meta(meta), payload))
        return True

    # -- what comes back -----------------------------------------------------

    def _answered(self, flight: Flight, future: asyncio.Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if isinstance(error, RefusedError):
            flight.refusal = error.reason
            flight.blames_message = error.blames_message
        elif error is None and not future.cancelled():
            flight.proved = True
            self._proved_s = self._loop.time()
            self._kit.delivery.counted(flight)
            if not self._window.refused:
                proved = self._window.take_proved()
                if proved is not None:
                    self._kit.delivery.proved(*proved)
        self._answer.set()
        self._turn()

    def _control_answered(
        self, control: _Control, future: asyncio.Future[None]
    ) -> None:
        self._control_sent -= 1
        error = None if future.cancelled() else future.exception()
        if isinstance(error, RefusedError):
            self.refusal = error.reason
        elif error is None:
            self._proved_alive = True
            if control.empties:
                self._kit.metas.cleared(control.empties, self._kit.target.name)
        self._answer.set()
        self._turn()

    def _settle(self) -> None:
        flights = self._window.take_all()
        refusal = next(f for f in flights if f.refusal is not None)
        if not refusal.blames_message:
            self.refusal = refusal.refusal or ""
            log.warning(
                "%s",
                t("uplink.refused", target=self._kit.target.name, reason=self.refusal),
            )
        self._kit.delivery.refused(flights, self._loop.time())

    def _note_cut(self, cause: LinkLostError) -> None:
        oldest = self._window.oldest
        # Only a plain end: being taken over, or slow proofs, are no record's fault.
        if oldest is not None and self._proved_alive and type(cause) is LinkLostError:
            self._kit.delivery.cut(oldest, self._loop.time())

    def _end(self, cause: LinkLostError) -> None:
        if self._lost is None:
            self._lost = cause
        self._answer.set()
        self._errand.set()

    def _tick(self) -> None:
        """Every few seconds: a sign of life, and what is overdue."""
        self._ticking = self._loop.call_later(TICK_S, self._tick)
        self._kit.promise(self._loop.time() + 4 * TICK_S)
        self._tick_now()

    def _tick_now(self) -> None:
        now = self._loop.time()
        oldest = self._window.oldest
        if oldest is not None and now > self._overdue_s(oldest):
            # A platform that takes messages and proves none is as good as gone.
            seconds = f"{now - max(oldest.sent_s, self._proved_s):.0f}"
            self._end(_NoProofError(t("uplink.reason.no_proof", seconds=seconds)))
            return
        if now >= self._status_due and not self._stopped:
            self._status_now()
            self._clear_metas()
        self._turn()

    def _overdue_s(self, oldest: Flight) -> float:
        """By when this message should be proved: it may have waited for others."""
        began = max(oldest.sent_s, self._proved_s)
        return began + self._kit.proof_s + oldest.size / SLOWEST

    def _clear_metas(self) -> None:
        """Empty the topics of versions that no record here refers to any more."""
        kit = self._kit
        kit.metas.retry()
        for meta in kit.metas.unused(
            kit.target.name, kit.source.floor(kit.target.name)
        ):
            self._control.append(_Control(kit.topics.meta(meta), b"", empties=meta))

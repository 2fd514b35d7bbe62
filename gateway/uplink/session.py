"""One connection's life: status and meta first, then records until it ends."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from buffer import DiskTroubleError
from gateway.texts import t
from gateway.uplink.flight import Flight, Window
from gateway.uplink.link import LinkLimits, LinkLostError, RefusedError
from gateway.uplink.message import PACKET_HEAD, Bounds, Misfit

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.model import MqttTarget
    from gateway.meta import MetaStore
    from gateway.uplink.delivery import Delivery
    from gateway.uplink.link import Link
    from gateway.uplink.message import Message, Packer
    from gateway.uplink.source import Entry, Source
    from gateway.uplink.topics import Topics

log = logging.getLogger(__name__)

TICK_S = 1.0
STATUS_S = 60.0
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
    """Told once a second until when this loop will have reported again."""
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
        self._wake = asyncio.Event()
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
        self._proved_alive = False
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

        Raises:
            LinkLostError: It ended.
        """
        self._kit.delivery.rewind()
        self._link.on_lost(self._on_lost)
        unsubscribe = self._kit.source.on_append(self._wake.set)
        self._status_now()
        self._queue_meta(self._kit.metas.current)
        self._tick()
        try:
            while True:
                if self._lost is not None:
                    raise self._lost
                self._check_proofs()
                await self._fill()
                if self._lost is None:
                    await self._wake.wait()
                    self._wake.clear()
        except LinkLostError as exc:
            self._note_cut(exc)
            raise
        finally:
            unsubscribe()
            if self._ticking is not None:
                self._ticking.cancel()

    def status_changed(self) -> None:
        """Have the status said again, within a second."""
        self._status_due = 0.0

    async def farewell(self, last_words: bytes, wait_s: float = 1.0) -> None:
        """Give proofs on their way a moment, then say that we stop on purpose."""
        deadline = self._loop.time() + wait_s
        while self.in_flight and self._lost is None:
            if not await self._woken(deadline):
                break
        if self._lost is None:
            self._control.clear()
            self._publish_control(_Control(self._kit.topics.status, last_words))
            while self._control_sent and self._lost is None:
                if not await self._woken(deadline):
                    break

    async def _woken(self, deadline: float) -> bool:
        self._wake.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    # -- what leaves ---------------------------------------------------------

    async def _fill(self) -> None:
        """Hand messages to the link until the window is full or nothing is ready."""
        kit, delivery = self._kit, self._kit.delivery
        while self._lost is None:
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
            if self._control or not self._may_send(single=single):
                return
            if not self._shelf and not await self._restock():
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
        if now < delivery.hold_until or self.in_flight >= self._in_flight:
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
            self._loop.call_at(self._lingers_until, self._wake.set)
        return now >= self._lingers_until

    async def _restock(self) -> bool:
        """Fill the shelf with what follows; False: nothing is there."""
        kit, after = self._kit, self._kit.delivery.after
        name, bounds = kit.target.name, self._bounds
        found = kit.source.peek(name, after, bounds.records, bounds.payload)
        if found is None:
            try:
                found = await kit.source.read(
                    name, after, SHELF * bounds.records, SHELF * bounds.payload
                )
            except DiskTroubleError:
                return False  # the next tick tries again; the buffer says so itself
        self._lingers_until = None
        self._shelf = [e for e in found if not kit.delivery.skips(e.seq)]
        if found and not self._shelf:
            kit.delivery.after = found[-1].seq
            self._wake.set()
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
        self._status_due = self._loop.time() + STATUS_S
        topic = self._kit.topics.status
        if all(queued.topic != topic for queued in self._control):
            self._control.append(_Control(topic, self._kit.status()))

    def _queue_meta(self, meta: str) -> bool:
        """Queue the description of a version; False: it is not known here."""
        self._metas_sent.add(meta)
        payload = self._kit.metas.payload(meta)
        if payload is None:
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
            self._kit.delivery.counted(flight)
            if not self._window.refused:
                proved = self._window.take_proved()
                if proved is not None:
                    self._kit.delivery.proved(*proved)
        self._wake.set()

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
        self._wake.set()

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

    def _check_proofs(self) -> None:
        """A platform that takes messages and proves none is as good as gone."""
        oldest = self._window.oldest
        limit = self._kit.proof_s
        if oldest is not None and self._loop.time() - oldest.sent_s > limit:
            raise _NoProofError(t("uplink.reason.no_proof", seconds=f"{limit:g}"))

    def _note_cut(self, cause: LinkLostError) -> None:
        oldest = self._window.oldest
        # Only a plain end: being taken over, or slow proofs, are no record's fault.
        if oldest is not None and self._proved_alive and type(cause) is LinkLostError:
            self._kit.delivery.cut(oldest, self._loop.time())

    def _on_lost(self, cause: LinkLostError) -> None:
        self._lost = cause
        self._wake.set()

    def _tick(self) -> None:
        now = self._loop.time()
        self._ticking = self._loop.call_later(TICK_S, self._tick)
        self._kit.promise(now + 10 * TICK_S)
        if now >= self._status_due:
            self._status_now()
            self._clear_metas()
        self._wake.set()

    def _clear_metas(self) -> None:
        """Empty the topics of versions that no record here refers to any more."""
        kit = self._kit
        kit.metas.retry()
        for meta in kit.metas.unused(
            kit.target.name, kit.source.floor(kit.target.name)
        ):
            self._control.append(_Control(kit.topics.meta(meta), b"", empties=meta))

"""What every Modbus bus does alike: one request at a time, each shaped to be proved.

:class:`ProvedBus` chooses shapes, keeps ghosts and reply times of every unit, and
retries a refused padded read bare. How bytes travel is the engine's: ``_ask``.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from drivers.errors import (
    BadFrameError,
    BusError,
    DriverError,
    PointError,
    PointUnsupportedError,
    ResponseTimeoutError,
    UnprovableError,
)
from drivers.modbus.proof import WINDOW_TIMES_TIMEOUT, Outlook, Shape, UnitProof
from drivers.modbus.stats import Tally, UnitStats
from drivers.modbus.transaction import Reply
from drivers.modbus.wire import Request, read_request, write_request
from drivers.patience import FLOOR_S, Patience

if TYPE_CHECKING:
    from drivers.modbus.transaction import Span, Timing
    from drivers.modbus.wire import Heard
    from drivers.profiles.model import Table

EXCEPTIONS: Final[dict[int, str]] = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, still working",
    6: "busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target did not respond",
}
"""MODBUS Application Protocol V1.1b3, 7."""
_UNSUPPORTED = (2, 3)
NOTHING_ASKED = Outlook(0.0, repeats=False)
_PADDINGS = 2
_DISTRUSTED = "the first answer after a time-out proves nothing on this device"


class Peer:
    """One unit, as remembered across reconnects."""

    __slots__ = ("last_end", "patience", "proof", "tally", "timeout_s", "unit")

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self.proof = UnitProof()
        self.patience = Patience()
        self.tally = Tally()
        self.timeout_s = 0.0
        """The time-out in force, not shortened by a probe."""
        self.last_end = 0.0


class Answer:
    """What an engine brought back: the data, or an exception code."""

    __slots__ = ("data", "exception", "received", "sent")

    def __init__(
        self, data: bytes, exception: int = 0, sent: bytes = b"", received: bytes = b""
    ) -> None:
        self.data = data
        self.exception = exception
        self.sent = sent
        self.received = received


class ProvedBus(ABC):
    """Shape, ask, judge; subclasses bring ``open``, ``close`` and ``_ask``.

    One object stays in use across reconnects: what it remembers of its units is what
    keeps an answer to a request of the old connection from being taken for a new one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._turn = asyncio.Lock()
        self._peers: dict[int, Peer] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sent_at = 0.0
        self._reply_s = 0.0
        self._muddled = False
        """Set by ``_ask``: an exception came that could not be believed."""

    @abstractmethod
    async def open(self) -> None:
        """Open the port or connection."""

    @abstractmethod
    async def close(self) -> None:
        """Close it; may be called twice."""

    @abstractmethod
    async def _ask(
        self, peer: Peer, request: Request, timing: Timing, timeout_s: float
    ) -> Answer:
        """Send one request and bring its proved answer.

        Sets ``_sent_at`` (loop time) when it sends, ``_reply_s`` (without wire time)
        when it returns.
        """

    @abstractmethod
    def _check_connected(self) -> None:
        """Raise BusError when the connection is gone."""

    def stats(self, unit: int) -> UnitStats:
        """Counts and reply times of one unit."""
        peer = self._peers.get(unit)
        if peer is None:
            return UnitStats()
        patience = peer.patience
        return UnitStats(
            **peer.tally.counts(),
            reply_p50_ms=1000 * patience.percentile(0.5),
            reply_p95_ms=1000 * patience.percentile(0.95),
            reply_p99_ms=1000 * patience.percentile(0.99),
            reply_largest_ms=1000 * patience.largest_s,
            timeout_ms=1000 * peer.timeout_s,
        )

    async def read(
        self, unit: int, span: Span, timing: Timing, wait_s: float | None = None
    ) -> Reply:
        """Read at least the span; see ``transaction.Bus.read``.

        Raises:
            UnprovableError: No shape is free within the window; nothing was sent.
        """
        loop = self._running()
        peer = self._peers.get(unit) or self._new_peer(unit)
        proof, bare, refused = peer.proof, False, 0
        patience_ends = 0.0
        while True:
            async with self._turn:
                self._check_connected()
                now = loop.time()
                shape = proof.choose(span, now, bare=bare)
                if isinstance(shape, Shape):
                    try:
                        return await self._prove(peer, span, shape, timing, wait_s)
                    except PointUnsupportedError:
                        proof.refused(span, shape, now)
                        if shape.count == span.count:
                            raise
                        # Its padding may be at fault: ask for the bare span, or for
                        # less padding where that has the shape of one just asked.
                        refused += 1
                        bare = refused > _PADDINGS or not proof.bare_repeats(span)
                        continue
            # The lock is free while we wait, so that other units are not held up.
            held_s = self._held_s(peer, timing, wait_s, ghost=shape.ghost)
            patience_ends = patience_ends or now + held_s
            if shape.until > patience_ends:
                peer.tally.unprovable += 1
                raise UnprovableError(
                    f"{self.name}, unit {unit}, {span.table} {span.start}"
                    f"+{span.count}: an earlier answer of the same size may still come"
                    f" for {shape.until - now:.2f} s; allow the read to be padded or"
                    " poll less often"
                )
            await asyncio.sleep(shape.until - now)

    def outlook(self, unit: int, span: Span) -> Outlook:
        """What a read of this span would mean now: see ``order``."""
        peer = self._peers.get(unit)
        if peer is None or self._loop is None:
            return NOTHING_ASKED
        return peer.proof.outlook(span, self._loop.time())

    async def write(
        self,
        unit: int,
        table: Table,
        address: int,
        words: tuple[int, ...],
        timing: Timing,
    ) -> None:
        """Write and check the echoed reply; see ``transaction.Bus.write``.

        Raises:
            UnprovableError: An earlier write to the same place was not confirmed and
                its confirmation may still come; nothing was sent.
        """
        loop = self._running()
        request = write_request(table, address, words)
        peer = self._peers.get(unit) or self._new_peer(unit)
        async with self._turn:
            self._check_connected()
            await self._before_write(peer, table, address, timing)
            function, count, now = request.function, len(words), loop.time()
            held = peer.proof.write_free(function, address, count, now)
            if held:
                peer.tally.unprovable += 1
                raise UnprovableError(
                    f"{self.name}, unit {unit}, {table} {address}: the confirmation of"
                    f" an earlier write may still come; try again in {held - now:.1f} s"
                )
            done = False
            timeout_s = peer.timeout_s = peer.patience.timeout_s(timing.timeout_s)
            self._sent_at = 0.0
            try:
                answer = await self._ask(peer, request, timing, timeout_s)
                done = True
            except DriverError as exc:
                self._count(peer, exc)
                raise
            finally:
                peer.last_end = loop.time()
                if not done and self._sent_at:
                    life = peer.patience.ghost_s(timeout_s, timing.max_reply_s)
                    peer.proof.write_silent(
                        function, address, count, self._sent_at, life
                    )
            peer.patience.replied(self._reply_s)
            if answer.exception:
                self._raise_exception(
                    peer, request, answer, f"write {table} {address}", timing
                )
            peer.tally.good += 1

    async def _before_write(  # noqa: B027 - most engines need nothing
        self, peer: Peer, table: Table, address: int, timing: Timing
    ) -> None:
        """For engines that must learn something first."""

    async def _prove(
        self,
        peer: Peer,
        span: Span,
        shape: Shape,
        timing: Timing,
        wait_s: float | None,
    ) -> Reply:
        """One exchange of a chosen shape; the bus is ours."""
        loop = self._running()
        patience, proof = peer.patience, peer.proof
        timeout_s = peer.timeout_s = patience.timeout_s(timing.timeout_s)
        if wait_s is not None:
            timeout_s = max(min(timeout_s, wait_s), min(FLOOR_S, timeout_s))
        request = read_request(shape.function, shape.start, shape.count)
        done = self._muddled = False
        self._sent_at = 0.0
        try:
            answer = await self._ask(peer, request, timing, timeout_s)
            done = True
        except DriverError as exc:
            self._count(peer, exc)
            if self._muddled:
                proof.muddled(span)
            raise
        finally:
            peer.last_end = now = loop.time()
            if self._sent_at:
                proof.sent(shape, self._sent_at)
                if not done:
                    life = patience.ghost_s(timeout_s, timing.max_reply_s)
                    proof.silent(span, shape, self._sent_at, life, now)
                    proof.distrust = timing.ambiguous
        patience.replied(self._reply_s)
        if answer.exception:
            proof.clear(span)
            what = f"{span.table} {shape.start}+{shape.count}"
            self._raise_exception(peer, request, answer, what, timing)
        proof.answered(span, shape, now, self._window_s(peer, timing))
        if proof.distrust:
            proof.distrust = False
            peer.tally.unprovable += 1
            raise UnprovableError(
                f"{self.name}, unit {peer.unit}: {_DISTRUSTED}; the next one does",
                sent=answer.sent,
                received=answer.received,
            )
        peer.tally.good += 1
        return Reply(shape.start, shape.count, answer.data, self._sent_at)

    def _raise_exception(
        self, peer: Peer, request: Request, answer: Answer, what: str, timing: Timing
    ) -> None:
        code = answer.exception
        until = self._running().time() + self._window_s(peer, timing)
        peer.proof.excepted(request.function, code, until)
        peer.tally.exception += 1
        text = (
            f"{self.name}, unit {peer.unit}, {what}: the device answered exception"
            f" {code} ({EXCEPTIONS.get(code, 'not in the standard')})"
        )
        if code in _UNSUPPORTED:
            raise PointUnsupportedError(
                f"{text}; check address, table and count against its manual",
                sent=answer.sent,
                received=answer.received,
            )
        raise PointError(
            text,
            reason=f"exception_{code}",
            sent=answer.sent,
            received=answer.received,
        )

    def _discarded(self, heard: Heard, now: float, *, repeat: bool) -> bool:
        """A complete answer came that answers nothing open: whose was it?

        Returns:
            Whether it is explained: late, or a repeat of one accepted earlier.
        """
        peer = self._peers.get(heard.unit)
        if peer is None:
            self._stranger(heard.unit)
            return False
        tally, function, size = peer.tally, heard.function, heard.size
        if not size:
            tally.duplicate_discarded += 1
            return False
        window_s = WINDOW_TIMES_TIMEOUT * peer.timeout_s
        lateness = peer.proof.late(function, size, now, window_s)
        if lateness is not None:
            tally.late_discarded += 1
            peer.patience.late(lateness)
        elif repeat or peer.proof.known(function, size):
            tally.duplicate_discarded += 1
        else:
            tally.foreign += 1
            return False
        return True

    def _stranger(self, unit: int) -> None:  # noqa: B027 - only a line has masters
        """An answer of a unit nobody here asks: another master is on the line."""

    @staticmethod
    def _count(peer: Peer, exc: DriverError) -> None:
        if isinstance(exc, ResponseTimeoutError):
            peer.tally.timeout += 1
            peer.patience.silent()
        elif isinstance(exc, BadFrameError):
            peer.tally.bad_frame += 1

    @staticmethod
    def _window_s(peer: Peer, timing: Timing) -> float:
        return WINDOW_TIMES_TIMEOUT * (peer.timeout_s or timing.timeout_s)

    def _held_s(
        self, peer: Peer, timing: Timing, wait_s: float | None, *, ghost: bool
    ) -> float:
        """How long a read may wait for a free shape: a dead unit's, hardly at all."""
        window_s = WINDOW_TIMES_TIMEOUT * timing.timeout_s + 0.001
        if ghost:
            window_s = min(window_s, self._window_s(peer, timing))
        if wait_s is not None:
            return min(window_s, wait_s)
        return min(window_s, FLOOR_S) if peer.patience.doubted else window_s

    def _new_peer(self, unit: int) -> Peer:
        peer = self._peers[unit] = Peer(unit)
        return peer

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise BusError(f"{self.name}: the bus is not open")
        return self._loop

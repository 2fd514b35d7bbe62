"""The fault switchboard: what can happen to a reply between a device and a gateway.

A :class:`Switchboard` is asked once for each request and answers with a
:class:`Plan`: which bytes leave when, and what happens to the connection. It holds the
randomness (seeded), the memory of earlier requests and the replies held back; it does
no I/O and reads no clock, so one switchboard serves sockets, ptys and virtual pipes.

Words: the *time-out in force* is what the gateway would wait now; it may be a number or
a function of the unit id (gateways learn it). The *turnaround* is what a healthy device
needs before it answers.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from simulators.wire import READS, Request, exception_pdu

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Fault(StrEnum):
    """What is done to one reply."""

    LATE = "late"
    """Arrives ``late_factor`` times the time-out in force after the request."""
    DUPLICATE = "duplicate"
    """Arrives in time, and again 0 to 1.5 time-outs later."""
    SWAP = "swap"
    """Held until another unit is asked; sent into that exchange, before its reply,
    which in turn may be held."""
    UNSOLICITED_IDLE = "unsolicited-idle"
    """Arrives in time, and soon after it a frame nobody asked for."""
    UNSOLICITED_OPEN = "unsolicited-open"
    """Before it arrives, a frame nobody asked for: right unit, right checksum, shape of
    an earlier request, content of its neighbours."""
    STALE_RECONNECT = "stale-reconnect"
    """Is swallowed, the connection breaks, and the reply arrives on the next one."""
    NEIGHBOUR = "neighbour"
    """Held until the same unit is asked for something else, and sent just before that
    reply: where blocks have one length, a careless gateway takes it."""
    TRUNCATED = "truncated"
    """Only its first bytes arrive."""
    GARBAGE = "garbage"
    """Random bytes arrive before it, or instead of it."""
    FOREIGN = "foreign"
    """Before it arrives, the reply of a unit nobody asked."""
    ECHO = "echo"
    """The request comes back first, whole."""
    ECHO_PARTIAL = "echo-partial"
    """A part of the request comes back first."""
    ECHO_DAMAGED = "echo-damaged"
    """The request comes back first, one byte of it changed."""
    SILENT = "silent"
    """Never arrives."""
    EXCEPTION = "exception"
    """Is an exception reply: busy, device failure or gateway failure."""
    SLOW = "slow"
    """Arrives in small lumps."""
    CLOSE = "close"
    """The connection breaks instead."""
    VANISH = "vanish"
    """The port goes away and comes back: the pty under another name behind the same
    link, the listening socket closed and opened again."""


SPOILED = frozenset(Fault) - {
    Fault.DUPLICATE,
    Fault.UNSOLICITED_IDLE,
    Fault.UNSOLICITED_OPEN,
    Fault.FOREIGN,
    Fault.ECHO,
    Fault.ECHO_PARTIAL,
    Fault.ECHO_DAMAGED,
}
"""Faults after which the open request cannot, or need not, be answered."""

EXCEPTION_CODES = (4, 6, 11)
"""Not 2 or 3: these say something about addresses, see ``units.Holey``."""


class Piece(NamedTuple):
    """Bytes that leave the device so long after the request was complete."""

    delay_s: float
    data: bytes


@dataclass
class Plan:
    """What happens after one request."""

    pieces: list[Piece] = field(default_factory=list)
    fault: str = ""
    beside: str = ""
    close_after_s: float | None = None
    """The connection breaks then."""
    on_reconnect: list[bytes] = field(default_factory=list)
    """Sent on the next connection."""
    vanish_s: float | None = None
    """The port is gone for so long, from now on."""


class Exchange(NamedTuple):
    """One request, as the switchboard sees it."""

    request: Request
    reply: bytes
    """The whole frame of a healthy device."""
    frame: Callable[[Request, bytes], bytes]
    """Dresses a PDU as the reply to a request: checksum, or header and number."""
    read: Callable[[int, int, int, int], bytes | None]
    """(unit, function, address, count) -> the PDU of a read, nothing counted."""
    now_s: float


class _Held(NamedTuple):
    request: Request
    frame: bytes
    at_s: float


class Switchboard:
    """Decides the fate of replies.

    Args:
        kinds: Faults with their weights, or a sequence of equally likely ones.
        share: Part of all requests that meet a fault, 0..1.
        seed: Of all randomness here.
        timeout_s: The time-out in force, in seconds, or a function of the unit id.
        turnaround_s: Shortest and longest time a healthy device takes.
        late_factor: Of the time-out in force; two numbers are a range.
        duplicate_factor: Range of the second copy's delay, in time-outs.
        depth: How many requests back an unsolicited frame may take its shape from. A
            frame of the very shape of the open request cannot be told from its answer
            by anybody; two back is what a device's own buffers repeat.
        lump: Bytes of one lump of a slow reply.
        lump_s: Time between two lumps (a USB adapter hands over each 16 ms).
        vanish_s: Range of the time a port stays away.
        units: Only these unit ids meet faults; None = all.
    """

    def __init__(
        self,
        kinds: Mapping[Fault, float] | Sequence[Fault],
        *,
        share: float = 0.3,
        seed: int = 0,
        timeout_s: float | Callable[[int], float] = 0.5,
        turnaround_s: tuple[float, float] = (0.0, 0.05),
        late_factor: float | tuple[float, float] = 1.1,
        duplicate_factor: tuple[float, float] = (0.0, 1.5),
        depth: int = 2,
        lump: int = 3,
        lump_s: float = 0.016,
        vanish_s: tuple[float, float] = (0.5, 3.0),
        units: frozenset[int] | None = None,
    ) -> None:
        weights = kinds if not isinstance(kinds, dict) else dict(kinds)
        self._kinds = [Fault(kind) for kind in weights]
        self._weights = (
            list(weights.values())
            if isinstance(weights, dict)
            else [1.0] * len(weights)
        )
        self._random = random.Random(seed)
        self._timeout = timeout_s
        self._late = (
            late_factor
            if isinstance(late_factor, tuple)
            else (late_factor, late_factor)
        )
        self._duplicate = duplicate_factor
        self._lump, self._lump_s = lump, lump_s
        self._vanish = vanish_s
        self._units = units
        self._earlier: dict[int, deque[Request]] = defaultdict(
            lambda: deque(maxlen=depth)
        )
        self._swapped: _Held | None = None
        self._neighbours: dict[int, _Held] = {}
        self.share = share
        """May be changed while running: 0 heals the line."""
        self.turnaround_s = turnaround_s
        self.enabled = True
        self.met: defaultdict[str, int] = defaultdict(int)
        """How often each fault was dealt; the empty word counts healthy replies."""
        self._deal = {
            Fault.LATE: self._late_reply,
            Fault.DUPLICATE: self._twice,
            Fault.SWAP: self._hold_for_other_unit,
            Fault.UNSOLICITED_IDLE: self._unsolicited_after,
            Fault.UNSOLICITED_OPEN: self._unsolicited_before,
            Fault.STALE_RECONNECT: self._stale,
            Fault.NEIGHBOUR: self._hold_for_same_unit,
            Fault.TRUNCATED: self._truncate,
            Fault.GARBAGE: self._garbage,
            Fault.FOREIGN: self._foreign,
            Fault.ECHO: self._echo,
            Fault.ECHO_PARTIAL: self._echo,
            Fault.ECHO_DAMAGED: self._echo,
            Fault.SILENT: self._nothing,
            Fault.EXCEPTION: self._exception,
            Fault.SLOW: self._slow,
            Fault.CLOSE: self._close,
            Fault.VANISH: self._vanish_port,
        }

    # -- what a server asks -------------------------------------------------

    def plan(self, exchange: Exchange) -> Plan:
        """The fate of this reply, and what held frames come with it."""
        request = exchange.request
        turnaround = self._between(self.turnaround_s)
        plan = Plan()
        self._release_held(exchange, turnaround, plan)
        fault = self._choose(request)
        if fault is None:
            plan.pieces.append(Piece(turnaround, exchange.reply))
        else:
            plan.fault = fault.value
            self._deal[fault](exchange, turnaround, plan)
        self.met[plan.fault] += 1
        self._earlier[request.unit].append(request)
        return plan

    def timeout_of(self, unit: int) -> float:
        """The time-out in force for a unit, in seconds."""
        return self._timeout(unit) if callable(self._timeout) else self._timeout

    # -- choice -------------------------------------------------------------

    def _choose(self, request: Request) -> Fault | None:
        # Drawn in any case: switching faults off and on must not shift the seed.
        met = self._random.random() < self.share
        fault = (
            self._random.choices(self._kinds, self._weights)[0] if self._kinds else None
        )
        excluded = self._units is not None and request.unit not in self._units
        return fault if met and self.enabled and not excluded else None

    def _between(self, limits: tuple[float, float]) -> float:
        return self._random.uniform(*limits)

    def _toss(self) -> bool:
        return self._random.getrandbits(1) == 1

    # -- frames of other exchanges ------------------------------------------

    def _release_held(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        """Send what was held for this moment, just ahead of the reply."""
        unit, ahead = exchange.request.unit, turnaround * self._random.random()
        held = self._swapped
        if held is not None and held.request.unit != unit:
            self._swapped = None
            plan.pieces.append(Piece(ahead, held.frame))
            plan.beside = Fault.SWAP.value
            if self._toss():
                self._swapped = _Held(exchange.request, exchange.reply, exchange.now_s)
        near = self._neighbours.pop(unit, None)
        if near is not None:
            if exchange.now_s - near.at_s > 4 * self.timeout_of(unit):
                return
            plan.pieces.append(Piece(ahead, near.frame))
            plan.beside = Fault.NEIGHBOUR.value

    def _made_up(self, exchange: Exchange, *, after: bool) -> bytes:
        """A frame nobody asked for: earlier shape, neighbouring content.

        Nothing where the unit was asked for nothing yet: a frame in the very shape of
        the open request is its answer as far as anybody can tell.
        """
        request = exchange.request
        earlier = [
            *self._earlier[request.unit],
            *((request,) if after else ()),
        ]
        if not earlier:
            return b""
        shape = self._random.choice(earlier)
        if shape.function not in READS:
            return exchange.frame(shape, exception_pdu(shape.function, 5))
        addresses = [shape.address + shape.count, shape.address - shape.count]
        self._random.shuffle(addresses)
        for address in (*addresses, shape.address):
            if address < 0:
                continue
            pdu = exchange.read(shape.unit, shape.function, address, shape.count)
            if pdu is not None:
                return exchange.frame(shape, pdu)
        return exchange.frame(shape, exception_pdu(shape.function, 6))

    # -- the faults ---------------------------------------------------------

    def _late_reply(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        unit = exchange.request.unit
        delay = self._between(self._late) * self.timeout_of(unit)
        plan.pieces.append(Piece(max(delay, turnaround), exchange.reply))

    def _twice(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        plan.pieces.append(Piece(turnaround, exchange.reply))
        later = self._between(self._duplicate)
        later *= self.timeout_of(exchange.request.unit)
        plan.pieces.append(Piece(turnaround + later, exchange.reply))

    def _hold_for_other_unit(
        self, exchange: Exchange, _turnaround: float, _plan: Plan
    ) -> None:
        self._swapped = _Held(exchange.request, exchange.reply, exchange.now_s)

    def _hold_for_same_unit(
        self, exchange: Exchange, _turnaround: float, _plan: Plan
    ) -> None:
        held = _Held(exchange.request, exchange.reply, exchange.now_s)
        self._neighbours[exchange.request.unit] = held

    def _unsolicited_after(
        self, exchange: Exchange, turnaround: float, plan: Plan
    ) -> None:
        plan.pieces.append(Piece(turnaround, exchange.reply))
        soon = turnaround + self._between((0.001, 0.05))
        plan.pieces.append(Piece(soon, self._made_up(exchange, after=True)))

    def _unsolicited_before(
        self, exchange: Exchange, turnaround: float, plan: Plan
    ) -> None:
        ahead = turnaround * self._random.random()
        plan.pieces.append(Piece(ahead, self._made_up(exchange, after=False)))
        plan.pieces.append(Piece(turnaround, exchange.reply))

    def _stale(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        plan.close_after_s = turnaround
        plan.on_reconnect.append(exchange.reply)

    def _truncate(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        keep = self._random.randrange(1, len(exchange.reply))
        plan.pieces.append(Piece(turnaround, exchange.reply[:keep]))

    def _garbage(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        noise = self._random.randbytes(self._random.randrange(1, 40))
        if self._toss():
            noise += exchange.reply
        plan.pieces.append(Piece(turnaround, noise))

    def _foreign(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        request = exchange.request
        other = self._random.choice([u for u in range(1, 248) if u != request.unit])
        stranger = replace(
            request, unit=other, transaction=self._random.randrange(0x10000)
        )
        pdu = exchange.read(
            request.unit, request.function, request.address, request.count
        )
        frame = exchange.frame(stranger, pdu or exception_pdu(request.function, 6))
        plan.pieces.append(Piece(turnaround * self._random.random(), frame))
        plan.pieces.append(Piece(turnaround, exchange.reply))

    def _echo(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        echo = exchange.request.raw
        if plan.fault == Fault.ECHO_PARTIAL:
            cut = self._random.randrange(1, len(echo))
            echo = self._random.choice((echo[:cut], echo[cut:]))
        elif plan.fault == Fault.ECHO_DAMAGED:
            at = self._random.randrange(len(echo))
            changed = echo[at] ^ self._random.randrange(1, 256)
            echo = echo[:at] + bytes((changed,)) + echo[at + 1 :]
        plan.pieces.append(Piece(0.0, echo))
        plan.pieces.append(Piece(turnaround, exchange.reply))

    def _nothing(self, _exchange: Exchange, _turnaround: float, _plan: Plan) -> None:
        """Nothing leaves."""

    def _exception(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        code = self._random.choice(EXCEPTION_CODES)
        pdu = exception_pdu(exchange.request.function, code)
        plan.pieces.append(Piece(turnaround, exchange.frame(exchange.request, pdu)))

    def _slow(self, exchange: Exchange, turnaround: float, plan: Plan) -> None:
        for i in range(0, len(exchange.reply), self._lump):
            delay = turnaround + i // self._lump * self._lump_s
            plan.pieces.append(Piece(delay, exchange.reply[i : i + self._lump]))

    def _close(self, _exchange: Exchange, turnaround: float, plan: Plan) -> None:
        plan.close_after_s = turnaround

    def _vanish_port(self, _exchange: Exchange, _turnaround: float, plan: Plan) -> None:
        plan.vanish_s = self._between(self._vanish)

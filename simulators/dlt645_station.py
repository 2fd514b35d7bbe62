"""A line of DL/T 645 meters on whatever carries bytes, and what befalls their answers.

The faults are the switchboard's (``simulators.faults``), and three of this protocol:
``checksum`` (a wrong sum), ``doubled`` (the first 68 twice) and ``other-meter``
(another meter's good answer to the same question first).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

from simulators import dlt645_codec as codec
from simulators.dlt645_meter import Refused
from simulators.faults import Exchange, Piece, Plan, Switchboard
from simulators.station import RtuServer, Station
from simulators.wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulators.dlt645_codec import Asked
    from simulators.dlt645_meter import Meter

OWN_FAULTS = ("checksum", "doubled", "other-meter")
BUSY = 0x01
"""Error word: bit 0, other error."""
_READ_REGISTERS = 3
"""What the switchboard knows a read as."""


class MeterStation:
    """Meters on one line.

    Args:
        meters: Their addresses must differ.
        switchboard: Faults; None: every answer leaves after ``turnaround_s``.
        own_faults: Of :data:`OWN_FAULTS`, beside the switchboard's.
        share: How many of all answers meet one of these.
        seed: Of that choice.
        turnaround_s: Of a healthy answer where there is no switchboard.
        frame_bytes: Data in one frame at most; more comes as following frames.
        wake: FE before an answer.
    """

    def __init__(
        self,
        meters: Iterable[Meter],
        *,
        switchboard: Switchboard | None = None,
        own_faults: Iterable[str] = (),
        share: float = 0.0,
        seed: int = 1,
        turnaround_s: float = 0.0,
        frame_bytes: int = codec.LONGEST_ANSWER,
        wake: int = 4,
    ) -> None:
        self.meters = list(meters)
        self.switchboard = switchboard
        self.dead: set[str] = set()
        """Addresses that do not answer; change it while running."""
        self.requests: list[Asked] = []
        """All that was asked, good or not."""
        self.faults: list[str] = []
        """What befell each answer; empty for a healthy one."""
        self.stale: list[bytes] = []
        self.on_vanish: Callable[[float], None] | None = None
        self._own_faults, self._share = tuple(own_faults), share
        self._random = random.Random(seed)
        self._turnaround_s = turnaround_s
        self._frame_bytes = frame_bytes
        self._wake = wake
        self._rest: dict[str, list[bytes]] = {}
        """Following frames that a meter keeps ready, by its address."""

    def plans(self, asked: Asked, now_s: float) -> list[Plan]:
        """What each meter that feels meant does."""
        self.requests.append(asked)
        return [
            plan
            for number, meter in enumerate(self.meters)
            if codec.meant(asked.address, meter.address)
            and meter.address not in self.dead
            and (plan := self._plan(number, meter, asked, now_s)) is not None
        ]

    def _plan(
        self, number: int, meter: Meter, asked: Asked, now_s: float
    ) -> Plan | None:
        answer = self._answer(meter, asked)
        if answer is None:
            return None
        own = self._own_fault(number, meter, asked, answer)
        if own is not None:
            plan = own
        elif self.switchboard is None or asked.code not in codec.READS:
            plan = Plan([Piece(self._turnaround_s, answer)])
        else:
            plan = self.switchboard.plan(self._exchange(number, asked, answer, now_s))
        self.faults.append(plan.fault)
        return plan

    # -- what a healthy meter says ------------------------------------------

    def _answer(
        self, meter: Meter, asked: Asked, *, aside: bool = False
    ) -> bytes | None:
        code = asked.code
        if code in codec.READS:
            di = asked.data[: codec.READS[code]]
            try:
                data = meter.read(_written(di), aside=aside)
            except Refused as exc:
                return self._say(meter, code | 0xC0, bytes((exc.word,)))
            size = self._frame_bytes
            pieces = [data[i : i + size] for i in range(0, len(data), size)]
            self._rest[meter.address] = pieces[1:]
            more = 0x20 if len(pieces) > 1 else 0
            return self._say(meter, code | 0x80 | more, di + pieces[0])
        if code in (codec.FOLLOW_2007, codec.FOLLOW_1997):
            return self._follow(meter, asked)
        if code == codec.ADDRESS_2007:
            return self._say(meter, 0x93, bytes.fromhex(meter.address)[::-1])
        return None

    def _follow(self, meter: Meter, asked: Asked) -> bytes:
        """Frame ``seq`` of the last read; asked again, the same."""
        rest = self._rest.get(meter.address, [])
        di, seq = asked.data[:4], asked.data[4:]
        index = seq[0] if seq else 1
        if not 1 <= index <= len(rest):
            return self._say(meter, asked.code | 0xC0, b"\x02")
        more = 0x20 if index < len(rest) else 0
        return self._say(meter, asked.code | 0x80 | more, di + rest[index - 1] + seq)

    def _say(self, meter: Meter, code: int, data: bytes) -> bytes:
        return codec.dressed(meter.address, code, data, self._wake)

    # -- what befalls it ----------------------------------------------------

    def _own_fault(
        self, number: int, meter: Meter, asked: Asked, answer: bytes
    ) -> Plan | None:
        met = self._random.random() < self._share
        if not (met and self._own_faults):
            return None
        fault = self._random.choice(self._own_faults)
        pieces = [Piece(self._turnaround_s, answer)]
        if fault == "checksum":
            at = len(answer) - 2
            wrong = answer[at] ^ self._random.randrange(1, 256)
            spoiled = answer[:at] + bytes((wrong, 0x16))
            pieces = [Piece(self._turnaround_s, spoiled)]
        elif fault == "doubled":
            at = answer.index(0x68)
            doubled = answer[:at] + b"\x68" + answer[at:]
            pieces = [Piece(self._turnaround_s, doubled)]
        else:
            others = [m for i, m in enumerate(self.meters) if i != number]
            if others:
                other = self._random.choice(others)
                first = self._answer(other, asked, aside=True) or b""
                ahead = self._turnaround_s / 2
                pieces = [Piece(ahead, first), *pieces]
        del meter
        return Plan(pieces, fault=fault)

    def _exchange(
        self, number: int, asked: Asked, answer: bytes, now_s: float
    ) -> Exchange:
        request = Request(
            unit=number + 1,
            function=_READ_REGISTERS,
            address=int.from_bytes(asked.data, "little"),
            count=len(asked.data),
            raw=codec.WAKE + asked.raw,
        )
        return Exchange(request, answer, self._frame, self._aside, now_s)

    def _frame(self, request: Request, pdu: bytes) -> bytes:
        """The switchboard's made-up answers, dressed as a meter's.

        Its ``pdu`` is the function, a length and data of ours, or an exception.
        """
        size = request.count
        code = codec.READ_2007 if size == 4 else codec.READ_1997  # noqa: PLR2004
        index = request.unit - 1
        # A unit nobody asked: a stranger's address.
        address = (
            self.meters[index].address
            if 0 <= index < len(self.meters)
            else f"{request.unit:012d}"
        )
        if pdu[0] & 0x80:
            return codec.dressed(address, code | 0xC0, bytes((BUSY,)), self._wake)
        di = request.address.to_bytes(size, "little")
        return codec.dressed(address, code | 0x80, di + pdu[1:], self._wake)

    def _aside(
        self, unit: int, function: int, address: int, count: int
    ) -> bytes | None:
        del function
        if not 0 < unit <= len(self.meters) or address >= 1 << 8 * count:
            return None
        try:
            di = _written(address.to_bytes(count, "little"))
            return b"\x03" + self.meters[unit - 1].read(di, aside=True)
        except Refused:
            return None


class MeterServer(RtuServer):
    """A line with its meters, on a pty, a socket or a pipe.

    Args:
        station: The meters.
        baud: Models the wire where the carrier has none; 0: at once.
        bits: On the wire for each byte.
    """

    def __init__(self, station: MeterStation, *, baud: int = 0, bits: int = 11) -> None:
        super().__init__(cast("Station", station), baud=baud, bits=bits)
        self._meters = station
        self._listener = codec.Listener()

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        for asked in self._listener.feed(data):
            wire_s = len(asked.raw) * self._byte_s
            for plan in self._meters.plans(asked, self._loop.time()):
                self._carry_out(cast("Any", plan), wire_s)


def _written(di: bytes) -> str:
    return di[::-1].hex().upper()

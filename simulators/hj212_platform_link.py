"""One connection of a device, with what a bad platform does to it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from simulators.hj212_codec import Cutter
from simulators.hj212_platform_faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.hj212_codec import Cut
    from simulators.hj212_platform_faults import Faults

_PIECE_S = 0.01
_KEPT = 400


class Link(asyncio.Protocol):
    """Cuts what comes into frames; sends whole frames."""

    def __init__(
        self,
        faults: Faults,
        on_frame: Callable[[Link, Cut], None],
        on_made: Callable[[Link], None],
        on_lost: Callable[[Link], None],
    ) -> None:
        self._faults = faults
        self._on_frame, self._on_made, self._on_lost = on_frame, on_made, on_lost
        self._cutter = Cutter()
        self._transport: asyncio.Transport | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self.mns: set[str] = set()
        """Who spoke on it."""
        self.hung = False
        """Half-open: neither reads nor sends."""
        self.trace: deque[tuple[str, bytes]] = deque(maxlen=_KEPT)
        """The newest frames, ``("<", frame)`` of the device, ``(">", frame)`` ours."""
        self.on_trace: Callable[[Link, str, bytes], None] | None = None

    @property
    def alive(self) -> bool:
        """Whether it is connected, and not hung."""
        return self._transport is not None and not self.hung

    @property
    def peer(self) -> str:
        """Where it came from."""
        told = self._transport.get_extra_info("peername") if self._transport else None
        return ":".join(map(str, told[:2])) if told else "?"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody called."""
        self._transport = cast("asyncio.Transport", transport)
        self._on_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        del exc
        self._transport = None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the device."""
        if self.hung:
            return
        pace = self._faults.read_bytes_s
        if pace and self._transport is not None:
            self._transport.pause_reading()
            self.later(len(data) / pace, self._read_on)
        for cut in self._cutter.feed(data):
            if self.hung or self._transport is None:
                return
            self._note("<", cut.raw)
            self._on_frame(self, cut)

    @property
    def pending(self) -> bytes:
        """Bytes that were no whole frame."""
        return self._cutter.pending

    def send(self, frame: bytes) -> None:
        """Send one frame now."""
        if self._transport is not None and not self.hung:
            self._note(">", frame)
            self._transport.write(frame)

    def answer(
        self,
        cn: int,
        qn: str,
        make: Callable[[str], bytes],
        sent: Callable[[], None],
    ) -> None:
        """Send an answer, or what a fault makes of it.

        Args:
            cn: What is answered.
            qn: Of what is answered.
            make: The answer's frame for a QN.
            sent: Called when the right answer leaves.
        """

        def right() -> None:
            sent()
            self.send(make(qn))

        fault = self._faults.next(cn)
        match fault:
            case None:
                right()
            case Fault.DOUBLE:
                right()
                right()
            case Fault.GARBAGE:
                self._write(self._faults.noise())
                right()
            case Fault.PIECES:
                sent()
                for number, piece in enumerate(self._faults.pieces(make(qn))):
                    self.later(number * _PIECE_S, self._write, piece)
            case Fault.LATE:
                self.later(self._faults.late_s, right)
            case Fault.WRONG_QN:
                self.send(make(f"{int(qn or 0) + 1:017d}"))
            case Fault.BAD_CRC:
                frame = make(qn)
                check = b"0000" if frame[-6:-2] != b"0000" else b"0001"
                self.send(frame[:-6] + check + frame[-2:])
            case Fault.RESET:
                self.abort()
            case Fault.HALF_OPEN:
                self.hung = True
            case Fault.DROP:
                pass

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()

    def later(self, seconds: float, call: Callable[..., None], *args: object) -> None:
        """Act after some time, unless the connection ends before."""
        timer: asyncio.TimerHandle

        def act() -> None:
            self._timers.discard(timer)
            call(*args)

        timer = asyncio.get_running_loop().call_later(seconds, act)
        self._timers.add(timer)

    def _note(self, way: str, frame: bytes) -> None:
        self.trace.append((way, frame))
        if self.on_trace is not None:
            self.on_trace(self, way, frame)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self.hung:
            self._transport.write(data)

    def _read_on(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

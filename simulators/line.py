"""A line of UARTs: who is set otherwise gets what a wire would give.

    line = Line(seed=1)
    line.attach(RtuServer(station), settings(9600, "8N1"))
    transport = line.open(9600, "8E1", Protocol)       # the gateway's side, in memory
    line_pty(line, link).open()                        # or behind a pty

Anything that answers bytes is attached as an asyncio protocol with settings of its own:
simulated devices, foreign masters and instruments that stream (``simulators.talkers``),
a talker that is stuck (:meth:`Line.hold_low`). All talk at once if
they like: the wire shows 0 where anybody says 0.
"""

from __future__ import annotations

import asyncio
import errno
import random
from typing import TYPE_CHECKING, Any

from simulators.ports import PtyPort
from simulators.uart import (
    NO_EDGE,
    Char,
    Heard,
    Settings,
    Signal,
    Wave,
    as_tty,
    receive,
    settings,
    wave,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

_LUMP_S = 0.016
"""How often a long transmission is handed on: an FTDI adapter's latency timer."""
_AFTER_S = 0.0002
"""Behind a transmission's last bit, so that its last stop bit is seen whole."""


class Tap(asyncio.Transport):
    """One UART on the line and the protocol behind it."""

    def __init__(
        self,
        line: Line,
        protocol: Any,  # noqa: ANN401 - as asyncio has it
        how: Settings,
        *,
        strict: bool,
        gateway: bool,
    ) -> None:
        super().__init__({"paced": True})
        self.how = how
        self.strict = strict
        self.gateway = gateway
        self.cut_off = False
        """Behind a break in the cable: neither hears nor is heard."""
        self.since = asyncio.get_running_loop().time()
        self.free = 0.0
        self.own: list[Wave] = []
        self.before: Callable[[], None] = lambda: None
        """Called before it sends or listens: settings may have changed."""
        self._line = line
        self._protocol = protocol
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send now, or when what was sent before has left."""
        if data and not self._closing:
            self.before()
            self._line.transmit(self, bytes(data))

    def close(self) -> None:
        """Leave the line; may be called twice."""
        if not self._closing:
            self._closing = True
            self._line.leave(self)
            self._protocol.connection_lost(None)

    def abort(self) -> None:
        """The same as close."""
        self.close()

    def is_closing(self) -> bool:
        """Whether it left the line."""
        return self._closing

    def pause_reading(self) -> None:
        """Bytes are delivered all the same."""

    def resume_reading(self) -> None:
        """They always are."""

    def take(self, chars: list[Char]) -> None:
        """Hand on what was received."""
        if self._closing or not chars:
            return
        if self.gateway:
            data = as_tty(chars, self.how)
        else:
            # A device drops a character with an error, if it looks.
            data = bytes(c.byte for c in chars if not (self.strict and c.error))
        if data:
            self._protocol.data_received(data)


class Line:
    """A pair of wires.

    Args:
        swapped: A and B are swapped at the gateway.
        biased: Resistors keep the pair at rest; swapped, the gateway rests at 0.
        echo: The gateway's adapter hears what it sends.
        turnaround_s: The gateway's driver stays on so long after its last bit, and
            nobody else is heard.
        ring: How likely an edge rings, as without termination.
        seed: Of the ringing.
    """

    def __init__(
        self,
        *,
        swapped: bool = False,
        biased: bool = False,
        echo: bool = False,
        turnaround_s: float = 0.0,
        ring: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.swapped = swapped
        self.biased = biased
        self.echo = echo
        self.turnaround_s = turnaround_s
        self.ring = ring
        self.taps: list[Tap] = []
        self.sent: list[tuple[float, Settings, bytes]] = []
        """What the gateway's side sent: loop time, settings, bytes."""
        self.busy_s = 0.0
        """Seconds that the gateway's side drove the line."""
        self._rng = random.Random(seed)
        self._waves: list[tuple[Wave, Tap | None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._due = NO_EDGE
        self._gateway: Tap | None = None

    def attach(
        self, protocol: asyncio.BaseProtocol, how: Settings, *, strict: bool = True
    ) -> Tap:
        """Wire something to the line.

        Args:
            protocol: Gets what it hears, and a transport that drives the line.
            how: Its settings.
            strict: Whether it drops characters with an error (and, with two stop bits,
                looks at both).
        """
        tap = Tap(self, protocol, how, strict=strict, gateway=False)
        self.taps.append(tap)
        protocol.connection_made(tap)
        return tap

    def open(
        self, baud: int, framing: str, factory: Callable[[], asyncio.BaseProtocol]
    ) -> Tap:
        """The gateway's port, in memory.

        Raises:
            OSError: (EBUSY) It is open already.
        """
        if self._gateway is not None:
            raise OSError(errno.EBUSY, "another program holds the port")
        protocol = factory()
        how = settings(baud, framing)
        tap = self._gateway = Tap(self, protocol, how, strict=False, gateway=True)
        self.taps.append(tap)
        protocol.connection_made(tap)
        return tap

    def hold_low(self) -> None:
        """From now on somebody keeps the line at 0: a break without end."""
        now = asyncio.get_running_loop().time()
        self._waves.append((Wave(now, NO_EDGE, ((now, 0),)), None))
        self._arm(now + _LUMP_S)

    def close(self) -> None:
        """Take everything off the line."""
        for tap in tuple(self.taps):
            tap.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- for taps -------------------------------------------------------------

    def leave(self, tap: Tap) -> None:
        """A tap closed; what it sent last still travels."""
        if tap in self.taps:
            self.taps.remove(tap)
        if tap is self._gateway:
            self._gateway = None

    def transmit(self, tap: Tap, data: bytes) -> None:
        """Put bytes on the wire."""
        now = asyncio.get_running_loop().time()
        start = max(now, tap.free)
        one = wave(data, tap.how, start, ring=self.ring, rng=self._rng)
        tap.free = one.end
        if tap.gateway:
            self.sent.append((start, tap.how, data))
            self.busy_s += one.end - one.start
        if tap.cut_off:
            return
        tap.own.append(one)
        self._waves.append((one, tap))
        self._arm(min(one.end + _AFTER_S, now + _LUMP_S))

    def _arm(self, moment: float) -> None:
        if moment >= self._due:
            return
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._due = moment
        self._timer = loop.call_at(moment, self._settle)

    def _settle(self) -> None:
        """Let everybody hear what is complete by now."""
        self._timer, self._due = None, NO_EDGE
        now = asyncio.get_running_loop().time()
        heard: dict[tuple[Settings, float, bool, tuple[bool, int]], Heard] = {}
        views: dict[tuple[bool, int], Signal] = {}
        wake = NO_EDGE
        found: list[tuple[Tap, list[Char]]] = []
        for tap in self.taps:
            if tap.cut_off:
                continue
            tap.before()
            whose = (tap.gateway, id(tap) if tap.own else 0)
            key = (tap.how, tap.since, tap.strict, whose)
            if key not in heard:
                if whose not in views:
                    views[whose] = self._view(tap)
                heard[key] = receive(
                    views[whose],
                    tap.how,
                    tap.since,
                    now,
                    both_stops=tap.strict,
                )
            result = heard[key]
            tap.since = result.since
            wake = min(wake, result.wake)
            if result.chars:
                found.append((tap, result.chars))
        self._forget()
        ends = [one.end for one, _ in self._waves if one.end > now]
        if any(end < NO_EDGE for end in ends):
            soonest = min(ends) + _AFTER_S
            self._arm(min(soonest, now + _LUMP_S))
        if wake < NO_EDGE:
            self._arm(wake + _AFTER_S)
        for tap, chars in found:
            tap.take(chars)

    def _view(self, tap: Tap) -> Signal:
        """The line as this tap's receiver sees it."""
        waves = []
        for one, by in self._waves:
            if by is tap:
                if tap.gateway and self.echo:
                    waves.append(one)
                continue
            crosses = tap.gateway != (by is not None and by.gateway)
            turned = self.swapped and crosses and not (tap.gateway and self.biased)
            waves.append(one.inverted() if turned else one)
        signal = Signal(waves)
        if self.swapped and self.biased and tap.gateway:
            signal = signal.inverse()
        if tap.gateway and self.echo:
            return signal
        extra = self.turnaround_s if tap.gateway else 0.0
        deaf = [(one.start, one.end + extra) for one in tap.own]
        return signal.masked(deaf) if deaf else signal

    def _forget(self) -> None:
        """What nobody still has to look at: all have heard beyond it."""
        heard = [tap.since for tap in self.taps if not tap.cut_off]
        old = min(heard, default=NO_EDGE) - self.turnaround_s - _AFTER_S
        if any(one.end < old for one, _ in self._waves):
            self._waves = [pair for pair in self._waves if pair[0].end >= old]
            for tap in self.taps:
                tap.own = [one for one in tap.own if one.end >= old]


def line_pty(line: Line, link: Path) -> PtyPort:
    """The gateway's port as a pty: what it is set to is read from its termios.

    ``drivers.serial_port`` shows parity as INPCK and PARODD, seven bits as ISTRIP and
    two stop bits as CSTOPB: the only flags of a framing that Linux keeps on a pty.
    """
    end = _PtyEnd(line)
    port = PtyPort(link, lambda: end)
    end.port = port
    return port


class _PtyEnd(asyncio.Protocol):
    """Between a pty and the gateway's tap on the line."""

    port: PtyPort

    def __init__(self, line: Line) -> None:
        self._line = line
        self._tap: Tap | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody may open the pty from now on."""
        self._transport = transport
        hears = _Hears(self)
        self._tap = self._line.open(9600, "8N1", lambda: hears)
        self._tap.before = self._set

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever had it open closed it."""
        if self._tap is not None:
            self._tap.close()
            self._tap = None

    def data_received(self, data: bytes) -> None:
        """The gateway sends."""
        if self._tap is not None:
            self._tap.write(data)

    def hand_on(self, data: bytes) -> None:
        """The gateway receives."""
        self._transport.write(data)

    def _set(self) -> None:
        if self._tap is not None:
            self._tap.how = self.port.settings()


class _Hears(asyncio.Protocol):
    def __init__(self, end: _PtyEnd) -> None:
        self._end = end

    def data_received(self, data: bytes) -> None:
        self._end.hand_on(data)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of ``python -m simulators.line``."""
    from simulators.line_process import parse as parse_options  # noqa: PLC0415 cycle

    return parse_options(argv)


if __name__ == "__main__":
    from simulators.line_process import main
    from simulators.process import die_with_parent, run

    die_with_parent()
    run(main(parse()))

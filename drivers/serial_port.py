"""The one place where serial ports are opened.

pyserial sets the line (speed, parity, lock); the descriptor is read by the event loop.
VMIN=1, VTIME=0: with pyserial's VMIN=0 a read of an empty port looks like a hang-up.
"""

from __future__ import annotations

import asyncio
import errno
import os
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import serial

_PTY_MAJORS = range(136, 144)
"""Unix98 pty slaves (Linux, Documentation/admin-guide/devices.txt)."""
_CHUNK = 4096
_IFLAG, _CFLAG, _CC = 0, 2, 6
_BY_ID = Path("/dev/serial/by-id")


class SerialTransport(asyncio.Transport):
    """A serial port as asyncio knows transports."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        port: serial.Serial,
        protocol: asyncio.Protocol,
        *,
        paced: bool,
    ) -> None:
        super().__init__({"serial": port, "paced": paced})
        self._loop = loop
        self._port: serial.Serial | None = port
        self._fd: int = port.fileno()
        self._protocol = protocol
        self._reading = False
        self._unsent = b""
        protocol.connection_made(self)
        self.resume_reading()

    def drain_input(self) -> bytes:
        """What has arrived and was not yet delivered; it will not be."""
        if self._port is None:
            return b""
        try:
            return os.read(self._fd, _CHUNK)
        except OSError:
            return b""  # nothing there; a lost port is noticed by the reader

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send now; what an earlier write could not send is dropped as outdated."""
        if self._port is None:
            return
        if self._unsent:
            self._loop.remove_writer(self._fd)
        self._unsent = bytes(data)
        self._send()

    def _send(self) -> None:
        try:
            sent = os.write(self._fd, self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as exc:
            self._lose(exc)
            return
        waited, self._unsent = bool(self._unsent), self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._fd, self._send)
        elif waited:
            self._loop.remove_writer(self._fd)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as exc:
            self._lose(exc)
            return
        if not data:
            self._lose(OSError(errno.EIO, "the port hung up"))
            return
        self._protocol.data_received(data)

    def pause_reading(self) -> None:
        """Leave bytes in the kernel until resumed."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        """Deliver bytes as they come."""
        if not self._reading and self._port is not None:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)

    def is_reading(self) -> bool:
        """Whether bytes are delivered."""
        return self._reading

    def is_closing(self) -> bool:
        """Whether the port was closed or lost."""
        return self._port is None

    def close(self) -> None:
        """Give the port back at once; may be called twice."""
        self._lose(None)

    def abort(self) -> None:
        """The same as close: nothing here is worth waiting for."""
        self._lose(None)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who gets the bytes."""
        return self._protocol

    def _lose(self, exc: Exception | None) -> None:
        port, self._port = self._port, None
        if port is None:
            return
        self._reading = False
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        port.close()
        self._loop.call_soon(self._protocol.connection_lost, exc)


async def open_serial(
    device: str, baud: int, framing: str, factory: Callable[[], asyncio.Protocol]
) -> SerialTransport:
    """Open a port exclusively and deliver what it receives.

    Args:
        device: Path, best the stable one below ``/dev/serial/by-id``.
        baud: Bits a second.
        framing: Data bits, parity, stop bits: ``8N1``.
        factory: Makes the protocol that gets the bytes.

    Raises:
        OSError: With a text that says what to do.
    """
    loop = asyncio.get_running_loop()
    opening = loop.run_in_executor(None, _open, device, baud, framing)
    try:
        port, paced = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)
        raise
    return SerialTransport(loop, port, factory(), paced=paced)


def _close_late(opening: asyncio.Future[tuple[Any, bool]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()


def _open(device: str, baud: int, framing: str) -> tuple[serial.Serial, bool]:
    import serial  # noqa: PLC0415 8 ms that a site without serial lines does not pay

    try:
        pty = os.major(Path(device).stat().st_rdev) in _PTY_MAJORS
    except OSError as exc:
        raise OSError(exc.errno, f"{exc.strerror}; {_what_is_there()}") from exc
    # A pty has no parity and always eight bits, and some kernels refuse to be told
    # otherwise: what it does keep is set below.
    bits, parity, stop = tuple("8N1" if pty else framing)
    try:
        port = serial.Serial(
            device,
            baud,
            bytesize=int(bits),
            parity=parity,
            stopbits=int(stop),
            timeout=0,
            exclusive=True,
        )
    except serial.SerialException as exc:
        raise OSError(exc.errno or errno.EBUSY, _why_not(exc)) from exc
    try:
        settings: list[Any] = termios.tcgetattr(port.fileno())
        settings[_CC][termios.VMIN] = 1
        settings[_CC][termios.VTIME] = 0
        _set_framing(settings, framing, pty=pty)
        termios.tcsetattr(port.fileno(), termios.TCSANOW, settings)
    except termios.error as exc:
        port.close()
        raise OSError(exc.args[0], f"no serial port: {exc.args[1]}") from exc
    return port, not pty


def _set_framing(settings: list[Any], framing: str, *, pty: bool) -> None:
    """Have wrong parity noticed: such a byte becomes 0, and no frame's checksum fits.

    Without INPCK the kernel hands on what the UART marked as wrong (termios(3)). On a
    pty all this changes nothing but can be read from its other end, so that a
    simulated line knows what the port is set to (7 bits show as ISTRIP).
    """
    bits, parity, stop = tuple(framing)
    settings[_IFLAG] &= ~(termios.INPCK | termios.ISTRIP)
    settings[_IFLAG] |= termios.INPCK if parity != "N" else 0
    if pty:
        settings[_IFLAG] |= termios.ISTRIP if bits == "7" else 0
        settings[_CFLAG] &= ~(termios.PARODD | termios.CSTOPB)
        settings[_CFLAG] |= termios.PARODD if parity == "O" else 0
        settings[_CFLAG] |= termios.CSTOPB if stop == "2" else 0


def _why_not(exc: OSError) -> str:
    if exc.errno == errno.EACCES:
        return "permission denied; the user needs the group that owns it (dialout)"
    if exc.errno == errno.EBUSY or "lock" in str(exc):
        return "another program holds the port"
    return str(exc)


def _what_is_there() -> str:
    try:
        names = sorted(path.name for path in _BY_ID.iterdir())
    except OSError:
        return "no USB serial adapter is plugged in"
    return f"plugged in are {', '.join(names)} in {_BY_ID}"

"""Real ports for a station: a TCP listener, and a pty behind a stable link.

Both can vanish and come back: the listener under its old port number, the pty under
another name behind the same link, as a USB adapter that was pulled and put back.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import termios
import tty
from typing import TYPE_CHECKING, Any, cast

from simulators.station import RtuServer, Station, TcpServer
from simulators.uart import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOOK_S = 0.02
"""How often a pty that nobody has open is looked at."""
_READ_BYTES = 4096
_BAUDS = {
    getattr(termios, f"B{baud}"): baud
    for baud in (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400)
}


class TcpPort:
    """Listens and serves a station; works on any loop that can ``create_server``."""

    def __init__(
        self, station: Station, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.station = station
        self.host, self.port = host, port
        self._server: asyncio.AbstractServer | None = None
        self._open: set[_Tracked] = set()
        self._return: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        station.on_vanish = self.vanish

    async def open(self) -> None:
        """Listen; port 0 chooses one and keeps it."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Tracked(self.station, self._open), self.host, self.port
        )
        self._server = server
        self.port = cast("Any", server).sockets[0].getsockname()[1]

    def vanish(self, for_s: float) -> None:
        """Refuse and drop connections for so long, then listen again."""
        if self._return is not None:
            return
        self._take_away()
        loop = asyncio.get_running_loop()
        self._return = loop.call_later(for_s, self._come_back)

    def _take_away(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for protocol in tuple(self._open):
            protocol.abort()

    def _come_back(self) -> None:
        self._return = None
        task = asyncio.get_running_loop().create_task(
            self.open(), name=f"tcp:{self.port}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop; may be called twice."""
        if self._return is not None:
            self._return.cancel()
            self._return = None
        self._take_away()


class _Tracked(TcpServer):
    """A connection that its port can find."""

    def __init__(self, station: Station, among: set[_Tracked]) -> None:
        super().__init__(station)
        self._among = among

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See TcpServer."""
        self._among.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See TcpServer."""
        self._among.discard(self)
        super().connection_lost(exc)

    def abort(self) -> None:
        """Break the connection."""
        self._break()


class PtyPort:
    """A serial line as the gateway sees it: a path that leads to a pty.

    Args:
        link: A symbolic link that is made here and always leads to the pty of now.
        factory: Makes the protocol that serves each opening of the line.
    """

    def __init__(self, link: Path, factory: Callable[[], asyncio.Protocol]) -> None:
        self.link = link
        self._factory = factory
        self._loop = asyncio.get_running_loop()
        self._master = -1
        self._protocol: asyncio.Protocol | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.names: list[str] = []
        """Every pty this line has been."""

    def open(self) -> None:
        """Make a pty and let the link lead to it."""
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        name = os.ttyname(slave)
        # The slave stays closed here: a lock or a setting of the gateway's must end
        # with the gateway's own closing, as on a real port.
        os.close(slave)
        self._master = master
        self.names.append(name)
        fresh = self.link.with_name(self.link.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(name)
        fresh.replace(self.link)
        self._attach()

    def vanish(self, for_s: float) -> None:
        """Take the adapter away for so long."""
        if self._master < 0:
            return
        self.unplug()
        self._timer = self._loop.call_later(for_s, self.open)

    def unplug(self) -> None:
        """Take the adapter away until :meth:`open`."""
        self.link.unlink(missing_ok=True)
        self._detach()
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def close(self) -> None:
        """Take it away for good; may be called twice."""
        if self._timer is not None:
            self._timer.cancel()
        self.unplug()

    def settings(self) -> Settings:
        """What the gateway has set its port to, as far as a pty shows it.

        Linux keeps speed, PARODD and CSTOPB; parity itself shows as INPCK and seven
        bits as ISTRIP (see ``drivers.serial_port``).
        """
        if self._master < 0:
            return Settings()
        iflag, _, cflag, _, _, speed, _ = termios.tcgetattr(self._master)
        parity = "N"
        if iflag & termios.INPCK:
            parity = "O" if cflag & termios.PARODD else "E"
        bits = 7 if iflag & termios.ISTRIP else 8
        stop = 2 if cflag & termios.CSTOPB else 1
        return Settings(_BAUDS.get(speed, 9600), bits, parity, stop)

    # -- the protocol's side --------------------------------------------------

    def _attach(self) -> None:
        self._protocol = self._factory()
        self._loop.add_reader(self._master, self._readable)
        self._protocol.connection_made(_PtyTransport(self))

    def _detach(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._protocol is not None:
            self._loop.remove_reader(self._master)
            protocol, self._protocol = self._protocol, None
            protocol.connection_lost(None)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as exc:
            if exc.errno != errno.EIO:
                raise
            # Nobody has the other side open. The hang-up would wake us for ever.
            self._detach()
            self._timer = self._loop.call_later(_LOOK_S, self._look)
            return
        if self._protocol is not None:
            self._protocol.data_received(data)

    def _look(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        events = poll.poll(0)
        if events and events[0][1] & select.POLLHUP:
            self._timer = self._loop.call_later(_LOOK_S, self._look)
            return
        self._timer = None
        self._attach()

    def write(self, data: bytes) -> None:
        """What the line cannot take is lost, as on a wire."""
        if self._master >= 0:
            try:
                os.write(self._master, data)
            except (BlockingIOError, OSError):
                return

    def hang_up(self) -> None:
        """Break the line for a moment: the nearest a pty has to a closed connection."""
        self.vanish(_LOOK_S)


class _PtyTransport(asyncio.Transport):
    """What a protocol may do with the line."""

    def __init__(self, port: PtyPort) -> None:
        super().__init__()
        self._port = port

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._port.write(bytes(data))

    def abort(self) -> None:
        self._port.hang_up()

    def close(self) -> None:
        self._port.hang_up()

    def is_closing(self) -> bool:
        return False


def serve_pty(
    station: Station, link: Path, *, baud: int = 0, bits: int = 11
) -> PtyPort:
    """A pty that serves a station; ``baud`` models the wire's time."""
    port = PtyPort(link, lambda: RtuServer(station, baud=baud, bits=bits))
    station.on_vanish = port.vanish
    port.open()
    return port

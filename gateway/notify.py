"""Tell systemd that we are ready, alive, reloading or stopping.

The protocol is one datagram of ``KEY=value`` lines to the socket named by
``NOTIFY_SOCKET``; a leading ``@`` means an abstract name (sd_notify(3)). A ping goes
out only while every loop keeps its promise (:mod:`gateway.progress`): a process that is
alive but stuck is restarted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING

from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.progress import Beats

log = logging.getLogger(__name__)


class Notifier:
    """Sends state to the service manager; silent where there is none."""

    def __init__(
        self,
        address: str = "",
        watchdog_s: float | None = None,
        *,
        send: Callable[[bytes], None] | None = None,
    ) -> None:
        """Prepare to notify.

        Args:
            address: Socket path, or ``@name`` for an abstract one; empty: nobody.
            watchdog_s: The manager's limit; pings go out at a third of it.
            send: Replaces the socket in tests.
        """
        self.watchdog_s = watchdog_s
        self._send = send or (_datagrams(address) if address else None)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Notifier:
        """As systemd asks: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC``, ``WATCHDOG_PID``."""
        usec = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_s = int(usec) / 1e6 if usec.isdigit() and int(usec) and ours else None
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog_s)

    def tell(self, *lines: str) -> None:
        """Send one datagram; a manager that is gone is no reason to stop."""
        if self._send is None:
            return
        try:
            self._send("\n".join(lines).encode())
        except OSError as exc:
            log.debug("notify socket: %s", exc)

    def ready(self, status: str) -> None:
        """The store is open and all workers have started."""
        self.tell("READY=1", f"STATUS={status}")

    def reloading(self, monotonic_us: int) -> None:
        """A reload began; ``ready`` ends it."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={monotonic_us}")

    def waiting(self, status: str, for_s: float) -> None:
        """The start takes longer, for so long at least; the manager waits with us."""
        self.tell(
            f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={round((for_s + 30) * 1e6)}"
        )

    def stopping(self, status: str) -> None:
        """A clean stop began."""
        self.tell("STOPPING=1", f"STATUS={status}")

    async def watch(self, beats: Beats) -> None:
        """Ping while every loop keeps its promise; returns if nobody watches."""
        if self.watchdog_s is None:
            return
        loop = asyncio.get_running_loop()
        stuck: list[str] = []
        while True:
            late = beats.late(loop.time())
            if late and late != stuck:
                log.error(t("log.loop_stuck", loops=", ".join(late)))
            stuck = late
            if not late:
                self.tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 3)


def _datagrams(address: str) -> Callable[[bytes], None]:
    target = "\0" + address[1:] if address.startswith("@") else address

    def send(data: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            # A full queue must not block the loop that the watchdog watches.
            sock.setblocking(False)
            sock.sendto(data, target)

    return send

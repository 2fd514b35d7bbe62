"""TCP connections on the event loop: an attempt that fails costs no thread.

A platform may be away for weeks, and is asked more than once a second so that it hears
from us soon after it returns. Only names need a thread, as resolvers block; what one
answered is used again for a moment, and for an hour where it answers late or not at
all.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING, NamedTuple

from gateway.uplink.daemon import DaemonExecutor

if TYPE_CHECKING:
    from collections.abc import Sequence

FRESH_S = 10.0
"""An answer this young is used without asking again: attempts come in quick row."""
PATIENCE_S = 1.0
"""With an older answer at hand, the resolver is waited for so long."""
KEPT_S = 3600.0
"""A good answer stands in for a resolver that fails this long after it came."""


class Address(NamedTuple):
    """One address of a platform."""

    family: int
    sockaddr: tuple[str | int, ...]
    """As ``socket.connect`` takes it."""


class Dialer:
    """Opens TCP connections to one platform; remembers where its name led."""

    def __init__(self, host: str, port: int) -> None:
        """Prepare; ``host`` is a name or an address."""
        self._host, self._port = host, port
        self._numeric = _numeric(host, port)
        self._known: Sequence[Address] = ()
        self._known_s = float("-inf")
        self._asking: asyncio.Future[list[Address]] | None = None

    async def open(self, *, each_s: float, all_s: float) -> socket.socket:
        """Connect to the first address that answers.

        Args:
            each_s: For an address at most, seconds.
            all_s: For name and all addresses together.

        Returns:
            A socket that does not block.

        Raises:
            OSError: None answers, or the name leads nowhere; TimeoutError included.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + all_s
        addresses = await self._addresses(min(each_s, all_s))
        failure: OSError = TimeoutError()
        for at, address in enumerate(addresses):
            # Who comes later gets a share of what is left: none is left out.
            share = (until - loop.time()) / (len(addresses) - at)
            try:
                return await _connect(address, min(each_s, share))
            except OSError as exc:
                failure = exc
        raise failure

    async def _addresses(self, wait_s: float) -> Sequence[Address]:
        if self._numeric is not None:
            return (self._numeric,)
        loop = asyncio.get_running_loop()
        age_s = loop.time() - self._known_s
        if age_s < FRESH_S:
            return self._known
        usable = age_s < KEPT_S
        try:
            async with asyncio.timeout(PATIENCE_S if usable else wait_s):
                # One question at a time, however slow the resolver is.
                return await asyncio.shield(self._ask())
        except (OSError, UnicodeError):
            if usable:
                return self._known
            raise

    def _ask(self) -> asyncio.Future[list[Address]]:
        if self._asking is None:
            self._asking = asyncio.get_running_loop().run_in_executor(
                _DAEMON, _resolve, self._host, self._port
            )
            self._asking.add_done_callback(self._told)
        return self._asking

    def _told(self, asking: asyncio.Future[list[Address]]) -> None:
        self._asking = None
        if asking.cancelled() or asking.exception() is not None:
            return
        self._known = asking.result()
        self._known_s = asking.get_loop().time()


def _numeric(host: str, port: int) -> Address | None:
    """The address that ``host`` is; None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            rest = (0, 0) if family == socket.AF_INET6 else ()
            return Address(family, (host, port, *rest))
    return None


def _resolve(host: str, port: int) -> list[Address]:
    """Ask the system's resolver. Blocks, half a minute in bad cases."""
    found: list[Address] = []
    for family, _, _, _, sockaddr in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        # The zone of a link-local address stands in the last number as well; the loop
        # would take "fe80::1%eth0" for a name.
        bare = str(sockaddr[0]).partition("%")[0]
        found.append(Address(family, (bare, *sockaddr[1:])))
    return found


async def _connect(address: Address, limit_s: float) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Not by the loop's own call: it goes through the loop three times.
        error = sock.connect_ex(address.sockaddr)
        if error == errno.EINPROGRESS:
            await _writable(sock, limit_s)
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        _check(error)
        # A message must not wait for the TCP acknowledgement of the one before.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _check(error: int) -> None:
    if error:
        raise OSError(error, os.strerror(error))


async def _writable(sock: socket.socket, limit_s: float) -> None:
    """Wait until the connection is there, or is known to fail."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(sock, _set, ready)
    try:
        async with asyncio.timeout(limit_s):
            await ready
    finally:
        loop.remove_writer(sock)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


_DAEMON = DaemonExecutor()

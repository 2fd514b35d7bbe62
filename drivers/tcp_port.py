"""The one place where TCP connections to instruments are opened."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_S = 5.0
_KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


async def open_tcp(
    host: str, port: int, factory: Callable[[], asyncio.Protocol]
) -> asyncio.Transport:
    """Connect within 5 s; the connection notices a peer that lost its power.

    Args:
        host: Name or address.
        port: TCP port.
        factory: Makes the protocol that gets the bytes.

    Raises:
        OSError: With a text that says why.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            transport, _ = await loop.create_connection(factory, host, port)
    except TimeoutError as exc:
        raise OSError(0, f"no answer in {CONNECT_S:.0f} s") from exc
    except OSError as exc:
        raise OSError(exc.errno, why(exc)) from exc
    set_options(transport)
    return transport


def set_options(transport: asyncio.BaseTransport) -> None:
    """No delay, and let the kernel notice a peer that lost its power."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def why(exc: OSError) -> str:
    """In the system's plain words: asyncio's repeat the address as Python writes it."""
    if exc.errno is not None and exc.errno > 0:
        return os.strerror(exc.errno)
    return exc.strerror or str(exc)

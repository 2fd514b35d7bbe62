"""Just enough HTTP/1.1 for a simulated camera: a request read whole, a reply."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD_BYTES = 16_384
_KEEP_S = 30.0
_BODY_BYTES = 65_536


class Request(NamedTuple):
    """One request, read whole."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None: there is no more.

    Raises:
        ValueError: It is none.
        TimeoutError: It did not come in time.
    """
    async with asyncio.timeout(_KEEP_S):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *rest = head.decode("latin-1").strip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {}
        for line in rest:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        body = b""
        if (size := int(headers.get("content-length", 0))) > 0:
            body = await reader.readexactly(min(size, _BODY_BYTES))
    return Request(method, path, headers, body)


async def send(
    writer: asyncio.StreamWriter,
    status: str,
    body: bytes,
    name: str = "Content-Type",
    value: str = "text/plain",
) -> bool:
    """Reply, with one header; True: the connection may go on."""
    head = (
        f"HTTP/1.1 {status}\r\n{name}: {value}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    return True

"""RTSP over TLS: a real stream behind a door that encrypts, and its certificate."""

import asyncio
import contextlib
import os
import ssl
import sys

import msgspec
import pytest

from tests.support.cameras import RTSP, camera
from tests.support.certificates import Authority, self_signed

pytestmark = [pytest.mark.needs(*RTSP), pytest.mark.timeout(60)]

LOOK = """
import sys, msgspec
from vision.messages import Camera
from vision.sources import SourceError, open_source
camera = msgspec.json.decode(sys.stdin.buffer.read(), type=Camera)
try:
    source = open_source(camera)
    print("sees", source.read().image.shape)
    source.close()
except SourceError as exc:
    print(exc.fault, exc.args_told.get("reason", exc.key))
"""
"""In a process of its own, whose environment says whom to trust."""


@contextlib.asynccontextmanager
async def door(files, port):
    """Encrypts what goes to a port of loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)

    async def through(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader, writer):
        inner = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(through(reader, inner[1]), through(inner[0], writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def look(told, trusted):
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        LOOK,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "SSL_CERT_FILE": str(trusted)},
    )
    said, _ = await child.communicate(msgspec.json.encode(told))
    return said.decode().strip()


async def test_a_stream_over_tls_is_seen_where_its_certificate_is_trusted(tmp_path):
    authority = Authority("our ca")
    trusted = authority.save(tmp_path / "ca.pem")
    good = authority.issue(tmp_path / "good", "127.0.0.1")
    async with camera("a") as (_, told):
        port = int(told.url.split(":")[2].partition("/")[0])
        for name, files in (
            ("good", good),
            ("other", authority.issue(tmp_path / "other", "10.9.9.9")),
            ("own", self_signed(tmp_path / "own")),
        ):
            async with door(files, port) as safe:
                url = told.url.replace(
                    f"rtsp://127.0.0.1:{port}", f"rtsps://127.0.0.1:{safe}"
                )
                said = await look(msgspec.structs.replace(told, url=url), trusted)
            if name == "good":
                assert said == "sees (192, 320, 3)"
            else:
                assert said.startswith("gone"), said
                assert "certificate" in said.lower(), said

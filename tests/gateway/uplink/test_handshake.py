"""What comes on the heels of the handshake is read, however the bytes are cut."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl

import pytest
import uvloop

from gateway.config.model import MqttTarget
from gateway.uplink.link import Terms
from gateway.uplink.mqtt import MqttConnector
from tests.support.certificates import Authority

TERMS = Terms("ecogate-site-07-p", "t/status", b'{"state":"lost"}')
CONNACK = bytes.fromhex("2003000000")
"""Of MQTT 5: success, no properties."""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


def accepted(request: bytes) -> bytes:
    """The answer to a websocket's opening handshake."""
    (key,) = (
        line.split(b": ")[1]
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key")
    )
    proof = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n"
        b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
    )


class Server:
    """Answers a handshake with CONNACK behind it, ``size`` bytes at a time."""

    def __init__(self, transport, size, files) -> None:
        self._websocket = transport in ("ws", "wss")
        self._size = size
        self._context = None
        if transport in ("mqtts", "wss"):
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*files)

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._context
        )
        return self._server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer) -> None:
        try:
            said = CONNACK
            if self._websocket:
                request = await reader.readuntil(b"\r\n\r\n")
                frame = bytes((0x82, len(CONNACK))) + CONNACK
                said = accepted(request) + frame
            size = self._size or len(said)
            for at in range(0, len(said), size):
                writer.write(said[at : at + size])
                await writer.drain()
                await asyncio.sleep(0)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("size", [0, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("transport", ["mqtt", "mqtts", "ws", "wss"])
def test_an_answer_on_the_heels_of_the_handshake_is_read(
    transport, size, runner, tmp_path
):
    # Whoever decrypts the end of the handshake has decrypted what came with it.
    authority = Authority("our authority")
    files = authority.issue(tmp_path / "server")
    ca = authority.save(tmp_path / "ca.crt")

    async def scenario():
        async with Server(transport, size, files) as port:
            target = MqttTarget(
                name="p", host="127.0.0.1", port=port, transport=transport, ca_file=ca
            )
            link = MqttConnector()(target, TERMS)
            limits = await link.connect()
            await link.close()
        return limits.version

    assert runner(scenario()) == "MQTT 5"

"""paho's client, mended where it would lose bytes or leave sockets behind.

* The TCP connection is made before, by ``dial.py``: a client costs more than a failed
  attempt does.
* Where TLS or a websocket does not come about, paho leaves what it opened to the
  garbage collector.
* Of a websocket frame that the socket takes in part, paho 2.1 forgets the packet and
  mixes the rest of the frame into the next one; it masks in a loop over bytes, and
  answers a ping without the mask that RFC 6455, 5.3 demands, even inside a frame.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
from paho.mqtt.client import _WebsocketWrapper

if TYPE_CHECKING:
    import socket
    import ssl

_SHORT, _LONG = 126, 65_536
_FINAL, _MASKED = 0x80, 0x80


class Client(paho.Client):
    """See the module; for the rest see ``paho_driver``."""

    opened: socket.socket | None = None
    """Set before ``reconnect``: a TCP connection; TLS and websocket come on top."""

    def _create_socket(self) -> paho.SocketLike:
        sock = self._create_socket_connection()
        if self._ssl:
            sock = self._ssl_wrap_socket(sock)
        if self._transport != "websockets":
            return sock
        sock.settimeout(self._connect_timeout)
        return _Websocket(
            sock, self._host, self._port, self._ssl, self._websocket_path, None
        )

    def _create_socket_connection(self) -> socket.socket:
        if self.opened is None:
            raise ConnectionError("no connection to go on with")
        self.opened.settimeout(self._connect_timeout)
        return self.opened

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        self.opened = opened = super()._ssl_wrap_socket(tcp_sock)
        return opened

    def abandon(self) -> None:
        """Close what was opened and led to nothing."""
        if self.opened is not None:
            self.opened.close()


class _Websocket(_WebsocketWrapper):
    def _send_impl(self, data: bytes | bytearray) -> int:
        sent = super()._send_impl(data)
        if not sent:
            # The same packet comes again, and what is left of its frame goes first.
            raise BlockingIOError
        return sent

    def _create_frame(
        self, opcode: int, data: bytearray, do_masking: int = 1
    ) -> bytearray:
        """A frame of a client: whole, and masked whatever was asked (RFC 6455, 5)."""
        if self._sendbuffer:  # a control frame now would end up inside another
            return bytearray()
        size = len(data)
        frame = bytearray((_FINAL | opcode,))
        if size < _SHORT:
            frame.append(_MASKED | size)
        elif size < _LONG:
            frame += struct.pack(">BH", _MASKED | 126, size)
        else:
            frame += struct.pack(">BQ", _MASKED | 127, size)
        mask = os.urandom(4)
        return frame + mask + _masked(data, mask)


def _masked(data: bytes | bytearray, mask: bytes) -> bytes:
    """The bytes xor the mask, over and over: as two large numbers, for speed."""
    size = len(data)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(data, "big") ^ key).to_bytes(size, "big")

"""The same rules over pymodbus' client: ``engine: pymodbus``, the yardstick of ours.

pymodbus frames, sends and decodes; its retries and reconnecting are off. It is handed
one frame at a time, and only those of the open request's unit, function and size: its
RTU framer throws a whole read away for one foreign frame in it, and a true answer lost
that way leaves the door open for a false one. The same proof chooses the shapes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from typing import TYPE_CHECKING, Any

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import DecodePDU

from drivers.errors import BadFrameError, BusError, ResponseTimeoutError
from drivers.modbus.bus import Answer, Peer, ProvedBus
from drivers.modbus.wire import Request, char_s, walk_rtu, walk_tcp

if TYPE_CHECKING:
    from drivers.modbus.transaction import Timing
    from drivers.modbus.wire import Heard


class PymodbusBus(ProvedBus):
    """A Modbus TCP endpoint (``host``), or a serial line (``device``)."""

    def __init__(
        self,
        host: str = "",
        port: int = 502,
        *,
        device: str | None = None,
        baud: int = 9600,
        framing: str = "8N1",
        echo: bool = False,
        rtu_over_tcp: bool = False,
    ) -> None:
        """Name the bus; nothing is opened yet. Arguments as of TcpBus and RtuBus."""
        super().__init__(device or f"{host}:{port}")
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # errors are returned
        self._char_s = char_s(baud, framing) if (serial := device is not None) else 0.0
        self._walk = walk_rtu if serial or rtu_over_tcp else walk_tcp
        self._client: Any = None
        self._open: tuple[Peer, Request] | None = None
        self._received, self._doubted = b"", 0
        decoder: Any = DecodePDU
        self._requests = decoder(True)  # of requests, as a server has it
        how: dict[str, Any] = {"retries": 0, "reconnect_delay": 0, "timeout": 5.0}
        how["trace_connect"] = self._connected
        if serial:
            how |= {"baudrate": baud, "bytesize": int(framing[0]), "parity": framing[1]}
            how |= {"stopbits": int(framing[2]), "handle_local_echo": echo}
        else:
            framer = FramerType.RTU if rtu_over_tcp else FramerType.SOCKET
            how |= {"framer": framer, "port": port}
        kind: Any = AsyncModbusSerialClient if serial else AsyncModbusTcpClient
        self._make = functools.partial(kind, device or host, **how)

    async def open(self) -> None:
        """Connect. Raises BusError with what to do."""
        await self.close()
        self._loop = asyncio.get_running_loop()
        client = self._client = self._make()
        client.set_max_no_responses(1 << 30)  # closing is ours to decide
        sort = functools.partial(self._sort, client.ctx, client.ctx.callback_data)
        client.ctx.callback_data = sort
        if not await client.connect():
            await self.close()
            raise BusError(f"{self.name}: cannot open; check the name, is it free?")

    async def close(self) -> None:
        """Close; may be called twice."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _check_connected(self) -> None:
        if self._client is None or not self._client.connected:
            raise BusError(f"{self.name}: the connection is gone")

    def _sort(self, context: Any, take: Any, data: bytes, addr: Any = None) -> int:  # noqa: ANN401
        """Hand on what may answer the open request; say how much was dealt with."""
        used, now, self._received = 0, self._running().time(), data[-512:]
        for heard in self._walk(data):
            used = heard.end
            if self._is_open(heard, context.request_transaction_id):
                with contextlib.suppress(ModbusException):  # it cannot decode this one
                    take(data[heard.start : heard.end], addr)
            elif not heard.exception:
                self._discarded(heard, now, repeat=False)
        return used

    def _is_open(self, heard: Heard, number: int) -> bool:
        peer, request = self._open or (None, None)
        if peer is None or request is None or heard.number not in {-1, number}:
            return False
        if (heard.unit, heard.function) != (peer.unit, request.function):
            return False
        now, code, numbered = self._running().time(), heard.exception, heard.number >= 0
        if not code or not peer.proof.doubtful(heard.function, code, now, numbered):
            return heard.size in {0, request.size - 2}
        self._doubted = code  # believed if nothing better comes
        return False

    def _connected(self, connected: bool) -> None:
        waiting = self._client.ctx.response_future if self._client else None
        if self._open and waiting and not connected and not waiting.done():
            waiting.set_exception(ConnectionException("lost"))

    async def _ask(
        self, peer: Peer, request: Request, timing: Timing, timeout_s: float
    ) -> Answer:
        loop, client = self._running(), self._client
        await asyncio.sleep(max(0.0, peer.last_end + timing.pause_s - loop.time()))
        pdu = self._requests.decode(request.pdu)
        pdu.dev_id = peer.unit
        wire_s = self._char_s * (len(request.pdu) + request.size + 6)
        self._received, self._doubted, self._open = b"", 0, (peer, request)
        self._sent_at, self._reply_s = loop.time(), 0.0
        client.ctx.comm_params.timeout_connect = timeout_s + wire_s
        what = f"{self.name}, unit {peer.unit}"
        try:
            reply = await client.execute(False, pdu)
        except ModbusException as exc:
            if not client.connected:
                raise BusError(f"{self.name}: the connection ended") from exc
            if self._doubted and not peer.proof.haunted(request.function, loop.time()):
                return Answer(b"", self._doubted, request.pdu, self._received)
            self._muddled = self._doubted > 0
            text = f"{what}: no answer in {timeout_s:.2f} s; check address and wiring"
            received = self._received
            raise ResponseTimeoutError(
                text, sent=request.pdu, received=received
            ) from exc
        finally:
            self._open = None
        self._reply_s = max(0.0, loop.time() - self._sent_at - wire_s)
        body = bytes((reply.function_code,)) + reply.encode()
        if reply.isError() and reply.exception_code:
            return Answer(b"", reply.exception_code, request.pdu, self._received)
        if len(body) != request.size or not body.startswith(request.expect):
            text = f"{what}: expected {request.expect.hex()}, got {body.hex()}"
            raise BadFrameError(text, sent=request.pdu, received=self._received)
        return Answer(body[2:], 0, request.pdu, self._received)

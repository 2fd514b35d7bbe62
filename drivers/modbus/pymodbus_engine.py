"""The same rules over pymodbus' client: ``engine: pymodbus``.

A second, well-kept engine, and the yardstick of ours. pymodbus frames, sends and
decodes, its retries and reconnecting switched off. What it hands back is checked for
unit, function and byte count, in a shape that the same proof chose; what does not match
is dropped and the wait goes on. Late answers are recognised before it drops them.
Its RTU framer throws a whole read away for one foreign or damaged frame in it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import TYPE_CHECKING, Any

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import DecodePDU

from drivers.errors import BusError, ResponseTimeoutError
from drivers.modbus.bus import Answer, Peer, ProvedBus
from drivers.modbus.diagnosis import hexed
from drivers.modbus.wire import Request, char_s, walk_rtu, walk_tcp

if TYPE_CHECKING:
    from drivers.modbus.transaction import Timing

_NEVER = 1 << 30
_CONNECT_S = 5.0
_EXCEPTION = 0x80


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
        # It logs every lost answer as an error; ours are counted and returned.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        serial = device is not None
        self._char_s = char_s(baud, framing) if serial else 0.0
        self._walk = walk_rtu if serial or rtu_over_tcp else walk_tcp
        self._client: Any = None
        self._open: tuple[int, Request] | None = None
        self._received = b""
        decoder: Any = DecodePDU
        self._requests = decoder(True)  # of requests, as a server has it
        how: dict[str, Any] = {
            "retries": 0,
            "reconnect_delay": 0,
            "timeout": _CONNECT_S,
        }
        how |= {"trace_packet": self._trace, "trace_connect": self._connected}
        if serial:
            how |= {"baudrate": baud, "bytesize": int(framing[0]), "parity": framing[1]}
            how |= {"stopbits": int(framing[2]), "handle_local_echo": echo}
        else:
            how |= {"framer": FramerType.RTU if rtu_over_tcp else FramerType.SOCKET}
            how |= {"port": port}
        make: Any = AsyncModbusSerialClient if serial else AsyncModbusTcpClient
        self._make = functools.partial(make, device or host, **how)

    async def open(self) -> None:
        """Connect. Raises BusError with what to do."""
        await self.close()
        self._loop = asyncio.get_running_loop()
        client = self._client = self._make()
        client.set_max_no_responses(_NEVER)
        client.ctx.callback_data = functools.partial(_guarded, client.ctx.callback_data)
        if not await client.connect():
            await self.close()
            raise BusError(
                f"{self.name}: cannot open; check the name, and that it is free"
            )

    async def close(self) -> None:
        """Close; may be called twice."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _check_connected(self) -> None:
        if self._client is None or not self._client.connected:
            raise BusError(f"{self.name}: the connection is gone")

    def _trace(self, sending: bool, data: bytes) -> bytes:
        """Bytes on their way to pymodbus: recognise what answers no open request."""
        if not sending:
            self._received = data[-512:]
            unit, request = self._open or (-1, None)
            number = self._client.ctx.request_transaction_id if self._client else 0
            for heard in self._walk(data):
                mine = heard.unit == unit and heard.number in {-1, number}
                size = request.size - 2 if mine and request else -1
                if request is None or heard.size not in {0, size}:
                    self._discarded(heard, self._running().time(), repeat=False)
        return data

    def _connected(self, connected: bool) -> None:
        waiting = self._client.ctx.response_future if self._client else None
        if self._open and waiting and not connected and not waiting.done():
            waiting.set_exception(ConnectionException("lost"))

    async def _ask(
        self, peer: Peer, request: Request, timing: Timing, timeout_s: float
    ) -> Answer:
        loop, client = self._running(), self._client
        await asyncio.sleep(max(0.0, peer.last_end + timing.pause_s - loop.time()))
        context, pdu = client.ctx, self._requests.decode(request.pdu)
        pdu.dev_id = peer.unit
        wire_s = self._char_s * (len(request.pdu) + request.size + 6)
        self._received, self._open = b"", (peer.unit, request)
        self._sent_at = sent_at = loop.time()
        deadline = sent_at + timeout_s + wire_s
        context.comm_params.timeout_connect = timeout_s + wire_s
        try:
            waiting = client.execute(False, pdu)
            while True:
                reply = await asyncio.wait_for(waiting, deadline - loop.time())
                if answer := self._judge(reply, peer, request):
                    self._reply_s = max(0.0, loop.time() - sent_at - wire_s)
                    return answer
                # Its lock is free again, but nothing was sent: wait on for the answer.
                waiting = context.response_future = loop.create_future()
        except (TimeoutError, ModbusException) as exc:
            if not client.connected:
                raise BusError(f"{self.name}: the connection ended") from exc
            raise ResponseTimeoutError(
                f"{self.name}, unit {peer.unit}: no answer in {timeout_s:.2f} s to"
                f" {hexed(request.pdu)}; check address, wiring and line settings",
                sent=request.pdu,
                received=self._received,
            ) from exc
        finally:
            self._open = None

    def _judge(self, reply: Any, peer: Peer, request: Request) -> Answer | None:  # noqa: ANN401
        """The answer, or None when it answers something else."""
        function, code = int(reply.function_code), 0
        body = bytes((function,)) + reply.encode()
        if reply.dev_id != peer.unit:
            return None
        if function == request.function | _EXCEPTION:
            code = int(reply.exception_code)
            if peer.proof.doubtful(request.function, code, self._running().time()):
                return None
        elif len(body) != request.size or not body.startswith(request.expect):
            return None
        return Answer(body[2:], code, request.pdu, self._received)


def _guarded(take: Any, data: bytes, addr: Any = None) -> int:  # noqa: ANN401 pymodbus'
    try:
        return int(take(data, addr))
    except ModbusException:
        return len(data)  # undecodable: dropped, the connection stays

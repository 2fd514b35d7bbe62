"""The same rules over pymodbus' client: ``engine: pymodbus``.

A second, well-kept engine, and the yardstick of ours. pymodbus frames, sends and
decodes; its retries and its own reconnecting are off; what it hands back is checked for
unit, function and byte count, in a shape that the same proof chose. An answer that does
not match is dropped and the wait goes on until the deadline.

What it cannot do: its RTU framer throws a whole read away for one foreign or damaged
frame in it, and nothing says when a first byte came. On such lines it loses more polls.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import TYPE_CHECKING, Any

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import DecodePDU

from drivers.errors import BusError, ResponseTimeoutError
from drivers.modbus.bus import Answer, Peer, ProvedBus
from drivers.modbus.diagnosis import hexed
from drivers.modbus.wire import Heard, char_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.modbus.transaction import Timing
    from drivers.modbus.wire import Request

_NEVER = 1 << 30
_CONNECT_S = 5.0
_READS, _EXCEPTION = range(1, 5), 0x80


class PymodbusBus(ProvedBus):
    """A Modbus TCP endpoint (``host``), or a serial line (``device``)."""

    def __init__(
        self,
        host: str | None = None,
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
        self._serial = device is not None
        self._char_s = char_s(baud, framing) if self._serial else 0.0
        self._client: Any = None
        self._received = b""
        decoder: Any = DecodePDU
        self._requests = decoder(True)  # of requests, as a server has it
        common: dict[str, Any] = {
            "retries": 0,
            "reconnect_delay": 0,
            "timeout": _CONNECT_S,
            "trace_packet": self._trace,
        }
        self._make: Callable[[], Any]
        if device is not None:
            bits, parity, stop = int(framing[0]), framing[1], int(framing[2])
            line = {"bytesize": bits, "parity": parity, "stopbits": stop}
            common |= line | {"baudrate": baud, "handle_local_echo": echo}
            self._make = functools.partial(AsyncModbusSerialClient, device, **common)
        else:
            common |= {
                "port": port,
                "framer": FramerType.RTU if rtu_over_tcp else FramerType.SOCKET,
            }
            self._make = functools.partial(AsyncModbusTcpClient, host or "", **common)

    async def open(self) -> None:
        """Connect. Raises BusError with what to do."""
        await self.close()
        self._loop = asyncio.get_running_loop()
        client: Any = self._make()
        client.set_max_no_responses(_NEVER)
        if not await client.connect():
            client.close()
            raise BusError(
                f"{self.name}: cannot open; check the name and that it is free"
            )
        self._client, context = client, client.ctx
        take = context.callback_data

        def guarded(data: bytes, addr: Any = None) -> int:  # noqa: ANN401 its signature
            try:
                return int(take(data, addr))
            except ModbusException:
                return len(data)  # undecodable: dropped, the connection stays

        context.callback_data = guarded

    async def close(self) -> None:
        """Close; may be called twice."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _trace(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self._received = data[-512:]
        return data

    async def _ask(
        self, peer: Peer, request: Request, timing: Timing, timeout_s: float
    ) -> Answer:
        loop, client = self._running(), self._client
        if client is None or not client.connected:
            raise BusError(f"{self.name}: the connection is gone")
        await asyncio.sleep(max(0.0, peer.last_end + timing.pause_s - loop.time()))
        context, pdu = client.ctx, self._requests.decode(request.pdu)
        pdu.dev_id = peer.unit
        wire_s = self._char_s * (len(request.pdu) + request.size + 6)
        self._received = b""
        self._sent_at = sent_at = loop.time()
        deadline = sent_at + timeout_s + wire_s
        context.comm_params.timeout_connect = timeout_s + wire_s
        try:
            waiting = client.execute(False, pdu)
            while True:
                reply = await asyncio.wait_for(waiting, deadline - loop.time())
                answer = self._judge(reply, peer, request)
                if answer is not None:
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

    def _judge(self, reply: Any, peer: Peer, request: Request) -> Answer | None:  # noqa: ANN401
        """The answer, or None: then it was counted as what it is."""
        now, function = self._running().time(), int(reply.function_code)
        body = bytes((function,)) + reply.encode()
        sent, received = request.pdu, self._received
        if reply.dev_id == peer.unit and body.startswith(request.expect):
            return Answer(body[2:], 0, sent, received)
        if reply.dev_id == peer.unit and function == request.function | _EXCEPTION:
            code = int(reply.exception_code)
            if not peer.proof.doubtful(request.function, code, now):
                return Answer(b"", code, sent, received)
        size = len(body) - 2 if function in _READS else 0
        plain, code = function & ~_EXCEPTION, function & _EXCEPTION
        heard = Heard(0, len(body), reply.dev_id, plain, size, code, -1)
        self._discarded(heard, now, repeat=False)
        return None

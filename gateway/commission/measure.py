"""How long a device takes and how much rest it wants: measured, and proposed.

Reply times are asked for with patience and rest between; then the rest is taken away
step by step until answers stay away. What is proposed leaves room above both.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import msgspec

from drivers.modbus.wire import data_bytes
from gateway.commission import frames

if TYPE_CHECKING:
    from gateway.commission.door import Door, Setting
    from gateway.commission.evidence import Want
    from gateway.commission.tap import Exchange, Tap

PATIENT_S, REST_S = 3.0, 0.6
TIMES = 12
PAUSES_S = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
IN_A_ROW = 6
_ROOM, _ROOM_S = 1.5, 0.05
_PAUSE_ROOM = 1.25
_STEP_S = 0.05
_FLOOR_S = 0.1


class Measured(msgspec.Struct, frozen=True):
    """What one device showed."""

    device: str
    address: int | str
    asked: int
    answered: int
    p50_ms: int = 0
    p95_ms: int = 0
    p99_ms: int = 0
    largest_ms: int = 0
    pause_ms: int | None = None
    """The shortest rest with which every answer came; None: not even half a second."""
    timeout_proposed_ms: int | None = None
    pause_proposed_ms: int | None = None


async def measure(
    door: Door, setting: Setting | None, want: Want, *, tcp: bool = False
) -> Measured:
    """Measure one device by reads of its largest planned block.

    Raises:
        OSError, BusError: The port cannot be used.
    """
    asker = _Asker(door, setting, want, tcp=tcp)
    times: list[float] = []
    for _ in range(TIMES):
        first = await asker.ask(PATIENT_S, REST_S)
        if first is not None:
            times.append(first)
        elif len(times) == 0 and asker.asked >= TIMES // 3:
            break  # it is not there
    if not times:
        return Measured(want.device, want.address, asker.asked, 0)
    timeout_s = propose_timeout(times)
    pause = await _least_pause(asker, timeout_s)
    ordered = sorted(times)
    return Measured(
        device=want.device,
        address=want.address,
        asked=asker.asked,
        answered=asker.answered,
        p50_ms=_ms(_part(ordered, 0.5)),
        p95_ms=_ms(_part(ordered, 0.95)),
        p99_ms=_ms(_part(ordered, 0.99)),
        largest_ms=_ms(max(asker.times)),
        pause_ms=None if pause is None else _ms(pause),
        timeout_proposed_ms=_ms(propose_timeout(asker.times)),
        pause_proposed_ms=None if pause is None else _ms(propose_pause(pause)),
    )


def propose_timeout(times: list[float]) -> float:
    """Half as long again as the slowest answer, in steps of 50 ms. Pure."""
    wanted = max(max(times) * _ROOM, max(times) + _ROOM_S, _FLOOR_S)
    return math.ceil(round(wanted / _STEP_S, 6)) * _STEP_S


def propose_pause(least_s: float) -> float:
    """A quarter more than what was needed, in steps of 10 ms. Pure."""
    return math.ceil(round(least_s * _PAUSE_ROOM * 100, 6)) / 100


class _Asker:
    def __init__(
        self, door: Door, setting: Setting | None, want: Want, *, tcp: bool
    ) -> None:
        self._door = door
        self._setting = setting
        self._want = want
        self._tcp = tcp
        self.asked = 0
        self.answered = 0
        self.times: list[float] = []

    async def ask(self, wait_s: float, rest_s: float) -> float | None:
        """Seconds until the first byte of the answer; None: none came."""
        return (await self.row(1, wait_s, rest_s))[0]

    async def row(self, count: int, wait_s: float, rest_s: float) -> list[float | None]:
        """Several, one right behind the other but for this rest."""

        async def work(tap: Tap) -> list[float | None]:
            found: list[float | None] = []
            for _ in range(count):
                await asyncio.sleep(rest_s)
                frame = self._frame()
                exchange = await tap.ask(frame, self._right, wait_s, settle_s=0.1)
                found.append(self._time(exchange))
                if found[-1] is None and self._door.hold_s:
                    await tap.listen(self._door.hold_s)
            return found

        return await self._door.use(self._setting, work)

    def _frame(self) -> bytes:
        self.asked += 1
        want = self._want
        if isinstance(want.address, str):
            return frames.read_item(want.address, frames.ENERGY)
        number = self.asked if self._tcp else 0
        return frames.read_registers(
            want.address, want.function, want.start, want.count, tcp=number
        )

    def _right(self, received: bytes) -> bool:
        want = self._want
        if isinstance(want.address, str):
            return want.address in frames.meters(received)
        walk = frames.tcp_answers if self._tcp else frames.rtu_answers
        size = data_bytes(want.function, want.count)
        return any(
            answer.unit == want.address
            and answer.function == want.function
            and (answer.exception or len(answer.data) == size)
            for answer in walk(received)
        )

    def _time(self, exchange: Exchange) -> float | None:
        if not self._right(exchange.received) or exchange.first_s is None:
            return None
        self.answered += 1
        self.times.append(exchange.first_s)
        return exchange.first_s


async def _least_pause(asker: _Asker, timeout_s: float) -> float | None:
    """The shortest rest with which a row of reads is answered whole, twice."""
    for pause in PAUSES_S:
        for _ in range(2):
            row = await asker.row(IN_A_ROW, timeout_s, pause)
            if None in row:
                break
        else:
            return pause
    return None


def _part(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _ms(seconds: float) -> int:
    return round(1000 * seconds)

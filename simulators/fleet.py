"""Many gateways in one process, as a broker sees them.

Each keeps one connection (MQTT at QoS 1, a last will, a retained status and meta), has
at most ``window`` messages unproved, sends live records first and its backlog at a
limited rate, and sends again what was not proved when a connection was lost. Nothing is
shared with the real gateway but the documented format.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from simulators import mqtt_codec as codec
from simulators.made_up import MadeUp, Scan
from simulators.mqtt_packets import Packets
from simulators.verdict import Times

_BEAT_S = 0.05
"""How often rate-limited backlogs are looked at."""
_IDS = 65_535


@dataclass(frozen=True)
class Plan:
    """How the fleet behaves."""

    host: str = "127.0.0.1"
    port: int = 1883
    gateways: int = 1000
    prefix: str = "ecogate/v1"
    v5: bool = True
    values: int = 10
    records: int = 1
    """Scans a live message; more of them gather before it leaves."""
    every_s: float = 10.0
    """Period of each gateway's scans; 0: the next as soon as there is room."""
    window: int = 20
    ramp_per_s: float = 200.0
    """New connections a second at the start; later they come when they come."""
    backfill_per_s: float = 20.0
    """Messages a second that carry what is older than the connection, per gateway."""
    backfill_records: int = 200
    retry_s: tuple[float, float] = (0.3, 1.0)
    """A lost connection is tried again after about so long, every time."""
    keepalive_s: int = 60
    store: str = "5f2c9a01"
    seed: int = 1


class _Sent(NamedTuple):
    at: float
    lane: str
    """Empty for what is no data."""
    scans: list[Scan]


@dataclass
class Phase:
    """What was counted since it began."""

    began: float = field(default_factory=time.monotonic)
    cpu_began: float = field(default_factory=time.process_time)
    connects: int = 0
    refused: int = 0
    lost: int = 0
    """Connections that ended."""
    messages: int = 0
    records: int = 0
    """Proved by a PUBACK, as ``messages``."""
    again: int = 0
    """Records sent a second time."""
    bytes_out: int = 0
    connack: Times = field(default_factory=Times)
    proof: dict[str, Times] = field(default_factory=dict)

    def say(self, values: int) -> dict[str, object]:
        """Figures, for JSON."""
        seconds = time.monotonic() - self.began
        return {
            "seconds": round(seconds, 2),
            "connects": self.connects,
            "connects_per_s": round(self.connects / seconds, 1),
            "connect_errors": self.refused,
            "connections_lost": self.lost,
            "messages_per_s": round(self.messages / seconds, 1),
            "records_per_s": round(self.records / seconds, 1),
            "values_per_s": round(self.records * values / seconds, 1),
            "records": self.records,
            "records_again": self.again,
            "bytes_per_s": round(self.bytes_out / seconds),
            "connack_ms": self.connack.say(),
            "puback_ms": {lane: times.say() for lane, times in self.proof.items()},
            "generator_cores": round(
                (time.process_time() - self.cpu_began) / seconds, 2
            ),
        }


class Gateway(asyncio.Protocol):
    """One of them."""

    def __init__(self, fleet: Fleet, number: int) -> None:
        plan = fleet.plan
        self._fleet = fleet
        self._words = MadeUp(
            number,
            prefix=plan.prefix,
            values=plan.values,
            every_s=plan.every_s or 1.0,
            store=plan.store,
        )
        self.up = False
        self.backlog: deque[Scan] = deque()
        self._gathering: list[Scan] = []
        self._live: deque[list[Scan]] = deque()
        self._unproved: dict[int, _Sent] = {}
        self._transport: asyncio.Transport | None = None
        self._packets = Packets()
        self._seq = self._id = 0
        self._tokens = 0.0
        self._tried = 0.0

    # -- the connection -----------------------------------------------------

    async def connect(self) -> None:
        """Try once; what comes of it is told by callbacks."""
        plan = self._fleet.plan
        self._tried = time.monotonic()
        try:
            await self._fleet.loop.create_connection(lambda: self, plan.host, plan.port)
        except OSError:
            self._fleet.phase.refused += 1
            self._fleet.later(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """CONNECT, with the will."""
        self._transport = cast("asyncio.Transport", transport)
        self._packets = Packets()
        plan, words = self._fleet.plan, self._words
        will = words.status("lost", _now_ms(), 0, 0)
        self._transport.write(
            codec.connect(
                f"ecogate-{words.name}-city",
                v5=plan.v5,
                keepalive_s=plan.keepalive_s,
                will=codec.Will(f"{words.topic}/status", will),
            )
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """What was not proved is sent again, before what is younger."""
        self._transport = None
        if self.up:
            self._fleet.phase.lost += 1
        self.up = False
        unproved = [s for sent in self._unproved.values() for s in sent.scans]
        self._unproved.clear()
        self._fleet.phase.again += len(unproved)
        waiting = [scan for scans in self._live for scan in scans]
        self._live.clear()
        self.backlog = deque(sorted([*self.backlog, *unproved, *waiting]))
        self._fleet.later(self)

    def drop(self) -> None:
        """Break the connection."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """CONNACK and PUBACKs."""
        for piece in self._packets.feed(data, hold=True):
            if piece.type == codec.PUBACK:
                self._proved(codec.read_puback(piece.raw)[0])
            elif piece.type == codec.CONNACK:
                self._connected(piece.raw)
        if self.up:
            self.send()

    def _connected(self, packet: bytes) -> None:
        plan, words, phase = self._fleet.plan, self._words, self._fleet.phase
        if codec.read_connack(packet, v5=plan.v5).code:
            phase.refused += 1
            self.drop()
            return
        phase.connects += 1
        phase.connack.add((time.monotonic() - self._tried) * 1000)
        self.up = True
        # What waited while there was no connection is older than this one.
        self.backlog.extend(scan for scans in self._live for scan in scans)
        self._live.clear()
        now, left = _now_ms(), len(self.backlog)
        topic = f"{words.topic}/status".encode()
        self._publish(
            topic, words.status("online", now, self._seq, left), "", [], retain=True
        )
        topic = f"{words.topic}/meta/a7c0ffee".encode()
        self._publish(topic, words.meta(), "", [], retain=True)

    def _proved(self, packet_id: int) -> None:
        sent = self._unproved.pop(packet_id, None)
        if sent is None or not sent.lane:
            return
        phase = self._fleet.phase
        phase.messages += 1
        phase.records += len(sent.scans)
        times = phase.proof.setdefault(sent.lane, Times())
        times.add((time.monotonic() - sent.at) * 1000)

    # -- records ------------------------------------------------------------

    def scan(self) -> None:
        """One more record is due."""
        self._seq += 1
        self._gathering.append(Scan(self._seq, _now_ms()))
        if len(self._gathering) >= self._fleet.plan.records:
            self._live.append(self._gathering)
            self._gathering = []
            if self.up:
                self.send()
            elif self._live:
                self.backlog.extend(self._live.popleft())

    def send(self) -> None:
        """As much as there is room for: live first."""
        plan = self._fleet.plan
        while len(self._unproved) < plan.window:
            if plan.every_s == 0 and not self._live and self._fleet.flooding:
                for _ in range(plan.records):
                    self._seq += 1
                    self._gathering.append(Scan(self._seq, _now_ms()))
                self._live.append(self._gathering)
                self._gathering = []
            if self._live:
                self._data("live", self._live.popleft())
            elif self.backlog and self._tokens >= 1:
                self._tokens -= 1
                most = min(plan.backfill_records, len(self.backlog))
                self._data("backfill", [self.backlog.popleft() for _ in range(most)])
            else:
                return

    def beat(self, passed_s: float) -> None:
        """Time passed: the backlog may go on."""
        rate = self._fleet.plan.backfill_per_s
        self._tokens = min(self._tokens + passed_s * rate, max(1.0, rate * _BEAT_S))
        if self.up:
            self.send()

    @property
    def done(self) -> bool:
        """Connected, and everything is proved."""
        return self.up and not self.backlog and not self._live and not self._unproved

    def finish(self) -> None:
        """Send what still gathers."""
        if self._gathering:
            self._live.append(self._gathering)
            self._gathering = []
            if self.up:
                self.send()

    def _data(self, lane: str, scans: list[Scan]) -> None:
        payload = self._words.data(lane, scans, _now_ms())
        self._publish(self._words.data_topic, payload, lane, scans, retain=False)

    def _publish(
        self,
        topic: bytes,
        payload: bytes,
        lane: str,
        scans: list[Scan],
        *,
        retain: bool,
    ) -> None:
        if self._transport is None:
            return
        self._id = self._id % _IDS + 1
        packet = codec.publish(
            topic, payload, self._id, v5=self._fleet.plan.v5, retain=retain
        )
        self._unproved[self._id] = _Sent(time.monotonic(), lane, scans)
        self._fleet.phase.bytes_out += len(packet)
        self._transport.write(packet)


class Fleet:
    """All of them; use it inside a running loop."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loop = asyncio.get_running_loop()
        self.phase = Phase()
        self.flooding = False
        self.hold = False
        """Lost connections are not tried again yet."""
        self.gateways = [Gateway(self, n) for n in range(1, plan.gateways + 1)]
        self._random = random.Random(plan.seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[Gateway] = []
        self._closed = False

    @property
    def connected(self) -> int:
        """How many are."""
        return sum(gateway.up for gateway in self.gateways)

    @property
    def backlog(self) -> int:
        """Records older than their gateway's connection, of all."""
        return sum(len(gateway.backlog) for gateway in self.gateways)

    def say(self) -> dict[str, object]:
        """The phase so far; a new one begins."""
        said, self.phase = self.phase.say(self.plan.values), Phase()
        return said

    async def connect(self) -> None:
        """All, at the planned pace; returns when all are connected."""
        for number, gateway in enumerate(self.gateways):
            due = self.phase.began + number / self.plan.ramp_per_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._start(gateway)
        await self.until_connected()

    async def until_connected(self, limit_s: float = 120) -> None:
        """Until every gateway is connected.

        Raises:
            TimeoutError: Not in time.
        """
        async with asyncio.timeout(limit_s):
            while self.connected < len(self.gateways):  # noqa: ASYNC110 counted elsewhere
                await asyncio.sleep(0.005)

    async def poll(self, for_s: float) -> None:
        """Scan and send for so long; each gateway has a phase of its own."""
        beating = self.loop.create_task(self._beats(), name="beats")
        try:
            if self.plan.every_s == 0:
                self.flooding = True
                await asyncio.sleep(for_s)
                self.flooding = False
            else:
                await self._scans(for_s)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _scans(self, for_s: float) -> None:
        began, count = time.monotonic(), len(self.gateways)
        step = self.plan.every_s / count
        for number in range(int(for_s / step)):
            left = began + number * step - time.monotonic()
            if left > 0:
                await asyncio.sleep(left)
            self.gateways[number % count].scan()

    async def _beats(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(_BEAT_S)
            now = time.monotonic()
            for gateway in self.gateways:
                if gateway.backlog or self.plan.every_s == 0:
                    gateway.beat(now - before)
            before = now

    async def drain(self, limit_s: float = 120) -> None:
        """Send what is left and wait for every proof.

        Raises:
            TimeoutError: Not in time.
        """
        for gateway in self.gateways:
            gateway.finish()
        beating = self.loop.create_task(self._beats(), name="beats")
        try:
            async with asyncio.timeout(limit_s):
                while not all(g.done for g in self.gateways):  # noqa: ASYNC110 as above
                    await asyncio.sleep(0.01)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    def drop_all(self) -> None:
        """Every connection ends at once; ``hold`` says whether they come back."""
        for gateway in self.gateways:
            gateway.drop()

    def release(self) -> None:
        """Those that wait come back, each after its own little while."""
        self.hold = False
        waiting, self._waiting = self._waiting, []
        for gateway in waiting:
            self.later(gateway)

    def later(self, gateway: Gateway) -> None:
        """Try this one again after a while."""
        if self._closed:
            return
        if self.hold:
            self._waiting.append(gateway)
            return
        pause = self._random.uniform(*self.plan.retry_s)
        self.loop.call_later(pause, self._start, gateway)

    def _start(self, gateway: Gateway) -> None:
        if self._closed:
            return
        task = self.loop.create_task(gateway.connect(), name="connect")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop everything; nothing comes back."""
        self._closed = True
        self.drop_all()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

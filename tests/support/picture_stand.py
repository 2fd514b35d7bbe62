"""A gateway's record side with one real broker and a platform that joins pictures.

    async with Stand(folder, broker.port) as stand:
        stand.scan(); stand.alarm(); stand.show("north-1", 1, 300_000)

Recorder, buffer, pump and MQTT client are the gateway's own; what a vision process
would have said is said by the test: an event, and files that lie in a folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
from typing import TYPE_CHECKING, Self

from buffer import Buffer, Limits
from gateway.clock import SystemClock
from gateway.config.model import MqttTarget
from gateway.ledger import DeliveryLedger
from gateway.media import media_records
from gateway.meta import MetaStore
from gateway.record import Event, Scan
from gateway.recorder import Recorder
from gateway.uplink.mqtt import MqttConnector
from gateway.uplink.pump import Pump
from simulators.consumer import Consumer
from simulators.platform import Platform
from vision.messages import Picture

if TYPE_CHECKING:
    from pathlib import Path

GATEWAY, TARGET = "site-07", "city"


class Watching(Consumer):
    """A consumer that notes when which seq came, and when which picture was whole."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.came: dict[int, float] = {}
        self.whole_at: dict[tuple[str, int], float] = {}

    def feed(self, topic, payload, at_ms, *, retained=False) -> None:
        before = len(self.pictures.whole)
        super().feed(topic, payload, at_ms, retained=retained)
        now = time.monotonic()
        for store in self._stores.values():
            for seq in list(store._contents)[len(self.came) :]:
                self.came.setdefault(seq, now)
        if len(self.pictures.whole) > before:
            _, _, event, n = list(self.pictures.whole)[-1]
            self.whole_at[event, n] = now


class Stand:
    """One run; give the same folder again for the next."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        via: int | None = None,
        pictures: Path | None = None,
        part_bytes: int = 96_000,
        max_bytes: int = 512_000_000,
        consumer: Watching | None = None,
        **target,
    ) -> None:
        self.folder = folder
        self.media = folder / "media"
        self.media.mkdir(parents=True, exist_ok=True)
        self.clock = SystemClock("always")
        self.part_bytes = part_bytes
        self.consumer = consumer or Watching(from_seq=1, pictures=pictures)
        self.platform = Platform(self.consumer, "127.0.0.1", port)
        self.ledger = DeliveryLedger()
        self.born: dict[int, float] = {}
        """Seq -> when it was appended, monotonic."""
        self.hashes: dict[tuple[str, int], str] = {}
        self._limits = Limits(keep_free=0, max_bytes=max_bytes)
        self._target = MqttTarget(
            name=TARGET, host="127.0.0.1", port=via or port, **target
        )
        self._task: asyncio.Task[None] | None = None
        self._confirming: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        clock = self.clock
        self.buffer = await Buffer.open(
            self.folder / "data",
            self._limits,
            [TARGET],
            wall_ms=clock.wall_ms,
            boot=clock.boot,
        )
        metas = MetaStore(self.folder / "meta", wall_ms=clock.wall_ms)
        metas.adopt({"gateway": {"id": GATEWAY}}, self.buffer.high)
        self.record = Recorder(self.buffer, metas, self.ledger)
        self.pump = Pump(
            self._target,
            self.buffer,
            MqttConnector(),
            metas,
            gateway=GATEWAY,
            version="0.1.0",
            wall_ms=clock.wall_ms,
            ledger=self.ledger,
        )
        self.platform.start()
        await asyncio.to_thread(self.platform.subscribed.wait, 10)
        if self._target.receipts:
            self._confirming = asyncio.create_task(self._confirm())
        return self

    def connect(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self.pump.run(), name="pump")

    async def __aexit__(self, *_exc: object) -> None:
        for task in (self._task, self._confirming):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self.buffer.close()
        await asyncio.to_thread(self.platform.stop)

    async def _confirm(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            self.platform.send_receipts()

    def scan(self, x: float = 1.0) -> int:
        """A reading."""
        return self._take(Scan("cems-1", self.clock.now(), {"x": x}))

    def alarm(self, event: str, **keys) -> int:
        """An alarm that a camera raised."""
        made = Event(
            id=event,
            type="smoke_seen",
            severity="alarm",
            at=self.clock.now(),
            values={"camera": "north"},
            **keys,
        )
        self.record(made)
        self.born[self.buffer.high] = time.monotonic()
        return self.buffer.high

    async def show(self, event: str, n: int, size: int, role: str = "at") -> None:
        """A picture's file, and its records, as the gateway makes them."""
        data = random.Random(f"{event}/{n}").randbytes(size)
        name = f"{event}-{n}.jpg"
        (self.media / name).write_bytes(data)
        picture = Picture(
            camera="north",
            event=event,
            n=n,
            role=role,
            annotated=n == 1,
            file=name,
            sha256=hashlib.sha256(data).hexdigest(),
            bytes=size,
            t_ms=self.clock.wall_ms(),
        )
        self.hashes[event, n] = picture.sha256
        made = await asyncio.to_thread(
            media_records, picture, self.media, self.clock.now(), self.part_bytes
        )
        for record in made:
            self._take(record)

    def _take(self, record) -> int:
        self.record(record)
        self.born[self.buffer.high] = time.monotonic()
        return self.buffer.high

    @property
    def proved(self) -> bool:
        """Whether the platform has everything."""
        return self.buffer.floor(TARGET) == self.buffer.high

    def waited(self, seqs) -> list[float]:
        """Seconds from append to the platform."""
        with self.platform.lock:
            return [self.consumer.came[seq] - self.born[seq] for seq in seqs]

    def arrived(self, seq: int) -> bool:
        """Whether the platform has this record."""
        with self.platform.lock:
            return seq in self.consumer.came

    def whole(self) -> dict[tuple[str, int], str]:
        """Pictures that were joined, with their hashes."""
        with self.platform.lock:
            found = self.consumer.pictures.whole
            return {(key[2], key[3]): part.sha256 for key, part in found.items()}


class SlowLine:
    """A TCP line between gateway and broker that carries so many bytes a second up."""

    def __init__(self, port: int, bytes_per_s: int) -> None:
        self._port = port
        self._rate = bytes_per_s
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._carry, "127.0.0.1", 0, limit=4096
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader, writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection(
                "127.0.0.1", self._port
            )
            down = asyncio.create_task(self._copy(far_reader, writer, 0))
            self._tasks.add(down)
            await self._copy(reader, far_writer, self._rate)
            down.cancel()
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _copy(self, reader, writer, rate: int) -> None:
        loop = asyncio.get_running_loop()
        free_s = loop.time()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1024):
                if rate:
                    free_s = max(free_s, loop.time()) + len(data) / rate
                    await asyncio.sleep(free_s - loop.time())
                writer.write(data)
                await writer.drain()
        writer.close()

"""A pump on a real broker, fed by hand."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self

from gateway.clock import SystemClock
from gateway.config.model import MqttTarget
from gateway.meta import MetaStore
from gateway.record import Scan, encode
from gateway.uplink.mqtt import MqttConnector
from gateway.uplink.pump import Pump
from tests.support.memory_link import FakeSource

if TYPE_CHECKING:
    from pathlib import Path


def target(port: int, **changes: Any) -> MqttTarget:
    """One platform on loopback, named ``p``."""
    return MqttTarget(name="p", host="127.0.0.1", port=port, **changes)


class PumpSite:
    """Records go in by ``scan``; ``proved`` says how far the platform's proof reaches.

    Args:
        folder: Descriptions are kept there.
        port: The broker's, or a bad link's before it.
        connector: Makes the links; one that remembers what the broker takes.
        changes: Keys of the target.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        connector: MqttConnector | None = None,
        **changes: Any,
    ) -> None:
        self.clock = SystemClock("always")
        self.source = FakeSource()
        self.metas = MetaStore(folder / "meta", wall_ms=self.clock.wall_ms)
        self.meta = self.metas.adopt({"gateway": {"id": "site-07"}}, high=0)
        self.aside: list[tuple[int, str]] = []
        self.pump = Pump(
            target(port, **changes),
            self.source,
            connector or MqttConnector(),
            self.metas,
            gateway="site-07",
            version="0.1.0",
            wall_ms=self.clock.wall_ms,
            on_set_aside=lambda seq, reason: self.aside.append((seq, reason)),
        )

    def scan(self, **values: Any) -> int:
        """Store one record; returns its seq."""
        record = Scan("d", self.clock.now(), values or {"x": 1.5})
        return self.source.append(encode(record, self.meta))

    @property
    def proved(self) -> int:
        """Every seq up to this is resolved."""
        return self.source.floor("p")

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.pump.run())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

"""One pump on a real connector with the gateway's own events about it, fed by hand."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self

from gateway.clock import Instant
from gateway.meta import MetaStore
from gateway.record import Scan, encode
from gateway.target_events import TargetEvents
from gateway.uplink.mqtt import MqttConnector
from gateway.uplink.pump import Pump
from tests.support.memory_link import FakeSource

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from gateway.config.model import MqttTarget
    from gateway.record import Record


class Pumped:
    """``async with Pumped(folder, target) as site: site.scan()``."""

    def __init__(
        self,
        folder: Path,
        target: MqttTarget,
        *,
        gateway: str = "site-07",
        connector: MqttConnector | None = None,
        **options: Any,
    ) -> None:
        self.source = FakeSource()
        self.metas = MetaStore(folder / "meta", wall_ms=lambda: 1_800_000_000_000)
        self.meta = self.metas.adopt({"gateway": {"id": gateway}}, 0)
        self.events: list[Any] = []
        self._told = TargetEvents(
            self._keep, now=self._now, high=lambda: self.source.high
        )
        self.pump = Pump(
            target,
            self.source,
            connector or MqttConnector(),
            self.metas,
            gateway=gateway,
            version="0.1.0",
            wall_ms=lambda: self._now().wall_ms,
            on_change=self._told.changed,
            **options,
        )
        self.name = target.name

    def _keep(self, record: Record) -> None:
        self.events.append(record)

    def _now(self) -> Instant:
        mono = int(asyncio.get_running_loop().time() * 1000)
        return Instant(1_800_000_000_000 + mono, mono, "0badcafe", trusted=True)

    def told(self, kind: str) -> list[tuple[str, str]]:
        """State and cause of the events of one type so far."""
        return [
            (event.state, str(event.values.get("cause", "")))
            for event in self.events
            if event.type == kind
        ]

    def scan(self) -> int:
        """One more record; its seq."""
        record = Scan("d", self._now(), {"x": 1.5})
        return self.source.append(encode(record, self.meta))

    @property
    def proved(self) -> int:
        """All up to this seq is proved."""
        return self.source.floor(self.name)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.pump.run(), name="pumped")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

"""How every bus, device, target and the buffer are doing: plain structs for people.

Everything here is a snapshot, made when somebody asks; keeping it up to date costs the
polls a few counters and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gateway.cameras.health import CameraHealth
from gateway.wear import Disk

if TYPE_CHECKING:
    from buffer import Buffer
    from gateway.bus_worker import BusWorker
    from gateway.clock import Instant
    from gateway.roster import Unit
    from gateway.supervisor import Restarts

DeviceState = Literal["unknown", "online", "doubtful", "offline", "bus_gone"]


class DeviceHealth(msgspec.Struct, kw_only=True):
    """One device; times are the wall clock's at that moment, UTC ms."""

    name: str
    bus: str
    address: int | str | None
    state: DeviceState
    since_ms: int | None = None
    last_good_ms: int | None = None
    """When it last gave a usable value."""
    every_s: float
    points: int
    asked: int = 0
    """Questions: polls, retries and probes."""
    answered: int = 0
    failures: int = 0
    """Questions in a row without an answer."""
    slots: int = 0
    """Slots settled so far, asked or not."""
    unasked: int = 0
    """Those of them that lie in gaps."""
    gap: str = ""
    """Cause of the gap that is open now."""
    bad: dict[str, int] = {}
    """BAD readings by reason."""
    exchanges: dict[str, Any] = {}
    """The engine's own counts and reply times; see ``drivers.modbus.stats``."""


class BusHealth(msgspec.Struct, kw_only=True):
    """One bus and its worker."""

    name: str
    protocol: str
    endpoint: str
    state: Literal["closed", "open", "gone"]
    since_ms: int | None = None
    error: str = ""
    """Why it was lost the last time."""
    reopened: int = 0
    crashes: int = 0
    """How often the worker failed by a bug."""
    last_crash: str = ""


class Health(msgspec.Struct, kw_only=True):
    """The whole gateway."""

    v: int = 1
    gateway: str
    version: str
    pid: int
    now_ms: int
    uptime_s: int
    clock: Literal["trusted", "waiting", "unknown"]
    """``waiting``: new records wait for a right time; ``unknown``: they are marked."""
    stuck: list[str] = []
    """Loops that broke their promise of progress."""
    buses: list[BusHealth] = []
    devices: list[DeviceHealth] = []
    buffer: dict[str, Any] = {}
    history: dict[str, Any] = {}
    """The year of minutes, hours and days; empty where there are no stations,
    ``trouble`` alone where it cannot be opened."""
    averages: dict[str, int] = {}
    """What is in no average: see ``Averager.health``; empty without stations."""
    disk: Disk = Disk()
    """The disk the records are on, and how long it lasts."""
    targets: list[dict[str, Any]] = []
    cameras: list[CameraHealth] = []
    trial: dict[str, Any] | None = None
    """A site file on trial: it goes back by itself unless confirmed."""


def bus_health(worker: BusWorker, restarts: Restarts) -> BusHealth:
    """The state of one bus."""
    conf = worker.conf
    return BusHealth(
        name=conf.name,
        protocol=conf.protocol,
        endpoint=conf.endpoint,
        state=worker.link,
        since_ms=_ms(worker.link_since),
        error=worker.link_error,
        reopened=worker.reopened,
        crashes=restarts.count,
        last_crash=restarts.last_error,
    )


def device_health(worker: BusWorker, unit: Unit) -> DeviceHealth:
    """The state of one device; a lost bus says more than the device's own state."""
    conf = unit.conf
    lines = [job.line for job in unit.jobs]
    return DeviceHealth(
        name=conf.name,
        bus=conf.bus,
        address=conf.address,
        state="bus_gone" if worker.link == "gone" else unit.state,
        since_ms=_ms(unit.since),
        last_good_ms=_ms(unit.last_good),
        every_s=conf.every_s,
        points=len(conf.points),
        asked=unit.asked,
        answered=unit.answered,
        failures=unit.failures,
        slots=sum(line.next for line in lines),
        unasked=sum(line.unasked for line in lines),
        gap=next((line.gap for line in lines if line.gap), ""),
        bad=dict(unit.reasons),
        exchanges=worker.exchanges(conf.address),
    )


def buffer_health(buffer: Buffer) -> dict[str, Any]:
    """The buffer's own statistics."""
    found: dict[str, Any] = msgspec.structs.asdict(buffer.stats())
    return found


def _ms(at: Instant | None) -> int | None:
    return None if at is None else at.wall_ms

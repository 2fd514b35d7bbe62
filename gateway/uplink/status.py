"""The retained ``status`` message: is this gateway well, and how far behind is it."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.uplink.lanes import LaneName
from gateway.uplink.source import Runs

State = Literal["online", "stopped", "lost"]


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What the running gateway knows of itself; from the runtime."""

    clock: Literal["trusted", "waiting", "unknown"] = "unknown"
    clock_source: str | None = None
    clock_offset_ms: float | None = None
    disk_free: int | None = None
    disk_state: str = "ok"
    """``ok`` or ``degraded:disk``."""
    bytes_per_day: int | None = None
    life_years: float | None = None
    temperature_c: float | None = None
    uptime_s: int = 0
    devices_good: int = 0
    devices_bad: int = 0
    cameras_good: int = 0
    cameras_bad: int = 0


class LaneBacklog(msgspec.Struct, frozen=True):
    """What one lane owes the platform."""

    records: int
    oldest_t: int | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one target is; from the buffer and the pump."""

    store: str
    seq_high: int
    backlog: dict[LaneName, LaneBacklog]
    set_aside: int = 0
    awaiting_receipt: int | None = None
    """Sent and not confirmed; None: receipts are off."""
    skipped: Runs = ()
    """Filtered out and told nowhere else."""


def will(gateway: str, connected_ms: int) -> bytes:
    """What the platform says for us if we vanish; made when we connect."""
    return msgspec.json.encode(
        {"v": 1, "gw": gateway, "state": "lost", "connected": connected_ms}
    )


def stopped(gateway: str, sent_ms: int) -> bytes:
    """Our own last word on a clean stop."""
    return msgspec.json.encode(
        {"v": 1, "gw": gateway, "state": "stopped", "sent": sent_ms}
    )


def online(
    gateway: str,
    version: str,
    meta: str,
    vitals: Vitals,
    progress: Progress,
    sent_ms: int,
) -> bytes:
    """The status of a running gateway.

    Args:
        gateway: Its id.
        version: Ours.
        meta: The version of the site that new records refer to.
        vitals: From the runtime.
        progress: Of this target.
        sent_ms: Now, UTC ms.
    """
    return msgspec.json.encode(
        {
            "v": 1,
            "gw": gateway,
            "state": "online",
            "sent": sent_ms,
            "store": progress.store,
            "seq_high": progress.seq_high,
            "backlog": {
                # 0 is the time of a record that nobody can date yet.
                lane: _said(records=part.records, oldest_t=part.oldest_t or None)
                for lane, part in progress.backlog.items()
            },
            "set_aside": progress.set_aside,
            **_said(
                awaiting_receipt=progress.awaiting_receipt,
                skipped=progress.skipped or None,
            ),
            "clock": _said(
                state=vitals.clock,
                source=vitals.clock_source,
                offset_ms=vitals.clock_offset_ms,
            ),
            "disk": _said(
                state=vitals.disk_state,
                free=vitals.disk_free,
                bytes_per_day=vitals.bytes_per_day,
                life_years=vitals.life_years,
            ),
            **_said(temperature=vitals.temperature_c),
            "uptime_s": vitals.uptime_s,
            "versions": {"ecogate": version, "format": 1},
            "meta": meta,
            "devices": {"good": vitals.devices_good, "bad": vitals.devices_bad},
            **_cameras(vitals),
        }
    )


def _cameras(vitals: Vitals) -> dict[str, object]:
    good, bad = vitals.cameras_good, vitals.cameras_bad
    return {"cameras": {"good": good, "bad": bad}} if good + bad else {}


def _said(**fields: object) -> dict[str, object]:
    """Without what is not known."""
    return {name: value for name, value in fields.items() if value is not None}

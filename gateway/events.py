"""What the gateway itself has to say: its events, each in Chinese and English.

An event that ends has the id of the one that raised it, so that a platform can pair
them whatever it missed in between.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.record import Event
from gateway.texts import both

if TYPE_CHECKING:
    from buffer import Damage
    from gateway.clock import Instant, Refused
    from gateway.config.model import Device
    from gateway.reload import Change

_LONG_S = 120


def started(gateway: str, version: str, before: str, at: Instant) -> Event:
    """The gateway started; ``before``: first_start, maintenance or power_off."""
    return Event(
        id=_id("gateway_started", at),
        type="gateway_started",
        severity="info",
        at=at,
        values={"version": version, "before": before},
        text=both(f"event.started_{before}", gateway=gateway, version=version),
    )


def site_changed(change: Change, meta: str, at: Instant) -> Event:
    """Another site is in force."""
    said, start = change.said_in_both(), both("event.site_changed")
    return Event(
        id=_id("site_changed", at),
        type="site_changed",
        severity="info",
        at=at,
        values={"meta": meta},
        text={code: f"{start[code]}{said[code]}" for code in said},
    )


def history_damaged(damage: Damage, at: Instant) -> Event:
    """A file of the history was damaged and set aside; what was sound is kept."""
    return Event(
        id=_id("history_damaged", at, damage.name),
        type="history_damaged",
        severity="warning",
        at=at,
        values={"file": damage.name, "kept": damage.kept},
        text=both("event.history_damaged", file=damage.name, error=damage.error),
    )


def device_offline(device: Device, failures: int, at: Instant) -> Event:
    """A device left that many questions in a row unanswered."""
    return Event(
        id=_id("device_offline", at, device.name),
        type="device_offline",
        severity="warning",
        at=at,
        device=device.name,
        bus=device.bus,
        asset=device.asset,
        text=both(
            "event.device_offline",
            device=device.name,
            bus=device.bus,
            failures=failures,
        ),
    )


def device_online(device: Device, since: Instant, at: Instant) -> Event:
    """It answers again; ``since`` is when it was said to be offline."""
    away = span(at.mono_ms - since.mono_ms)
    return Event(
        id=_id("device_offline", since, device.name),
        type="device_offline",
        severity="warning",
        state="cleared",
        at=since,
        until=at,
        device=device.name,
        bus=device.bus,
        asset=device.asset,
        text=both("event.device_online", device=device.name, bus=device.bus, away=away),
    )


def bus_gone(bus: str, error: str, at: Instant) -> Event:
    """A port was lost and did not open again at once."""
    return Event(
        id=_id("bus_gone", at, bus),
        type="bus_gone",
        severity="warning",
        at=at,
        bus=bus,
        text=both("event.bus_gone", bus=bus, error=error),
    )


def bus_back(bus: str, since: Instant, at: Instant) -> Event:
    """The port works again."""
    return Event(
        id=_id("bus_gone", since, bus),
        type="bus_gone",
        severity="warning",
        state="cleared",
        at=since,
        until=at,
        bus=bus,
        text=both("event.bus_back", bus=bus, away=span(at.mono_ms - since.mono_ms)),
    )


def clock_step(step_ms: int, at: Instant) -> Event:
    """The wall clock jumped."""
    return Event(
        id=_id("clock_step", at),
        type="clock_step",
        severity="warning",
        at=at,
        values={"step_s": step_ms / 1000, "trusted": at.trusted},
        text=both("event.clock_step", step=f"{step_ms / 1000:+.1f}"),
    )


def clock_waiting(at: Instant) -> Event:
    """Nobody says that the clock is right, and records wait for it."""
    return Event(
        id=_id("clock_waiting", at),
        type="clock_waiting",
        severity="alarm",
        at=at,
        text=both("event.clock_waiting"),
    )


def clock_known(raised: Event, at: Instant) -> Event:
    """The clock can be trusted again."""
    return Event(
        id=raised.id,
        type=raised.type,
        severity=raised.severity,
        state="cleared",
        at=raised.at,
        until=at,
        text=both("event.clock_known"),
    )


def time_refused(refused: Refused, at: Instant) -> Event:
    """A source told a date that cannot be right."""
    said, why = utc_text(refused.wall_ms), both(f"reason.{refused.reason}")
    words = {
        code: both(
            "event.time_refused", source=refused.source, said=said, reason=reason
        )[code]
        for code, reason in why.items()
    }
    return Event(
        id=_id("time_refused", at, refused.source),
        type="time_refused",
        severity="warning",
        at=at,
        values={"source": refused.source, "reason": refused.reason, "said": said},
        text=words,
    )


def utc_text(wall_ms: int) -> str:
    """UTC ms as people read it; beyond what a calendar holds, the number."""
    try:
        return f"{datetime.fromtimestamp(wall_ms / 1000, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (OverflowError, OSError, ValueError):
        return f"{wall_ms} ms"


def disk_degraded(error: str, at: Instant) -> Event:
    """Nothing can be written; records stay in memory for a while."""
    return Event(
        id=_id("disk_degraded", at),
        type="disk_degraded",
        severity="alarm",
        at=at,
        text=both("event.disk_degraded", error=error),
    )


def disk_back(raised: Event, at: Instant) -> Event:
    """The disk takes records again."""
    return Event(
        id=raised.id,
        type=raised.type,
        severity=raised.severity,
        state="cleared",
        at=raised.at,
        until=at,
        text=both("event.disk_back"),
    )


def record_set_aside(
    target: str, seq: int, reason: str, count: int, at: Instant
) -> Event:
    """A platform can never take a record; of ``count`` such this is the last."""
    key = "event.record_set_aside" if count == 1 else "event.records_set_aside"
    return Event(
        id=_id("record_set_aside", at, f"{target}:{seq}"),
        type="record_set_aside",
        severity="warning",
        at=at,
        values={"target": target, "seq": seq, "reason": reason, "count": count},
        text=both(key, target=target, seq=seq, reason=reason, count=count),
    )


def client_id_taken(target: str, at: Instant) -> Event:
    """Another client keeps coming to a platform with our id."""
    return Event(
        id=_id("client_id_taken", at, target),
        type="client_id_taken",
        severity="warning",
        at=at,
        values={"target": target},
        text=both("event.client_id_taken", target=target),
    )


def client_id_free(raised: Event, at: Instant) -> Event:
    """Our connection to the platform lasts again."""
    return Event(
        id=raised.id,
        type=raised.type,
        severity=raised.severity,
        state="cleared",
        at=raised.at,
        until=at,
        values=raised.values,
        text=both("event.client_id_free", target=raised.values["target"]),
    )


def link_unsafe(target: str, cause: str, reason: str, at: Instant) -> Event:
    """Certificates, a secret or the clock keep us from a platform."""
    return Event(
        id=_id("link_unsafe", at, f"{target}:{cause}"),
        type="link_unsafe",
        severity="alarm",
        at=at,
        values={"target": target, "cause": cause},
        text=both("event.link_unsafe", target=target, reason=reason),
    )


def link_safe(raised: Event, at: Instant) -> Event:
    """We are connected, so that cause is gone."""
    return Event(
        id=raised.id,
        type=raised.type,
        severity=raised.severity,
        state="cleared",
        at=raised.at,
        until=at,
        values=raised.values,
        text=both("event.link_safe", target=raised.values["target"]),
    )


def plaintext(target: str, at: Instant) -> Event:
    """Records cross a network unencrypted, as the site file accepts."""
    return Event(
        id=_id("plaintext", at, target),
        type="plaintext",
        severity="warning",
        at=at,
        values={"target": target},
        text=both("event.plaintext", target=target),
    )


def span(ms: int) -> str:
    """A duration as people say it: ``40 s``, ``12 min``."""
    seconds = ms // 1000
    return f"{seconds} s" if seconds < _LONG_S else f"{seconds // 60} min"


def _id(kind: str, at: Instant, name: str = "") -> str:
    return ":".join(part for part in (kind, name, at.boot, str(at.mono_ms)) if part)

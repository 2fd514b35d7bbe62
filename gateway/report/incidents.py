"""Why something is missing, and who worked on it: gaps and declared windows, pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gateway.judge.windows import TYPE as DECLARED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_STOPPED = "stopped"


class GapLine(msgspec.Struct, frozen=True):
    """A time in which points were not asked."""

    since_ms: int
    until_ms: int
    device: str
    factors: tuple[str, ...]
    cause: str
    """As in ``reason.*`` of the catalogue."""
    slots: int
    open: bool = False
    """It has not ended yet, as far as is known."""
    certain: bool = True


class Declared(msgspec.Struct, frozen=True):
    """A time in which somebody said that a device is worked on, or stands still."""

    since_ms: int
    until_ms: int | None
    """None: it has not ended yet, as far as is known."""
    device: str
    state: str
    who: str
    why: str
    by: str = ""
    """Who ended it, if anybody did."""


class Happened(msgspec.Struct, frozen=True):
    """Another event of a device, in both languages."""

    t_ms: int
    until_ms: int | None
    device: str
    type: str
    severity: str
    text: dict[str, str]


def gaps(
    events: Iterable[Mapping[str, Any]],
    fed: Mapping[tuple[str, str], Collection[str]],
    since_ms: int,
    until_ms: int,
) -> list[GapLine]:
    """Gaps of a time, each once, ascending.

    Args:
        events: As they were told, with ``kind``: an open gap many times.
        fed: (device, point) -> the factors it feeds.
        since_ms: Begin of the time.
        until_ms: Its end.
    """
    longest: dict[tuple[str, tuple[str, ...], int], Mapping[str, Any]] = {}
    for event in events:
        if event.get("kind") == "gap":
            key = event["device"], tuple(event["points"]), event["t"]
            if event["until"] >= longest.get(key, event)["until"]:
                longest[key] = event
    found = []
    for event in longest.values():
        factors = _factors(event["device"], event["points"], fed)
        if factors and event["t"] < until_ms and event["until"] > since_ms:
            found.append(
                GapLine(
                    event["t"],
                    event["until"],
                    event["device"],
                    factors,
                    event["cause"],
                    event["slots"],
                    event.get("open", False),
                    event.get("certain", True),
                )
            )
    return sorted(found, key=lambda gap: (gap.since_ms, gap.device, gap.factors))


def declared(
    events: Iterable[Mapping[str, Any]], since_ms: int, until_ms: int
) -> list[Declared]:
    """Windows that people declared and that touch a time, each once, ascending."""
    windows: dict[str, Declared] = {}
    for event in events:
        if event.get("kind") != "event" or event.get("type") != DECLARED:
            continue
        cleared = event.get("state") == "cleared"
        if not cleared and event["id"] in windows:
            continue
        values = event.get("values", {})
        windows[event["id"]] = Declared(
            event["t"],
            event.get("until") if cleared else None,
            event.get("device", ""),
            str(values.get("state", "")),
            str(values.get("who", "")),
            str(values.get("why", "")),
            str(values.get("by", "")),
        )
    return sorted(
        (
            w
            for w in windows.values()
            if w.since_ms < until_ms and (w.until_ms is None or w.until_ms > since_ms)
        ),
        key=lambda window: (window.since_ms, window.device),
    )


def stops(
    windows: Iterable[Declared], device: str, now_ms: int
) -> list[tuple[int, int]]:
    """When a device was declared to stand still, UTC ms."""
    return [
        (one.since_ms, now_ms if one.until_ms is None else one.until_ms)
        for one in windows
        if one.device == device and one.state == _STOPPED
    ]


def others(
    events: Iterable[Mapping[str, Any]], since_ms: int, until_ms: int
) -> list[Happened]:
    """What else was told of the devices in a time, each event once, ascending."""
    found: dict[str, Happened] = {}
    for event in events:
        if event.get("kind") != "event" or event.get("type") == DECLARED:
            continue
        begun, ended = event["t"], event.get("until")
        if begun < until_ms and (ended or begun) >= since_ms:
            known = found.get(event["id"])
            if known is None or known.until_ms is None:
                found[event["id"]] = Happened(
                    begun,
                    ended,
                    event.get("device", ""),
                    event["type"],
                    event.get("severity", "info"),
                    dict(event.get("text", {})),
                )
    return sorted(found.values(), key=lambda one: (one.t_ms, one.device, one.type))


def _factors(
    device: str,
    points: Iterable[str],
    fed: Mapping[tuple[str, str], Collection[str]],
) -> tuple[str, ...]:
    wanted = set(points)
    return tuple(
        factor
        for (whose, point), names in fed.items()
        if whose == device and (point in wanted or "*" in wanted)
        for factor in names
    )

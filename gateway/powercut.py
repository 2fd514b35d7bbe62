"""The slots that passed while the gateway was not running are one gap a device.

How long it was away is known from what the store noted last; whether it was stopped on
purpose from how the store was left.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec

from gateway.clock import Instant
from gateway.record import Gap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buffer import Buffer
    from gateway.config.model import Site


class Before(msgspec.Struct, frozen=True):
    """The end of the run before this one."""

    cause: Literal["maintenance", "power_off"]
    last: Instant
    """When it was known to run."""


def before(buffer: Buffer, now: Instant) -> Before | None:
    """How and when the run before ended; None for a new store or a clock set back."""
    last_ms, clean = getattr(buffer, "last_run", (None, False))
    if last_ms is None:
        return None
    away_ms = now.wall_ms - last_ms
    if away_ms < 0:
        return None
    # On the scale of this boot, so that an untrusted clock's dates can be corrected
    # together with this boot's others; before its start the scale goes below zero.
    last = Instant(last_ms, now.mono_ms - away_ms, now.boot, now.trusted)
    return Before("maintenance" if clean else "power_off", last)


def gaps(site: Site, ended: Before, now: Instant) -> Iterator[Gap]:
    """One gap for each device and period that had slots in between."""
    away_s = (now.wall_ms - ended.last.wall_ms) / 1000
    for device in site.devices.values():
        groups: dict[float, list[str]] = {}
        for point in device.points:
            groups.setdefault(point.every_s or device.every_s, []).append(point.name)
        for every_s, names in sorted(groups.items()):
            slots = math.floor(away_s / every_s)
            if slots:
                covers = ("*",) if len(groups) == 1 else tuple(names)
                yield Gap(device.name, covers, ended.last, now, slots, ended.cause)

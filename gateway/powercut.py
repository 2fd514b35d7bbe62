"""The slots that passed while the gateway was not running are one gap a device.

How long it was away is known from what the store noted last; whether it was stopped on
purpose from how the store was left.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec

from buffer.lastrun import LastRun
from gateway.clock import Instant
from gateway.record import Gap
from gateway.schedule import Place, phase_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.model import Device, Site


Cause = Literal["maintenance", "power_off"]


WORTH_TELLING_MS = 500
"""The clock was wrong by less: what was told at the start stands."""


class Before(msgspec.Struct, frozen=True):
    """The end of the run before this one."""

    cause: Cause
    last: Instant | None
    """When it was known to run; None: the clock was set back since, nobody can tell
    how long ago that is."""


LAST_POLL = "last_poll"
"""The note in the store that says when a clean stop ended the polls, UTC ms: closing
the store takes a moment longer, and whose slots those are must be said, too."""


def before(
    ended: LastRun | None, now: Instant, last_poll: bytes | None = None
) -> Before | None:
    """How and when the run before ended; None for a new store.

    Args:
        ended: From the store.
        now: The start of this run.
        last_poll: What was noted under ``LAST_POLL``.
    """
    if ended is None:
        return None
    if ended.clean and last_poll:
        ended = LastRun(min(int(last_poll), ended.wall_ms), clean=True)
    cause: Cause = "maintenance" if ended.clean else "power_off"
    if ended.wall_ms > now.wall_ms:
        return Before(cause, None)
    # On the scale of this boot, so that an untrusted clock's dates can be corrected
    # together with this boot's others; before its start the scale goes below zero.
    away_ms = now.wall_ms - ended.wall_ms
    last = Instant(ended.wall_ms, now.mono_ms - away_ms, now.boot, now.trusted)
    return Before(cause, last)


def gaps(site: Site, ended: Before, now: Instant) -> Iterator[Gap]:
    """One gap for each device and period that had slots in between.

    Counted on the grid itself: the time away by the period is one too few as often as
    not. The first poll of the new run is a slot of its own.
    """
    if ended.last is None:
        return
    since_s, until_s = ended.last.wall_ms / 1000, now.wall_ms / 1000
    for number, bus in enumerate(site.buses):
        devices = [d for d in site.devices.values() if d.bus == bus]
        for turn, device in enumerate(devices):
            place = Place(site.gateway, number, len(site.buses), turn, len(devices))
            for covers, every_s in _groups(device):
                phase = phase_s(every_s, place)
                slots = _places(every_s, phase, since_s, until_s)
                if slots:
                    yield Gap(device.name, covers, ended.last, now, slots, ended.cause)


def gaps_known_later(
    site: Site,
    ended: LastRun | None,
    last_poll: bytes | None,
    started: Instant,
    now: Instant,
) -> Iterator[Gap]:
    """The same gaps told again, by a clock that is right at last.

    A machine without a battery for its clock wakes up with the time it noted last:
    hours without power look like seconds then, or like none.

    Args:
        site: What ran from the start on.
        ended: From the store.
        last_poll: See ``before``.
        started: The start of this run, as its clock said then.
        now: An instant of the trusted clock, of the same boot.
    """
    start_ms = now.wall_ms - (now.mono_ms - started.mono_ms)
    if abs(start_ms - started.wall_ms) < WORTH_TELLING_MS:
        return
    start = Instant(start_ms, started.mono_ms, started.boot, now.trusted)
    known = before(ended, start, last_poll)
    if known is not None:
        yield from gaps(site, known, start)


def left_open(note: bytes | None, site: Site, ended: Before) -> Iterator[Gap]:
    """Gaps that a kill left open end where the run ended.

    Args:
        note: What the recorder remembered of them.
        site: Tells the periods; slots of a device that is gone stay as last told.
        ended: The end of that run; where its time is not known, they end as told.
    """
    last_ms = 0 if ended.last is None else ended.last.wall_ms
    for gap in msgspec.json.decode(note, type=list[Gap]) if note else ():
        until_ms = max(last_ms, gap.until.wall_ms)
        slots = gap.slots
        device = site.devices.get(gap.device)
        for covers, every_s in _groups(device) if device else ():
            if covers == gap.points:
                away_s = (until_ms - gap.since.wall_ms) / 1000
                slots = max(slots, math.ceil(away_s / every_s))
        moved_ms = until_ms - gap.until.wall_ms
        until = msgspec.structs.replace(
            gap.until, wall_ms=until_ms, mono_ms=gap.until.mono_ms + moved_ms
        )
        yield msgspec.structs.replace(gap, until=until, slots=slots, open=False)


def _places(every_s: float, phase: float, since_s: float, until_s: float) -> int:
    """Places of a job's grid between two wall times: ``since <= place < until``.

    Args:
        every_s: Period in seconds.
        phase: Seconds, see ``phase_s``.
        since_s: Wall clock, seconds.
        until_s: The same.
    """
    before = math.ceil((since_s - phase) / every_s - 1e-9)
    return max(0, math.ceil((until_s - phase) / every_s - 1e-9) - before)


def _groups(device: Device) -> Iterator[tuple[tuple[str, ...], float]]:
    """What a gap of each job names, and its period; see ``BusWorker``."""
    groups: dict[float, list[str]] = {}
    for point in device.points:
        groups.setdefault(point.every_s or device.every_s, []).append(point.name)
    for every_s, names in sorted(groups.items()):
        yield ("*",) if len(groups) == 1 else tuple(names), every_s

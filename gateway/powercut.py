"""The slots that passed while the gateway was not running are one gap a device.

How long it was away is known from what the store noted last; whether it was stopped on
purpose from how the store was left. Both ends are instants like any other: a machine
without a battery for its clock wakes up with the time it noted last, and hours without
power look like seconds then, or like none. So the gap is told when both can be dated,
which may be several boots later (``AWAY``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec

from gateway.clock import Instant
from gateway.periods import lines, moved
from gateway.record import Gap
from gateway.release import RELEASED_MS
from gateway.standing import Resume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.model import Site
    from gateway.record import When


Cause = Literal["maintenance", "power_off"]

LAST_POLL = "last_poll"
"""The note in the store that says when a clean stop ended the polls, on the store's
clock: closing the store takes a moment longer, and whose slots those are must be
said, too."""
AWAY = "away"
"""The note in the store of the times away that nobody can tell yet."""
_MAX_AWAY = 64


class Before(msgspec.Struct, frozen=True):
    """The end of the run before this one."""

    cause: Cause
    last: Instant | None
    """When it was known to run; None: nobody can tell."""


class Away(msgspec.Struct, frozen=True, array_like=True):
    """From the end of one run to the start of the next."""

    cause: Cause
    last: Instant
    start: Instant
    lines: list[Resume] | None = None
    """What would have been polled, see ``gateway.standing``; None: as the site says."""


def untold(note: bytes | None) -> list[Away]:
    """What an earlier run noted under ``AWAY``; what cannot be read is dropped."""
    try:
        return msgspec.msgpack.decode(note, type=list[Away]) if note else []
    except msgspec.MsgspecError:
        return []


def noted(away: list[Away]) -> bytes | None:
    """The note of what is left to tell."""
    return msgspec.msgpack.encode(away[-_MAX_AWAY:]) if away else None


def known(untold: list[Away], site: Site, when: When) -> tuple[list[Gap], list[Away]]:
    """What can be told now of times away, and which cannot.

    Args:
        untold: From when to when.
        site: What would have been polled.
        when: Dates instants of untrusted clocks.
    """
    found: list[Gap] = []
    left = []
    for away in untold:
        since, until = _utc_ms(away.last, when), _utc_ms(away.start, when)
        if since is None or until is None:
            left.append(away)
        elif since >= RELEASED_MS:  # else of a boot long forgotten: nobody can tell
            found.extend(gaps(site, away, since, until))
    return found, left


def gaps(site: Site, away: Away, since_ms: int, until_ms: int) -> Iterator[Gap]:
    """One gap for each device and period that had slots in between.

    The first poll of the new run is a slot of its own.

    Args:
        site: What would have been polled.
        away: Between these instants,
        since_ms: which were then, UTC ms,
        until_ms: and then.
    """
    resumes = away.lines
    if resumes is None:
        resumes = [Resume(line, 0, certain=False) for line in lines(site)]
    for resume in resumes:
        line = resume.line
        first_ms, slots = line.places(since_ms + resume.offset_ms, until_ms)
        if slots:
            yield Gap(
                line.device,
                line.covers,
                moved(away.last, first_ms - since_ms),
                away.start,
                slots,
                away.cause,
                every_ms=line.every_ms,
                certain=resume.certain,
            )


def _utc_ms(at: Instant, when: When) -> int | None:
    if at.trusted:
        return at.wall_ms
    dated = when(at)
    return None if dated is None else dated.t


def left_open(note: bytes | None, ended: Before) -> Iterator[Gap]:
    """Gaps that a kill left open end where the run ended.

    Args:
        note: What the recorder remembered of them.
        ended: The end of that run; where its time is not known, they end as told.
    """
    for gap in msgspec.json.decode(note, type=list[Gap]) if note else ():
        # By the monotonic clock, which no step of the other one moves.
        passed_ms = 0
        if ended.last is not None and ended.last.boot == gap.until.boot:
            passed_ms = max(0, ended.last.mono_ms - gap.until.mono_ms)
        until = moved(gap.until, passed_ms)
        slots = gap.slots
        if gap.every_ms and until.boot == gap.since.boot:
            away_ms = until.mono_ms - gap.since.mono_ms
            slots = max(slots, math.ceil(away_ms / gap.every_ms))
        yield msgspec.structs.replace(gap, until=until, slots=slots, open=False)

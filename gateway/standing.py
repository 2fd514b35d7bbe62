"""How far each line of slots was settled when a run ended, for the run after it.

A note in the store (``LINES``) lists the lines in force, because the site file may be
another by the next start. It is written when they change, and at a clean stop, then
with the slot at which each line goes on. A kill leaves only the last sign of life on
the disk, from up to a minute before:

    clean stop       the line goes on at its next slot               certain
    kill, gap open   ... where the gap is closed now                 not certain
    kill             ... ``DOUBT_S`` before the last sign of life     not certain

Of what is not certain the platform takes out the slots of which it holds a scan or
another gap: the gateway cannot know what was asked and delivered in the last moments,
and a slot that nobody accounts for is worse than one stated with a doubt.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import msgspec

from gateway.clock import Instant
from gateway.periods import Line
from gateway.record import Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gateway.periods import Key

LINES = "lines"
"""The note."""
DOUBT_S = 5.0
"""A busy bus may ask so late; a slower line may have one slot open."""


class Stand(msgspec.Struct, frozen=True, array_like=True):
    """A line and, after a clean stop, where it goes on."""

    line: Line
    due_ms: int | None = None
    """Its next slot, in milliseconds after the stop."""


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """The note's content."""

    started: Instant
    """When the run began: nothing of it is older."""
    stands: list[Stand]

    def points(self) -> dict[str, int]:
        """How many points each device had."""
        found: dict[str, int] = {}
        for stand in self.stands:
            device = stand.line.device
            found[device] = found.get(device, 0) + stand.line.points
        return found


class Resume(msgspec.Struct, frozen=True, array_like=True):
    """Where the time away begins for one line."""

    line: Line
    offset_ms: int
    """In milliseconds after the end of the run before."""
    certain: bool


def standing(
    started: Instant,
    lines: Iterable[Line],
    due: Mapping[Key, Instant] | None = None,
    now: Instant | None = None,
) -> bytes:
    """The note.

    Args:
        started: When this run began.
        lines: In force.
        due: At a clean stop: the next slot of each.
        now: And when that is.
    """
    stands = []
    for line in lines:
        moment = (due or {}).get(line.key)
        after = None if moment is None or now is None else moment.mono_ms - now.mono_ms
        stands.append(Stand(line, after))
    return zlib.compress(msgspec.msgpack.encode(Standing(started, stands)))


def read(note: bytes | None) -> Standing | None:
    """Back from the note; None where there is none that can be read."""
    try:
        return msgspec.msgpack.decode(zlib.decompress(note or b""), type=Standing)
    except (zlib.error, msgspec.MsgspecError):
        return None


def resume(
    before: Standing, last: Instant, closed: Iterable[Gap], *, clean: bool
) -> Iterator[Resume]:
    """Where each line goes on after a run that ended.

    Args:
        before: Its note.
        last: When it ended, or was alive for the last time.
        closed: Gaps it left open, ended now.
        clean: It was stopped, not killed.
    """
    settled = {
        (gap.device, gap.points): gap.since.mono_ms + gap.slots * gap.every_ms
        for gap in closed
        if gap.every_ms and gap.since.boot == last.boot
    }
    began = before.started
    lived_ms = last.mono_ms - began.mono_ms if began.boot == last.boot else None
    for stand in before.stands:
        line, due_ms = stand.line, stand.due_ms
        if clean and due_ms is not None:
            yield Resume(line, due_ms, certain=True)
        elif line.key in settled:
            yield Resume(line, settled[line.key] - last.mono_ms, certain=False)
        else:
            doubt_ms = 0 if clean else round(1000 * max(line.every_s, DOUBT_S))
            if lived_ms is not None:
                doubt_ms = max(0, min(doubt_ms, lived_ms))
            yield Resume(line, -doubt_ms, certain=False)


def ends(before: Iterable[Line], after: Iterable[Line], at: Instant) -> Iterator[Gap]:
    """What says that a line ended while nobody ran: a gap of no slots.

    Args:
        before: The lines until now.
        after: The lines from now on.
        at: Now.
    """
    kept, devices = set(), set()
    for line in after:
        kept.add((line.device, line.every_s))
        devices.add(line.device)
    for line in before:
        if (line.device, line.every_s) not in kept:
            cause = "changed" if line.device in devices else "removed"
            points, every_ms = line.covers, line.every_ms
            yield Gap(line.device, points, at, at, 0, cause, every_ms=every_ms)

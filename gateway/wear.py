"""How much this process writes to the disk in a day, and how long a card lasts at that.

An estimate, and said to be one: a memory card tells nobody how worn it is. What counts
is what the kernel sent to the block device for us (``write_bytes`` of /proc/self/io,
proc(5)), which holds page granularity but neither the file system's journal nor what
other programs write. The card's endurance is what the site file says; else it is
assumed that every place can be written ``CYCLES`` times and that the card's own
housekeeping multiplies small synchronous writes by ``AMPLIFICATION``.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

import msgspec

DAY_S = 86_400.0
WINDOW_S = DAY_S
STEP_S = 600.0
"""A reading in so many seconds is kept: 144 for a day."""
CYCLES = 500
"""Of cheap TLC cards; industrial ones state 3,000 and more."""
AMPLIFICATION = 4
"""Flash is erased in blocks of megabytes and programmed in pages of 8 to 16 kB, so a
flush of 4 kB costs several times that."""
_YEAR_DAYS = 365.25


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The disk that holds the data folder."""

    state: str = "ok"
    """``ok`` or ``degraded:disk``."""
    free: int | None = None
    bytes_per_day: int | None = None
    """Written by the gateway, over the last day; None in the first ten minutes, and
    where nothing can be known."""
    life_years: float | None = None
    """How long the card lasts at that, if nothing else writes to it."""
    endurance: int | None = None
    """Bytes it is taken to bear."""
    assumed: bool = True
    """Nobody said so: it follows from its size."""


class Wear:
    """Readings of one counter of bytes over a sliding day."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, int]] = deque()
        self._last = (0.0, 0)

    def look(self, now_s: float, written: int) -> None:
        """Take a reading.

        Args:
            now_s: Monotonic.
            written: Bytes since the start of the process.
        """
        kept = self._kept
        if kept and written < kept[-1][1]:
            kept.clear()  # not the same counter any more
        if not kept or now_s - kept[-1][0] >= STEP_S:
            kept.append((now_s, written))
        while now_s - kept[0][0] > WINDOW_S + STEP_S:
            kept.popleft()
        self._last = (now_s, written)

    @property
    def bytes_per_day(self) -> int | None:
        """At the rate of the last day, or of as much of one as there was."""
        if not self._kept:
            return None
        since, before = self._kept[0]
        now_s, written = self._last
        if now_s - since < STEP_S:
            return None
        return round((written - before) * DAY_S / (now_s - since))


def assumed_endurance(size: int) -> int:
    """Bytes a card of ``size`` bytes is assumed to bear from us."""
    return size * CYCLES // AMPLIFICATION


def life_years(endurance: int | None, bytes_per_day: int | None) -> float | None:
    """How long ``endurance`` lasts; at most a hundred years, which is no promise."""
    if not endurance or not bytes_per_day:
        return None
    return min(100.0, round(endurance / bytes_per_day / _YEAR_DAYS, 1))


def written(path: Path = Path("/proc/self/io")) -> int | None:
    """Bytes this process caused to be written to block devices since its start.

    Returns:
        None where the kernel does not tell.
    """
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "write_bytes" and value.strip().isdigit():
            return int(value)
    return None

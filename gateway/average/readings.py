"""Readings as they come in: one for each slot of the point that feeds a factor.

    slot = floor((t - phase) / every)      due = slot * every + phase

The grid is the worker's own (``gateway.periods``), so a poll that is late counts in the
slot it was due in, and in that slot's minute. A slot has one reading: of two, as after
a step of the clock or a restart, the earlier one stays. What comes again changes
nothing, and so the order in which readings come does not matter.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.aggregate import Mark  # noqa: TC001 - read by msgspec

EARLY_MS = 25
"""A poll may come so much before its slot: timers, rounding, a clock being slewed."""

Raw = bool | int | float | str


class Reading(NamedTuple):
    """One reading of one factor."""

    t_ms: int
    """When it was acquired, UTC, by a trusted clock."""
    value: Raw | None
    mark: Mark
    sampled_ms: int | None = None
    """When the instrument says it took it."""
    shown_ms: int | None = None
    """When it first said so, where that was before the time it says."""

    @property
    def begun_ms(self) -> int:
        """Since when it stands: a result from the future stands since it was shown."""
        if self.shown_ms is not None:
            return self.shown_ms
        return self.t_ms if self.sampled_ms is None else self.sampled_ms


Slots = dict[int, Reading]
"""Of one factor in one minute, by slot."""


class Inlet:
    """Where the readings of one factor come from, and the grid they come on."""

    __slots__ = ("every_ms", "index", "name", "phase_ms", "point")

    def __init__(
        self, index: int, name: str, point: str, every_ms: int, phase_ms: int
    ) -> None:
        """Of a point.

        Args:
            index: Its place in the station.
            name: Of the factor it feeds.
            point: Its name at its device.
            every_ms: Its period.
            phase_ms: Its slots are due at whole periods plus this.
        """
        self.index = index
        self.name = name
        self.point = point
        self.every_ms = every_ms
        self.phase_ms = phase_ms % every_ms

    def slot(self, t_ms: int) -> int:
        """The slot in whose window a moment lies."""
        return (t_ms + EARLY_MS - self.phase_ms) // self.every_ms

    def due(self, slot: int) -> int:
        """When a slot is due, UTC ms."""
        return slot * self.every_ms + self.phase_ms

    def slots(self, start_ms: int, end_ms: int) -> range:
        """The slots that are due in ``start_ms <= t < end_ms``."""
        first = -((self.phase_ms - start_ms) // self.every_ms)
        end = -((self.phase_ms - end_ms) // self.every_ms)
        return range(first, end)


def keep(slots: Slots, slot: int, reading: Reading) -> bool:
    """Take a reading for its slot.

    Returns:
        Whether it is the slot's now, and was not before.
    """
    there = slots.get(slot)
    if there is not None and _rank(there) <= _rank(reading):
        return False
    slots[slot] = reading
    return True


def _rank(reading: Reading) -> tuple[int, str, str]:
    """Which of two is the slot's: the earlier; then whichever, but always the same."""
    return reading.t_ms, repr(reading.value), reading.mark

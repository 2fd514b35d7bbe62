"""When the run before this one was alive for the last time, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from buffer.mark import Mark

if TYPE_CHECKING:
    from pathlib import Path


class LastRun(msgspec.Struct, frozen=True):
    """The end of the run before, as far as the mark tells."""

    wall_ms: int
    """What the wall clock said then: the clean stop, else the last commit known. After
    a power cut this may be half a minute early: the hint is not synced."""
    clean: bool


def last_run(folder: Path) -> LastRun | None:
    """Ask before the store is opened: opening begins a new run.

    Returns:
        None for a new store, or one whose mark is damaged.

    Raises:
        BufferTooNewError: A newer release wrote it.
    """
    mark = Mark(folder)
    mark.load()
    slot, hint = mark.slot, mark.hint
    if slot is None:
        return None
    wall_ms = slot.wall_ms
    if not slot.clean and hint is not None and hint.store == slot.store:
        wall_ms = max(wall_ms, hint.wall_ms)
    return LastRun(wall_ms, slot.clean)

"""When the run before this one was alive for the last time, and how it ended."""

from __future__ import annotations

import msgspec


class LastRun(msgspec.Struct, frozen=True):
    """The end of the run before, as what it stored tells."""

    wall_ms: int
    """What the wall clock said at the clean stop, else at the last commit that is
    whole: everything acquired before is stored."""
    clean: bool

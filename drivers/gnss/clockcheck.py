"""A receiver's time held against ours: dates that cannot be, and jumps.

A receiver without sky tells the date of its firmware; one whose firmware is old is 1024
weeks behind (the week number of GPS has ten bits). Neither is repaired here: the time
is refused, with its reason. A date that is wrong makes the position no worse. A time
that jumps against the loop's own does: what the receiver says then is of another
moment, or of none, and nothing of it is believed until it has gone evenly again.

Source: IS-GPS-200, 20.3.3.3.1.1 (the week number is counted modulo 1024).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.gnss.epoch import DAY_MS

if TYPE_CHECKING:
    from drivers.gnss.epoch import Epoch

ROLLOVER_MS = 1024 * 7 * DAY_MS
JUMP_MS = 2_000
"""Bytes wait in adapters and networks; a leap second is one second."""
SETTLED = 3
"""Epochs that must go evenly after a jump before a place is believed."""
SETTLED_S = 30.0
"""And so long, before a time is."""
_BACK_MS = 3 * DAY_MS
_YEAR_MS = 365 * DAY_MS
_AHEAD_MS = 5 * _YEAR_MS
"""A date that is a rollover before one up to here is called that; others are not."""
_LAST_MS = 20 * _YEAR_MS


def date_flaw(utc_ms: int, past_ms: int) -> str:
    """Why a date cannot be; empty: it can.

    Args:
        utc_ms: What the receiver says.
        past_ms: A moment that is certainly past, UTC ms; 0: none is known.
    """
    if not past_ms or past_ms - DAY_MS <= utc_ms < past_ms + _LAST_MS:
        return ""
    for turns in (-1, 1, 2, 3):
        if -_BACK_MS < utc_ms + turns * ROLLOVER_MS - past_ms < _AHEAD_MS:
            return "week_rollover"
    return "impossible_date"


class ClockCheck:
    """Follows one receiver's time."""

    def __init__(self, past_ms: int = 0) -> None:
        """Begin with nothing known.

        Args:
            past_ms: A moment that is certainly past, UTC ms; 0: any date may be.
        """
        self.jumps = 0
        self._past_ms = past_ms
        self._offset_ms: int | None = None
        """Its time minus the loop's."""
        self._dated = False
        self._jumped_s: float | None = None
        self._even = 0
        self._reason = ""

    def judge(self, epoch: Epoch) -> Epoch:
        """The epoch, without what its time makes incredible."""
        if epoch.place is None or epoch.time_flaw == "unconfirmed":
            return epoch
        self._follow(epoch)
        flaw = self._reason if self._even < SETTLED else ""
        time_flaw = epoch.time_flaw or flaw
        if not time_flaw and epoch.utc_ms is not None:
            time_flaw = date_flaw(epoch.utc_ms, self._past_ms)
        if not time_flaw and self._jumped_s is not None:
            if epoch.came_s - self._jumped_s < SETTLED_S:
                time_flaw = self._reason
            else:
                self._jumped_s = None
        if flaw:
            return msgspec.structs.replace(
                epoch, place=None, flaw=flaw, time_flaw=time_flaw
            )
        if time_flaw != epoch.time_flaw:
            return msgspec.structs.replace(epoch, time_flaw=time_flaw)
        return epoch

    def _follow(self, epoch: Epoch) -> None:
        dated = epoch.utc_ms is not None
        told = epoch.utc_ms if epoch.utc_ms is not None else epoch.time_ms
        offset = told - round(1000 * epoch.came_s)
        before, self._offset_ms = self._offset_ms, offset
        if before is None:
            self._even, self._dated = SETTLED, dated
            return
        apart = offset - before
        if not (dated and self._dated):
            # One of the two tells no day: only the time of the day can be compared.
            apart = (apart + DAY_MS // 2) % DAY_MS - DAY_MS // 2
        self._dated = dated
        if abs(apart) <= JUMP_MS:
            self._even += 1
            return
        self.jumps += 1
        self._even = 0
        self._jumped_s = epoch.came_s
        whole = abs(apart) % ROLLOVER_MS
        weeks = min(whole, ROLLOVER_MS - whole) < DAY_MS and abs(apart) > DAY_MS
        self._reason = "week_rollover" if weeks else "time_jump"

"""Nothing is believed on the word of one sentence.

Where bytes are lost, the beginning of one sentence and the end of another may join; the
checksum of NMEA lets one in 256 of those pass, and it looks like any other. So a place
needs two witnesses, and so does a date: two sentences of the epoch, or one and an
epoch before or after it that fits. A receiver that sends one sentence with a position
is therefore believed one epoch later at first, and at once from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.gnss.epoch import DAY_MS, distance_m

if TYPE_CHECKING:
    from drivers.gnss.epoch import Epoch

NEAR_MS = 5_000
"""How far from each other two epochs may be to bear each other's place out."""
DATED_MS = 600_000
"""And each other's date."""
_FASTEST_MS = 100.0
"""Metres a second; what dates each other must be one journey."""
_SLACK_M = 15.0
_SLACK_MS = 2.5
"""Metres a second that a receiver may have gained beside the larger of the two speeds
it told: one that stands is borne out within 30 m, whatever joined."""
_ENOUGH = 2


class Witnesses:
    """Lets through what is borne out; the rest as unconfirmed."""

    def __init__(self) -> None:
        self._before: Epoch | None = None
        """The last that was believed."""
        self._waiting: Epoch | None = None

    def hear(self, epoch: Epoch) -> list[Epoch]:
        """Take the next epoch; those of which it is now clear what they are worth."""
        settled: list[Epoch] = []
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            if bears_out(waiting, waiting, epoch):
                self._before = waiting
                settled.append(waiting)
            else:
                settled.append(_unconfirmed(waiting))
        if epoch.place is None:
            settled.append(epoch)
        elif bears_out(epoch, self._before, epoch):
            self._before = epoch
            settled.append(epoch)
        else:
            self._waiting = epoch
        return settled

    def end(self) -> list[Epoch]:
        """No epoch follows."""
        waiting, self._waiting = self._waiting, None
        return [] if waiting is None else [_unconfirmed(waiting)]


def bears_out(asked: Epoch, earlier: Epoch | None, later: Epoch) -> bool:
    """Whether what ``asked`` says alone fits its neighbour.

    Args:
        asked: Either of the two.
        earlier: None: there is none.
        later: The next one.
    """
    place = asked.place_witnesses >= _ENOUGH
    date = asked.utc_ms is None or asked.date_witnesses >= _ENOUGH
    if place and date:
        return True
    if earlier is None or earlier.place is None or later.place is None:
        return False
    return (place or _near(earlier, later)) and (date or _dated(earlier, later))


def _near(earlier: Epoch, later: Epoch) -> bool:
    apart_ms = (later.time_ms - earlier.time_ms) % DAY_MS
    if earlier.utc_ms is not None and later.utc_ms is not None:
        apart_ms = later.utc_ms - earlier.utc_ms
    if not 0 < apart_ms <= NEAR_MS:
        return False
    assert earlier.place is not None  # noqa: S101 - the caller looked
    assert later.place is not None  # noqa: S101
    speed = max(earlier.speed_ms or 0.0, later.speed_ms or 0.0)
    reach = _SLACK_M + (speed + _SLACK_MS) * apart_ms / 1000
    return distance_m(earlier.place, later.place) <= reach


def _dated(earlier: Epoch, later: Epoch) -> bool:
    if earlier.utc_ms is None or later.utc_ms is None:
        return False
    assert earlier.place is not None  # noqa: S101 - as above
    assert later.place is not None  # noqa: S101
    apart_ms = later.utc_ms - earlier.utc_ms
    reach = _SLACK_M + _FASTEST_MS * apart_ms / 1000
    return 0 < apart_ms <= DATED_MS and (
        distance_m(earlier.place, later.place) <= reach
    )


def _unconfirmed(epoch: Epoch) -> Epoch:
    return msgspec.structs.replace(
        epoch, place=None, flaw="unconfirmed", time_flaw="unconfirmed"
    )

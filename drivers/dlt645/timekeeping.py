"""When the clocks of a line's meters may be set by broadcast. Pure.

A broadcast reaches every meter on the line, nobody confirms it, and it alters billing
meters. So it is sent only where the site file says ``broadcast_time: true``, and then
only if all of this holds:

* our own clock is trusted;
* it was not sent today, and midnight is more than five minutes away on either side;
* the clock of every configured meter of the line was read today, and each is right
  within five minutes: a meter that is further off needs a person;
* at least one is off by ten seconds: otherwise there is nothing to gain.

Source: the rules of DL/T 645-2007 by descriptions of its text.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

MOST_ERROR_S = 300.0
WORTH_S = 10.0
NEAR_MIDNIGHT = timedelta(minutes=5)
CHINA = timezone(timedelta(hours=8))
"""The legal time of all China, which meters there keep; no summer time since 1992."""


def near_midnight(at: datetime) -> bool:
    """Whether a day begins or ends within five minutes."""
    passed = at - datetime.combine(at.date(), time())
    return not NEAR_MIDNIGHT < passed < timedelta(days=1) - NEAR_MIDNIGHT


def local_time(utc_ms: int) -> datetime:
    """What a meter's clock should show, without a zone."""
    return datetime.fromtimestamp(utc_ms / 1000, CHINA).replace(tzinfo=None)


def broadcast_data(at: datetime) -> bytes:
    """The six bytes of a time: seconds first, BCD."""
    return bytes.fromhex(at.strftime("%y%m%d%H%M%S"))[::-1]


class TimeKeeper:
    """What is known of the clocks of one line; local times without a zone."""

    def __init__(self) -> None:
        self.meters: set[str] = set()
        """Whose clocks have to be known."""
        self.errors: dict[str, float] = {}
        """Seconds that each meter was ahead when it was read today."""
        self._day = date.min
        self._sent_on = date.min

    def wants(self, meter: str, at: datetime) -> bool:
        """Whether this meter's clock should be read now."""
        self._turn(at)
        return (
            meter not in self.errors
            and self._sent_on != at.date()
            and not near_midnight(at)
        )

    def saw(self, meter: str, error_s: float, at: datetime) -> None:
        """A meter's clock was read."""
        self._turn(at)
        self.errors[meter] = error_s

    def due(self, at: datetime) -> bool:
        """Whether the time may, and should, be sent now."""
        self._turn(at)
        known = self.meters and self.meters <= self.errors.keys()
        if not known or self._sent_on == at.date() or near_midnight(at):
            return False
        off = [abs(error) for error in self.errors.values()]
        return max(off) <= MOST_ERROR_S and max(off) >= WORTH_S

    def sent(self, at: datetime) -> None:
        """The time was sent."""
        self._sent_on = at.date()

    def _turn(self, at: datetime) -> None:
        if at.date() != self._day:
            self._day = at.date()
            self.errors.clear()

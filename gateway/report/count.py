"""Expected, acquired, valid, sent and proved periods of one factor, and their rates.

    expected   periods that are over, but where the factor stood still: all of it lies
               in a declared stop, or it is marked so, or each of its parts is
    acquired   of them, those with a value
    valid      of them, those that count: their mark is valid
    sent       of them, those that were written to the platform
    proved     of them, those that the platform said it has

    transmission rate = proved / expected
    validity rate     = valid and proved / proved
    effective rate    = transmission rate x validity rate

A period of which there is no record at all was expected, and nothing else.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.history import Shown, ShownPeriod


class Counts(msgspec.Struct, frozen=True):
    """Periods of one factor."""

    expected: int = 0
    acquired: int = 0
    valid: int = 0
    sent: int = 0
    proved: int = 0
    valid_proved: int = 0
    stopped: int = 0
    """Not expected: the facility was declared stopped."""

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Counts(*(a + b for a, b in zip(mine, theirs, strict=True)))

    @property
    def transmission(self) -> Fraction | None:
        """Proved of the expected; None: none was expected."""
        return _share(self.proved, self.expected)

    @property
    def validity(self) -> Fraction | None:
        """Valid of the proved; None: none was proved."""
        return _share(self.valid_proved, self.proved)

    @property
    def effective(self) -> Fraction | None:
        """Their product."""
        if self.transmission is None:
            return None
        return self.transmission * (self.validity or 0)


Fate = Literal["sent", "written", "proved"]


def count(
    due: Iterable[int],
    periods: Mapping[int, ShownPeriod],
    fates: Mapping[tuple[int, int], str],
    factor: str,
    *,
    length_ms: int = 0,
    stops: Sequence[tuple[int, int]] = (),
) -> Counts:
    """Count the periods of one factor.

    Args:
        due: Starts of the periods that are over, UTC ms.
        periods: Those there are, newest revision, by start.
        fates: What became of each revision.
        factor: Its name in the station.
        length_ms: Of a period.
        stops: When it was declared to stand still, UTC ms.
    """
    expected = acquired = valid = sent = proved = both = stopped = 0
    for t in due:
        period = periods.get(t)
        one = period.agg.get(factor) if period else None
        declared = any(a <= t and t + length_ms <= b for a, b in stops)
        if declared or (one is not None and _stood_still(one)):
            stopped += 1
            continue
        expected += 1
        if period is None or one is None:
            continue
        fate = fates.get((t, period.rev))
        counts = one.mark == "valid"
        acquired += one.avg is not None or one.cou is not None
        valid += counts
        sent += fate is not None
        proved += fate == "proved"
        both += counts and fate == "proved"
    return Counts(expected, acquired, valid, sent, proved, both, stopped)


def _stood_still(one: Shown) -> bool:
    # The rule of 2017 for flue gas makes a fault of an hour that has no valid minutes.
    return one.mark == "stopped" or 0 < one.of <= one.marks.get("stopped", 0)


def percent(share: Fraction | None, missing: str = "-") -> str:
    """A rate as people write it: two decimals, never rounded up to 100."""
    if share is None:
        return missing
    hundredths = share * 10_000
    shown = round(hundredths)
    if share < 1:
        shown = min(shown, 9_999)
    return f"{shown // 100}.{shown % 100:02d} %"


def _share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None

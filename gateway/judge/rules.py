"""Rules: which good readings are doubted all the same. Pure.

    above, below   beyond what the point can measure
    jump           differs by too much from every reading in the time before: a new
                   level is believed once that time has passed, a spike never
    constant       the same for too long: from when that is known, never dated back
    stale_result   the instrument took it too long ago, or does not say when
    clock_unknown  our clock was not trusted

Only readings that are GOOD, of an instrument in its normal state, are looked at: what
it shows in calibration is no measure for what comes after. No value is changed.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, cast

import msgspec

from drivers.values import Flaw, Quality
from gateway.clock import Instant
from gateway.judge.times import passed_ms
from gateway.judge.watch import kept_number

if TYPE_CHECKING:
    from gateway.config.flagging import Rules

Doubt = Literal[
    "clock_unknown", "stale_result", "above_limit", "below_limit", "jump", "constant"
]
DOUBTS: dict[Doubt, Flaw] = {
    word: Flaw(Quality.UNCERTAIN, word)
    for word in (
        "clock_unknown",
        "stale_result",
        "above_limit",
        "below_limit",
        "jump",
        "constant",
    )
}
_NEAR = 1e-9
_PERIODS = 5
_SHARE = 10
"""A run of equal readings bears a gap of five periods, or a tenth of its rule's time:
a restart is none."""


class Run(msgspec.Struct, frozen=True, array_like=True):
    """Equal readings, one after the other."""

    value: float
    since: Instant
    """The first of them."""
    seen: Instant
    """The last of them."""


class Judged:
    """What is known of one point."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.run: Run | None = None
        self._least: deque[tuple[int, float]] = deque()
        self._most: deque[tuple[int, float]] = deque()
        """Believed readings of the last ``jump_s``; no later one is below (above)."""
        self._jump = float(rules.jump or 0)
        constant_s = rules.constant_s or 0.0
        self._bears_ms = 1000 * max(_PERIODS * rules.every_s, constant_s / _SHARE)

    def doubt(self, value: float, at: Instant, sampled: int | None) -> Doubt | None:
        """Take a good reading.

        Args:
            value: Never changed.
            at: When it was acquired.
            sampled: When the instrument says it took it, UTC ms; None: it does not.

        Returns:
            The first rule that doubts it.
        """
        rules = self.rules
        if type(value) is int:
            value = cast("float", kept_number(value))
        constant = rules.constant_s is not None and self._constant(value, at)
        if not at.trusted and (rules.clock or rules.max_age_s is not None):
            return "clock_unknown"
        if rules.max_age_s is not None and (
            sampled is None or abs(at.wall_ms - sampled) > 1000 * rules.max_age_s
        ):
            return "stale_result"
        if rules.above is not None and value > rules.above:
            return "above_limit"
        if rules.below is not None and value < rules.below:
            return "below_limit"
        if rules.jump is not None and self._jumped(value, at, rules.jump):
            return "jump"
        return "constant" if constant else None

    def forget(self) -> None:
        """The instrument measured something else meanwhile."""
        self.run = None
        self._least.clear()
        self._most.clear()

    def _constant(self, value: float, at: Instant) -> bool:
        run, limit_s = self.run, self.rules.constant_s
        if run is None or value != run.value or limit_s is None:
            self.run = Run(value, at, at)
            return False
        lasted, paused = passed_ms(run.since, at), passed_ms(run.seen, at)
        if lasted is None or paused is None or paused > self._bears_ms:
            self.run = Run(value, at, at)
            return False
        self.run = Run(value, run.since, at)
        return lasted >= 1000 * limit_s

    def _jumped(self, value: float, at: Instant, limit: Fraction) -> bool:
        """Only what is believed is compared with: a spike moves nothing."""
        now, oldest = at.mono_ms, at.mono_ms - 1000 * self.rules.jump_s
        for kept in (self._least, self._most):
            while kept and kept[0][0] < oldest:
                kept.popleft()
        if self._least and (
            _apart(value, self._least[0][1], self._jump, limit)
            or _apart(self._most[0][1], value, self._jump, limit)
        ):
            return True
        while self._least and self._least[-1][1] >= value:
            self._least.pop()
        self._least.append((now, value))
        while self._most and self._most[-1][1] <= value:
            self._most.pop()
        self._most.append((now, value))
        return False


def _apart(high: float, low: float, limit: float, exactly: Fraction) -> bool:
    """Whether they differ by more, as people see it: 1.1 - 0.9 is 0.2."""
    apart = high - low
    if 2 * apart < limit:
        return False  # nearly every reading there is
    if abs(apart - limit) > _NEAR * max(1.0, abs(high), abs(low)):
        return apart > limit
    return Fraction(repr(high)) - Fraction(repr(low)) > exactly

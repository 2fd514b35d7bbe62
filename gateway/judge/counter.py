"""Counters: which step is growth, which a rollover, a reset, a jump. Pure.

    reading >= the one before, not too fast     growth: nothing to say
    below it, and the way round is short        rollover
    below it                                    reset (near zero) or backwards
    above it faster than ``max_rate``           forward

Nothing but growth is believed at once: one wrong reading looks like each of the others.
The next good reading decides. It goes on from the odd one: that was the truth, and is
told with its time. It goes on from the one before: then the odd one was a spike.

A difference is the platform's to take: two raw values say it. What they do not say is
where a difference is none: that is told here, as an event. A rollover's increment is
known, and with it the ``total`` since the last jump; of a jump nobody knows how much
was counted, so nothing is added up over it. No value is ever changed.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import msgspec

from gateway.clock import Instant
from gateway.judge.times import passed_ms

if TYPE_CHECKING:
    from drivers.profiles.watches import Counter

Number = int | float
Cause = Literal["rollover", "reset", "backwards", "forward", "spike"]

SHORT_WAY = 10
"""Without ``max_rate``: a rollover goes at most a tenth of the range."""
NEAR_ZERO = 10
"""A reset leaves at most a tenth of what was there."""
SLACK_MS = 1000
"""Polls and the counters behind them are not read at the same moment each time."""


class State(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one counter; an odd reading does not outlive a restart."""

    value: Number | None = None
    at: Instant | None = None
    carried: str = "0"
    """Decimal: what the rollovers since the last jump add to the reading."""
    odd: Number | None = None
    odd_at: Instant | None = None


class Step(msgspec.Struct, frozen=True):
    """Anything but growth."""

    cause: Cause
    before: Number
    after: Number
    at: Instant
    """When the odd reading was taken."""
    seen: Instant
    """When the one before it was taken."""
    increment: Number | None
    """How much was counted in between; None: nobody knows."""
    total: Number | None
    """Of a rollover: the reading, and what all rollovers since the last jump add."""


def step(
    watch: Counter, state: State, value: Number, at: Instant
) -> tuple[State, Step | None]:
    """Take one good reading.

    Args:
        watch: As configured.
        state: What was known before.
        value: The reading.
        at: When it was taken.
    """
    if state.value is None or state.at is None:
        return State(value, at, state.carried), None
    grows = _grows(watch, state.value, value, passed_ms(state.at, at))
    if state.odd is None or state.odd_at is None:
        if grows:
            return State(value, at, state.carried), None
        return State(state.value, state.at, state.carried, value, at), None
    if grows:
        spike = Step(
            "spike", state.value, state.odd, state.odd_at, state.at, None, None
        )
        return State(value, at, state.carried), spike
    if not _grows(watch, state.odd, value, passed_ms(state.odd_at, at)):
        # Two that agree with nothing: the newer one is the candidate now.
        return State(state.value, state.at, state.carried, value, at), None
    return _confirmed(watch, state.value, state.at, state, value, at)


def _confirmed(
    watch: Counter,
    before: Number,
    seen: Instant,
    state: State,
    value: Number,
    at: Instant,
) -> tuple[State, Step]:
    """The odd reading was the truth; ``value`` goes on from it."""
    odd, odd_at = state.odd, state.odd_at
    assert odd is not None  # noqa: S101 - as the caller asked
    assert odd_at is not None  # noqa: S101 - as the caller asked
    cause, increment = _cause(watch, before, odd, passed_ms(seen, odd_at))
    if increment is None:
        return State(value, at), Step(cause, before, odd, odd_at, seen, None, None)
    carried = Decimal(state.carried) + _decimal(before) - _decimal(odd) + increment
    total = _number(carried + _decimal(odd))
    known = _number(increment)
    found = Step(cause, before, odd, odd_at, seen, known, total)
    return State(value, at, str(carried)), found


def _grows(
    watch: Counter, before: Number, after: Number, elapsed_ms: int | None
) -> bool:
    """Whether that is what a counter does all day."""
    if after < before:
        return False
    if watch.max_rate is None or elapsed_ms is None:
        return True
    return _may(watch.max_rate, Fraction(after) - Fraction(before), elapsed_ms)


def _cause(
    watch: Counter, before: Number, after: Number, elapsed_ms: int | None
) -> tuple[Cause, Decimal | None]:
    if after >= before:
        return "forward", None
    if watch.modulus is not None:
        way = Fraction(str(after)) - Fraction(str(before)) + watch.modulus
        if 0 <= way < watch.modulus and _short(watch, way, elapsed_ms):
            increment = Decimal(way.numerator) / Decimal(way.denominator)
            return "rollover", increment
    near_zero = 0 <= after * NEAR_ZERO <= before
    return ("reset" if near_zero else "backwards"), None


def _short(watch: Counter, way: Fraction, elapsed_ms: int | None) -> bool:
    """Whether it can have come round, in that time."""
    assert watch.modulus is not None  # noqa: S101 - as the caller asked
    if watch.max_rate is None or elapsed_ms is None:
        return way * SHORT_WAY <= watch.modulus
    return _may(watch.max_rate, way, elapsed_ms)


def _may(rate: Fraction, way: Fraction, elapsed_ms: int) -> bool:
    return way * 1000 <= rate * (elapsed_ms + SLACK_MS)


def _decimal(value: Number) -> Decimal:
    """As it is written: 0.1 is one tenth."""
    return Decimal(str(value))


def _number(value: Decimal) -> Number:
    whole = value.to_integral_value()
    return int(whole) if whole == value else float(value)

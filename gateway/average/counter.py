"""A counter's total over a period: what it grew by, piece by piece.

    readings   100   103   107     2     5        and the meter was replaced after 107
    increments     3     4    none    3

Which step is growth, a rollover, a reset, a jump or a spike is the judge's to say
(``gateway.judge.counter``): the same function is asked here. Growth counts, and so does
a rollover with a known modulus. Over any other jump nobody knows what was counted: the
pieces before and after it are counted apart, the jump is not, and it is told.

A reading belongs to the period that begins with it or before it, as everywhere, and a
piece to the period of its later reading: an hour's total is its last reading minus the
last one before it. That holds as far as the piece that leads into the period is no
longer than ``slack_ms``. A longer piece (no answer for an hour) lies in the first
period that is long enough to hold it: an hour's total need not be the sum of its
minutes'. Nothing is divided among periods; what was counted while nobody asked over
midnight is in no total.

Source: HJ 212-2017, annex D (difference of the totaliser).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from gateway.factors.number import exact
from gateway.judge import counter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.profiles.watches import Counter
    from gateway.clock import Instant


class Piece(msgspec.Struct, frozen=True):
    """From one reading to the next that is believed."""

    since_ms: int
    until_ms: int
    """UTC."""
    amount: Fraction | None
    """In the counter's unit; None: nobody knows."""
    cause: str = "growth"
    """``growth``, or the judge's word for the step."""


class Counted(msgspec.Struct, frozen=True):
    """One period's share of a counter."""

    total: Fraction | None
    """None: no piece lies in the period."""
    ms: int
    """How much of the time its pieces cover."""
    jumps: tuple[Piece, ...] = ()
    """What is missing in it, and why."""


def advance(
    watch: Counter, state: counter.State, value: counter.Number, at: Instant
) -> tuple[counter.State, tuple[Piece, ...]]:
    """Take one good reading.

    A reading that is no growth is believed once the next one goes on from it; until
    then there is no piece, and what was held back comes with it.

    Args:
        watch: As the point is configured; ``Counter()`` where nothing is.
        state: What was known before.
        value: The reading.
        at: When it was taken, by a trusted clock.
    """
    after, step = counter.step(watch, state, value, at)
    if state.value is None or state.at is None:
        return after, ()
    if step is not None and step.cause != "spike":
        jump = Piece(
            step.seen.wall_ms,
            step.at.wall_ms,
            None if step.increment is None else exact(step.increment),
            step.cause,
        )
        return after, (jump, _growth(step.after, step.at, value, at))
    if after.odd is not None:
        return after, ()
    return after, (_growth(state.value, state.at, value, at),)


def pieces(
    watch: Counter,
    readings: Iterable[tuple[Instant, counter.Number]],
    state: counter.State | None = None,
) -> tuple[counter.State, tuple[Piece, ...]]:
    """Take many, in order of time.

    Returns:
        What is known now, and all pieces.
    """
    known = state or counter.State()
    found: list[Piece] = []
    for at, value in readings:
        known, more = advance(watch, known, value, at)
        found.extend(more)
    return known, tuple(found)


def counted(
    found: Iterable[Piece], start_ms: int, end_ms: int, slack_ms: int = 0
) -> Counted:
    """What one period has of a counter.

    Args:
        found: Pieces, in any order.
        start_ms: The period's start, UTC.
        end_ms: Its end.
        slack_ms: A piece that leads into the period may be so long: the time between
            two readings, and some.
    """
    total: Fraction | None = None
    ms = 0
    jumps: list[Piece] = []
    for piece in found:
        if not _belongs(piece, start_ms, end_ms, slack_ms):
            continue
        if piece.amount is None:
            jumps.append(piece)
            continue
        total = piece.amount if total is None else total + piece.amount
        ms += piece.until_ms - piece.since_ms
    jumps.sort(key=lambda piece: piece.until_ms)
    return Counted(total, ms, tuple(jumps))


def inside(since_ms: int, until_ms: int, start_ms: int, end_ms: int) -> bool:
    """Whether both readings of a piece are of this period."""
    return start_ms <= since_ms and until_ms < end_ms


def _belongs(piece: Piece, start_ms: int, end_ms: int, slack_ms: int) -> bool:
    """Whether a piece ends in the period and does not come from far before it."""
    if not start_ms <= piece.until_ms < end_ms:
        return False
    short = piece.until_ms - piece.since_ms <= slack_ms
    return short or inside(piece.since_ms, piece.until_ms, start_ms, end_ms)


def _growth(
    before: counter.Number, since: Instant, after: counter.Number, until: Instant
) -> Piece:
    return Piece(since.wall_ms, until.wall_ms, exact(after) - exact(before))

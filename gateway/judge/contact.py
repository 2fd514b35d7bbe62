"""Contacts: which readings make an edge, and when it was. Pure.

    value shown by a good poll
      same as before         nothing; "last seen so" moves on
      another one            a candidate, since the first poll that showed it
      ... ``polls`` in a row, ``debounce_s`` long: it is the state now, one Edge
      the old one again      the candidate was a bounce: forgotten

A BAD or UNCERTAIN reading is no reading: it makes no edge, ends no candidate, and time
without readings only widens the span in which the edge must have been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.values import Value
from gateway.clock import Instant
from gateway.judge.times import passed_ms

if TYPE_CHECKING:
    from drivers.profiles.watches import Contact


class Growth(msgspec.Struct, frozen=True, array_like=True):
    """Edges that the counter had and no poll saw; told if the next poll agrees."""

    edges: int
    at: Instant
    seen: Instant | None


class State(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one contact; candidates do not outlive a restart."""

    value: Value | None = None
    """None: never seen."""
    seen: Instant | None = None
    """The last good poll that showed it."""
    count: int | None = None
    """Of its edge counter, when last seen."""
    owed: bool = False
    """An edge was seen that its counter did not have yet."""
    held: Growth | None = None
    new: Value | None = None
    """The candidate."""
    since: Instant | None = None
    shown: int = 0


class Edge(msgspec.Struct, frozen=True):
    """A contact is in another state than before."""

    value: Value
    before: Value | None
    """None: what it was before is not known."""
    at: Instant
    """The first poll that showed the new state."""
    seen: Instant | None
    """The last poll that showed the old one: the edge lies between the two."""


class Pulse(msgspec.Struct, frozen=True):
    """It changed and returned between two polls, as its counter says."""

    edges: int
    at: Instant
    seen: Instant | None


def step(
    watch: Contact, state: State, value: Value, at: Instant, count: int | None = None
) -> tuple[State, Edge | Pulse | None]:
    """Take one good reading.

    Args:
        watch: As configured.
        state: What was known before.
        value: The reading.
        at: When it was taken.
        count: What its edge counter said in the same scan, where it has one.
    """
    if value == state.value:
        return _same(state, at, count)
    if value != state.new or state.since is None:
        new, since, shown = value, at, 1
    else:
        new, since, shown = value, state.since, state.shown + 1
    lasted_ms = passed_ms(since, at) or 0
    if shown < watch.polls or lasted_ms < 1000 * watch.debounce_s:
        kept = msgspec.structs.replace(state, new=new, since=since, shown=shown)
        return kept, None
    counted = state.held is not None or _grown(state, count) > 0
    owed = state.value is not None and count is not None and not counted
    return State(value, at, count, owed), Edge(value, state.value, since, state.seen)


def _same(
    state: State, at: Instant, count: int | None
) -> tuple[State, Edge | Pulse | None]:
    """The state did not change; its counter may know better."""
    pulse = None
    if state.held is not None:
        # Held for a poll: state and counter are read one after the other, and an edge
        # in between is in one of them first.
        pulse = Pulse(state.held.edges, state.held.at, state.held.seen)
    if count is None:
        count = state.count
        return State(state.value, at, count, state.owed), pulse
    grown = _grown(state, count)
    unseen = grown - state.owed
    held = Growth(unseen, at, state.seen) if unseen > 0 else None
    return State(state.value, at, count, state.owed and not grown, held), pulse


def _grown(state: State, count: int | None) -> int:
    """Edges since it was last seen; a counter that began anew says nothing."""
    if count is None or state.count is None:
        return 0
    return max(0, count - state.count)

"""Fences: is a receiver where it should be, and since when not. Pure.

    beyond    how far a fix lies on the wrong side of the line, in metres; < 0: right
    wrong     beyond > the larger of ``margin_m`` and the fix's own accuracy
    right     beyond <= 0
    between   proves neither: nothing changes

A change of sides counts once usable fixes have shown it for ``dwell`` and at least
three times, none of them on the other side. It began with the first of them. A fix
that is too poor, or of which nobody says how good it is, is not used: it neither raises
an alarm nor ends one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.clock import Instant
from gateway.judge import earth
from gateway.judge.fix import NO_PROOF, Fix
from gateway.judge.times import passed_ms

if TYPE_CHECKING:
    from gateway.config.places import Fence

FIXES = 3
"""One outlier, or a fix that is repeated once, is no stay."""


class State(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one fence; candidates do not outlive a restart."""

    wrong: bool | None = None
    """None: no usable fix was ever on a proved side."""
    seen: Instant | None = None
    """The last usable fix on that side."""
    candidate: bool | None = None
    """The side that it may have changed to."""
    since: Instant | None = None
    """The first fix there."""
    shown: int = 0
    first: tuple[float, float] | None = None
    """Where that was."""


class Crossed(msgspec.Struct, frozen=True):
    """It is on the other side of the line, and stays there."""

    wrong: bool
    known: bool
    """Whether it was known to be on the right side before."""
    at: Instant
    """The first usable fix on this side."""
    seen: Instant | None
    """The last one on the other side."""
    beyond_m: float
    """How far on the wrong side it is now."""
    place: tuple[float, float]
    """Longitude, latitude where it was first seen there."""


def usable(fence: Fence, fix: Fix) -> bool:
    """Whether a fix is good enough for this fence to judge by."""
    if fix.kind in NO_PROOF:
        return False
    if fix.accuracy_m is None and fix.hdop is None:
        return False
    if fix.accuracy_m is not None and fix.accuracy_m > fence.accuracy_m:
        return False
    return fix.hdop is None or fix.hdop <= fence.max_hdop


def beyond_m(fence: Fence, place: earth.Place) -> float:
    """How far a place lies on the wrong side; negative: on the right one."""
    if fence.circle is not None:
        inside = fence.radius_m - earth.distance_m(fence.circle, place)
    else:
        edge = earth.edge_m(place, fence.polygon)
        inside = edge if earth.inside(place, fence.polygon) else -edge
    return inside if fence.rule == "keep_out" else -inside


def step(fence: Fence, state: State, fix: Fix) -> tuple[State, Crossed | None]:
    """Take one fix.

    Args:
        fence: As configured.
        state: What was known before.
        fix: Of the receiver; whether it is usable is decided here.
    """
    if not usable(fence, fix):
        return state, None
    beyond = beyond_m(fence, fix.place)
    if beyond > max(fence.margin_m, fix.accuracy_m or 0.0):
        wrong = True
    elif beyond <= 0:
        wrong = False
    else:
        return state, None
    if wrong == state.wrong:
        return State(wrong, fix.at), None
    since, shown, first = state.since, state.shown + 1, state.first
    if since is None or first is None or wrong != state.candidate:
        since, shown, first = fix.at, 1, fix.place
    stayed_ms = passed_ms(since, fix.at) or 0
    if shown < FIXES or stayed_ms < 1000 * fence.dwell_s:
        return State(state.wrong, state.seen, wrong, since, shown, first), None
    known = state.wrong is not None
    crossed = Crossed(wrong, known, since, state.seen, beyond, first)
    return State(wrong, fix.at), crossed

"""How well a receiver hears: no fix for long, and a sudden loss of everything. Pure.

A receiver that does not answer is another event's business (``device_offline``): here
it answers, and has no position.

Jamming is a suspicion, never a finding: a tunnel, a roof and a torn antenna cable look
the same. It is told when, after a minute of good reception, within ten seconds every
constellation that was in use falls silent at once and stays so, while the receiver goes
on talking. One system failing alone, or all fading slowly, is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from gateway.clock import Instant
from gateway.judge.times import passed_ms

if TYPE_CHECKING:
    from gateway.config.places import Reception
    from gateway.record import Scan

BACK_S = 10.0
"""A fix that lasts so long ends what was told."""
GOOD_S, GOOD_USED = 60.0, 5
"""Reception was good: so long, with so many satellites in use."""
SUDDEN_S = 10.0
"""From the last scan of good reception to silence, and how long silence lasts."""
LEFT = 0.2
"""No more than this share of the satellites in use is left."""

USED, IN_VIEW = "satellites_used", "satellites_in_view"
_BY_SYSTEM = "used_"

What = Literal["no_fix", "jamming_suspected"]


class Sky(msgspec.Struct, frozen=True):
    """What one scan says about the satellites."""

    used: int
    in_view: int | None
    systems: frozenset[str]
    """Those with a satellite in use."""


class State(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one receiver."""

    lost: Instant | None = None
    """Since when it answers without a fix."""
    back: Instant | None = None
    """Since when it has one again, while something is told."""
    seen: Instant | None = None
    """The last fix."""
    good: Instant | None = None
    """Since when reception is good without a break."""
    sky: Sky | None = None
    """As it was when it was last good."""
    heard: Instant | None = None
    """When that was."""
    silent: Instant | None = None
    """Since when every constellation is silent."""


class Finding(msgspec.Struct, frozen=True):
    """Something begins or ends."""

    what: What
    raised: bool
    at: Instant
    seen: Instant | None = None
    before: Sky | None = None
    now: Sky | None = None


def sky_of(scan: Scan) -> Sky | None:
    """What a scan says about the satellites; None: it does not say."""
    values, flaws = scan.values, scan.flaws
    used = values.get(USED)
    if USED in flaws or isinstance(used, bool) or not isinstance(used, int | float):
        return None
    view = values.get(IN_VIEW)
    systems = frozenset(
        name
        for name, value in values.items()
        if name.startswith(_BY_SYSTEM)
        and name not in flaws
        and isinstance(value, int | float)
        and value > 0
    )
    in_view = view if isinstance(view, int) and IN_VIEW not in flaws else None
    return Sky(int(used), in_view, systems)


def step(
    watch: Reception,
    state: State,
    at: Instant,
    sky: Sky | None,
    told: frozenset[What],
    *,
    fixed: bool,
) -> tuple[State, list[Finding]]:
    """Take one scan that was answered.

    Args:
        watch: As configured.
        state: What was known before.
        at: When the scan was.
        sky: Its satellites, where it tells of them.
        told: What has been told and not ended yet.
        fixed: Whether it had a valid position.
    """
    found: list[Finding] = []
    lost = None if fixed else state.lost or at
    back = (state.back or at) if fixed and told else None
    last = at if fixed else state.seen
    state = msgspec.structs.replace(state, lost=lost, back=back, seen=last)
    if back is not None and (passed_ms(back, at) or 0) >= 1000 * BACK_S:
        found += [Finding(what, raised=False, at=back) for what in sorted(told)]
        state = msgspec.structs.replace(state, back=None)
    if (
        lost is not None
        and watch.no_fix_s is not None
        and "no_fix" not in told
        and (passed_ms(lost, at) or 0) >= 1000 * watch.no_fix_s
    ):
        found.append(Finding("no_fix", raised=True, at=lost, seen=state.seen, now=sky))
    if watch.jamming and sky is not None:
        state, jammed = _listen(state, at, sky, fixed=fixed)
        if jammed is not None and "jamming_suspected" not in told:
            found.append(jammed)
    return state, found


def _listen(
    state: State, at: Instant, sky: Sky, *, fixed: bool
) -> tuple[State, Finding | None]:
    """Look for a sudden loss of every constellation."""
    if fixed and sky.used >= GOOD_USED:
        good = state.good or at
        kept = msgspec.structs.replace(state, good=good, sky=sky, heard=at, silent=None)
        return kept, None
    before, heard, since = state.sky, state.heard, state.good
    if before is None or heard is None or since is None:
        return state, None
    gone = sky.used <= LEFT * before.used and not (before.systems & sky.systems)
    was_good = (passed_ms(since, heard) or 0) >= 1000 * GOOD_S
    late = (passed_ms(heard, at) or 0) > 1000 * SUDDEN_S
    if state.silent is None and (not gone or not was_good or late):
        if late:  # it faded, or came back poor: begin anew with the next good minute
            state = msgspec.structs.replace(state, good=None, sky=None, heard=None)
        return state, None
    if not gone:
        return msgspec.structs.replace(
            state, silent=None, good=None, sky=None, heard=None
        ), None
    silent = state.silent or at
    state = msgspec.structs.replace(state, silent=silent)
    if (passed_ms(silent, at) or 0) < 1000 * SUDDEN_S:
        return state, None
    finding = Finding("jamming_suspected", True, silent, heard, before, sky)
    return msgspec.structs.replace(
        state, silent=None, good=None, sky=None, heard=None
    ), finding

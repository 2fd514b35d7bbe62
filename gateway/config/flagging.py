"""What a device may say about how its readings are flagged: states, rules, parameters.

The judging itself is in ``gateway.judge``; this is what the site file asks for.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from drivers.values import Value
from gateway.judge.states import State

PARAMETERS_EVERY_S = 600.0


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """How a device shows that it is in a state: by one of its own points."""

    state: State
    point: str
    """A point of the same device, or one of its named bits: ``status.purging``."""
    equals: tuple[Value, ...] = ()
    """The state is shown by one of these, ..."""
    at_least: float | None = None
    at_most: float | None = None
    """... or by a number within these."""
    points: tuple[str, ...] = ()
    """Whose readings it concerns; none: of the whole device."""
    every_s: float
    """How often ``point`` is read."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """When a good reading of one point is doubted all the same; None: never."""

    point: str
    above: float | None = None
    """Doubted above this, ..."""
    below: float | None = None
    """... and below this."""
    constant_s: float | None = None
    """Doubted once it has been the same for so long."""
    jump: Fraction | None = None
    """Doubted where it differs by more than this from a reading ..."""
    jump_s: float = 60.0
    """... at most so old."""
    max_age_s: float | None = None
    """Doubted where the instrument took it longer ago, or does not say when."""
    clock: bool = False
    """Doubted while our clock is not trusted."""
    missing_s: float | None = None
    """An event once there has been no value for so long."""
    every_s: float
    """How often the point is read."""

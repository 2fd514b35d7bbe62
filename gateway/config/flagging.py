"""What a device may say about how its readings are flagged: states, rules, parameters.

The judging itself is in ``gateway.judge``; this is what the site file asks for.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from drivers.profiles.signs import Sign

__all__ = ["PARAMETERS_EVERY_S", "Rules", "Sign"]

PARAMETERS_EVERY_S = 600.0


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

"""What a formula gives: a number, or the reason why there is none."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import msgspec

Lack = Literal["oxygen", "moisture", "pressure", "temperature", "empty"]
"""Why a formula has no value. ``oxygen``: no combustion air was used up (21 % or more);
``moisture``: as much water vapour as gas; ``pressure``, ``temperature``: at or below
absolute zero; ``empty``: a quantity is wanting."""


class Derived(msgspec.Struct, frozen=True):
    """A value, exact; or None and why."""

    value: Fraction | None
    lack: Lack | None = None


def lacking(lack: Lack) -> Derived:
    """No value, for this reason."""
    return Derived(None, lack)

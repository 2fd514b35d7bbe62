"""What may be wrong with one point's value, whatever protocol it came by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.values import Flaw, Quality

if TYPE_CHECKING:
    from drivers.profiles.model import Point

NOT_IN_ENUM = Flaw(Quality.BAD, "not_in_enum")
OUT_OF_RANGE = Flaw(Quality.UNCERTAIN, "out_of_range")


def range_flaw(point: Point, value: float) -> Flaw | None:
    """Whether a value is outside what its profile says that can be."""
    low, high = point.minimum, point.maximum
    outside = (low is not None and value < low) or (high is not None and value > high)
    return OUT_OF_RANGE if outside else None


def bad(point: Point, flaw: Flaw, flaws: dict[str, Flaw]) -> None:
    """Say that a point, and each bit it has, is without a value."""
    flaws[point.name] = flaw
    for word in point.bits.values():
        flaws[f"{point.name}.{word}"] = flaw

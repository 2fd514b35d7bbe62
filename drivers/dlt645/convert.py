"""What the raw value of one point becomes: a value, a flaw, or both.

``value = raw * ratio * scale + offset``, exactly, rounded once. The ratio is what the
device's ct and pt say for this item; without them values stay what the meter measures,
behind its transformers.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.dlt645.formats import decode
from drivers.errors import PointError
from drivers.flaws import NOT_IN_ENUM, bad, range_flaw
from drivers.values import Flaw, Quality, Value

if TYPE_CHECKING:
    from drivers.dlt645.formats import Raw
    from drivers.profiles.dlt645_items import Ratio
    from drivers.profiles.dlt645_points import Dlt645Point

Values = dict[str, Value]
Flaws = dict[str, Flaw]


class Transformers:
    """The ratios between what the meter measures and what flows."""

    def __init__(self, ct: Fraction = Fraction(1), pt: Fraction = Fraction(1)) -> None:
        self._by: dict[Ratio, Fraction] = {
            "none": Fraction(1),
            "ct": ct,
            "pt": pt,
            "both": ct * pt,
        }

    def of(self, ratio: Ratio) -> Fraction:
        """What an item that says so is multiplied by."""
        return self._by[ratio]


def take(
    point: Dlt645Point,
    item: bytes,
    transformers: Transformers,
    values: Values,
    flaws: Flaws,
) -> None:
    """Add one point to ``values``, ``flaws``, or both.

    Args:
        point: What to make of it.
        item: The data of its whole item, without identifier.
        transformers: The device's.
        values: Gains the usable values.
        flaws: Gains what is BAD or UNCERTAIN.
    """
    at, part = point.place
    try:
        raw = decode(part, item[at : at + part.size])
    except PointError as exc:
        bad(point, Flaw(Quality.BAD, exc.reason), flaws)
        return
    if point.enum:
        label = point.enum.get(int(raw)) if not isinstance(raw, str) else None
        if label is None:
            bad(point, NOT_IN_ENUM, flaws)
        else:
            values[point.name] = label
        return
    value = _value(point, raw, transformers.of(part.ratio))
    values[point.name] = value
    if isinstance(value, str):
        return
    flaw = range_flaw(point, value)
    if flaw is not None:
        flaws[point.name] = flaw
    for bit, word in point.bits.items():
        values[f"{point.name}.{word}"] = bool(int(raw) >> bit & 1)


def _value(point: Dlt645Point, raw: Raw, ratio: Fraction) -> Value:
    if isinstance(raw, str):
        return raw
    exact = raw * ratio * point.scale + point.offset
    if point.decimals is not None:
        exact = round(Fraction(exact), point.decimals)
    # A count stays a count; 220.0 V stays a measured number.
    whole = "." not in point.place[1].format or point.decimals == 0
    if whole and Fraction(exact).denominator == 1:
        return int(exact)
    return float(exact)

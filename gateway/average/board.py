"""The newest judged value of every factor: what real-time frames tell.

Kept as it came; worked out (units, dry gas, reference oxygen) when somebody asks. Only
readings with a trusted time come here: a real-time value has a date.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from gateway.aggregate import Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The newest value of one factor."""

    value: Fraction | str | None = None
    """In the factor's unit; text where it has states; None: there is none."""
    zs: Fraction | None = None
    """At the reference oxygen."""
    over_oxygen: bool = False
    """It has no such value, as the oxygen is 21 % or more."""
    mark: Mark
    t_ms: int
    """When it was acquired, UTC."""
    unit: str = ""
    """UCUM code of its numbers."""
    sampled_ms: int | None = None
    """When the instrument says it took it."""


class Board:
    """Of all stations."""

    def __init__(self) -> None:
        self._asked: dict[str, Callable[[], dict[str, Live]]] = {}

    def post(self, station: str, newest: Callable[[], dict[str, Live]] | None) -> None:
        """Who answers for a station; None: nobody any more."""
        if newest is None:
            self._asked.pop(station, None)
        else:
            self._asked[station] = newest

    def live(self, station: str) -> dict[str, Live]:
        """By factor's name; factors that have not been read yet are not there."""
        asked = self._asked.get(station)
        return asked() if asked is not None else {}

    def newest(self, station: str) -> Mapping[str, Live]:
        """The same, by the name that uplinks use."""
        return self.live(station)

"""What goes on before a simulated camera: the hour, the sun, and what is scripted.

Pure: seconds of the camera's life in, conditions out.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple


class Happening(StrEnum):
    """What can go on in a scene."""

    DARK = "dark"
    """Dark smoke, from the stack or the fire's place."""
    LIGHT = "light"
    """Light smoke, from there."""
    DUST = "dust"
    """A truck drives and raises dust."""
    STEAM = "steam"
    """White steam from the stack: what is often taken for smoke."""
    FOG = "fog"
    RAIN = "rain"
    CLOUD = "cloud"
    """Shadows of clouds go over the ground."""
    HEADLIGHTS = "headlights"
    """Cars come towards the camera."""
    NIGHT = "night"
    """It is night, whatever the hour."""


EMISSIONS = frozenset({Happening.DARK, Happening.LIGHT, Happening.DUST})
"""What an alarm may be about."""


class Event(NamedTuple):
    """Something scripted, in seconds of the camera's life."""

    what: Happening
    from_s: float
    until_s: float


class Conditions(NamedTuple):
    """How it is at one moment."""

    hour: float
    sun_deg: float
    """Elevation of the sun."""
    day: float
    """Daylight: 0 night, 1 full."""
    infrared: bool
    """The camera has switched to its own light."""
    strength: dict[Happening, float]
    """Of what goes on, 0 to 1; what is not in it does not."""


_DAY = (
    # what, from hour, to hour, strength: an autumn day without any emission
    (Happening.FOG, 5.5, 8.2, 0.75),
    (Happening.STEAM, 6.5, 9.5, 0.8),
    (Happening.HEADLIGHTS, 6.0, 7.0, 0.8),
    (Happening.CLOUD, 10.5, 14.5, 0.9),
    (Happening.RAIN, 15.0, 16.5, 0.8),
    (Happening.STEAM, 16.5, 18.0, 0.5),
    (Happening.HEADLIGHTS, 18.2, 23.0, 1.0),
)
_SOFT_H = 0.4
"""What belongs to the day comes and goes in so many hours."""
_SOFT_S = 1.0
"""What is scripted, in so many seconds."""
_NOON_DEG = 52.0
_INFRARED_DEG = -3.0


class Program:
    """The course of things.

    Args:
        events: What is scripted.
        hour: At the beginning.
        day_s: A day takes so many seconds and brings what days bring; None: the hour
            stays, and only what is scripted happens.
        every_s: The script begins again after so long; None: never.
    """

    def __init__(
        self,
        events: tuple[Event, ...] = (),
        hour: float = 10.0,
        day_s: float | None = None,
        every_s: float | None = None,
    ) -> None:
        self.events, self.hour = events, hour
        self.day_s, self.every_s = day_s, every_s

    def at(self, at_s: float) -> Conditions:
        """How it is then."""
        hour = self.hour
        if self.day_s is not None:
            hour = (hour + 24 * at_s / self.day_s) % 24
        strength = self._of_the_day(hour) if self.day_s is not None else {}
        for what in {event.what for event in self.events}:
            strength[what] = max(strength.get(what, 0.0), self.strength(what, at_s))
        sun_deg = _NOON_DEG * math.sin(math.pi * (hour - 6) / 12)
        night = strength.pop(Happening.NIGHT, 0.0) > 0
        if night:
            sun_deg = min(sun_deg, -20.0)
        day = min(1.0, max(0.0, (sun_deg + 6) / 16))
        strength = {what: much for what, much in strength.items() if much > 0}
        return Conditions(
            hour, sun_deg, day * day * (3 - 2 * day), sun_deg < _INFRARED_DEG, strength
        )

    def strength(self, what: Happening, at_s: float) -> float:
        """Of what is scripted, 0 to 1."""
        return max(
            (_soft(at_s, *span, _SOFT_S) for span in self.spans(what, at_s)),
            default=0.0,
        )

    def spans(self, what: Happening, at_s: float) -> list[tuple[float, float]]:
        """When it goes on in the round of this moment: from, until."""
        start = 0.0
        if self.every_s is not None:
            start = at_s // self.every_s * self.every_s
        return [
            (start + event.from_s, start + event.until_s)
            for event in self.events
            if event.what is what
        ]

    def says(self, at_s: float) -> list[str]:
        """What is going on, in words."""
        now = self.at(at_s)
        words = [what.value for what in sorted(now.strength)]
        return [*words, "infrared"] if now.infrared else words

    def _of_the_day(self, hour: float) -> dict[Happening, float]:
        found: dict[Happening, float] = {}
        for what, start, end, much in _DAY:
            strength = much * _soft(hour, start, end, _SOFT_H)
            found[what] = max(found.get(what, 0.0), strength)
        return found


def _soft(at: float, start: float, end: float, soft: float) -> float:
    """0 outside, 1 inside, in between within ``soft``."""
    return min(1.0, max(0.0, min((at - start) / soft, (end - at) / soft)))


def event(text: str) -> Event:
    """``dark@10-40``: what, and in which seconds.

    Raises:
        ValueError: It is something else.
    """
    name, _, span = text.partition("@")
    start, dash, end = span.partition("-")
    try:
        found = Event(Happening(name), float(start), float(end) if dash else math.inf)
    except ValueError:
        known = ", ".join(Happening)
        raise ValueError(
            f"expected WHAT@10-40 (seconds), got {text!r}; {known}"
        ) from None
    if found.until_s <= found.from_s:
        raise ValueError(f"{text!r} ends before it begins")
    return found

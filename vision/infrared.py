"""Whether a camera sees by infrared: its picture then has no colour anywhere."""

from __future__ import annotations

INFRARED = 3.0
"""``Look.colour`` of a picture coded without colour stays below, tint and noise too."""
COLOURFUL = 6.0
"""The dullest yard by day, wet asphalt under a grey sky, has something above it."""


class Infrared:
    """Follows one camera's switch, with a gap between on and off."""

    def __init__(self) -> None:
        self.on: bool | None = None
        """None: no frame was seen yet."""

    def step(self, colour: float) -> bool:
        """Whether the picture is an infrared one.

        Args:
            colour: See ``vision.look.Look.colour``, 0 to 255.
        """
        if self.on is None:
            self.on = colour < (INFRARED + COLOURFUL) / 2
        else:
            self.on = colour < COLOURFUL if self.on else colour <= INFRARED
        return self.on

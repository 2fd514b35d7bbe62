"""Whether a camera sees by day or by night, and what that means for alarms.

Cameras switch to infrared at different times, some never, so neither the sun nor the
picture is believed alone: the sun decides while it is clearly up or down, the picture
(grey all over, or dark) in twilight and where no position is given. Each switch of the
picture between colour and grey holds alarms until it has settled, and the background
is learned anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from vision.alarms.sun import elevation, light
from vision.infrared import Infrared

if TYPE_CHECKING:
    from vision.messages import Mount

Policy = Literal["watch", "hold", "auto"]

DARK_BELOW = 30.0
DARK_ABOVE = 45.0
"""Mean grey of 255 of a picture in which little can be seen."""
SETTLE_S = 10.0
"""An infrared filter and the exposure after it take some seconds."""


class Phase(NamedTuple):
    """How one frame is to be taken."""

    night: bool
    hold: bool
    """No alarm may come of it."""
    relearn: bool
    """A switch has settled with this frame: the background is another."""


class Night:
    """Follows one camera through its day."""

    def __init__(self, policy: Policy, mount: Mount) -> None:
        self._policy: Policy = policy
        self._position = mount.position
        self._infrared = Infrared()
        self._grey: bool | None = None  # the picture's light, once settled
        self._dark = False
        self._turning_since_s: float | None = None

    def step(self, t_ms: int, mono_s: float, colour: float, mean: float) -> Phase:
        """Judge the light of one frame.

        Args:
            t_ms: UTC.
            mono_s: The monotonic clock.
            colour: See ``vision.look.Look.colour``, 0 to 255.
            mean: Mean grey of the picture, 0 to 255.
        """
        self._dark = mean < (DARK_ABOVE if self._dark else DARK_BELOW)
        relearn = self._turned(mono_s, colour)
        turning = self._turning_since_s is not None
        night = self._is_night(t_ms)
        held = night and self._policy != "watch"
        return Phase(night, turning or relearn or held, relearn)

    def _turned(self, mono_s: float, colour: float) -> bool:
        grey = self._infrared.step(colour)
        if self._grey is None:
            self._grey = grey
        if grey == self._grey:
            self._turning_since_s = None
            return False
        if self._turning_since_s is None:
            self._turning_since_s = mono_s
        if mono_s - self._turning_since_s < SETTLE_S:
            return False
        self._grey, self._turning_since_s = grey, None
        return True

    def _is_night(self, t_ms: int) -> bool:
        by_picture = bool(self._grey) or self._dark
        if self._position is None:
            return by_picture
        by_sun = light(elevation(*self._position, t_ms))
        if self._policy == "hold":  # either is enough
            return by_picture or by_sun == "night"
        return by_picture if by_sun == "twilight" else by_sun == "night"

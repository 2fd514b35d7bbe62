"""Whether each camera of a group sees: what its process says against its frames."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from gateway.cameras.events import Text, worded
from gateway.texts import both, language, t
from vision.messages import CameraBeat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.cameras.standing import Standing
    from gateway.config.cameras import SiteCamera
    from vision.messages import Beat

log = logging.getLogger(__name__)

SETTLED_S = 15.0
"""A new process has found by then whatever is wrong: a frozen picture takes longest.
Until then what the one before said still stands."""
_QUIET_S = 30.0


class Seen(msgspec.Struct):
    """Of one camera."""

    beat: CameraBeat | None = None
    frames: int = -1
    moved_s: float = 0.0
    """When a good frame came last, or its process started."""


class Seeing:
    """Whether each camera of a group sees."""

    def __init__(self, cameras: Iterable[SiteCamera], standing: Standing) -> None:
        self._cameras = {camera.name: camera for camera in cameras}
        self._standing = standing
        self.seen = {name: Seen() for name in self._cameras}

    def started(self, now: float) -> None:
        """A new process: it counts its frames anew."""
        for name in self.seen:
            self.seen[name] = Seen(moved_s=now)

    def take(self, beat: Beat, now: float, ran_s: float) -> None:
        """Hold what is open against what the process says.

        Its own words (``Condition``) come first and say more; this finds what they
        missed, and ends what a process raised that is gone.
        """
        for one in beat.cameras:
            camera = self._cameras.get(one.name)
            if camera is None:
                continue
            seen = self.seen[one.name]
            if one.unkept and (seen.beat is None or seen.beat.unkept != one.unkept):
                said = unkept_text(one)[language()]
                log.warning("%s", t("log.camera", camera=one.name, said=said))
            seen.beat = one
            if one.frames != seen.frames:
                if seen.frames >= 0 or one.frames > 0:
                    seen.moved_s = now
                seen.frames = one.frames
            self._judge(camera, one, now - seen.moved_s, ran_s)

    def _judge(
        self, camera: SiteCamera, beat: CameraBeat, quiet_s: float, ran_s: float
    ) -> None:
        standing, name = self._standing, camera.name
        told = [f for f in standing.faults_of(name) if f != "process"]
        for new in beat.faults:
            if new not in told:
                standing.fault(camera, new, {})
        if quiet_s < _limit_s(camera) and beat.frames > 0 and ran_s >= SETTLED_S:
            for fault in told:
                if fault not in beat.faults:
                    standing.well(name, fault)
        elif not beat.faults and quiet_s >= _limit_s(camera) and not told:
            # It says that all is well and shows nothing: that is a fault, too.
            args = {"seconds": f"{quiet_s:.0f}"}
            standing.fault(camera, "silent", args)


def unkept_text(beat: CameraBeat) -> Text:
    """Why its pictures cannot be kept, for people."""
    why = both(beat.unkept, **beat.unkept_args)
    return worded("camera.unkept", {"why": why})


def _limit_s(camera: SiteCamera) -> float:
    return max(_QUIET_S, 2.5 * camera.camera.every_s + 20.0)

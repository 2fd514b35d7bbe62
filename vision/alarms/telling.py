"""An alarm in the words of the messages: what is told of it, and when it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from vision.alarms.bearing import bearing
from vision.messages import Camera, Fault, Sight

if TYPE_CHECKING:
    from vision.alarms.book import Alarm
    from vision.alarms.scene import Scene


class Moment(NamedTuple):
    """The frame that something is told of."""

    t_ms: int
    mono_s: float
    dt_s: float
    """Since the frame before."""
    night: bool
    frame: str = ""
    faults: tuple[Fault, ...] = ()


class Teller:
    """Tells of one camera's alarms.

    Args:
        camera: With its mount.
        model: Id of who judges.
        sha256: Hash of it.
    """

    def __init__(self, camera: Camera, model: str, sha256: str) -> None:
        self._camera, self._model, self._sha256 = camera, model, sha256

    def sight(
        self,
        scene: Scene,
        alarm: Alarm,
        state: Literal["raised", "updated", "cleared"],
        moment: Moment,
        *,
        second_look: float | None = None,
        cause: Literal["", "unseen", "usual"] = "",
    ) -> Sight:
        """One message.

        Args:
            scene: The alarm is of its book.
            alarm: As it is now.
            state: What has become of it.
            moment: Of the frame.
            second_look: Its score there.
            cause: Why it was cleared.
        """
        region = scene.region(alarm)
        return Sight(
            id=alarm.id,
            camera=self._camera.name,
            label=alarm.label,
            state=state,
            t_ms=moment.t_ms,
            began_ms=alarm.began_ms,
            score=round(alarm.score, 3),
            peak=round(alarm.peak, 3),
            threshold=round(alarm.threshold, 3),
            region=region,
            cells=alarm.cells,
            zone=scene.zones.name(alarm.label, scene.mask(alarm)),
            bearing=bearing(self._camera.mount, region),
            model=self._model,
            model_sha256=self._sha256,
            faults=moment.faults,
            night=moment.night,
            frame=moment.frame,
            second_look=second_look,
            cause=cause,
        )

"""What is known of one camera's view, cell by cell: all that has the model's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from vision.alarms.background import Background
from vision.alarms.book import Book
from vision.alarms.candidates import WARM, rises
from vision.alarms.memory import VERSION, Memory, pack
from vision.alarms.regions import box_of, find
from vision.alarms.zones import Zones
from vision.messages import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.alarms.book import Alarm
    from vision.alarms.candidates import Candidates
    from vision.alarms.levels import Levels
    from vision.messages import Camera, Label

LOWER = 0.7
"""Of what counts: an alarm stands until its place falls below."""


class Scene:
    """Scores, background, zones and alarms on one grid.

    Args:
        camera: With its zones.
        prefix: Of alarm ids.
        shape: (labels, rows, columns).
        window_s: The longest that something takes to be confirmed.
    """

    def __init__(
        self, camera: Camera, prefix: str, shape: tuple[int, ...], window_s: float
    ) -> None:
        _, rows, columns = shape
        self.scores = np.zeros(shape, np.float32)
        self.suspected = np.zeros(shape, np.bool_)
        self.background = Background(shape, window_s)
        self.zones = Zones(camera.zones, rows, columns)
        self.book = Book(prefix, rows, columns)

    def mask(self, alarm: Alarm) -> NDArray[np.bool_]:
        """(rows, columns): what an alarm covers now, or covered first."""
        mask = np.zeros(self.scores.shape[1:], np.bool_)
        mask.flat[alarm.now or alarm.first] = True
        return mask

    def region(self, alarm: Alarm) -> tuple[float, float, float, float]:
        """Where an alarm is: x0, y0, x1, y1 from 0 to 1 of the picture."""
        return box_of(self.mask(alarm))

    def follow(self, mono_s: float, levels: Mapping[Label, Levels]) -> None:
        """Where the open alarms are now, those that still stand."""
        rise, _ = rises(self.scores, self.background, levels, LOWER)
        unknown = self.background.unknown()
        for alarm in self.book.open:
            i, level = LABELS.index(alarm.label), levels[alarm.label]
            alarm.misses += 1
            strong = np.maximum(
                rise[i] / level.rise,
                np.where(unknown[i], self.scores[i], 0) / level.alone,
            ).astype(np.float32)
            there = self.book.place(alarm) & (strong >= WARM * LOWER)
            standing = [r for r in find(there, strong) if r.score >= LOWER]
            if standing:
                mask = np.any([region.mask for region in standing], axis=0)
                score = min(1.0, standing[0].score * alarm.threshold)
                self.book.see(alarm, mask, score, mono_s)

    def doubt(self, alarm: Alarm, found: Candidates) -> None:
        """An alarm of what burned from the first frame: its place was never usual."""
        i = LABELS.index(alarm.label)
        burned = found.alone[i] > found.risen[i]
        if (burned & self.mask(alarm)).any():
            self.background.doubt(i, self.book.place(alarm))

    def why_over(self, alarm: Alarm) -> Literal["", "usual"]:
        """Whether what an alarm was raised for still stands, and was learned."""
        i, mask = LABELS.index(alarm.label), self.mask(alarm)
        if not self.background.worn[i][mask].any():
            return ""
        there = find(mask, self.scores[i])[0].score >= LOWER * alarm.peak
        return "usual" if there else ""

    def rest(self, dt_s: float) -> None:
        """Nothing changed since a frame was judged: time passes for the background."""
        covered = self.book.covered()
        self.background.step(self.scores, dt_s, self.suspected, covered)
        self.book.wait(dt_s)

    def packed(self, t_ms: int, mono_s: float, model: str) -> bytes:
        """What a restart must not lose, see ``memory``.

        Args:
            t_ms: UTC now.
            mono_s: The monotonic clock at the last frame.
            model: Hash of the model.
        """
        alarms = [
            msgspec.structs.replace(
                alarm,
                cleared_s=None if alarm.cleared_s is None else alarm.cleared_s - mono_s,
            )
            for alarm in self.book.alarms
        ]
        _, rows, columns = self.scores.shape
        head = Memory(
            version=VERSION,
            t_ms=t_ms,
            model=model,
            shape=(len(LABELS), rows, columns),
            age_s=self.background.age_s,
            frames=self.background.frames,
            alarms=alarms,
        )
        return pack(head, self.background.arrays())

"""A camera's day in virtual time: weathers by the clock, plumes where they are planted.

86,400 frames at one a second: a still picture without smoke under the weathers of
``benchmarks.weather``, by a timetable of day and night with the sun where it stands at
that hour, through the same ``vision.pipeline`` as a camera. Each distinct frame is
judged by the model once and its answer used again.
"""

from __future__ import annotations

import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from benchmarks.weather import PLAIN, SIZE, Plume, View, frames, plume
from vision.frame import Cells, Frame
from vision.messages import Camera, Mount
from vision.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from vision.messages import Sight
    from vision.pipeline import Sees

    Picture = NDArray[np.uint8]

POSITION = (118.18, 39.63)
DAY = datetime(2026, 3, 19, 16, tzinfo=UTC)
"""Midnight in Beijing before the equinox: the sun rises at 6:13 and sets at 18:19."""
SEGMENT_S = 1200
PLUME_S = 60
NIGHT = ("infrared", "headlights", "insects", "headlights", "infrared", "lamps")
DAYTIME = (
    "still",
    "cloud_shadows",
    "light",
    "clouds",
    "rain",
    "pan",
    "steam",
    "still",
    "cloud_shadows",
    "clouds",
    "light",
)
SMOKE = ("dark_smoke", "light_smoke")
ARRIVAL_S = 30
"""Sun, cloud, fog and rain come in half a minute. A camera's switch to infrared, a lamp
and a turn of the camera come in one frame."""
SUDDEN = frozenset({"infrared", "headlights", "insects", "lamps", "pan"})


def timetable() -> list[str]:
    """The weather of each segment of a day, from midnight."""
    table = []
    for n in range(86400 // SEGMENT_S):
        hour = n * SEGMENT_S / 3600
        if hour < 5.9 or hour >= 18.6:  # the camera's own switch
            table.append(NIGHT[n % len(NIGHT)])
        elif hour < 6.5 or hour >= 17.6:
            table.append("dusk")
        elif hour < 8.5:
            table.append(("fog", "light", "fog", "clouds")[n % 4])
        else:
            table.append(DAYTIME[n % len(DAYTIME)])
    return table


class Judged:
    """A detector that judges each distinct frame once.

    Args:
        detector: The real one.
    """

    def __init__(self, detector: Sees) -> None:
        self._detector = detector
        self.id, self.sha256, self.size = detector.id, detector.sha256, detector.size
        self.thresholds, self.labels = detector.thresholds, detector.labels
        self.rises, self.alone = detector.rises, detector.alone
        self._known: dict[int, tuple[Picture, Cells]] = {}
        self.contents: set[int] = set()
        """Checksums of the distinct pictures judged."""

    def __call__(self, image: Picture) -> Cells:
        """What it sees."""
        known = self._known.get(id(image))
        if known is None or known[0] is not image:
            # The picture is kept with its answer, so that no other gets its id.
            known = (image, self._detector(image))
            self._known[id(image)] = known
            self.contents.add(zlib.crc32(image.tobytes()))
        return known[1]

    def forget(self) -> None:
        """The loop is over; its pictures will not come back."""
        self._known.clear()


class Planted(NamedTuple):
    """A plume that was laid over the day."""

    at_s: int
    what: Plume
    weather: str


class Day:
    """One camera through one day.

    Args:
        detector: Shared by all days.
        camera: Its rules; its pictures are rendered.
        scene: (384, 640, 3) BGR, without smoke.
        loop: Distinct frames of a segment, or a clip's own.
        seed: Of the weathers.
        plumes: What to lay where and when.
        mattes: Of filmed smoke.
        view: Of the picture.
    """

    def __init__(
        self,
        detector: Judged,
        camera: Camera,
        scene: Picture | list[Picture],
        *,
        loop: int,
        seed: int,
        plumes: Sequence[Planted] = (),
        mattes: Sequence[NDArray[np.float32]] = (),
        view: View = PLAIN,
    ) -> None:
        self._detector, self._scene, self._view = detector, scene, view
        self._loop, self._seed, self._mattes = loop, seed, mattes
        self._plumes = list(plumes)
        self.pipeline = Pipeline(camera, detector, f"{camera.name}-day")
        self.sights: list[tuple[int, str, Sight]] = []
        self.faults: Counter[str] = Counter()
        self._last: tuple[str, Picture] | None = None
        self.held = 0
        """Frames that no alarm could come of."""

    def run(
        self,
        table: Sequence[str],
        segment_s: int = SEGMENT_S,
        hours: tuple[float, float] = (0.0, 24.0),
    ) -> None:
        """Play it, or some of its hours."""
        number = 0
        for n, weather in enumerate(table):
            second = n * segment_s
            if not hours[0] * 3600 <= second < hours[1] * 3600:
                continue
            for image in self._segment(n, weather, n * segment_s, segment_s):
                wall = DAY + timedelta(seconds=second)
                number += 1
                frame = Frame(
                    self.pipeline.camera.name,
                    number,
                    image,
                    round(wall.timestamp() * 1000),
                    float(second),
                    float(second),
                )
                step = self.pipeline.step(frame)
                self.held += self.pipeline.watcher.verdict.held
                self.sights += [(second, weather, sight) for sight in step.sights]
                for told in step.conditions:
                    self.faults[f"{told.fault} {told.state} in {weather}"] += 1
                second += 1
            self._detector.forget()

    def _segment(
        self, n: int, weather: str, first_s: int, length_s: int
    ) -> Iterator[Picture]:
        if isinstance(self._scene, list):
            made = self._scene
        else:
            seed = self._seed * 1000 + n
            made = frames(self._scene, weather, self._loop, seed, self._view)
        shown = [made[there_and_back(k, len(made))] for k in range(length_s)]
        if not isinstance(self._scene, list):
            self._arrive(weather, shown)
        for one in self._plumes:
            begin = one.at_s - first_s
            if 0 <= begin < length_s - PLUME_S:
                under = shown[begin : begin + PLUME_S]
                laid = plume(under, one.what, self._mattes, self._seed + n)
                shown[begin : begin + PLUME_S] = laid
        yield from shown

    def _arrive(self, weather: str, shown: list[Picture]) -> None:
        """Let a weather come over what was there before, in place."""
        if self._last is not None and not {weather, self._last[0]} & SUDDEN:
            before = self._last[1]
            for k in range(min(ARRIVAL_S, len(shown))):
                share = (k + 1) / (ARRIVAL_S + 1)
                shown[k] = cv2.addWeighted(shown[k], share, before, 1 - share, 0)  # type: ignore[assignment]
        self._last = (weather, shown[-1])


def there_and_back(k: int, count: int) -> int:
    """0, 1, ... count-1, count-2, ... 1, 0, 1: a loop without a jump."""
    round_ = max(1, 2 * (count - 1))
    at = k % round_
    return at if at < count else round_ - at


def plan(
    table: Sequence[str], seed: int, every_s: int = 2400, segment_s: int = SEGMENT_S
) -> list[Planted]:
    """Plumes through the light hours: near ones, an eighth to a third of the frame."""
    rng = np.random.default_rng(seed)
    planted: list[Planted] = []
    for at_s in range(9 * 3600, 17 * 3600, every_s):
        begin = at_s + int(rng.integers(0, segment_s - 2 * PLUME_S))
        begin -= max(0, begin % segment_s - (segment_s - 2 * PLUME_S))
        label = ("dark_smoke", "light_smoke", "dust")[len(planted) % 3]
        what = Plume(
            label,
            x=int(rng.integers(120, 520)),
            y=int(rng.integers(230, 340)),
            high=int(rng.integers(80, 200)),
            flip=bool(rng.integers(2)),
        )
        planted.append(Planted(begin, what, table[begin // segment_s]))
    return planted


def recalled(
    planted: Sequence[Planted], sights: Sequence[tuple[int, str, Sight]]
) -> list[dict[str, Any]]:
    """For each plume when it was raised; None: not while it stood."""
    rows = []
    for one in planted:
        family = SMOKE if one.what.label in SMOKE else (one.what.label,)
        after_s: int | None = None
        for second, _, sight in sights:
            on = 0 <= second - one.at_s <= PLUME_S
            near = sight.region[0] <= one.what.x / SIZE[0] + 0.2
            near = near and sight.region[2] >= one.what.x / SIZE[0] - 0.2
            if on and near and sight.state == "raised":
                label_fits = sight.label in family
                if label_fits:
                    after_s = second - one.at_s
                    break
        rows.append(
            {
                "label": one.what.label,
                "high": one.what.high,
                "weather": one.weather,
                "after_s": after_s,
            }
        )
    return rows


def camera_of(name: str, night: Any = "auto", *, sun: bool = True) -> Camera:  # noqa: ANN401
    """A camera of the usual rules."""
    mount = Mount(position=POSITION) if sun else Mount()
    return Camera(name=name, kind="file", url="x", night=night, mount=mount)


def summary(day: Day, name: str) -> dict[str, Any]:
    """What a quiet day brought."""
    raised = [(s, w, x) for s, w, x in day.sights if x.state == "raised"]
    beat = day.pipeline.beat()
    return {
        "camera": name,
        "false_alarms": len({sight.id for _, _, sight in raised}),
        "raised": len(raised),
        "at": [
            [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}", w, x.label, x.score]
            for s, w, x in raised
        ],
        "frames": beat.frames,
        "held": day.held,
        "judged": beat.judged,
        "conditions": dict(day.faults),
    }

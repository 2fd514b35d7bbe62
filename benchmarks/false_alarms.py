"""Bar 3: false alarms of whole camera-days, and recall on the same days.

python -m benchmarks.false_alarms --pictures DIR --mattes DIR [--clips DIR] [--write]

Days as ``benchmarks.camera_day`` plays them; how many frames were distinct is stated.
A false alarm is one id: what comes again in its place within the cool-down is the same
alarm, and how often it was raised is stated beside it. Then the same days again, with
plumes at known times: how many were raised, and how fast, so that quiet is not bought
with deafness.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchmarks import machine, vision_results
from benchmarks.camera_day import (
    Day,
    Judged,
    camera_of,
    plan,
    recalled,
    summary,
    timetable,
)
from benchmarks.skylines import view
from benchmarks.weather import SIZE, cropped
from vision.detect.detector import Detector
from vision.messages import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

LIGHT_HOURS = (8.5, 17.2)
"""What is played again with plumes; at night nothing is promised."""


def scenes_of(folder: Path, names: Sequence[str]) -> list[tuple[str, Picture]]:
    """Pictures without smoke, by name."""
    found = []
    for name in names:
        picture = cv2.imread(str(folder / name))
        if picture is None:
            raise SystemExit(f"{folder / name}: expected a picture")
        sized = cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)
        found.append((Path(name).stem, np.asarray(sized, np.uint8)))
    return found


def mattes_of(folder: Path) -> list[NDArray[np.float32]]:
    """Opacities of filmed smoke, growing."""
    paths = sorted(folder.glob("*.png"))
    return cropped(
        [
            np.asarray(cv2.imread(str(p), cv2.IMREAD_GRAYSCALE), np.float32)
            / np.float32(255)
            for p in paths
        ]
    )


def clip_frames(path: Path, every_s: float = 0.25) -> list[Picture]:
    """A clip's frames, four a second."""
    capture, due_s, n = cv2.VideoCapture(str(path)), 0.0, 0
    made: list[Picture] = []
    rate = capture.get(cv2.CAP_PROP_FPS)
    while True:
        ok, image = capture.read()
        if not ok:
            return made
        if n / rate >= due_s - 1e-6:
            made.append(np.asarray(cv2.resize(image, SIZE), np.uint8))
            due_s += every_s
        n += 1


# Pictures of the validation split, of scenes that were never trained on: those first
# that a camera on a mast could show. The split's portrait and its rafters are left out.
PICTURES = (
    "udacity-veh_test2.jpg",
    "afm_ck0k9d4ua4hmc0863jvxmzoep.jpg",
    "kodak_19.jpg",
    "afm_ck0kcazaa8ddi0701vyun3axw.jpg",
    "kodak_09.jpg",
    "afm_ck0k9kge67alj09447rr8gcjz.jpg",
)
CLIPS = ("none_parking_intel.mp4", "none_road_udacity.mp4")


def main() -> int:
    """Run the days; 0 when there is at most one false alarm a camera-day."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--mattes", type=Path, required=True)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--cameras", type=int, default=len(PICTURES))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--loop", type=int, default=60)
    parser.add_argument("--model")
    parser.add_argument("--night", default="auto", choices=("auto", "watch", "hold"))
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--hours", type=float, nargs=2, default=(0.0, 24.0))
    parser.add_argument("--no-recall", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    began_s = time.monotonic()
    scenes: list[tuple[str, Any]] = list(
        scenes_of(args.pictures, PICTURES[: args.cameras])
    )
    if args.clips:
        scenes += [(Path(name).stem, clip_frames(args.clips / name)) for name in CLIPS]
    rows: list[dict[str, Any]] = []
    recall: list[dict[str, Any]] = []
    distinct = 0
    # Not forked: OpenCV's threads do not live in a copy, and what waits for them hangs.
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        for row, again, frames in pool.map(
            partial(played, args), range(len(scenes)), *zip(*scenes, strict=True)
        ):
            rows.append(row)
            recall += again
            distinct += frames
            told = f"{row['false_alarms']} false, {row['at']}"
            print(f"{row['camera']:36} {told}", flush=True)
            print(f"{'':36} recall {_told(recall)}", flush=True)
    hours = (args.hours[1] - args.hours[0]) * len(rows)
    days = hours / 24
    false = sum(row["false_alarms"] for row in rows)
    print(f"{days:g} camera-days, {false} false alarms, {distinct} distinct frames")
    detector = Detector.open(Model(path=args.model))
    if args.write:
        figures = {
            "bar": 3,
            "met": false <= days,
            "camera_days": days,
            "virtual_hours": hours,
            "false_alarms": false,
            "distinct_frames": distinct,
            "night": args.night,
            "model": detector.id,
            "sha256": detector.sha256,
            "rise": detector.rises,
            "alone": detector.alone,
            "seed": args.seed,
            "took_s": round(time.monotonic() - began_s),
            "recall": _told(recall),
            "days": rows,
            "plumes": recall,
        }
        command = ["python", "-m", "benchmarks.false_alarms", "--write"]
        vision_results.keep("false_alarms", {**figures, **machine.describe(command)})
    return 0 if false <= days else 1


def played(
    args: argparse.Namespace,
    n: int,
    name: str,
    scene: Any,  # noqa: ANN401
) -> tuple[dict[str, Any], list[dict[str, Any]], int]:
    """One camera's day without plumes, its light hours with them, distinct frames.

    Args:
        args: Of the command line.
        n: Which scene.
        name: Its name.
        scene: A picture, or the frames of a clip.
    """
    cv2.setNumThreads(1)
    detector = Judged(Detector.open(Model(path=args.model)))
    options = {"loop": args.loop, "seed": args.seed, "view": view(name)}
    table = timetable()
    if isinstance(scene, list):  # no weather is laid on a clip
        table = ["clip"] * len(table)
    day = Day(detector, camera_of(name, args.night), scene, **options)
    day.run(table, hours=tuple(args.hours))
    row = summary(day, name)
    if args.no_recall or isinstance(scene, list):
        return row, [], len(detector.contents)
    planted = plan(table, args.seed + n + 1)
    day = Day(
        detector,
        camera_of(name, args.night),
        scene,
        **options,
        plumes=planted,
        mattes=mattes_of(args.mattes),
    )
    day.run(table, hours=LIGHT_HOURS)
    return row, recalled(planted, day.sights), len(detector.contents)


def _told(recall: Sequence[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for label in ("dark_smoke", "light_smoke", "dust"):
        ours = [row["after_s"] for row in recall if row["label"] == label]
        seen = sorted(after for after in ours if after is not None)
        told[label] = {
            "planted": len(ours),
            "raised": len(seen),
            "median_s": seen[len(seen) // 2] if seen else None,
            "slowest_s": seen[-1] if seen else None,
        }
    return told


if __name__ == "__main__":
    sys.exit(main())

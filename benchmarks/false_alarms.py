"""Bar 3: false alarms of whole camera-days, and recall on the same days.

python -m benchmarks.false_alarms --pictures DIR --mattes DIR [--clips DIR] [--write]

Days as ``benchmarks.camera_day`` plays them; how many frames were distinct is stated.
Then the same days with plumes at known times: how many were raised, and how fast, so
that quiet is not bought with deafness.
"""

from __future__ import annotations

import argparse
import sys
import time
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


# Validation pictures of eight scenes that were never trained on.
PICTURES = (
    "kodak_04.jpg",
    "kodak_09.jpg",
    "kodak_14.jpg",
    "kodak_19.jpg",
    "udacity-veh_test2.jpg",
    "afm_ck0k9d4ua4hmc0863jvxmzoep.jpg",
    "afm_ck0k9kge67alj09447rr8gcjz.jpg",
    "afm_ck0kcazaa8ddi0701vyun3axw.jpg",
)
CLIPS = ("none_parking_intel.mp4", "none_road_udacity.mp4")


def main() -> int:
    """Run the days; 0 when there is at most one false alarm a camera-day."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--mattes", type=Path, required=True)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--loop", type=int, default=60)
    parser.add_argument("--model")
    parser.add_argument("--night", default="auto", choices=("auto", "watch", "hold"))
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--hours", type=float, nargs=2, default=(0.0, 24.0))
    parser.add_argument("--no-recall", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    began_s = time.monotonic()
    detector = Judged(Detector.open(Model(path=args.model)))
    mattes = mattes_of(args.mattes)
    table = timetable()
    rows, recall = [], []
    options = {"loop": args.loop, "seed": args.seed}
    scenes: list[tuple[str, Any]] = list(
        scenes_of(args.pictures, PICTURES[: args.cameras])
    )
    if args.clips:
        scenes += [(Path(name).stem, clip_frames(args.clips / name)) for name in CLIPS]
    for name, scene in scenes:
        day = Day(detector, camera_of(name, args.night), scene, **options)
        day.run(table, hours=tuple(args.hours))
        rows.append(summary(day, name))
        print(
            f"{name:36} {rows[-1]['false_alarms']} false, {rows[-1]['at']}", flush=True
        )
        if args.no_recall or isinstance(scene, list):
            continue
        planted = plan(table, args.seed + len(rows))
        camera = camera_of(name, args.night)
        day = Day(detector, camera, scene, **options, plumes=planted, mattes=mattes)
        day.run(table, hours=LIGHT_HOURS)
        recall += recalled(planted, day.sights)
        print(f"{'':36} recall {_told(recall)}", flush=True)
    hours = (args.hours[1] - args.hours[0]) * len(rows)
    days = hours / 24
    false = sum(row["false_alarms"] for row in rows)
    distinct = len(detector.contents)
    print(f"{days:g} camera-days, {false} false alarms, {distinct} distinct frames")
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
            "thresholds": detector.thresholds,
            "seed": args.seed,
            "took_s": round(time.monotonic() - began_s),
            "recall": _told(recall),
            "days": rows,
            "plumes": recall,
        }
        command = ["python", "-m", "benchmarks.false_alarms", "--write"]
        vision_results.keep("false_alarms", {**figures, **machine.describe(command)})
    return 0 if false <= days else 1


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

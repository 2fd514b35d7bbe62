"""What cameras cost: the instruments' freshness with two and without, and memory.

    python -m benchmarks.cameras [--size 10x50] [--repeat 3] [--window 30]

Runs alternate, so that what else the machine does falls on both. The bar: the p99 of
freshness (from the device's own clock to the subscriber) with two cameras running is
at most 1.5 times that without. A last run has one camera, for the other bar: its vision
process takes 180 MB at most.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks import machine, sizes
from benchmarks.run import Plan, Row, run

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 1.5
MEMORY_MIB = 180e6 / 2**20
CAMERAS = 2
_FRAMES, _PER_S = 200, 10
_SIZE = (640, 360)


def film(path: Path, seed: int) -> Path:
    """A yard with something that moves, in a form that any OpenCV can write."""
    import cv2  # noqa: PLC0415 - of the extra vision
    import numpy as np  # noqa: PLC0415 - of the extra vision

    width, height = _SIZE
    chance = np.random.default_rng(seed)
    yard = cv2.GaussianBlur(
        chance.integers(40, 200, (height, width, 3), np.uint8), (31, 31), 0
    )
    code = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), code, _PER_S, _SIZE)
    for n in range(_FRAMES):
        frame = yard + chance.integers(0, 6, yard.shape, np.uint8)
        x = 40 + 2 * n
        cv2.rectangle(frame, (x, 200), (x + 60, 250), (30, 40, 180), -1)
        writer.write(frame)
    writer.release()
    return path


def compare(rows: Sequence[Row]) -> dict[str, float]:
    """Medians of both sides and how they compare."""
    alone = [row for row in rows if not row.cameras]
    beside = [row for row in rows if row.cameras == CAMERAS]
    p99 = median(row.fresh_p99_ms for row in alone)
    with_cameras = median(row.fresh_p99_ms for row in beside)
    found = {
        "fresh_p99_ms_without": p99,
        "fresh_p99_ms_with": with_cameras,
        "ratio": round(with_cameras / p99, 3) if p99 else 0.0,
        "vision_pss_mib": median(row.vision_pss_mib for row in beside),
        "vision_core_share": median(row.vision_core_share for row in beside),
        "wrong": float(sum(row.wrong for row in rows)),
    }
    for row in rows:
        if row.cameras == 1:
            found["vision_pss_mib_of_one"] = row.vision_pss_mib
            found["vision_rss_mib_of_one"] = row.vision_rss_mib
            found["vision_core_share_of_one"] = row.vision_core_share
    return found


def measure(
    size: sizes.Size, repeat: int, warm_up_s: float, window_s: float, folder: Path
) -> list[Row]:
    """Alternate runs without and with cameras; one camera at the end."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="ecogate-films-", dir=folder) as films:
        clips = tuple(film(Path(films) / f"{n}.mp4", n) for n in range(CAMERAS))
        runs = [*((), clips) * repeat, clips[:1]]
        for number, shown in enumerate(runs, 1):
            print(
                f"[{number}/{len(runs)}] {len(shown)} cameras",
                file=sys.stderr,
                flush=True,
            )
            plan = Plan(
                size,
                warm_up_s=warm_up_s,
                window_s=window_s,
                purpose="cameras",
                folder=folder,
                clips=shown,
            )
            rows.append(run(plan))
    return rows


def main() -> int:
    """Print the figures; exit status 0 also where the limit is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.cameras", description=__doc__)
    parser.add_argument("--size", type=sizes.parse, default=sizes.parse("10x50"))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--warm-up", type=float, default=10.0, metavar="S")
    parser.add_argument("--window", type=float, default=30.0, metavar="S")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))  # noqa: S108
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = measure(
        options.size, options.repeat, options.warm_up, options.window, options.folder
    )
    found = compare(rows)
    for name, value in found.items():
        print(f"{name:24} {value:g}")
    print(f"{'limit of ratio':24} {LIMIT:g}")
    print(f"{'limit of one, MiB':24} {MEMORY_MIB:.0f}")
    if options.out is not None:
        content = {
            "about": machine.describe(["python -m benchmarks.cameras", *sys.argv[1:]]),
            "found": found,
            "limit": LIMIT,
            "runs": [msgspec.to_builtins(row) for row in rows],
        }
        options.out.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

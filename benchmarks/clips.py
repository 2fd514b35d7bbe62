"""Bar 2: the demonstration clips through ``python -m vision test``, as a person would.

python -m benchmarks.clips --clips DIR [--model ONNX] [--write]

The clips share scenes with the training pictures: this measures plumbing and delay,
never accuracy.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import machine, vision_results

EVERY_S = 0.25


class Clip(NamedTuple):
    """What a clip must bring."""

    file: str
    labels: tuple[str, ...]
    """Any of them; none: no alarm at all."""
    from_s: float = 0.0
    """First visible; nothing may be raised before."""
    by_s: float = 0.0


SMOKE = ("dark_smoke", "light_smoke")
CLIPS = (
    Clip("smoke_dark_composite.mp4", ("dark_smoke",), 4.0, 10.0),
    Clip("smoke_light_composite.mp4", ("light_smoke",), 4.0, 10.0),
    Clip("dust_rendered.mp4", ("dust",), 4.0, 10.0),
    Clip("fire_smoke_house_furg.mp4", SMOKE, 0.0, 8.0),
    # First boxed frame at second 10 to 11; smoke nobody boxed may show before.
    Clip("smoke_hpwren_24.mp4", SMOKE, 10.0, 16.25),
    Clip("smoke_hpwren_12.mp4", SMOKE, 10.0, 16.25),
    Clip("none_road_udacity.mp4", ()),
    Clip("none_parking_intel.mp4", ()),
)


def run(file: Path, model: str | None, sheet: Path | None) -> list[dict[str, Any]]:
    """The lines that vision says of a clip."""
    command = [sys.executable, "-P", "-m", "vision", "test", str(file)]
    command += ["--every", str(EVERY_S)]
    if model:
        command += ["--model", json.dumps({"path": model})]
    if sheet:
        command += ["--sheet", str(sheet)]
    done = subprocess.run(command, check=True, capture_output=True, cwd=machine.ROOT)
    return [json.loads(line) for line in done.stdout.splitlines()]


def verdict(clip: Clip, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What came of one clip, and whether it is what it must be."""
    raised = [x for x in lines if x["kind"] == "sight" and x["state"] == "raised"]
    times = [(x["at_s"], x["label"], x["score"]) for x in raised]
    wanted = [at_s for at_s, label, _ in times if label in clip.labels]
    early = [one for one in times if one[0] < clip.from_s]
    met = not early and (
        (bool(wanted) and wanted[0] <= clip.by_s) if clip.labels else not times
    )
    seconds = [x for x in lines if x["kind"] == "second"]
    best = {
        label: max(x["scores"][label] for x in seconds)
        for label in (seconds[0]["scores"] if seconds else ())
    }
    return {
        "clip": clip.file,
        "wanted": list(clip.labels),
        "by_s": clip.by_s if clip.labels else None,
        "raised": [list(one) for one in times],
        "best": best,
        "met": met,
    }


def main() -> int:
    """Run them all; 0 when all are as they must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    rows, model = [], {}
    for clip in CLIPS:
        sheet = args.sheets / f"{Path(clip.file).stem}.png" if args.sheets else None
        lines = run(args.clips / clip.file, args.model, sheet)
        model = {key: lines[0][key] for key in ("model", "sha256", "thresholds")}
        rows.append(verdict(clip, lines))
        told = ", ".join(
            f"{at:.2f} s {what} {x:.2f}" for at, what, x in rows[-1]["raised"]
        )
        mark = "met" if rows[-1]["met"] else "MISSED"
        print(
            f"{clip.file:28} {mark:7} {told or 'no alarm':44} best {rows[-1]['best']}"
        )
    met = all(row["met"] for row in rows)
    if args.write:
        figures = {"bar": 2, "met": met, "every_s": EVERY_S, **model, "clips": rows}
        command = ["python", "-m", "benchmarks.clips", "--clips", "DIR", "--write"]
        vision_results.keep("clips", {**figures, **machine.describe(command)})
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())

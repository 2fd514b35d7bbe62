"""``python -m vision score PATH ...``: what the model sees in each picture by itself.

No background, no persistence: the figures a model card speaks of, on pictures of one's
own. An alarm never comes from one frame; see ``python -m vision test`` for those.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vision.detect.detector import Detector
from vision.messages import LABELS, Model
from vision.said import Trouble, say
from vision.sources.picture import KINDS, read_picture
from vision.sources.source import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def main(arguments: list[str]) -> int:
    """``[--model JSON] PATH ...``: pictures, and folders of them at any depth.

    Raises:
        Trouble: The model cannot be used, or there is no picture.
    """
    parser = argparse.ArgumentParser(prog="python -m vision score")
    parser.add_argument("--model", default="{}", help="a Model as JSON")
    parser.add_argument("paths", nargs="+", type=Path)
    args = parser.parse_args(arguments)
    files = list(pictures_under(args.paths))
    if not files:
        raise Trouble("vision.source.no_pictures", {"path": str(args.paths[0])})
    detector = Detector.open(msgspec.json.decode(args.model, type=Model))
    limits = {label: detector.thresholds[label] for label in LABELS}
    say(
        {
            "kind": "began",
            "model": detector.id,
            "sha256": detector.sha256,
            "thresholds": limits,
            "calibrated": detector.calibrated,
        }
    )
    for path in files:
        line: dict[str, object] = {"kind": "picture", "file": str(path)}
        try:
            image = read_picture(path)
        except SourceError as exc:
            say(line | {"key": exc.key, "args": exc.args_told})
            continue
        found = detector(image).image_scores
        scores = dict(zip(LABELS, (round(float(x), 4) for x in found), strict=True))
        over = [label for label in LABELS if scores[label] >= limits[label]]
        say(line | {"scores": scores, "over": over})
    return 0


def pictures_under(paths: Iterable[Path]) -> Iterator[Path]:
    """The named pictures, and all below the named folders, by name."""
    for path in paths:
        if path.is_dir():
            below = (p for p in path.rglob("*") if p.suffix.lower() in KINDS)
            yield from sorted(p for p in below if p.is_file())
        else:
            yield path

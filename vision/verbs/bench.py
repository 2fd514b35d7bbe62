"""``python -m vision bench``: one ``Bench`` a size of picture."""

from __future__ import annotations

import argparse

import msgspec

from vision.bench import measure
from vision.messages import Model
from vision.said import say

_PICTURES = [(640, 360), (1920, 1080)]
"""A sub-stream, and a main stream."""


def main(arguments: list[str]) -> int:
    """``[--model JSON] [--frames N] [--picture W H ...]``."""
    parser = argparse.ArgumentParser(prog="python -m vision bench")
    parser.add_argument("--model", default="{}", help="a Model as JSON")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--picture", type=int, nargs=2, action="append")
    args = parser.parse_args(arguments)
    model = msgspec.json.decode(args.model, type=Model)
    import cv2  # noqa: PLC0415

    from vision.detect.detector import Detector  # noqa: PLC0415

    cv2.setNumThreads(1)
    detector = Detector.open(model)
    for width, height in args.picture or _PICTURES:
        say(measure(detector, (width, height), args.frames, model.threads))
    return 0

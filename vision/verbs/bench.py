"""``python -m vision bench``: one ``Bench`` a size of picture."""

from __future__ import annotations

import argparse

from vision.bench import measure
from vision.said import say
from vision.verbs import model_arguments


def main(arguments: list[str]) -> int:
    """``[--model FILE ...] [--threads N] [--frames N] [--picture WxH ...]``."""
    parser = argparse.ArgumentParser(prog="python -m vision bench")
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--picture", type=model_arguments.pair, action="append")
    model_arguments.add(parser)
    args = parser.parse_args(arguments)
    model = model_arguments.model_of(args, args.model, args.threads)
    import cv2  # noqa: PLC0415

    from vision.detect.detector import Detector  # noqa: PLC0415

    cv2.setNumThreads(1)
    detector = Detector.open(model)
    for picture in args.picture or [(640, 360), (1920, 1080)]:
        say(measure(detector, picture, args.frames, args.threads))
    return 0

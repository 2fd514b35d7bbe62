"""``python -m vision check-model FILE``: what a model is, or why it cannot be used."""

from __future__ import annotations

import argparse
import time

from vision.said import say
from vision.verbs import model_arguments

_PICTURE = (1280, 720)
_FRAMES = 5


def main(arguments: list[str]) -> int:
    """``FILE [--head NAME] [--class THEIRS=OURS ...] [--size WxH] [--pixels KIND]``."""
    parser = argparse.ArgumentParser(prog="python -m vision check-model")
    parser.add_argument("file")
    model_arguments.add(parser)
    args = parser.parse_args(arguments)
    model = model_arguments.model_of(args, args.file)
    from vision.bench import noise  # noqa: PLC0415
    from vision.detect import trial  # noqa: PLC0415
    from vision.detect.onnx_file import read  # noqa: PLC0415

    file = read(args.file)
    trial.tried(model, file.sha256)
    # Only what was tried is worth the time it takes to load OpenCV and look closer.
    from vision.detect.detector import Detector  # noqa: PLC0415
    from vision.detect.report import report  # noqa: PLC0415

    detector = Detector.of(file, model)
    image = noise(_PICTURE)
    detector(image)
    times = []
    for _ in range(_FRAMES):
        began = time.perf_counter()
        detector(image)
        times.append(time.perf_counter() - began)
    say(report(file, model, detector, 1000 * sorted(times)[_FRAMES // 2]))
    return 0

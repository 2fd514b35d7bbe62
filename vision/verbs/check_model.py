"""``python -m vision check-model MODEL``: what a model is, or why it cannot be used."""

from __future__ import annotations

import time

import msgspec

from vision.messages import Model
from vision.said import say

_PICTURE = (1280, 720)
_FRAMES = 5


def main(arguments: list[str]) -> int:
    """``MODEL``: a ``Model`` with its path, as JSON."""
    (given,) = arguments
    model = msgspec.json.decode(given, type=Model)
    from vision.bench import noise  # noqa: PLC0415
    from vision.detect import trial  # noqa: PLC0415
    from vision.detect.onnx_file import read  # noqa: PLC0415

    file = read(model.path or "")
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

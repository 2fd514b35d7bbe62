"""What a model costs on this machine: milliseconds a frame by step, and memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from vision.detect.detector import Detector

_SEED = 6


class Bench(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="bench"):
    """Figures of one size of picture at one number of threads; times in ms."""

    model: str
    head: str
    threads: int
    picture: tuple[int, int]
    """Of the camera, width, height."""
    fed: tuple[int, int]
    """What the network saw of it."""
    frames: int
    p50_ms: float
    """From a decoded picture to the verdict."""
    p95_ms: float
    prepare_ms: float
    """Scale and turn to RGB."""
    infer_ms: float
    decode_ms: float
    """From the head's output to cells and scores."""
    cpu_ms: float
    """Processor time a frame, all threads."""
    pss_bytes: int
    """Memory of the process, what is shared counted by halves; 0: not told."""


def measure(
    detector: Detector, picture: tuple[int, int], frames: int, threads: int
) -> Bench:
    """Time so many frames of noise, after two that warm up.

    Args:
        detector: To measure.
        picture: Width, height of the camera's picture.
        frames: How many.
        threads: The detector was opened with; for the report.
    """
    from vision.detect.prepare import prepared  # noqa: PLC0415 - OpenCV

    image = noise(picture)
    fit = detector.fit(picture)
    fed = prepared(image, fit)
    whole = _times(lambda: detector(image), frames)
    began = time.process_time()
    for _ in range(frames):
        detector(image)
    cpu = (time.process_time() - began) / frames
    few = max(3, frames // 3)
    prepare = _times(lambda: prepared(image, fit), few)
    infer = _times(lambda: detector.net(fed), few)
    said = detector.net(fed)
    decode = _times(lambda: detector.cells(said, fit), few)
    return Bench(
        model=detector.id,
        head=detector.head,
        threads=threads,
        picture=picture,
        fed=fit.fed,
        frames=frames,
        p50_ms=_ms(_share(whole, 0.5)),
        p95_ms=_ms(_share(whole, 0.95)),
        prepare_ms=_ms(_share(prepare, 0.5)),
        infer_ms=_ms(_share(infer, 0.5)),
        decode_ms=_ms(_share(decode, 0.5)),
        cpu_ms=_ms(cpu),
        pss_bytes=pss_bytes(),
    )


def noise(size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture of this size that no step can take a short cut on."""
    import numpy as np  # noqa: PLC0415

    rng = np.random.default_rng(_SEED)
    return rng.integers(0, 256, (size[1], size[0], 3), np.uint8)


def pss_bytes() -> int:
    """Memory of this process, shared pages by their share; 0: not told."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text("ascii")
    except OSError:
        return 0
    lines = (line.split() for line in text.splitlines())
    return next((int(x[1]) * 1024 for x in lines if x[0] == "Pss:"), 0)


def _times(act: Callable[[], object], count: int) -> list[float]:
    for _ in range(2):
        act()
    found = []
    for _ in range(count):
        began = time.perf_counter()
        act()
        found.append(time.perf_counter() - began)
    return sorted(found)


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 2)

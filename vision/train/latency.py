"""Milliseconds a frame, as the gateway would run the file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from vision.train import export, frames

if TYPE_CHECKING:
    from pathlib import Path

_WARM, _RUNS = 3, 40


def of_file(path: Path) -> dict[str, float]:
    """Return milliseconds by ``<size>, threads <n>``, picture to cells.

    The fastest of some runs: machines that train are seldom idle.
    """
    out = {}
    for threads in (1, 2):
        model = export.session(path, threads)
        for width, height in frames.SIZES:
            rng = np.random.default_rng(0)
            picture = rng.integers(0, 256, (1, height, width, 3), np.uint8)
            spent = []
            for turn in range(_WARM + _RUNS):
                begun = time.perf_counter()
                model.run(None, {"image": picture})
                if turn >= _WARM:
                    spent.append(time.perf_counter() - begun)
            name = f"{width}x{height}, threads {threads}"
            out[name] = round(1000 * min(spent), 1)
    return out

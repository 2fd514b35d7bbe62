"""Figures of the camera benchmarks: one file, a key a benchmark."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from benchmarks import machine

if TYPE_CHECKING:
    from pathlib import Path

RESULTS = machine.ROOT / "benchmarks" / "results" / "vision.json"


def keep(key: str, figures: dict[str, Any], path: Path = RESULTS) -> None:
    """Replace one benchmark's figures; the others' stay."""
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    kept[key] = figures
    part = path.with_suffix(".part")
    part.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    os.replace(part, path)  # noqa: PTH105 - the atomic one

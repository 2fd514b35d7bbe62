"""Whole pictures to judge a net by, and what the frozen trunk makes of them.

The judged pictures are the book's own, whole, at the two input sizes; their trunk
features are kept on disk (float16) so that every candidate and fold reads them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vision.train.book import REAL_DUST, REAL_NONE, REAL_SMOKE, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from vision.train.backbone import Trunk
    from vision.train.book import Page

SIZES = ((448, 256), (640, 384))
FAR_PX = 32
_SEEN = 0.10  # opacity of a cell that counts, as in the labels
_FEW = 0.02


@dataclass(frozen=True)
class Truth:
    """What a whole picture shows; None where nobody can say.

    Attributes:
        smoke: Any smoke.
        dark: Dark smoke.
        light: Light smoke.
        dust: Dust.
        far: All of its smoke or dust is below 32 pixels of the 640-pixel frame.
    """

    smoke: bool | None
    dark: bool | None
    light: bool | None
    dust: bool | None
    far: bool

    @property
    def negative(self) -> bool:
        """Nothing is emitted."""
        return self.smoke is False and self.dust is False


def truth(page: Page) -> Truth:
    """Read a picture's truth from its kind, boxes and cells.

    A rendered picture whose strongest cell is between 0.02 and 0.10 is not judged.
    """
    sides = [max(b.x1 - b.x0, b.y1 - b.y0) for b in page.boxes]
    far = bool(sides) and max(sides) < FAR_PX
    if page.kind == REAL_NONE:
        return Truth(smoke=False, dark=False, light=False, dust=False, far=False)
    if page.kind == REAL_SMOKE:
        return Truth(smoke=True, dark=None, light=None, dust=False, far=far)
    if page.kind == REAL_DUST:
        empty = not page.boxes
        return Truth(smoke=False, dark=False, light=False, dust=not empty, far=far)
    if page.cells is None:
        return Truth(smoke=None, dark=None, light=None, dust=None, far=far)
    most = page.cells.astype(np.float32).reshape(3, -1).max(1)
    seen = [bool(m >= _SEEN) if m >= _SEEN or m <= _FEW else None for m in most]
    dark, light, dust = seen
    smoke = True if dark or light else (None if None in (dark, light) else False)
    return Truth(smoke=smoke, dark=dark, light=light, dust=dust, far=far)


def few_of_each(pages: Sequence[Page], most: int) -> list[Page]:
    """At most ``most`` pictures of every scene and kind, evenly picked by name."""
    groups: dict[tuple[str, str], list[Page]] = {}
    for page in sorted(pages, key=lambda p: p.file):
        groups.setdefault((page.scene, page.kind), []).append(page)
    picked = []
    for members in groups.values():
        places = np.unique(np.linspace(0, len(members) - 1, most).round().astype(int))
        picked += [members[i] for i in places]
    return picked


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring a picture to (width, height), averaging where it shrinks."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def features(
    trunk: Trunk, pages: Sequence[Page], size: tuple[int, int], work: Path
) -> NDArray[np.float16]:
    """Trunk features of whole pictures, (n, H/8, W/8, 40), from disk where known."""
    import torch  # noqa: PLC0415 - the rest of this module serves without torch

    names = "\n".join([str(size), *(p.file for p in pages)])
    key = hashlib.sha256(names.encode()).hexdigest()[:12]
    path = work / f"frames-{size[0]}x{size[1]}-{key}.npy"
    if path.is_file():
        return np.asarray(np.load(path, mmap_mode="r"))
    out = np.empty((len(pages), size[1] // 8, size[0] // 8, 40), np.float16)
    with torch.no_grad():
        for i, page in enumerate(pages):
            image = resized(page.rgb(), size)
            x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
            out[i] = trunk(x)[0].permute(1, 2, 0).numpy()
    work.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npy")
    np.save(part, out)
    part.rename(path)
    return out


__all__ = [
    "FAR_PX", "REAL_DUST", "REAL_NONE", "REAL_SMOKE", "SIZES", "SYNTHETIC",
    "Truth", "features", "few_of_each", "resized", "truth",
]  # fmt: skip

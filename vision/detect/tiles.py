"""Two looks for towers: a wide scan in tiles at full resolution, then a closer one.

Far smoke is one or two cells of a whole picture shrunk to 640x384, too little for a
verdict. In tiles at the camera's own resolution it is several. A scan of many tiles
costs many pictures' time, so it may be spread over frames; its result comes only when
every tile was looked at anew, because a tile seen once must never count twice.

Planning and merging are pure; only ``Scan`` and ``second_look`` ask the detector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.frame import Cells
from vision.messages import LABELS
from vision.scores import image_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from vision.detect.letterbox import Size
    from vision.messages import Label

    Floats = NDArray[np.float32]
    Bytes = NDArray[np.uint8]
    Look = Callable[[Bytes], Cells]

OVERLAP = 0.15
"""Of a tile's side: what lies on a seam is seen whole by one of its two tiles."""
SMOKE: tuple[Label, ...] = ("dark_smoke", "light_smoke")
_AROUND = 1.5
_OTHER_SCALE = 1.6
_ASIDE = 0.25


class Tile(NamedTuple):
    """A part of a picture, in pixels; x1 and y1 are outside."""

    x0: int
    y0: int
    x1: int
    y1: int

    def of(self, image: Bytes) -> Bytes:
        """The pixels, not copied."""
        return image[self.y0 : self.y1, self.x0 : self.x1]


def planned(
    picture: Size, tiles: tuple[int, int], overlap: float = OVERLAP
) -> tuple[Tile, ...]:
    """Tiles of one size that cover a picture, row by row.

    Args:
        picture: Width, height.
        tiles: Columns, rows.
        overlap: Of a tile's side with its neighbour's, 0 to 0.5.

    Raises:
        ValueError: More tiles than the picture has room for.
    """
    x = _cuts(picture[0], tiles[0], overlap)
    y = _cuts(picture[1], tiles[1], overlap)
    return tuple(Tile(a, c, b, d) for c, d in y for a, b in x)


def _cuts(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    if not 1 <= count <= max(1, length // 64):
        raise ValueError(f"{length} pixels: expected 1..{length // 64}, got {count}")
    side = min(length, int(np.ceil(length / (count - (count - 1) * overlap))))
    step = (length - side) / max(1, count - 1)
    starts = [round(n * step) for n in range(count)]
    return [(start, start + side) for start in starts]


def merged(picture: Size, parts: Sequence[tuple[Tile, Floats]]) -> Floats:
    """Maps of tiles to maps of the whole picture, with the cells of the tiles.

    Where tiles overlap, a cell is that of the tile in which it lies deepest: at a
    tile's edge the network sees half of what it judges by.

    Args:
        picture: Width, height.
        parts: Tiles that cover it, each with its (3, rows, columns).
    """
    first, maps = parts[0]
    columns = round(picture[0] * maps.shape[2] / (first.x1 - first.x0))
    rows = round(picture[1] * maps.shape[1] / (first.y1 - first.y0))
    whole = np.zeros((len(LABELS), rows, columns), np.float32)
    deepest = np.full((rows, columns), -1.0, np.float32)
    x = (np.arange(columns) + 0.5) * picture[0] / columns
    y = (np.arange(rows) + 0.5) * picture[1] / rows
    for tile, found in parts:
        across = np.flatnonzero((x >= tile.x0) & (x <= tile.x1))
        down = np.flatnonzero((y >= tile.y0) & (y <= tile.y1))
        if not len(across) or not len(down):
            continue
        wide, high = tile.x1 - tile.x0, tile.y1 - tile.y0
        depth_x = _depth(x[across], tile.x0, tile.x1, picture[0]) / wide
        depth_y = _depth(y[down], tile.y0, tile.y1, picture[1]) / high
        depth = np.minimum(depth_y[:, None], depth_x[None, :]).astype(np.float32)
        c = _cell(x[across] - tile.x0, wide, found.shape[2])
        r = _cell(y[down] - tile.y0, high, found.shape[1])
        place = np.ix_(down, across)
        better = depth > deepest[place]
        deepest[place] = np.where(better, depth, deepest[place])
        r, c = r[:, None], c[None, :]
        down, across = down[:, None], across[None, :]
        whole[:, down, across] = np.where(
            better, found[:, r, c], whole[:, down, across]
        )
    return whole


def _depth(
    at: NDArray[np.float64], low: int, high: int, whole: int
) -> NDArray[np.float64]:
    """How far inside; the picture's own edges are no seams."""
    left = np.full_like(at, np.inf) if low == 0 else at - low
    right = np.full_like(at, np.inf) if high == whole else high - at
    return np.minimum(np.minimum(left, right), whole)


def _cell(at: NDArray[np.float64], length: int, cells: int) -> NDArray[np.intp]:
    return np.floor(at * cells / length).astype(np.intp).clip(0, cells - 1)


class Scan:
    """A scan that is spread over frames.

    Args:
        tiles: Columns, rows.
        per_step: Tiles looked at a frame: bounds the processor time a frame costs.
    """

    def __init__(self, tiles: tuple[int, int], per_step: int) -> None:
        self._tiles = tiles
        self._per_step = max(1, per_step)
        self._size: Size = (0, 0)
        self._plan: tuple[Tile, ...] = ()
        self._parts: list[tuple[Tile, Cells]] = []

    @property
    def steps(self) -> int:
        """Frames a round takes."""
        count = self._tiles[0] * self._tiles[1]
        return -(-count // self._per_step)

    @property
    def begun(self) -> bool:
        """Some tiles of this round were looked at, and not all: go on with it."""
        return bool(self._parts)

    def restart(self) -> None:
        """Begin a new round: what was seen so far no longer holds."""
        self._parts = []

    def step(self, image: Bytes, detector: Look) -> Cells | None:
        """Look at the tiles that are due; the round's cells where it is complete.

        Args:
            image: The newest frame, (height, width, 3) BGR; another size than before
                begins anew.
            detector: Of one picture.
        """
        size = (image.shape[1], image.shape[0])
        if size != self._size:
            self._size, self._parts = size, []
            self._plan = planned(size, _room(size, self._tiles))
        begin = len(self._parts)
        for tile in self._plan[begin : begin + self._per_step]:
            self._parts.append((tile, detector(tile.of(image))))
        if len(self._parts) < len(self._plan):
            return None
        parts, self._parts = self._parts, []
        maps = merged(size, [(tile, cells.scores) for tile, cells in parts])
        best = np.max([cells.image_scores for _, cells in parts], axis=0)
        return Cells(maps, (float(best[0]), float(best[1]), float(best[2])))


def _room(size: Size, tiles: tuple[int, int]) -> tuple[int, int]:
    """Fewer tiles where a camera sends a smaller picture than was thought."""
    return (
        max(1, min(tiles[0], size[0] // 64)),
        max(1, min(tiles[1], size[1] // 64)),
    )


def windows(
    picture: Size, region: tuple[float, float, float, float], size: Size
) -> tuple[Tile, Tile]:
    """Where a second look looks: once as it is, once wider and aside.

    Args:
        picture: Width, height of the camera's picture.
        region: Of the candidate, x0 y0 x1 y1 from 0 to 1.
        size: What the network is fed with: at this size nothing is shrunk.
    """
    x0, y0, x1, y1 = region
    middle = ((x0 + x1) / 2 * picture[0], (y0 + y1) / 2 * picture[1])
    need = ((x1 - x0) * picture[0] * _AROUND, (y1 - y0) * picture[1] * _AROUND)
    scale = max(1.0, need[0] / size[0], need[1] / size[1])
    near = (size[0] * scale, size[1] * scale)
    far = (near[0] * _OTHER_SCALE, near[1] * _OTHER_SCALE)
    # The candidate leaves the middle, and with it the network's cells leave theirs.
    aside = (middle[0] + _ASIDE * near[0], middle[1] - _ASIDE * near[1])
    return _window(picture, middle, near), _window(picture, aside, far)


def _window(
    picture: Size, middle: tuple[float, float], side: tuple[float, float]
) -> Tile:
    cuts = []
    for length, at, wanted in zip(picture, middle, side, strict=True):
        span = min(length, round(wanted))
        start = min(max(0, round(at - span / 2)), length - span)
        cuts.append((start, start + span))
    (x0, x1), (y0, y1) = cuts
    return Tile(x0, y0, x1, y1)


def second_look(
    image: Bytes,
    region: tuple[float, float, float, float],
    detector: Look,
    label: Label,
    size: Size,
) -> float:
    """How much of a candidate is left from nearer by and from elsewhere.

    Smoke that one look calls dark and another light is smoke in both.

    Args:
        image: (height, width, 3) BGR.
        region: Of the candidate, x0 y0 x1 y1 from 0 to 1.
        detector: Of one picture.
        label: Of the candidate.
        size: The detector's.

    Returns:
        The lower of two scores within the region, from 0 to 1.
    """
    picture = (image.shape[1], image.shape[0])
    wanted = SMOKE if label in SMOKE else (label,)
    rows = [LABELS.index(one) for one in wanted]
    found = []
    for tile in windows(picture, region, size):
        cells = detector(tile.of(image))
        part = _within(cells.scores, tile, picture, region)
        scores = image_scores(part)
        found.append(max(scores[row] for row in rows))
    return min(found)


def _within(
    maps: Floats,
    tile: Tile,
    picture: Size,
    region: tuple[float, float, float, float],
) -> Floats:
    """The cells of a tile that show a region, and those next to them."""
    spans = []
    for axis, cells in ((0, maps.shape[2]), (1, maps.shape[1])):
        low, length = tile[axis], tile[axis + 2] - tile[axis]
        first = (region[axis] * picture[axis] - low) / length * cells
        last = (region[axis + 2] * picture[axis] - low) / length * cells
        begin = int(min(max(np.floor(first) - 1, 0), cells - 1))
        spans.append(slice(begin, int(min(max(np.ceil(last) + 1, begin + 1), cells))))
    return maps[:, spans[1], spans[0]]

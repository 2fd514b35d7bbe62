"""A camera's usual view over a restart of its process, as bytes.

Without it a camera that was covered is learned as usual by the next process, and one
that is turned while a process is replaced is never missed. A NumPy ``.npz`` (no
pickles) of three small pictures and of a head in JSON, some 30 kB.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from vision.look import COLUMNS, ROWS, SIZE
from vision.messages import Fault

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.messages import Camera

VERSION = 1
LARGEST = 200_000
"""Bytes; nothing of ours is so large."""
WELL_LIVES_S = 1800.0
"""A view that was well is usual for so long: then light and shadows are others."""
_SHAPES = {
    "edges": (SIZE[1] // 2, SIZE[0] // 2),
    "means": (ROWS, COLUMNS),
    "texture": (ROWS, COLUMNS),
}


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """All that is no picture."""

    version: int = VERSION
    t_ms: int = 0
    """UTC when it was stored."""
    camera: str = ""
    """Which: another address under the same name is another camera."""
    seen_s: float
    frames: int
    sharpness: float
    mean: float
    usual: float
    stood: bool = False
    """It was one view while it was learned, whatever shakes it since."""
    noise: float
    odd_s: float | None
    """Something has been odd for so long; None: nothing is."""
    infrared: bool | None
    faults: tuple[Fault, ...] = ()
    """Of the view, as they stood."""
    doubted: bool = False
    """Not seen as usual at last, where parts of the picture are private."""
    strayed: bool = False
    """It was unsteady before its view was known: nobody knows where its private zones
    were drawn, however well it knows the view it has since."""


class KeptView(NamedTuple):
    """What was learned of one camera."""

    head: Head
    edges: NDArray[np.float32]
    means: NDArray[np.float32]
    texture: NDArray[np.float32]


def nothing() -> KeptView:
    """For what has to be kept of a camera whose view is not known: ``frames`` is 0."""
    head = Head(
        seen_s=0.0,
        frames=0,
        sharpness=0.0,
        mean=0.0,
        usual=1.0,
        noise=0.0,
        odd_s=None,
        infrared=None,
    )
    empty = {name: np.zeros(shape, np.float32) for name, shape in _SHAPES.items()}
    return KeptView(head, **empty)


def mark(camera: Camera) -> str:
    """What tells this camera from another of its name, or from itself at another mount.

    Who writes its mount or its private zones anew says they are of what it sees now.
    """
    private = tuple(zone for zone in camera.zones if zone.use == "private")
    told = msgspec.json.encode((camera.kind, camera.url, camera.mount, private))
    return hashlib.sha256(told).hexdigest()[:16]


def pack(view: KeptView) -> bytes:
    """One view as bytes."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        allow_pickle=False,
        head=np.frombuffer(msgspec.json.encode(view.head), np.uint8),
        # A thousandth of an edge's strength is less than noise.
        edges=view.edges.astype(np.float16),
        means=view.means,
        texture=view.texture,
    )
    return file.getvalue()


def unpack(stored: bytes) -> KeptView | None:
    """What ``pack`` made; None: damaged, or of another version."""
    if len(stored) > LARGEST:
        return None
    try:
        with np.load(io.BytesIO(stored), allow_pickle=False) as found:
            head = msgspec.json.decode(found["head"].tobytes(), type=Head)
            pictures = {name: found[name].astype(np.float32) for name in _SHAPES}
    except Exception:  # noqa: BLE001 - what a power failure left fails in many ways
        return None
    sound = all(
        pictures[name].shape == shape and bool(np.isfinite(pictures[name]).all())
        for name, shape in _SHAPES.items()
    )
    return KeptView(head, **pictures) if head.version == VERSION and sound else None


def lives(head: Head, camera: Camera, t_ms: int) -> bool:
    """Whether a stored view still tells what this camera usually sees.

    What was wrong with it is, however long ago: a cloth does not go with the power, and
    a clock that is behind turns no camera back. It ends as any other fault.

    Args:
        head: Of the view.
        camera: As configured now.
        t_ms: UTC now; a clock that was set back tells no age.
    """
    age_s = (t_ms - head.t_ms) / 1000
    odd = bool(head.faults) or head.doubted
    known = head.frames > 0 and head.camera == mark(camera)
    return known and (odd or 0 <= age_s <= WELL_LIVES_S)

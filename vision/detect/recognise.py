"""Which head a network has, from its shapes and what its maker wrote into the file.

Pure: shapes and metadata in, a finding or a refusal out. What the operator declares
wins where the shape allows it; what could be two things is asked about, never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from vision.detect.errors import ModelError
from vision.detect.heads import STRIDES, candidates
from vision.detect.metadata import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vision.detect.letterbox import Size
    from vision.messages import Head, Pixels

Layout = Literal["nchw", "nhwc"]
Dim = int | str | None

_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(float16)": "f2"}
_LARGEST_SIDE = 4096
_SMALLEST_SIDE = 32
_STEP = 32
_MOST_SUPPRESSED = 1000
_BOX, _BOX_AND_SCORE = 4, 5
_E2E_COLUMNS = 6
_SHOWN = 8
"""Of what a file lists without end."""


class Entry(NamedTuple):
    """What a network wants to be fed with."""

    name: str
    layout: Layout
    dtype: str
    """A name of numpy's."""
    size: Size
    free: bool
    """Other sizes (multiples of 32) are as good."""


def entry(
    inputs: Sequence[tuple[str, Sequence[Dim], str]],
    metadata: Mapping[str, str],
    declared: Size | None,
) -> Entry:
    """What the one input of a network is.

    Args:
        inputs: Name, shape and type of each, as onnxruntime tells them.
        metadata: Of the file.
        declared: Width, height the operator asks for.

    Raises:
        ModelError: Not one picture of three colours, or a size nobody told.
    """
    if len(inputs) != 1:
        names = ", ".join(name[:60] for name, _, _ in inputs[:_SHOWN])
        raise ModelError("inputs", found=names)
    name, shape, kind = inputs[0]
    told = "x".join(str(d) if isinstance(d, int) else "?" for d in shape[:_SHOWN])
    if kind not in _TYPES:
        raise ModelError("input_type", found=kind, expected=", ".join(_TYPES))
    dims = [d if isinstance(d, int) and d > 0 else None for d in shape]
    if len(dims) != 4 or dims[0] not in (None, 1):  # noqa: PLR2004 - one picture
        raise ModelError("input_shape", found=told)
    layout: Layout
    if dims[1] == 3 and dims[3] != 3:  # noqa: PLR2004 - colours
        layout, height, width = "nchw", dims[2], dims[3]
    elif dims[3] == 3 and dims[1] != 3:  # noqa: PLR2004
        layout, height, width = "nhwc", dims[1], dims[2]
    else:
        raise ModelError("input_shape", found=told)
    size = _size(width, height, metadata, declared)
    free = width is None and height is None
    return Entry(name, layout, _TYPES[kind], size, free=free)


def _size(
    width: int | None,
    height: int | None,
    metadata: Mapping[str, str],
    declared: Size | None,
) -> Size:
    said = declared or told_size(metadata)
    if width is not None and height is not None:
        if declared and declared != (width, height):
            found, wanted = f"{width}x{height}", f"{declared[0]}x{declared[1]}"
            raise ModelError("size_fixed", found=found, declared=wanted)
        said = (width, height)
    if said is None:
        raise ModelError("size_needed")
    wide, high = width or said[0], height or said[1]
    for side in (wide, high):
        if not _SMALLEST_SIDE <= side <= _LARGEST_SIDE:
            limits = f"{_SMALLEST_SIDE}..{_LARGEST_SIDE}"
            raise ModelError("size_range", found=f"{wide}x{high}", limits=limits)
        # Strides reach 32: a free side that is no multiple ends in shapes that differ.
        if (width is None or height is None) and side % _STEP:
            raise ModelError("size_step", found=f"{wide}x{high}", step=_STEP)
    return wide, high


def told_size(metadata: Mapping[str, str]) -> Size | None:
    """The size a file's maker wrote into it: ours [w, h]; Ultralytics' [h, w]."""
    for key, turned in (("ecogate.size", False), ("imgsz", True)):
        found = literal(metadata.get(key, ""))
        if isinstance(found, int):
            found = [found, found]
        if isinstance(found, (list, tuple)) and len(found) == 2:  # noqa: PLR2004
            if not all(isinstance(side, int) for side in found):
                continue
            first, second = found
            return (second, first) if turned else (first, second)
    return None


def fits(shape: Sequence[int], size: Size, classes: int) -> list[Head]:
    """Every head an output of this shape can be.

    Args:
        shape: Of the output, with the leading 1.
        size: What was fed.
        classes: How many the file names; 0 where it names none.
    """
    if len(shape) < 2 or shape[0] != 1:  # noqa: PLR2004
        return []
    rest = tuple(shape[1:])
    if len(rest) == 1:
        return ["classification"] if classes in (0, rest[0]) else []
    if len(rest) == 3:  # noqa: PLR2004
        small = rest[1] * 2 <= size[1] and rest[2] * 2 <= size[0]
        return ["grid"] if small and classes in (0, rest[0]) else []
    if len(rest) != 2:  # noqa: PLR2004
        return []
    rows, columns = rest
    cells = {candidates(size, strides) for strides in STRIDES}
    anchors = {3 * n for n in cells}
    found: list[Head] = []
    if columns in cells and _counts(rows - _BOX, classes):
        found.append("yolov8")
    if rows in anchors and _counts(columns - _BOX_AND_SCORE, classes):
        found.append("yolov5")
    if rows in cells and _counts(columns - _BOX_AND_SCORE, classes):
        found.append("yolox")
    if columns == _E2E_COLUMNS and rows <= _MOST_SUPPRESSED:
        found.append("end2end")
    return found


def _counts(found: int, classes: int) -> bool:
    return found >= 1 and classes in (0, found)


class Exit(NamedTuple):
    """Which output is looked at, and as what."""

    output: str
    head: Head
    classes: int
    """How many the output has; 0 where its shape does not tell."""


def head(
    outputs: Mapping[str, Sequence[int]],
    size: Size,
    declared: str,
    names: Mapping[int, str],
    metadata: Mapping[str, str],
) -> Exit:
    """The head of a network.

    Args:
        outputs: Name -> shape of what it answered.
        size: What it was fed.
        declared: A head, or ``auto``.
        names: The classes the file names.
        metadata: Of the file.

    Raises:
        ModelError: None that we know, not the declared one, or more than one.
    """
    told = ", ".join(f"{n} {_told(shape)}" for n, shape in list(outputs.items())[:6])
    task = metadata.get("task", "detect")
    if task not in ("detect", "classify"):
        raise ModelError("task", found=task[:40])
    said = declared if declared != "auto" else literal(metadata.get("ecogate.head", ""))
    found = [
        (name, one)
        for name, shape in outputs.items()
        for one in fits(shape, size, len(names))
        if said in (None, one)
    ]
    if not found:
        word = "head_declared" if said else "head_unknown"
        raise ModelError(word, found=told, head=said, size=f"{size[0]}x{size[1]}")
    if len(found) > 1:
        choices = ", ".join(sorted({one for _, one in found}))
        word = "head_unclear" if len({one for _, one in found}) > 1 else "outputs"
        raise ModelError(word, found=told, choices=choices)
    output, one = found[0]
    return Exit(output, one, _classes(one, outputs[output]))


def _classes(one: Head, shape: Sequence[int]) -> int:
    if one in ("yolov5", "yolox"):
        return shape[2] - _BOX_AND_SCORE
    if one == "yolov8":
        return shape[1] - _BOX
    return 0 if one == "end2end" else shape[1]


def _told(shape: Sequence[int]) -> str:
    return "x".join(str(dim) for dim in shape)


def pixels(entry_: Entry, head_: Head, declared: str, *, ultralytics: bool) -> Pixels:
    """What the values of the input are.

    Raises:
        ModelError: Nothing tells it, and a guess would see wrong colours in silence.
    """
    if declared != "auto":
        if entry_.dtype == "uint8" and declared not in ("rgb255", "bgr255"):
            raise ModelError("pixels_bytes", declared=declared)
        return declared  # type: ignore[return-value]
    if entry_.dtype == "uint8":
        return "rgb255"
    if head_ == "yolox":
        return "bgr255"
    if ultralytics or head_ in ("yolov5", "yolov8", "end2end"):
        return "rgb1"
    raise ModelError("pixels_needed", head=head_)

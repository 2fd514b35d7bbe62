"""What an ONNX file says of itself, read before anything else opens it.

Refused here, in milliseconds and without an allocation the file chose: what is no ONNX,
what is too large, tensors whose declared size is absurd or does not agree with their
bytes, weights outside the model's folder, operators that are not ONNX's.

Source: onnx/onnx.proto, IR version 13 (messages and field numbers); ExternalData.md
(location, offset, length).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from vision.detect import declared
from vision.detect.errors import ModelError
from vision.detect.protobuf import (
    LONGEST_TEXT,
    Field,
    Reader,
    TextError,
    WireError,
)

LARGEST = 64_000_000
"""Bytes of the file and of its external data."""
LARGEST_TENSOR = 64_000_000
"""Bytes of one tensor as its dimensions declare it."""
MOST_SIDES = 16
"""Of one tensor: thousands would take seconds to multiply."""
_DEEPEST = 24
_HEAD = 512

# Where messages hold messages, as far as tensors and operators can hide there.
_MODEL = {7: "graph", 14: "entry", 20: "training", 25: "function", 8: "opset"}
_NESTED: dict[str, dict[int, str]] = {
    "model": _MODEL,
    "graph": {1: "node", 5: "tensor", 15: "sparse", 11: "input", 12: "output"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute", 9: "opset"},
    "training": {1: "graph", 2: "graph"},
}
_GRAPH = 7
# Bytes of an element, by TensorProto.DataType; 4-bit kinds count as one.
_ELEMENT = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8}
_EXTERNAL = 1
_OURS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc")
"""Domains whose operators onnxruntime brings along."""


@dataclass(frozen=True)
class OnnxFile:
    """A file that may be handed to onnxruntime.

    Attributes:
        path: Where it lies.
        data: Its bytes; what was looked at is what is loaded.
        sha256: Of the file; with external data of the file and then those files, in
            the order of their names.
        metadata: What its maker wrote into it, without what is longer than we read.
        opset: Version of ONNX's own operators.
        inputs: What it declares that it is fed with.
        external: Files with weights, all within its folder: location -> bytes.
    """

    path: Path
    data: bytes = field(repr=False)
    sha256: str
    metadata: dict[str, str]
    opset: int
    inputs: tuple[declared.Input, ...]
    external: dict[str, bytes] = field(default_factory=dict, repr=False)


@dataclass
class _Found:
    metadata: dict[str, str] = field(default_factory=dict)
    opset: int = 0
    locations: list[tuple[str, int, int]] = field(default_factory=list)
    graph: bool = False
    total: int = 0


def read(path: str | Path, largest: int = LARGEST) -> OnnxFile:
    """Read and examine a file.

    Args:
        path: The model.
        largest: Bytes it may have, with its external data.

    Raises:
        ModelError: It may not be handed to onnxruntime, and why.
    """
    path = Path(path)
    data = _bytes(path, largest)
    found = _Found()
    try:
        _walk(Reader(data), "model", 0, len(data), found, 0)
        inputs = declared.inputs(Reader(data))
    except TextError as exc:
        raise ModelError(
            "text_long", path=path, found=exc.size, limit=LONGEST_TEXT
        ) from None
    except WireError as exc:
        raise _no_model(path, data, exc.at) from None
    if not found.graph or not found.opset:
        raise _no_model(path, data, len(data))
    external = _external(path, found.locations, largest - len(data))
    digest = hashlib.sha256(data)
    for content in external.values():
        digest.update(content)
    return OnnxFile(
        path, data, digest.hexdigest(), found.metadata, found.opset, inputs, external
    )


def _bytes(path: Path, largest: int) -> bytes:
    try:
        if not path.is_file():  # a pipe or a device would never end
            raise ModelError("missing", path=path)
        size = path.stat().st_size
        if size > largest:
            raise ModelError("too_large", path=path, found=size, limit=largest)
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as exc:
        raise ModelError("unreadable", path=path, problem=exc.strerror or exc) from exc
    if len(data) > largest:
        raise ModelError("too_large", path=path, found=len(data), limit=largest)
    return data


_LOOKS_LIKE = (
    (b"", "nothing"),
    (b"<", "html"),
    (b"PK\x03\x04", "torch"),
    (b"\x80\x02", "torch"),
    (b"version https://git-lfs", "lfs"),
    (b"\x1f\x8b", "archive"),
    (b"ORTM", "ort"),
    (b"TFL3", "tflite"),
)


def _no_model(path: Path, data: bytes, at: int) -> ModelError:
    """Say what it looks like rather than at which byte it ends."""
    head = data[:_HEAD].lstrip()
    for start, word in _LOOKS_LIKE:
        marks = (head[:4], head[4:8]) if word in ("ort", "tflite") else (head,)
        if not data or (start and any(mark.startswith(start) for mark in marks)):
            return ModelError(f"looks_like_{word}", path=path)
    if not any(data):
        return ModelError("looks_like_nothing", path=path)
    # A file that begins as a model does was cut or damaged on its way.
    if data[:1] == b"\x08" and b"onnx" not in data[:1]:
        return ModelError("damaged", path=path, at=at, bytes=len(data))
    return ModelError("not_onnx", path=path)


def _walk(
    reader: Reader, kind: str, start: int, end: int, found: _Found, depth: int
) -> None:
    if depth > _DEEPEST:
        raise WireError(start)
    if kind == "tensor":
        _tensor(reader, start, end, found)
        return
    if kind == "entry":
        _entry(reader, start, end, found)
        return
    if kind == "opset":
        _opset(reader, start, end, found)
        return
    nested = _NESTED.get(kind, {})
    operator = domain = ""
    for one in reader.fields(start, end):
        if kind == "node" and one.number in (4, 7) and one.end:
            text = reader.text(one)
            operator, domain = (
                (text, domain) if one.number == 4 else (operator, text)  # noqa: PLR2004
            )
        child = nested.get(one.number)
        if child is None:
            continue
        if not one.end:
            raise WireError(one.value)
        found.graph |= kind == "model" and one.number == _GRAPH
        if child not in ("input", "output"):
            _walk(reader, child, one.value, one.end, found, depth + 1)
    if domain not in _OURS:
        raise ModelError("custom_operator", operator=operator[:60], domain=domain[:60])


def _opset(reader: Reader, start: int, end: int, found: _Found) -> None:
    domain, version = "", 0
    for one in reader.fields(start, end):
        if one.number == 1 and one.end:
            domain = reader.text(one)
        elif one.number == 2 and not one.end:  # noqa: PLR2004
            version = one.value
    if domain in ("", "ai.onnx"):
        found.opset = max(found.opset, version)


def _entry(reader: Reader, start: int, end: int, found: _Found) -> None:
    """One of the metadata: a whole licence in there is none of our business."""
    if all(f.end - f.value <= LONGEST_TEXT for f in reader.fields(start, end)):
        key, value = _pair(reader, start, end)
        found.metadata[key] = value


def _pair(reader: Reader, start: int, end: int) -> tuple[str, str]:
    texts = {f.number: reader.text(f) for f in reader.fields(start, end) if f.end}
    return texts.get(1, ""), texts.get(2, "")


def _tensor(reader: Reader, start: int, end: int, found: _Found) -> None:
    """Dimensions against bytes, and where the bytes are."""
    dims: list[int] = []
    kind = location = 0
    name, raw = "", None
    entries: dict[str, str] = {}
    for one in reader.fields(start, end):
        if one.number == 1:
            dims += islice(reader.numbers(one), MOST_SIDES + 1 - len(dims))
        elif one.number == 2 and not one.end:  # noqa: PLR2004
            kind = one.value
        elif one.number == 8 and one.end:  # noqa: PLR2004
            name = reader.text(one)
        elif one.number == 9 and one.end:  # noqa: PLR2004
            raw = one.end - one.value
        elif one.number == 13 and one.end:  # noqa: PLR2004
            key, value = _pair(reader, one.value, one.end)
            entries[key] = value
        elif one.number == 14 and not one.end:  # noqa: PLR2004
            location = one.value
    size = _declared(name, dims, kind)
    found.total += size
    if found.total > 2 * LARGEST_TENSOR:
        raise ModelError("tensor_large", name=name[:60], shape=_shape(dims))
    if location == _EXTERNAL or entries:
        where = entries.get("location", "")
        found.locations.append(
            (where, _whole(entries, "offset", 0), _whole(entries, "length", size))
        )
    elif raw is not None and kind in _ELEMENT and raw != size:
        raise ModelError(
            "tensor_bytes", name=name[:60], shape=_shape(dims), found=raw, expected=size
        )


def _declared(name: str, dims: list[int], kind: int) -> int:
    if any(dim < 0 for dim in dims):
        raise ModelError("tensor_large", name=name[:60], shape=_shape(dims))
    if len(dims) > MOST_SIDES:
        raise ModelError("tensor_sides", name=name[:60], limit=MOST_SIDES)
    size = math.prod(dims) * _ELEMENT.get(kind, 1)
    if size > LARGEST_TENSOR:
        raise ModelError("tensor_large", name=name[:60], shape=_shape(dims))
    return size


def _shape(dims: list[int]) -> str:
    return "x".join(str(dim) for dim in dims[:8])


def _whole(entries: dict[str, str], key: str, default: int) -> int:
    text = entries.get(key, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > 15:  # noqa: PLR2004
        raise ModelError("external_range", location=text[:60])
    return int(text)


def _external(
    path: Path, locations: list[tuple[str, int, int]], room: int
) -> dict[str, bytes]:
    """The files that hold weights: in the model's folder, no links, no way out."""
    folder = path.parent.resolve()
    files: dict[str, Path] = {}
    for location, offset, length in locations:
        shown = location[:120]
        parts = Path(location).parts
        if not location or "\0" in location or Path(location).is_absolute():
            raise ModelError("external_outside", location=shown)
        if ".." in parts or "\\" in location:
            raise ModelError("external_outside", location=shown)
        file = folder / location
        steps = [folder.joinpath(*parts[: n + 1]) for n in range(len(parts))]
        try:
            if any(step.is_symlink() for step in steps):
                raise ModelError("external_outside", location=shown)
            if not file.resolve().is_relative_to(folder):
                raise ModelError("external_outside", location=shown)
            if not file.is_file():
                raise ModelError("external_missing", location=shown)
            if offset + length > file.stat().st_size:
                raise ModelError("external_range", location=shown)
        except OSError as exc:
            raise ModelError("external_missing", location=shown) from exc
        files[location] = file
    total = sum(file.stat().st_size for file in files.values())
    if total > room:
        raise ModelError("too_large", path=path, found=total, limit=room)
    try:
        found = {name: files[name].read_bytes() for name in sorted(files)}
    except OSError as exc:
        raise ModelError("unreadable", path=path, problem=exc.strerror or exc) from exc
    for location, offset, length in locations:
        if offset + length > len(found[location]):  # it shrank since
            raise ModelError("external_range", location=location[:120])
    return found


__all__ = ["LARGEST", "Field", "OnnxFile", "read"]

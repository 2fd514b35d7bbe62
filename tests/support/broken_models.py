"""Models that no gateway may trip over, each with the refusals that fit it.

``cases(folder)`` writes them; a case without expected words is a damaged file that may
still be a good one: it must be refused or be usable, and nothing else.
"""

from __future__ import annotations

import os
import random
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.support import small_models as small
from tests.support.onnx_writer import (
    FLOAT,
    INT64,
    block,
    graph,
    model,
    node,
    number,
    tensor,
    value,
)
from vision.messages import Model

if TYPE_CHECKING:
    from pathlib import Path


class Case(NamedTuple):
    """A model, and which words its refusal may have; none: any, or no refusal."""

    name: str
    model: Model
    words: tuple[str, ...] = ()
    child: bool = True
    """Only the child finds it: it costs a process."""


CUT = (
    "damaged",
    "not_onnx",
    "looks_like_nothing",
    "runtime",
    "head_unknown",
    "tensor_bytes",
    "inputs",
    "custom_operator",
)
_OUTSIDE = ("external_outside",)
_CLASSES = {"0": "dark_smoke"}


def cases(folder: Path, seed: int, *, cuts: int = 12, flips: int = 12) -> list[Case]:
    """Write all of them below a folder."""
    makers = _no_models, _shapes, _huge, _external, _operators
    found = [case for make in makers for case in make(folder)]
    return found + list(_damaged(folder, seed, cuts, flips))


def _put(folder: Path, name: str, data: bytes, **declared) -> Model:
    path = folder / f"{name}.onnx"
    path.write_bytes(data)
    return Model(path=str(path), **declared)


def _no_models(folder):
    rng = random.Random(1)
    for name, data, word in [
        ("empty", b"", "looks_like_nothing"),
        ("zeros", bytes(4096), "looks_like_nothing"),
        ("html", b"<!DOCTYPE html><html>404</html>", "looks_like_html"),
        ("torch", b"PK\x03\x04" + bytes(300), "looks_like_torch"),
        ("pickle", b"\x80\x02}q\x00.", "looks_like_torch"),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\n", "looks_like_lfs"),
        ("gzip", b"\x1f\x8b\x08" + bytes(99), "looks_like_archive"),
        ("tflite", b"\x1c\x00\x00\x00TFL3" + bytes(64), "looks_like_tflite"),
        ("ort", b"\x08\x00\x00\x00ORTM" + bytes(64), "looks_like_ort"),
        ("json", b'{"model": "yolov8n"}', "not_onnx"),
        ("jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF" + rng.randbytes(500), "not_onnx"),
        ("random", b"\xff" + rng.randbytes(5000), "not_onnx"),
        ("tensor_alone", tensor("w", np.zeros((4, 4), np.float32)), ""),
        ("no_graph", number(1, 9) + block(8, number(2, 17)), "damaged"),
        ("no_opset", number(1, 9) + block(7, b""), "damaged"),
    ]:
        words = (word,) if word else ("damaged", "not_onnx")
        yield Case(name, _put(folder, name, data), words, child=False)
    yield Case("missing", Model(path=str(folder / "none.onnx")), ("missing",), False)
    yield Case("folder", Model(path=str(folder)), ("missing",), child=False)
    os.mkfifo(folder / "fifo.onnx")
    yield Case("fifo", Model(path=str(folder / "fifo.onnx")), ("missing",), False)
    yield Case("device", Model(path="/dev/zero"), ("missing",), child=False)


def _passing(shape_in, shape_out, kind=FLOAT, *, base=None):
    """A net of one output that hardly looks at its input."""
    nodes = [
        node("Cast", ["image"], ["floats"], to=FLOAT),
        node("ReduceMean", ["floats"], ["mean"], keepdims=0),
        node("Mul", ["mean", "none"], ["nothing"]),
        node("Add", ["nothing", "base"], ["out"]),
    ]
    if base is None:
        base = np.zeros(shape_out, np.float32)
    tensors = [tensor("none", np.float32(0)), tensor("base", base)]
    content = graph(
        nodes, [value("image", shape_in, kind)], [value("out", shape_out)], tensors
    )
    return model(content)


def _shapes(folder):
    ok = [1, 3, 64, 64]
    cells = [1, 3, 4, 4]
    for name, shape_in, shape_out, kind, words, declared in [
        ("in_rank2", [1, 64], cells, FLOAT, ("input_shape",), {}),
        ("in_rank5", [1, 1, 3, 64, 64], cells, FLOAT, ("input_shape",), {}),
        ("in_batch", [4, 3, 64, 64], cells, FLOAT, ("input_shape",), {}),
        ("in_grey", [1, 1, 64, 64], cells, FLOAT, ("input_shape",), {}),
        ("in_six", [1, 6, 64, 64], cells, FLOAT, ("input_shape",), {}),
        ("in_open", [1, "c", "h", "w"], cells, FLOAT, ("input_shape",), {}),
        ("in_int64", ok, cells, INT64, ("input_type",), {}),
        ("in_huge", [1, 3, 100_000, 100_000], cells, FLOAT, ("size_range",), {}),
        ("in_tiny", [1, 3, 8, 8], cells, FLOAT, ("size_range",), {}),
        ("in_free", [1, 3, "h", "w"], cells, FLOAT, ("size_needed",), {}),
        (
            "in_step",
            [1, 3, "h", "w"],
            cells,
            FLOAT,
            ("size_step",),
            {"size": (100, 64)},
        ),
        ("in_other", ok, cells, FLOAT, ("size_fixed",), {"size": (96, 96)}),
        ("out_rank5", ok, [1, 3, 8, 8, 7], FLOAT, ("head_unknown",), {}),
        ("out_rows", ok, [1, 83, 7], FLOAT, ("head_unknown",), {}),
        ("out_batch", ok, [2, 6], FLOAT, ("head_unknown",), {}),
        ("out_scalar", ok, [1], FLOAT, ("head_unknown",), {}),
        ("out_picture", ok, [1, 3, 64, 64], FLOAT, ("head_unknown",), {}),
        ("out_not_so", ok, cells, FLOAT, ("head_declared",), {"head": "yolov8"}),
        ("out_unsaid", ok, cells, FLOAT, ("classes_needed",), {}),
        ("out_two_ways", ok, [1, 252, 6], FLOAT, ("head_unclear",), {}),
        (
            "class_none",
            ok,
            cells,
            FLOAT,
            ("class_unknown",),
            {"classes": {"3": "dust"}},
        ),
        ("pixels", ok, cells, FLOAT, ("pixels_needed",), {"classes": _CLASSES}),
    ]:
        data = _passing(shape_in, shape_out, kind)
        made = _put(folder, name, data, **declared)
        yield Case(name, made, words, child=not name.startswith("in_"))
    two = graph(
        [node("Add", ["a", "b"], ["out"])],
        [value("a", ok), value("b", ok)],
        [value("out", ok)],
    )
    yield Case("in_two", _put(folder, "in_two", model(two)), ("inputs",), child=False)
    for name, data, word in [
        ("logits", small.grid(scale=8.0, shift=-4.0), "not_probabilities"),
        ("too_sure", small.grid(scale=0.0, shift=7.0), "not_probabilities"),
        ("nan", small.grid(scale=float("nan")), "not_finite"),
        ("infinite", small.grid(shift=float("inf")), "not_finite"),
    ]:
        yield Case(name, _put(folder, name, data), (word,))
    boxes = np.zeros((1, 6, 84), np.float32)
    boxes[0, :2] = 9000
    yield Case(
        "boxes_off",
        _put(
            folder, "boxes_off", _passing(ok, boxes.shape, base=boxes), classes=_CLASSES
        ),
        ("boxes",),
    )
    names = {"names": "{0: 'a', 1: 'b', 2: 'c'}", "task": "segment"}
    yield Case("task", _put(folder, "task", small.yolov8(metadata=names)), ("task",))
    names = {"names": "{0: 'a', 1: 'b', 2: 'c'}"}
    data = small.yolov8(metadata=names, classes=2)
    yield Case("class_count", _put(folder, "class_count", data), ("head_unknown",))


def _with_tensor(extra: bytes, *, opset=17) -> bytes:
    base = small.grid()
    return base + block(7, block(5, extra)) if opset == 17 else base


def _huge(folder):
    for name, size in (("sparse65", 65_000_000), ("sparse10g", 10_000_000_000)):
        made = _put(folder, name, small.grid())
        os.truncate(made.path, size)
        yield Case(name, made, ("too_large",), child=False)
    for name, dims in [
        ("dims_tb", [1 << 20, 1 << 20]),
        ("dims_wrap", [1 << 62, 4]),
        ("dims_negative", [-1, 4]),
        ("dims_many", [2**62] * 60_000),
    ]:
        extra = tensor("big", np.zeros(1, np.float32), dims=dims, raw=b"\0" * 16)
        made = _put(folder, name, _with_tensor(extra))
        words = ("tensor_sides",) if name == "dims_many" else ("tensor_large",)
        yield Case(name, made, words, child=False)
    extra = tensor("n" * 65_000, np.zeros(1, np.float32))
    made = _put(folder, "name_long", _with_tensor(extra))
    yield Case("name_long", made, ("text_long",), child=False)
    extra = tensor("less", np.zeros(4, np.float32), dims=[400])
    made = _put(folder, "dims_less", _with_tensor(extra))
    yield Case("dims_less", made, ("tensor_bytes",), child=False)
    deep = b""
    for _ in range(200):
        deep = graph([node("If", ["c"], ["o"], then_branch=("graph", deep))], [], [])
    made = _put(folder, "deep", model(deep))
    yield Case("deep", made, ("damaged",), child=False)
    bomb = number(1, 9) + number(3, 1) * 2_000_000
    yield Case("fields", _put(folder, "fields", bomb), ("damaged",), child=False)


def _external(folder):
    (folder / "secret").mkdir()
    outside = folder.parent / f"{folder.name}-outside.bin"
    outside.write_bytes(bytes(4096))
    inside = folder / "weights"
    inside.mkdir()
    (inside / "link.bin").symlink_to(outside)
    (folder / "far").symlink_to(folder.parent, target_is_directory=True)
    (inside / "short.bin").write_bytes(bytes(8))
    claims = [
        ("ext_absolute", {"location": str(outside)}, _OUTSIDE),
        ("ext_passwd", {"location": "/etc/passwd"}, _OUTSIDE),
        ("ext_up", {"location": f"../{outside.name}"}, _OUTSIDE),
        ("ext_down_up", {"location": f"weights/../../{outside.name}"}, _OUTSIDE),
        ("ext_link", {"location": "weights/link.bin"}, _OUTSIDE),
        ("ext_linked_folder", {"location": f"far/{outside.name}"}, _OUTSIDE),
        ("ext_device", {"location": "/dev/zero"}, _OUTSIDE),
        ("ext_backslash", {"location": "..\\x.bin"}, _OUTSIDE),
        ("ext_nul", {"location": "a\0b"}, _OUTSIDE),
        ("ext_nothing", {"location": ""}, _OUTSIDE),
        ("ext_missing", {"location": "weights/none.bin"}, ("external_missing",)),
        ("ext_folder", {"location": "weights"}, ("external_missing",)),
        ("ext_short", {"location": "weights/short.bin"}, ("external_range",)),
        (
            "ext_offset",
            {"location": "weights/short.bin", "offset": "9" * 14},
            ("external_range",),
        ),
        (
            "ext_minus",
            {"location": "weights/short.bin", "offset": "-8"},
            ("external_range",),
        ),
    ]
    for name, claim, words in claims:
        extra = tensor("w", np.zeros(64, np.float32), external=claim)
        made = _put(folder, name, _with_tensor(extra))
        yield Case(name, made, words, child=False)
    claim = tensor("w", np.zeros(4, np.float32), external={"location": str(outside)})
    constant = node("Constant", [], ["c"], value=("tensor", claim))
    branch = graph([constant], [], [value("c", [4])])
    hidden = {
        "ext_constant": block(7, block(1, constant)),
        "ext_branch": block(
            7,
            block(
                1,
                node("If", ["x"], ["y"], then_branch=("graph", branch)),
            ),
        ),
        "ext_function": block(25, block(1, "f") + block(7, constant)),
        "ext_sparse": block(7, block(15, block(1, claim))),
        "ext_training": block(20, block(1, branch)),
    }
    for name, extra in hidden.items():
        made = _put(folder, name, small.grid() + extra)
        yield Case(name, made, _OUTSIDE, child=False)


def _whole(nodes, tensors=(), *, extra_in=()):
    cells = [value("cells", [1, 3, "h", "w"])]
    content = graph(
        nodes, [value("image", [1, 3, 64, 64]), *extra_in], cells, list(tensors)
    )
    return model(content)


def _operators(folder):
    custom = node("Magic", ["image"], ["cells"], domain="com.acme")
    yield Case(
        "op_custom",
        _put(folder, "op_custom", _whole([custom])),
        ("custom_operator",),
        child=False,
    )
    for name, data in [
        ("op_unknown", _whole([node("NoSuchThing", ["image"], ["cells"])])),
        ("op_dangling", _whole([node("Relu", ["nobody"], ["cells"])])),
        (
            "op_cycle",
            _whole([node("Add", ["image", "b"], ["a"]), node("Relu", ["a"], ["b"])]),
        ),
        ("opset_99", model(graph([], [], []), opset=99)),
        (
            "ir_99",
            model(
                graph(
                    [node("Relu", ["image"], ["cells"])],
                    [value("image", [1, 3, 64, 64])],
                    [value("cells", [1, 3, 64, 64])],
                ),
                ir=99,
            ),
        ),
        (
            "op_shapes",
            _whole(
                [node("Add", ["image", "w"], ["cells"])],
                [tensor("w", np.zeros((5, 7), np.float32))],
            ),
        ),
    ]:
        yield Case(name, _put(folder, name, data), ("runtime", "inputs"))
    for name, side in (
        ("memory", 60_000),
        ("memory_more", 3_000_000),
        ("memory_some", 8000),
    ):
        # Sizes come from the picture, so that nothing can be folded when it is loaded.
        nodes = [
            node("ReduceMax", ["image"], ["most"], keepdims=0),
            node("Cast", ["most"], ["whole"], to=INT64),
            node("Mul", ["whole", "zero"], ["none"]),
            node("Add", ["shape", "none"], ["wanted"]),
            node("ConstantOfShape", ["wanted"], ["cells"]),
        ]
        tensors = [
            tensor("zero", np.int64(0)),
            tensor("shape", np.array([1, 3, side, side], np.int64)),
        ]
        made = _put(folder, name, _whole(nodes, tensors))
        yield Case(name, made, ("memory", "runtime", "crashed"))
    folded = [node("ConstantOfShape", ["shape"], ["c"]), node("Relu", ["c"], ["cells"])]
    tensors = [tensor("shape", np.array([1, 3, 90_000, 90_000], np.int64))]
    made = _put(folder, "memory_folded", _whole(folded, tensors))
    words = ("memory", "runtime", "crashed", "head_unknown")
    yield Case("memory_folded", made, words)
    yield Case("endless", _put(folder, "endless", _endless()), ("slow",))
    yield Case("busy", _put(folder, "busy", _busy()), ("slow",))


def _endless():
    """A loop of 2**60 rounds."""
    body = graph(
        [
            node("Identity", ["go"], ["go_on"]),
            node("Add", ["x", "x"], ["x_out"]),
        ],
        [value("i", [], INT64), value("go", [], 9), value("x", [])],
        [value("go_on", [], 9), value("x_out", [])],
    )
    nodes = [
        node("ReduceMean", ["image"], ["mean"], keepdims=0),
        node("Loop", ["rounds", "", "mean"], ["cells"], body=("graph", body)),
    ]
    return _whole(nodes, [tensor("rounds", np.int64(1 << 60))])


def _busy():
    """Few large products: hours of work and little memory."""
    nodes = [
        node("ReduceMean", ["image"], ["mean"], keepdims=0),
        node("Expand", ["mean", "shape"], ["a"]),
    ]
    last = "a"
    for n in range(400):
        nodes.append(node("MatMul", [last, "a"], [f"m{n}"]))
        last = f"m{n}"
    nodes.append(node("Relu", [last], ["cells"]))
    return _whole(nodes, [tensor("shape", np.array([1500, 1500], np.int64))])


def _damaged(folder, seed, cuts, flips):
    rng = random.Random(seed)
    whole = small.grid()
    for n in range(cuts):
        at = rng.randrange(1, len(whole) - 1) if n else len(whole) - 1
        made = _put(folder, f"cut{n}", whole[:at])
        yield Case(f"cut{n} at {at}", made, (), child=True)
    for n in range(flips):
        data = bytearray(whole)
        at, bit = rng.randrange(len(data)), rng.randrange(8)
        data[at] ^= 1 << bit
        yield Case(f"flip{n} {at}.{bit}", _put(folder, f"flip{n}", bytes(data)))
    for n in range(flips // 3):
        data = bytearray(whole)
        at = rng.randrange(len(data) - 8)
        data[at : at + 8] = struct.pack("<Q", rng.getrandbits(64))
        yield Case(f"smear{n} {at}", _put(folder, f"smear{n}", bytes(data)))

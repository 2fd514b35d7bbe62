"""Networks of a few operators that answer as the usual heads do.

Each looks at its picture in a way a test can foretell: the grid's maps are how dark,
how bright and how red each cell is; heads with boxes have fixed boxes and a score that
is the picture's brightness.
"""

from __future__ import annotations

import json

import numpy as np

from tests.support.onnx_writer import (
    FLOAT,
    UINT8,
    graph,
    model,
    node,
    tensor,
    value,
)

OURS = json.dumps(["dark_smoke", "light_smoke", "dust"])


def grid(
    width=None, height=None, *, metadata=None, card=None, scale=1.0, shift=0.0, cell=16
) -> bytes:
    """uint8 (1,H,W,3) RGB -> cells: darkness, brightness, redness minus green.

    All from 0 to 1 for ``scale`` 1 and ``shift`` 0; ``card`` changes metadata.
    """
    mix = np.array([[-1, -1, -1], [1, 1, 1], [1.5, -1.5, 0]], np.float32) / (3 * 255)
    bias = np.array([1, 0, 0], np.float32)
    nodes = [
        node("Cast", ["image"], ["floats"], to=FLOAT),
        node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        node(
            "AveragePool",
            ["planes"],
            ["means"],
            kernel_shape=[cell, cell],
            strides=[cell, cell],
        ),
        node("Conv", ["means", "mix", "bias"], ["mixed"], kernel_shape=[1, 1]),
        node("Clip", ["mixed", "zero", "one"], ["within"]),
        node("Mul", ["within", "scale"], ["scaled"]),
        node("Add", ["scaled", "shift"], ["cells"]),
    ]
    tensors = [
        tensor("mix", mix.reshape(3, 3, 1, 1)),
        tensor("bias", bias),
        tensor("zero", np.float32(0)),
        tensor("one", np.float32(1)),
        tensor("scale", np.float32(scale)),
        tensor("shift", np.float32(shift)),
    ]
    shape = [1, height or "H", width or "W", 3]
    content = graph(
        nodes,
        [value("image", shape, UINT8)],
        [value("cells", [1, 3, "h", "w"])],
        tensors,
    )
    if metadata is None:
        metadata = {
            "ecogate.head": '"grid"',
            "ecogate.classes": OURS,
            "ecogate.size": "[640, 384]",
            "ecogate.thresholds": '{"dark_smoke":0.4,"light_smoke":0.5,"dust":0.6}',
            "ecogate.rise": '{"dark_smoke":0.3,"light_smoke":0.45,"dust":0.2}',
            "ecogate.alone": '{"dark_smoke":0.7,"light_smoke":0.8,"dust":0.85}',
            "ecogate.version": '"t1"',
        } | (card or {})
    return model(content, metadata)


def fixed(output, *, size=(64, 64), metadata=None, name="images", column=None) -> bytes:
    """float (1,3,H,W) -> ``output``, with one entry that is the picture's mean.

    Args:
        output: What it answers, with the leading 1.
        size: Width, height.
        metadata: Of the file.
        name: Of its input.
        column: Index of the entry that the picture's mean is added to.
    """
    output = np.asarray(output, np.float32)
    mask = np.zeros_like(output)
    if column is not None:
        mask[column] = 1
    nodes = [
        node("ReduceMean", [name], ["mean"], keepdims=0),
        node("Mul", ["mask", "mean"], ["seen"]),
        node("Add", ["seen", "base"], ["output0"]),
    ]
    tensors = [tensor("base", output), tensor("mask", mask)]
    content = graph(
        nodes,
        [value(name, [1, 3, size[1], size[0]])],
        [value("output0", output.shape)],
        tensors,
    )
    return model(content, metadata)


def centres(size, strides=(8, 16, 32), anchors=1):
    """(N, 4) cx cy w h of boxes that are their own cells."""
    rows = []
    for stride in strides:
        for _ in range(anchors):
            for y in range(size[1] // stride):
                rows += [
                    ((x + 0.5) * stride, (y + 0.5) * stride, stride, stride)
                    for x in range(size[0] // stride)
                ]
    return np.array(rows, np.float32)


NAMES = {
    "names": "{0: 'smoke', 1: 'fire'}",
    "author": "Ultralytics",
    "license": "AGPL-3.0 License (https://ultralytics.com/license)",
    "task": "detect",
}


def yolov8(size=(64, 64), metadata=NAMES, at=3, classes=2, **more) -> bytes:
    """[1, 4+C, N]; candidate ``at`` is class 0 with the picture's mean."""
    boxes = centres(size)
    output = np.zeros((1, 4 + classes, len(boxes)), np.float32)
    output[0, :4] = boxes.T
    return fixed(output, size=size, metadata=metadata, column=(0, 4, at), **more)


def yolov5(size=(64, 64), metadata=None, at=3, classes=2) -> bytes:
    """[1, N, 5+C]; candidate ``at`` is the last class with the picture's mean."""
    boxes = centres(size, anchors=3)
    output = np.zeros((1, len(boxes), 5 + classes), np.float32)
    output[0, :, :4] = boxes
    output[0, at, 4 + classes] = 1
    return fixed(output, size=size, metadata=metadata, column=(0, at, 4))


def yolox(size=(64, 64), metadata=None, at=3, classes=2, *, decoded=False) -> bytes:
    """[1, N, 5+C] on its grid; candidate ``at`` is class 0, certain."""
    boxes = centres(size)
    output = np.zeros((1, len(boxes), 5 + classes), np.float32)
    output[0, :, :2] = 0.5
    if decoded:
        output[0, :, :4] = boxes
    output[0, at, 4:6] = 1
    return fixed(output, size=size, metadata=metadata)


def end2end(size=(64, 64), rows=(), metadata=NAMES, *, most=300) -> bytes:
    """[1, N, 6] with these rows, zeros behind them."""
    output = np.zeros((1, most, 6), np.float32)
    output[0, : len(rows)] = rows
    return fixed(output, size=size, metadata=metadata)


def classifier(scores=(0.0, 0.3), size=(64, 64), metadata=None) -> bytes:
    """[1, C]; the first has the picture's mean added."""
    return fixed([scores], size=size, metadata=metadata, column=(0, 0))

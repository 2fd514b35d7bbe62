"""The network as an ONNX graph, written node by node.

    image uint8 (1,H,W,3) RGB -> cells float32 (1,3,H/16,W/16)

Written by hand because it is short, because the picture enters as a camera delivers it
(bytes, channels last), and because the output is not what is trained: ``cells`` holds
[dark smoke, light smoke, dust], where dark = smoke * d and light = smoke * (1 - d).
H and W are free multiples of 16 (32 for the deep shape).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vision.train.backbone import MEAN, STD

if TYPE_CHECKING:
    from vision.train.backbone import Block, Conv, Trunk
    from vision.train.head import Net

OPSET = 17
# ORT reads IR up to its own build; 9 is old enough for every version with opset 17.
IR_VERSION = 9


class Writer:
    """Nodes and initializers of a graph that is being written."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def name(self, what: str) -> str:
        """Return a name nothing else in the graph has."""
        self._count += 1
        return f"{what}_{self._count}"

    def constant(self, what: str, value: np.ndarray) -> str:
        """Store a tensor and return its name."""
        name = self.name(what)
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(
        self, kind: str, *inputs: str, output: str = "", **attributes: object
    ) -> str:
        """Append a node with one output and return the output's name."""
        name = output or self.name(kind.lower())
        self.nodes.append(
            helper.make_node(kind, list(inputs), [name], name=f"n_{name}", **attributes)
        )
        return name

    def conv(self, conv: Conv, x: str) -> str:
        """Append a convolution of ours, with its ReLU6 where it has one."""
        inner = conv.conv
        size = inner.kernel_size[0]
        before, after = conv.before, conv.after
        weight = self.constant("weight", inner.weight.detach().numpy().copy())
        bias = self.constant("bias", inner.bias.detach().numpy().copy())
        y = self.node(
            "Conv",
            x,
            weight,
            bias,
            kernel_shape=[size, size],
            strides=list(inner.stride),
            dilations=list(inner.dilation),
            group=inner.groups,
            pads=[before, before, after, after],
        )
        return y if conv.linear else self.relu6(y)

    def relu6(self, x: str) -> str:
        """Append ReLU6."""
        low = self.constant("low", np.array(0, np.float32))
        high = self.constant("high", np.array(6, np.float32))
        return self.node("Clip", x, low, high)

    def block(self, block: Block, x: str) -> str:
        """Append an inverted residual."""
        y = x if block.expand is None else self.conv(block.expand, x)
        y = self.conv(block.project, self.conv(block.depthwise, y))
        return self.node("Add", x, y) if block.residual else y


def _normalised(w: Writer) -> str:
    x = w.node("Cast", "image", to=TensorProto.FLOAT)
    gain = w.constant("gain", (1 / np.array(STD)).astype(np.float32))
    shift = w.constant("shift", (np.array(MEAN) / np.array(STD)).astype(np.float32))
    x = w.node("Sub", w.node("Mul", x, gain), shift)
    return w.node("Transpose", x, perm=[0, 3, 1, 2])


def _sharpened(w: Writer, dark: str, sharpness: float) -> str:
    if sharpness == 1.0:
        return dark
    return w.node("Mul", dark, w.constant("sharp", np.array(sharpness, np.float32)))


def _cells(w: Writer, logits: str, sharpness: float) -> str:
    parts = []
    for index in range(3):
        low = w.constant("from", np.array([index], np.int64))
        high = w.constant("to", np.array([index + 1], np.int64))
        axis = w.constant("axis", np.array([1], np.int64))
        part = w.node("Slice", logits, low, high, axis)
        if index == 1:
            part = _sharpened(w, part, sharpness)
        parts.append(w.node("Sigmoid", part))
    smoke, dark, dust = parts
    dark_smoke = w.node("Mul", smoke, dark)
    light_smoke = w.node("Sub", smoke, dark_smoke)
    return w.node("Concat", dark_smoke, light_smoke, dust, output="cells", axis=1)


def write(trunk: Trunk, net: Net, *, sharpness: float = 1.0) -> onnx.ModelProto:
    """Write trunk and net as one graph.

    Args:
        trunk: The frozen part.
        net: The trained part, of a shape without change maps.
        sharpness: Factor on the logit of "dark": above 1, a cell's smoke goes more
            to one of the two classes.

    Raises:
        ValueError: the shape wants a background, which the graph has no input for.
    """
    if net.shape.change:
        message = "shape with change maps: the graph takes one picture, train without"
        raise ValueError(message)
    w = Writer()
    x = w.conv(trunk.stem, _normalised(w))
    for block in trunk.blocks:
        x = w.block(block, x)
    pooled = w.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    for block in net.middle:
        x = w.block(block, x)
    parts = [pooled, x]
    if net.shape.deep:
        for block in net.deep:
            x = w.block(block, x)
        scales = w.constant("scales", np.array([1, 1, 2, 2], np.float32))
        parts.append(
            w.node(
                "Resize",
                x,
                "",
                scales,
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        )
    x = w.conv(net.join, w.node("Concat", *parts, axis=1))
    for block in net.context:
        x = w.node("Add", x, w.conv(block.mix, w.conv(block.look, x)))
    _cells(w, w.conv(net.last, x), sharpness)
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "H", "W", 3])
    cells = helper.make_tensor_value_info(
        "cells", TensorProto.FLOAT, [1, 3, "H/16", "W/16"]
    )
    graph = helper.make_graph(w.nodes, "ecogate", [image], [cells], w.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model

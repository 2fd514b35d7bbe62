"""What bytes declare of a model's inputs is what onnxruntime would tell."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import small_models as small
from tests.support.onnx_writer import INT64, graph, model, node, tensor, value
from vision.detect import declared
from vision.detect.detector import SHIPPED
from vision.detect.onnx_file import read
from vision.detect.protobuf import Reader, WireError
from vision.detect.session import Session


def adding(kind, sides):
    """``image`` plus a weight that stands among the inputs, as before IR 4."""
    return model(
        graph(
            [node("Add", ["image", "weight"], ["out"])],
            [value("image", sides, kind), value("weight", [1], kind)],
            [value("out", sides, kind)],
            [tensor("weight", np.zeros(1, np.int64))],
        ),
        ir=3,
    )


@pytest.mark.parametrize(
    "data",
    [
        SHIPPED.read_bytes(),
        small.grid(),
        small.yolov8(metadata={}),
        adding(INT64, [1, 3, "h", "w"]),
        adding(INT64, [4]),
    ],
    ids=["shipped", "grid", "yolov8", "weight_among_inputs", "rank_1"],
)
def test_onnxruntime_tells_the_same(tmp_path, data):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    file = read(path)

    told = Session(file).inputs

    assert [(n, list(shape), kind) for n, shape, kind in file.inputs] == told


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=12))
def test_damaged_bytes_declare_something_or_are_refused(at, damage):
    data = bytearray(small.grid())
    at %= len(data)
    data[at : at + len(damage)] = damage

    with contextlib.suppress(WireError):
        declared.inputs(Reader(bytes(data)))

"""From a trained net to the shipped file: fp32, int8, and what it says of itself.

int8 is static, per channel, with 7-bit weights: x86 without VNNI adds two products of
uint8 and int8 in 16 bits and saturates with 8-bit weights, so a file quantised to the
full range answers differently from machine to machine.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from vision.train import graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from vision.train.backbone import Trunk
    from vision.train.head import Net

CLASSES = ("dark_smoke", "light_smoke", "dust")
SCORE = "mean of the 4 strongest cells of the map averaged over 2x2 neighbours"
LICENCE = "Apache-2.0"
_STEM = 3  # convolutions of the stem and the first block


class _Pictures(CalibrationDataReader):
    """Feeds pictures to the quantiser, one at a time."""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self._left: Iterator[NDArray[np.uint8]] = iter(pictures)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next feed, None at the end."""
        picture = next(self._left, None)
        return None if picture is None else {"image": picture[None]}


def fp32(trunk: Trunk, net: Net, path: Path, *, sharpness: float = 1.0) -> None:
    """Write the full-precision file."""
    onnx.save(graph.write(trunk, net, sharpness=sharpness), path)


def int8(source: Path, target: Path, pictures: Sequence[NDArray[np.uint8]]) -> None:
    """Quantise a file of ours.

    The stem with the first block, the last convolution and the probabilities stay in
    full precision: the stem alone makes more than half of the whole error, and 8 bits
    make a coarse probability.

    Args:
        source: As ``fp32`` wrote it.
        target: Where to write.
        pictures: (H,W,3) RGB uint8, multiples of 16, for the ranges of activations.
    """
    model = onnx.load(source)
    convs = [n.name for n in model.graph.node if n.op_type == "Conv"]
    with tempfile.TemporaryDirectory() as folder:
        quantised = Path(folder) / "int8.onnx"
        quantize_static(
            source,
            quantised,
            _Pictures(pictures),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Clip", "AveragePool"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*convs[:_STEM], convs[-1]],
            calibrate_method=CalibrationMethod.MinMax,
        )
        made = onnx.load(quantised)
    made.ir_version = graph.IR_VERSION
    onnx.save(made, target)


def describe(path: Path, facts: Mapping[str, Any]) -> None:
    """Write facts into a file as JSON strings under ``ecogate.<name>``."""
    model = onnx.load(path)
    kept = {p.key: p.value for p in model.metadata_props}
    kept |= {
        f"ecogate.{k}": json.dumps(v, ensure_ascii=False) for k, v in facts.items()
    }
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept)
    part = path.with_suffix(".part")
    onnx.save(model, part)
    part.replace(path)


def facts_of(path: Path) -> dict[str, Any]:
    """Read what a file says of itself."""
    model = onnx.load(path)
    return {
        p.key.removeprefix("ecogate."): json.loads(p.value)
        for p in model.metadata_props
        if p.key.startswith("ecogate.")
    }


def session(path: Path, threads: int = 2) -> ort.InferenceSession:
    """Open a file as the gateway does: given threads, no pattern."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def cells(
    model: ort.InferenceSession, pictures: Sequence[NDArray[np.uint8]]
) -> NDArray[np.float32]:
    """Run a file over pictures of one size: (n,3,H/16,W/16)."""
    return np.concatenate(
        [np.asarray(model.run(None, {"image": p[None]})[0]) for p in pictures]
    )

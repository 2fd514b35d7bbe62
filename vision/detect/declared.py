"""What a model declares of what it is fed with, read from its bytes.

The commonest slip, a network of another input, is then told in a millisecond: no child
is started and onnxruntime is not even loaded, which takes seconds on a small machine.

Source: onnx/onnx.proto, IR version 13: GraphProto, ValueInfoProto, TypeProto.Tensor,
TensorShapeProto; before IR 4 the inputs list the initializers as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vision.detect.protobuf import signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vision.detect.protobuf import Field, Reader

Input = tuple[str, tuple[int | str | None, ...], str]
"""Name, shape (names of sides that are open, None without one) and type, as onnxruntime
would tell them."""

_MODEL_GRAPH = 7
_GRAPH_TENSOR, _GRAPH_INPUT, _GRAPH_SPARSE = 5, 11, 15
_TENSOR_NAME = 8
_KINDS = {
    **{1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32"},
    **{7: "int64", 8: "string", 9: "bool", 10: "float16", 11: "double"},
    **{12: "uint32", 13: "uint64", 16: "bfloat16"},
}
"""TensorProto.DataType, as onnxruntime names them."""


def inputs(reader: Reader) -> tuple[Input, ...]:
    """The inputs that somebody must feed: those that no weight fills.

    Args:
        reader: Of the whole file.

    Raises:
        WireError: These bytes are no messages.
    """
    found: list[Input] = []
    filled: set[str] = set()
    for graph in _inner(reader, 0, len(reader.data), _MODEL_GRAPH):
        for one in reader.fields(graph.value, graph.end):
            if not one.end:
                continue
            if one.number == _GRAPH_TENSOR:
                filled.add(_text(reader, one, _TENSOR_NAME))
            elif one.number == _GRAPH_SPARSE:
                for values in _inner(reader, one.value, one.end, 1):
                    filled.add(_text(reader, values, _TENSOR_NAME))
            elif one.number == _GRAPH_INPUT:
                found.append(_input(reader, one))
    return tuple(one for one in found if one[0] not in filled)


def _input(reader: Reader, one: Field) -> Input:
    """A ValueInfoProto: 1 name, 2 type; of that 1 tensor: 1 element, 2 shape."""
    kind, shape = "?", []
    for type_ in _inner(reader, one.value, one.end, 2):
        for tensor in _inner(reader, type_.value, type_.end, 1):
            for part in reader.fields(tensor.value, tensor.end):
                if part.number == 1 and not part.end:
                    kind = _KINDS.get(part.value, "?")
                elif part.number == 2 and part.end:  # noqa: PLR2004
                    dims = _inner(reader, part.value, part.end, 1)
                    shape = [_side(reader, dim) for dim in dims]
    return _text(reader, one, 1), tuple(shape), f"tensor({kind})"


def _side(reader: Reader, dim: Field) -> int | str | None:
    """1 a number, 2 a name; the last one counts."""
    side: int | str | None = None
    for part in reader.fields(dim.value, dim.end):
        if part.number == 1 and not part.end:
            side = signed(part.value)
        elif part.number == 2 and part.end:  # noqa: PLR2004
            side = reader.text(part)
    return side


def _inner(reader: Reader, start: int, end: int, number: int) -> Iterator[Field]:
    """The messages in a field of a message."""
    return (f for f in reader.fields(start, end) if f.number == number and f.end)


def _text(reader: Reader, message: Field, number: int) -> str:
    found = ""
    for one in _inner(reader, message.value, message.end, number):
        found = reader.text(one)
    return found

"""Small ONNX files, written byte by byte: what tests of models need of the format.

onnx itself is 30 MB and brings a compiler's worth of its own; a message is a few lines.
Source: onnx/onnx.proto (field numbers), Protocol Buffers' encoding.
"""

from __future__ import annotations

import struct

import numpy as np

FLOAT, UINT8, INT64, FLOAT16 = 1, 2, 7, 10
_KINDS = {"float32": FLOAT, "uint8": UINT8, "int64": INT64, "float16": FLOAT16}


def varint(value):
    """A number, seven bits a byte."""
    value &= (1 << 64) - 1
    out = bytearray()
    while True:
        low, value = value & 0x7F, value >> 7
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def number(field, value):
    """A varint field."""
    return varint(field << 3) + varint(value)


def block(field, content):
    """A field of bytes, of text, or of a message."""
    if isinstance(content, str):
        content = content.encode()
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name, value, *, dims=None, raw=None, external=None):
    """TensorProto: an array, or a claim about one."""
    value = np.asarray(value)
    body = b"".join(number(1, d) for d in (value.shape if dims is None else dims))
    body += number(2, _KINDS[value.dtype.name]) + block(8, name)
    if external is None:
        return body + block(9, value.tobytes() if raw is None else raw)
    for key, text in external.items():
        body += block(13, block(1, key) + block(2, str(text)))
    return body + number(14, 1)


def attribute(name, value):
    """AttributeProto: int, float, list of ints, tensor or graph (bytes)."""
    body = block(1, name)
    if isinstance(value, int):
        return body + number(3, value) + number(20, 2)
    if isinstance(value, float):
        return body + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    if isinstance(value, str):
        return body + block(4, value) + number(20, 3)
    if isinstance(value, tuple):
        kind, content = value
        place, word = {"tensor": (5, 4), "graph": (6, 5)}[kind]
        return body + block(place, content) + number(20, word)
    return body + b"".join(number(8, v) for v in value) + number(20, 7)


def node(kind, inputs, outputs, *, domain="", **attributes):
    """NodeProto."""
    body = b"".join(block(1, x) for x in inputs)
    body += b"".join(block(2, x) for x in outputs)
    body += block(4, kind)
    body += b"".join(block(5, attribute(n, v)) for n, v in attributes.items())
    return body + (block(7, domain) if domain else b"")


def value(name, shape, kind=FLOAT):
    """ValueInfoProto; a dimension is a number or a name."""
    dims = b"".join(
        block(1, number(1, d) if isinstance(d, int) else block(2, d)) for d in shape
    )
    return block(1, name) + block(2, block(1, number(1, kind) + block(2, dims)))


def graph(nodes, inputs, outputs, tensors=()):
    """GraphProto."""
    body = b"".join(block(1, n) for n in nodes) + block(2, "g")
    body += b"".join(block(5, x) for x in tensors)
    body += b"".join(block(11, x) for x in inputs)
    return body + b"".join(block(12, x) for x in outputs)


def model(content, metadata=None, *, opset=17, ir=9, extra=b"", domains=()):
    """ModelProto."""
    body = number(1, ir) + block(2, "tests") + block(7, content)
    body += block(8, block(1, "") + number(2, opset))
    for domain in domains:
        body += block(8, block(1, domain) + number(2, 1))
    for key, text in (metadata or {}).items():
        body += block(14, block(1, key) + block(2, text))
    return body + extra

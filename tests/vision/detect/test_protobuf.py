"""Bytes that anybody may have written: fields, or a refusal, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import small_models as small
from tests.support.onnx_writer import block, number, varint
from vision.detect import onnx_file
from vision.detect.errors import ModelError
from vision.detect.protobuf import (
    LONGEST_TEXT,
    MOST_TEXT,
    Reader,
    TextError,
    WireError,
    signed,
)

WHOLE = small.grid()


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_come_back(value):
    data = varint(value)

    found, end = Reader(data).varint(0, len(data))

    assert signed(found) == value
    assert end == len(data)


def test_fields_say_where_their_bytes_lie():
    data = number(1, 9) + block(7, b"abc") + b"\x1d\1\2\3\4" + b"\x21" + bytes(8)

    fields = list(Reader(data).fields(0, len(data)))

    assert [f.number for f in fields] == [1, 7, 3, 4]
    assert fields[0].value == 9
    assert data[fields[1].value : fields[1].end] == b"abc"
    assert fields[2].end - fields[2].value == 4
    assert fields[3].end - fields[3].value == 8


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01",  # field number 0
        b"\x0a\x05ab",  # longer than the file
        b"\x0b",  # a group, long gone from the format
        b"\xff" * 11,  # a number without end
        b"\x0a",
        b"\x0d\1\2",
    ],
)
def test_what_is_no_field_is_refused(data):
    with pytest.raises(WireError):
        list(Reader(data).fields(0, len(data)))


def test_no_file_is_read_for_ever():
    data = number(3, 1) * 1000

    with pytest.raises(WireError):
        list(Reader(data, most=999).fields(0, len(data)))
    assert len(list(Reader(data, most=1000).fields(0, len(data)))) == 1000


def test_no_text_is_read_for_ever():
    longest = block(1, b"\xff" * LONGEST_TEXT)
    reader = Reader(longest * (MOST_TEXT // LONGEST_TEXT + 1))
    *allowed, over = reader.fields(0, len(reader.data))
    longer = Reader(block(1, b"n" * (LONGEST_TEXT + 1)))

    assert all(len(reader.text(one)) == 4 * LONGEST_TEXT for one in allowed)
    with pytest.raises(TextError):
        reader.text(over)
    with pytest.raises(TextError) as caught:
        longer.text(next(longer.fields(0, len(longer.data))))
    assert caught.value.size == LONGEST_TEXT + 1


@given(
    data=st.one_of(
        st.binary(max_size=400),
        st.tuples(
            st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=12)
        ).map(lambda x: WHOLE[: x[0]] + x[1] + WHOLE[x[0] + len(x[1]) :]),
    )
)
def test_any_bytes_are_a_model_or_refused(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("bytes") / "any.onnx"
    path.write_bytes(data)

    try:
        found = onnx_file.read(path)
    except ModelError as exc:
        assert exc.key.startswith("vision.model.")  # noqa: PT017 - both are right
    else:
        assert found.data == data

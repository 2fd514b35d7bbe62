"""The parser of parts: complete JPEGs or an error, whatever comes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.http_camera import jpeg
from vision.sources import SourceError
from vision.sources.jpeg import whole
from vision.sources.mjpeg import Parts

CHUNK = st.integers(1, 1500)
PICTURES = [jpeg(n, 48, 32) for n in range(3)]


def part(picture, boundary=b"--frame", length=None):
    head = boundary + b"\r\nContent-Type: image/jpeg\r\n"
    if length is not None:
        head += b"Content-Length: %d\r\n" % length
    return head + b"\r\n" + picture + b"\r\n"


@pytest.mark.parametrize("told", [b"frame", b"--frame", b'"frame"', b"", b"other"])
@pytest.mark.parametrize("length", [None, 0, 5, 10**9])
def test_boundaries_and_lengths_are_not_believed(told, length):
    stream = b"".join(part(one, length=length) for one in PICTURES)

    assert Parts(told).feed(stream) == PICTURES


def test_a_picture_is_there_with_its_last_byte():
    parts, stream = Parts(b"frame"), part(PICTURES[0])

    assert parts.feed(stream[:-3]) == []
    assert parts.feed(stream[-3:-2]) == [PICTURES[0]]


@given(cuts=st.lists(st.integers(0, 4000), min_size=6, max_size=6), size=CHUNK)
def test_a_stream_cut_anywhere_gives_only_whole_pictures(cuts, size):
    stream = b"".join(part(one[:n]) for one, n in zip(PICTURES * 2, cuts, strict=True))
    intact = [one for one, n in zip(PICTURES * 2, cuts, strict=True) if n >= len(one)]
    parts, found = Parts(b"frame"), []
    for i in range(0, len(stream), size):
        found += parts.feed(stream[i : i + size])

    # A cut picture may take the next one with it, but nothing cut comes through.
    assert all(one in PICTURES for one in found)
    assert len(found) <= len(intact)
    assert len(found) >= len(intact) - (6 - len(intact))


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.sampled_from(
                [*PICTURES, PICTURES[0][:500], b"\xff\xd8\xff", b"--frame"]
            ),
        ),
        max_size=20,
    ),
    st.integers(1, 700),
)
def test_any_bytes_give_whole_jpegs_or_an_error_in_bounded_memory(pieces, size):
    parts, stream = Parts(b"frame", largest=4000), b"".join(pieces)
    with contextlib.suppress(SourceError):
        for i in range(0, len(stream), size):
            for one in parts.feed(stream[i : i + size]):
                assert whole(one).end == len(one)
            assert len(parts._held) <= 4000 + size


@pytest.mark.parametrize(
    "endless",
    [
        b"\0" * 1000,
        PICTURES[0][:-2] + b"\x11" * 1000,
        b"\xff\xd8\xff\xff\xff" + b"\xff" * 1000,
        b"\xff\xd8\xff\xe0\0\1",
    ],
)
def test_a_part_without_end_is_an_error(endless):
    parts = Parts(b"frame", largest=20_000)

    def feed_on():
        for _ in range(40_000):
            parts.feed(endless if parts._walk is None else b"\x11" * 997)

    with pytest.raises(SourceError, match="corrupt"):
        feed_on()
    assert len(parts._held) < 40_000

import cv2
import numpy as np
import pytest

from tests.support.http_camera import jpeg
from vision.sources import SourceError
from vision.sources.jpeg import NotJpegError, Walk, decode, whole


def _with_thumbnail():
    small = jpeg(2, 32, 32)
    full = jpeg(1)
    segment = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
    return full[:2] + segment + full[2:]


def test_a_cut_picture_is_never_whole():
    data = jpeg()

    assert whole(data).end == len(data)
    assert whole(data + b"\r\n\0\0").end == len(data)
    assert not any(whole(data[:n]) for n in range(len(data)))


def test_the_end_of_a_thumbnail_is_not_the_end():
    data = _with_thumbnail()

    assert whole(data).end == len(data)
    assert whole(data[: data.index(b"\xff\xd9") + 2]) is None


def test_restart_markers_and_fill_bytes_belong_to_it():
    image = np.random.default_rng(1).integers(0, 255, (96, 160, 3)).astype(np.uint8)
    asked = [cv2.IMWRITE_JPEG_RST_INTERVAL, 4, cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    data = cv2.imencode(".jpg", image, asked)[1].tobytes()

    assert b"\xff\xd0" in data
    assert whole(data).end == len(data)
    assert whole(data[:2] + b"\xff\xff\xff" + data[2:]) is not None


def test_each_byte_is_walked_once_whatever_the_pieces(seed):
    data, rng = jpeg(), np.random.default_rng(seed)
    for _ in range(20):
        walk, held, end = Walk(), b"", None
        while end is None:
            held = data[: len(held) + int(rng.integers(1, 4000))]
            end = walk.end(held)
        assert end == len(data), seed


def test_what_is_no_jpeg_is_said_at_once():
    for data in (
        b"<html>",
        b"\xff\xd8\xff\xd8",
        b"\xff\xd8\xff\xe0\0\1",
        b"\xff\xd8ab",
    ):
        with pytest.raises(NotJpegError):
            Walk().end(data + b"\0" * 8)


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (jpeg()[:-40], "vision.source.truncated"),
        (b"", "vision.source.truncated"),
        (
            b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xdc\xff\xdc\x01\x01\x11\0\xff\xd9",
            "vision.source.too_many_pixels",
        ),
        (
            b"\xff\xd8\xff\xc0\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0\xff\xd9",
            "vision.source.undecodable",
        ),
    ],
)
def test_what_cannot_be_decoded_is_corrupt_and_says_why(data, key):
    with pytest.raises(SourceError) as caught:
        decode(data)

    assert (caught.value.fault, caught.value.key) == ("corrupt", key)


def test_a_whole_one_is_decoded():
    assert decode(jpeg()).shape == (96, 160, 3)

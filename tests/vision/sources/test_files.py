"""Video files and folders of pictures that play like cameras."""

import cv2
import numpy as np
import pytest

from vision.messages import Camera
from vision.sources import EndedError, SourceError, open_source
from vision.sources.usb import Usb


def picture(value):
    return np.full((96, 160, 3), value, np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (160, 96))
    for value in range(30):
        writer.write(picture(value * 8))
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path):
    for name, value in (("b.jpg", 100), ("a.png", 50), ("c.JPG", 150)):
        data = cv2.imencode(name.lower()[1:], picture(value))[1].tobytes()
        (tmp_path / name).write_bytes(data)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def opened(kind, path, **keys):
    return open_source(Camera(name="a", kind=kind, url=str(path), **keys), paced=False)


def read_all(source, most=100):
    found = []
    try:
        while len(found) < most:
            found.append(source.read())
    except EndedError:
        return found
    return found


def test_a_file_is_shown_at_its_rate_by_its_own_time(clip):
    source = opened("file", clip, every_s=0.5)
    found = read_all(source)

    assert [one.stream_s for one in found] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5])
    assert [round(one.image.mean() / 8) for one in found] == [0, 5, 10, 15, 20, 25]
    with pytest.raises(EndedError):
        source.read()
    source.close()


def test_a_loop_goes_on_in_time(clip):
    source = opened("file", clip, every_s=1.0, loop=True)
    times = [one.stream_s for one in read_all(source, 9)]
    source.close()

    assert times == pytest.approx(list(range(9)))


def test_a_folder_is_shown_by_name_and_again(folder):
    source = opened("folder", folder, every_s=2.0, loop=True)
    found = read_all(source, 4)

    assert [round(one.image.mean()) for one in found] == [50, 100, 150, 50]
    assert [one.stream_s for one in found] == [0, 2, 4, 6]
    assert len(read_all(opened("folder", folder))) == 3


def test_a_cut_picture_in_a_folder_is_corrupt_and_the_next_is_read(folder):
    data = (folder / "b.jpg").read_bytes()
    (folder / "b.jpg").write_bytes(data[:-20])
    source = opened("folder", folder)
    source.read()

    with pytest.raises(SourceError, match="truncated"):
        source.read()
    assert source.read().image.size


def test_what_is_not_there_is_gone_and_what_is_no_video_corrupt(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no video" * 100)
    cases = [
        ("file", tmp_path / "none.mp4", "gone"),
        ("file", tmp_path / "x.mp4", "corrupt"),
        ("folder", tmp_path / "none", "gone"),
        ("folder", tmp_path, "gone"),
    ]
    for kind, path, fault in cases:
        with pytest.raises(SourceError) as caught:
            opened(kind, path)
        assert caught.value.fault == fault


def test_an_absent_device_is_gone():
    for url in ("/dev/video97", "usb:97"):
        with pytest.raises(SourceError) as caught:
            Usb(Camera(name="a", kind="usb", url=url))
        assert (caught.value.fault, caught.value.args_told["device"]) == (
            "gone",
            "/dev/video97",
        )

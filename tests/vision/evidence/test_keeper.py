"""Evidence: what is kept of an alarm, where nobody may look, and room for the next."""

from __future__ import annotations

import errno
import hashlib
import os
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest

from vision.evidence import Keeper, Shelf
from vision.evidence.annotate import annotated, local_time
from vision.evidence.blackout import Blackout
from vision.evidence.jpeg import STEPS, Fitter, decode
from vision.evidence.ring import Ring, Shot
from vision.evidence.shelf import file_name
from vision.frame import Frame
from vision.messages import Camera, Evidence, Sight, Zone

cv2 = pytest.importorskip("cv2")

T0 = 1_763_712_000_000  # 2025-11-21 16:00:00 in Shanghai
PRIVATE = Zone(
    name="house", area=((0.31, 0.22), (0.77, 0.3), (0.6, 0.83)), use="private"
)


@cache
def image(width=640, height=360, seed=1):
    """A coloured scene with noise, bright where it will be masked."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 255 // width, y * 255 // height, 255 - x * 200 // width], 2)
    return np.clip(base + rng.integers(-30, 30, base.shape), 0, 255).astype(np.uint8)


def camera(**keys):
    return Camera(name="north", kind="file", url="x", **{"heartbeat": None, **keys})


def frame(n, picture=None, every_s=1.0):
    at = image(seed=n) if picture is None else picture
    return Frame("north", n, at, T0 + round(n * every_s * 1000), 100.0 + n * every_s)


def raised(of, **changes):
    sight = Sight(
        id="north-1-1",
        camera="north",
        label="dark_smoke",
        state="raised",
        t_ms=of.wall_ms,
        began_ms=of.wall_ms - 4000,
        score=0.87,
        peak=0.93,
        threshold=0.61,
        region=(0.4, 0.3, 0.6, 0.5),
        cells=9,
        bearing=213.0,
        model="smoke_dust 1.0",
    )
    return msgspec.structs.replace(sight, **changes)


def keeper(folder, evidence=None, **keys):
    evidence = evidence or Evidence(folder=str(folder))
    return Keeper(evidence, camera(**keys))


def play(keep, first, last, every_s=1.0):
    """Frames and ticks; the frame that was last, and what the ticks made."""
    made, of = [], frame(first)
    for n in range(first, last + 1):
        of = frame(n, every_s=every_s)
        keep.frame(of)
        made += keep.tick(of.wall_ms, of.mono_s)
    return of, made


def test_an_alarm_has_pictures_before_at_and_after_and_a_clip(tmp_path):
    keep = keeper(tmp_path, clip_s=10.0)
    of, nothing = play(keep, 1, 12)
    at_once = keep.sight(raised(of), of)
    _, later = play(keep, 13, 24)

    assert nothing == []
    made = at_once + later
    roles = [(p.n, p.role, p.annotated, p.type) for p in made]
    assert roles == [
        (1, "at", True, "image/jpeg"),
        (2, "at", False, "image/jpeg"),
        (3, "before", False, "image/jpeg"),
        (4, "after", False, "image/jpeg"),
        (5, "clip", False, "video/mp4"),
    ]
    for picture in made:
        data = (tmp_path / picture.file).read_bytes()
        assert len(data) == picture.bytes
        assert hashlib.sha256(data).hexdigest() == picture.sha256
        assert picture.file.startswith("north/2025-11-21/north-1-1-")
    assert at_once[2].t_ms <= of.wall_ms - 4000 - 3000, "before its first sight"
    assert later[0].t_ms >= of.wall_ms + 5000
    clip = cv2.VideoCapture(str(tmp_path / made[4].file))
    frames = 0
    while clip.read()[0]:
        frames += 1
    assert 10 <= frames <= 12
    assert not list(tmp_path.rglob(".tmp*"))


def test_an_alarm_that_goes_on_or_ends_makes_no_new_pictures(tmp_path):
    keep = keeper(tmp_path)
    of, _ = play(keep, 1, 3)
    keep.sight(raised(of), of)

    assert keep.sight(raised(of, state="updated"), of) == []
    assert keep.sight(raised(of, state="cleared"), of) == []


def test_without_a_picture_from_before_there_is_none(tmp_path):
    keep = keeper(tmp_path)
    of, _ = play(keep, 1, 2)

    found = keep.sight(raised(of), of)

    assert [p.role for p in found] == ["at", "at"]


def test_a_camera_that_vanished_has_no_picture_after_and_is_not_waited_for(tmp_path):
    keep = keeper(tmp_path)
    of, _ = play(keep, 1, 12)
    keep.sight(raised(of), of)

    assert keep.tick(of.wall_ms + 11_000, of.mono_s + 11) == []
    assert keep.tick(of.wall_ms + 60_000, of.mono_s + 60) == []
    _, late = play(keep, 80, 90)
    assert late == []


# -- privacy -------------------------------------------------------------------------


def polygon_pixels(width, height):
    """The pixels the zone itself covers, its edge included."""
    drawn = np.zeros((height, width), np.uint8)
    corners = np.round(np.array(PRIVATE.area) * [width, height]).astype(np.int32)
    cv2.fillPoly(drawn, [corners], 1)
    return drawn > 0


@pytest.mark.parametrize("size", [(640, 360), (333, 251)])
@pytest.mark.parametrize("step", range(len(STEPS)))
def test_private_pixels_are_exactly_black_at_every_step(size, step, tmp_path):
    width, height = size
    fitter = Fitter(Blackout([PRIVATE]), 10**9)
    fitter._step = step
    data = fitter.encode(image(width, height))

    found = decode(data)
    inside = polygon_pixels(found.shape[1], found.shape[0])
    assert inside.sum() > 10
    assert found[inside].max() == 0
    assert found[~inside].max() > 50


def test_nothing_private_is_in_the_ring_or_in_any_file(tmp_path):
    keep = keeper(tmp_path, clip_s=10.0, zones=(PRIVATE,), heartbeat="08:00")
    of, first = play(keep, 1, 12)
    made = first + keep.sight(raised(of, region=(0.3, 0.2, 0.8, 0.9)), of)
    made += play(keep, 13, 24)[1] + keep.snapshot("ask-1")

    assert {p.role for p in made} == {
        "heartbeat", "at", "before", "after", "clip", "snapshot",
    }  # fmt: skip
    for data in [shot.data for shot in keep.ring]:
        assert decode(data)[polygon_pixels(640, 360)].max() == 0
    for picture in made:
        path = tmp_path / picture.file
        if picture.role == "clip":
            reader = cv2.VideoCapture(str(path))
            shown = reader.read()[1]
            assert shown[polygon_pixels(640, 360)].max() <= 4, "MPEG-4 in limited range"
        else:
            shown = cv2.imread(str(path))[:360]
            assert shown[polygon_pixels(640, 360)].max() == 0


def test_the_frame_itself_is_never_changed(tmp_path):
    keep = keeper(tmp_path, zones=(PRIVATE,))
    of = frame(1)
    before = of.image.copy()
    keep.frame(of)
    keep.sight(raised(of), of)

    assert np.array_equal(of.image, before)


# -- over restarts -------------------------------------------------------------------


def test_an_alarm_raised_anew_overwrites_no_picture_of_the_process_before(tmp_path):
    keep = keeper(tmp_path)
    of, _ = play(keep, 1, 8)
    first = keep.sight(raised(of), of)
    kept = {p.file: (tmp_path / p.file).read_bytes() for p in first}

    keep = keeper(tmp_path)
    of, _ = play(keep, 60, 68)
    again = keep.sight(raised(of), of)

    assert [p.n for p in first + again] == [1, 2, 3, 4, 5, 6]
    assert [p.annotated for p in again] == [True, False, False]
    assert {name: (tmp_path / name).read_bytes() for name in kept} == kept


def test_an_alarm_that_lost_its_process_before_its_pictures_gets_them(tmp_path):
    keep = keeper(tmp_path)
    of, _ = play(keep, 1, 8)
    standing = raised(of, state="updated")

    made = keep.sight(standing, of)

    assert [(p.n, p.role) for p in made] == [(1, "at"), (2, "at"), (3, "before")]
    assert keep.sight(standing, of) == []
    assert keeper(tmp_path).sight(standing, of) == [], "the process before made some"
    assert keeper(tmp_path).sight(raised(of, id="x", state="cleared"), of) == []


def test_a_file_that_somebody_removed_ends_no_process(tmp_path, monkeypatch):
    keep = keeper(tmp_path, clip_s=4.0)
    of, _ = play(keep, 1, 8)
    keep.sight(raised(of), of)
    real = Path.replace

    def replaced(self, target):
        moved = real(self, target)
        Path(target).unlink()
        return moved

    monkeypatch.setattr(Path, "replace", replaced)
    _, made = play(keep, 9, 24)
    assert [p.role for p in made] == ["after", "clip"]  # whoever reads them will see


def test_of_a_camera_that_was_turned_nothing_is_held(tmp_path):
    keep = keeper(tmp_path, zones=(PRIVATE,), clip_s=4.0)
    of, _ = play(keep, 1, 8)
    keep.sight(raised(of), of)
    keep.forget()

    assert keep.tick(of.wall_ms + 30_000, of.mono_s + 30) == []
    assert keep.snapshot("asked") == []
    assert (len(keep.ring), keep.ring.size) == (0, 0)


# -- size ----------------------------------------------------------------------------


@pytest.mark.parametrize("most", [20_000, 60_000, 400_000])
def test_a_picture_is_made_smaller_until_it_fits(tmp_path, most):
    keep = keeper(
        tmp_path, Evidence(folder=str(tmp_path), picture_bytes=most), zones=(PRIVATE,)
    )
    big = frame(1, image(1920, 1080))
    keep.frame(big)

    found = keep.sight(raised(big), big)

    assert len(found) == 2
    assert all(p.bytes <= most for p in found)


def test_the_ring_is_bounded_in_seconds_and_bytes():
    ring = Ring(10.0, 5000)
    for n in range(100):
        ring.add(Shot(n * 1.0, n, f"f-{n}", bytes(300)))
    assert len(ring) == 11
    for n in range(100, 120):
        ring.add(Shot(n * 0.1 + 100, n, f"f-{n}", bytes(1200)))
    assert ring.size <= 5000
    assert ring.size == sum(len(shot.data) for shot in ring)
    assert ring.before(-1.0, 3.0) is None


# -- the day's picture -----------------------------------------------------------------


def test_one_picture_a_day_also_over_restarts(tmp_path):
    made = []
    for start in (0, 900, 1800, 86_400, 87_000):  # every start is another run
        keep = keeper(tmp_path, heartbeat="16:10")
        for second in range(0, 900, 30):
            at = start + second
            of = Frame("north", at + 1, image(64, 48), T0 + at * 1000, 100.0 + at)
            keep.frame(of)
            made += keep.tick(of.wall_ms, of.mono_s)

    assert [p.role for p in made] == ["heartbeat", "heartbeat"]
    assert [p.event for p in made] == [
        "heartbeat-north-20251121",
        "heartbeat-north-20251122",
    ]
    assert made[0].t_ms - T0 == 600_000


def test_a_picture_of_the_day_shows_what_is_seen_now(tmp_path):
    keep = keeper(tmp_path, heartbeat="16:10")
    keep.frame(frame(1))

    assert keep.tick(T0 + 3_600_000, 100.0 + 3600) == [], "the camera is silent"
    of = frame(3700)
    keep.frame(of)
    assert [p.role for p in keep.tick(of.wall_ms, of.mono_s)] == ["heartbeat"]


def test_a_snapshot_answers_with_the_newest_picture(tmp_path):
    keep = keeper(tmp_path)
    assert keep.snapshot("ask-1") == []
    of, _ = play(keep, 1, 5)

    (found,) = keep.snapshot("../../ask 1")

    assert found.event == "../../ask 1"
    assert found.t_ms == of.wall_ms
    assert (tmp_path / found.file).resolve().is_relative_to(tmp_path)
    assert "/_snapshot-" in found.file


# -- the folder ------------------------------------------------------------------------


def filled(shelf, count, name, start=0.0, size=1000):
    for n in range(count):
        at = 1_763_000_000.0 + start + n
        place = f"north/2025-11-21/{name}{n}-1.jpg"
        assert shelf.put(place, bytes(size), at)
        os.utime(shelf.folder / place, (at, at))


def names(folder):
    return sorted(path.name for path in Path(folder).rglob("*.jpg"))


def test_the_oldest_of_no_alarm_go_first_then_the_oldest_of_alarms(tmp_path):
    shelf = Shelf(Evidence(folder=str(tmp_path), max_bytes=10_000))
    filled(shelf, 5, "alarm")
    filled(shelf, 5, "_heartbeat-", start=100)
    assert len(names(tmp_path)) == 10

    filled(shelf, 3, "new", start=200)
    assert names(tmp_path) == sorted(
        [f"alarm{n}-1.jpg" for n in range(5)]
        + [f"_heartbeat-{n}-1.jpg" for n in (3, 4)]
        + [f"new{n}-1.jpg" for n in range(3)]
    )
    filled(shelf, 4, "more", start=300)
    assert "alarm0-1.jpg" not in names(tmp_path)
    assert "alarm4-1.jpg" in names(tmp_path)
    assert len(names(tmp_path)) == 10


def test_what_is_too_old_goes_and_a_clock_that_was_wrong_takes_nothing(tmp_path):
    shelf = Shelf(Evidence(folder=str(tmp_path), keep_s=3600.0))
    filled(shelf, 2, "old")
    filled(shelf, 1, "young", start=7000)
    os.utime(tmp_path / "north/2025-11-21/old1-1.jpg", (1000.0, 1000.0))

    shelf.make_room(0, 4_000_000_000.0)  # a clock of the year 2096
    assert names(tmp_path) == ["old1-1.jpg", "young0-1.jpg"]


def test_foreign_files_stay_and_folders_that_are_empty_go(tmp_path):
    shelf = Shelf(Evidence(folder=str(tmp_path), max_bytes=10_000, keep_s=3600.0))
    filled(shelf, 1, "old")
    foreign = tmp_path / "north" / "2025-11-21" / "notes.txt"
    foreign.write_text("mine")
    (tmp_path / "west" / "2025-11-20").mkdir(parents=True)
    (tmp_path / "states.bin").write_bytes(b"x")

    shelf.make_room(1_000_000, 1_763_000_000.0)

    assert names(tmp_path) == []
    assert foreign.exists()
    assert not (tmp_path / "west" / "2025-11-20").exists()


def test_a_full_disk_costs_the_oldest_and_says_so_when_nothing_helps(
    tmp_path, monkeypatch
):
    shelf = Shelf(Evidence(folder=str(tmp_path)))
    filled(shelf, 5, "_heartbeat-")
    left = [1]
    write = Path.write_bytes

    def full(path, data):
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert shelf.put("north/2025-11-21/a-1.jpg", bytes(1500), 1_763_000_000.0)
    assert len(names(tmp_path)) == 3, "three went, one came"
    assert shelf.trouble is None

    left[0] = 100
    assert not shelf.put("north/2025-11-21/b-1.jpg", bytes(1500), 1_763_000_000.0)
    assert "No space left" in str(shelf.trouble)
    assert not list(tmp_path.rglob(".tmp*"))


def test_an_alarm_without_a_place_for_its_pictures_is_still_an_alarm(tmp_path):
    blocked = tmp_path / "media"
    blocked.write_text("a file where a folder should be")
    keep = keeper(blocked)
    of, _ = play(keep, 1, 12)

    assert keep.sight(raised(of), of) == []
    assert keep.trouble

    blocked.unlink()
    of, later = play(keep, 13, 30)
    assert [p.role for p in later] == ["after"]
    assert keep.trouble is None


def test_a_folder_that_was_removed_is_made_again(tmp_path):
    keep = keeper(tmp_path / "media")
    of, _ = play(keep, 1, 12)
    keep.sight(raised(of), of)
    for path in sorted((tmp_path / "media").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()

    _, later = play(keep, 13, 24)

    assert [p.role for p in later] == ["after"]


@pytest.mark.parametrize("event", ["../../etc/passwd", "a/b", "..", "", "烟" * 200])
def test_no_event_id_leaves_its_folder(event):
    name = file_name(event, 1, "jpg")

    assert "/" not in name
    assert not name.startswith(".")
    assert len(name) < 160


# -- drawing ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(160, 120), (640, 360), (1920, 1080), (1080, 1920)])
@pytest.mark.parametrize(
    "region", [(0.4, 0.3, 0.6, 0.5), (0.0, 0.0, 1.0, 1.0), (0.99, 0.99, 1.0, 1.0)]
)
@pytest.mark.parametrize("label", ["dark_smoke", "light_smoke", "dust"])
def test_whatever_is_drawn_stays_in_the_picture_and_covers_little(size, region, label):
    clean = image(*size)
    sight = raised(frame(1), region=region, label=label, model="模型" * 40)

    drawn = annotated(clean, sight, camera(), {label: "白烟或灰烟", "peak": "最高得分"})

    assert drawn.rows <= drawn.picture.shape[0] - 30
    assert drawn.picture.shape[1] == max(480, size[0])
    if size[0] >= 480:
        same = (drawn.picture[: drawn.rows] == clean).all(axis=2).mean()
        assert same > 0.85


def at_picture(folder, **evidence):
    """The annotated picture of an alarm at night, as it is kept."""
    keep = keeper(folder, Evidence(folder=str(folder), **evidence))
    of, _ = play(keep, 1, 3)
    drawn = next(p for p in keep.sight(raised(of, night=True), of) if p.annotated)
    return (folder / drawn.file).read_bytes()


CHINESE = {"dark_smoke": "黑烟", "peak": "最高得分", "bearing": "方位", "night": "夜间"}


def test_words_of_the_gateway_are_drawn_each_in_its_place(tmp_path):
    english = at_picture(tmp_path / "none")
    drawn = {
        word: at_picture(tmp_path / word, words={word: text})
        for word, text in CHINESE.items()
    }

    assert english not in drawn.values()
    assert len(set(drawn.values())) == len(CHINESE)
    # What OpenCV has no letter for would be the same box or question mark.
    others = {name: text[::-1] for name, text in CHINESE.items()}
    assert at_picture(tmp_path / "a", words=CHINESE) != at_picture(
        tmp_path / "b", words=others
    )


def test_words_nobody_can_write_are_english(tmp_path, monkeypatch):
    monkeypatch.setattr("vision.pen._face", lambda: None)  # OpenCV before 5

    assert at_picture(tmp_path / "a", words=CHINESE) == at_picture(tmp_path / "b")


def test_the_time_is_the_cameras():
    assert local_time(T0, "Asia/Shanghai") == "2025-11-21 16:00:00 +08:00"

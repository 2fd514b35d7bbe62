"""The simulated camera: what it shows, who may look, and what goes wrong with it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from simulators.camera import rtsp_process
from simulators.camera.command import obey, parse
from simulators.camera.day import EMISSIONS, Happening, Program, event
from simulators.camera.faults import CameraBoard, CameraFault, spell
from simulators.camera.login import Gatekeeper, Login
from simulators.camera.play import open_play
from simulators.camera.spoil import Spoiler
from tests.support.cameras import PASSWORD, RTSP, USER, camera

SIZE = (320, 192)


def test_a_fault_begins_ends_and_runs_out():
    board = CameraBoard((spell("freeze@30-60"),))

    board.begin(CameraFault.BLACK, 10.0, for_s=5.0)
    board.begin(CameraFault.GREY, 11.0)

    assert board.at(12.0) == {"black", "grey"}
    assert board.at(16.0) == {"grey"}
    board.end(CameraFault.GREY, 16.0)
    assert board.at(17.0) == set()
    assert board.at(45.0) == {"freeze"}
    board.end(None, 46.0)
    assert board.at(47.0) == set()


def test_what_is_to_come_is_not_ended_with_what_is():
    board = CameraBoard((spell("freeze@30-60"),))

    board.end(None, 5.0)

    assert board.at(40.0) == {"freeze"}


@pytest.mark.parametrize("text", ["frost", "freeze@x", "freeze@3-y"])
def test_an_unknown_fault_is_refused_with_what_there_is(text):
    with pytest.raises(
        ValueError, match=r"expected freeze@30-60|no such fault.*freeze"
    ):
        spell(text)


@pytest.mark.parametrize("text", ["smog@1-2", "dark", "dark@9-3"])
def test_an_unknown_event_is_refused(text):
    with pytest.raises(ValueError, match=r"expected WHAT@10-40|ends before it begins"):
        event(text)


def test_a_day_has_a_night_and_no_emission():
    program = Program(hour=0.0, day_s=240.0)

    hours = [program.at(at) for at in range(240)]

    assert {one.infrared for one in hours} == {True, False}
    seen = {what for one in hours for what in one.strength}
    assert not seen & EMISSIONS
    assert {"fog", "rain", "cloud", "headlights", "steam"} <= seen
    assert hours[120].day == 1.0
    assert hours[0].day == 0.0


def test_events_come_again():
    program = Program((event("dark@10-20"),), every_s=60.0)

    assert program.strength(Happening.DARK, 15) == 1.0
    assert program.strength(Happening.DARK, 40) == 0.0
    assert program.strength(Happening.DARK, 75) == 1.0


@pytest.mark.parametrize(
    ("scene", "what", "lighter"),
    [
        ("works", "dark", False),
        ("works", "light", None),
        ("works", "steam", True),
        ("field", "dark", False),
        ("field", "light", None),
        ("yard", "dust", True),
    ],
)
def test_what_is_scripted_is_seen_and_only_then(scene, what, lighter):
    with_it = open_play(scene, SIZE, events=[f"{what}@5-60"])
    without = open_play(scene, SIZE)

    def apart(at_s):
        one = with_it.picture(at_s).astype(np.float32)
        other = without.picture(at_s).astype(np.float32)
        return cv2.blur(one - other, (9, 9)).mean(axis=2)[40:]

    before, there = apart(3.0), apart(20.0)
    assert np.abs(before).max() < 8
    strong = there[np.abs(there) > 13]
    assert strong.size > 100
    if lighter is not None:
        assert np.median(strong) > 0 if lighter else np.median(strong) < 0
    assert with_it.says(20.0) == [what]


@pytest.mark.parametrize("scene", ["works", "field", "yard"])
def test_night_is_grey_and_dark_and_a_living_picture_never_the_same(scene):
    night = open_play(scene, SIZE, events=["night@0-99", "headlights@0-99"])

    first, second = night.picture(4.0), night.picture(4.0)

    spread = first[40:].max(axis=2) - first[40:].min(axis=2)
    assert spread.mean() < 8
    assert (first != second).mean() > 0.2
    assert open_play(scene, SIZE).picture(4.0).mean() > first.mean() + 40


def test_a_clip_and_a_folder_play_again_and_again(tmp_path):
    for number in range(3):
        shade = np.full((90, 160, 3), 60 * number + 40, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), shade)
    writer = cv2.VideoWriter(
        str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, (160, 90)
    )
    for number in range(10):
        writer.write(np.full((90, 160, 3), 20 * number, np.uint8))
    writer.release()
    folder, clip = (
        open_play(str(tmp_path), SIZE),
        open_play(str(tmp_path / "clip.avi"), SIZE),
    )

    assert [round(folder.picture(at).mean(), -1) for at in (0.5, 1.5, 2.5, 3.5)] == [
        40,
        100,
        160,
        40,
    ]
    seen = [clip.picture(at / 5).mean() for at in range(14)]
    assert seen[9] > 150
    assert seen[12] < 60
    assert clip.picture(3.0).shape == (192, 320, 3)


@pytest.mark.parametrize("source", ["nowhere.mp4", "README.md"])
def test_what_cannot_be_shown_is_refused(source):
    with pytest.raises(ValueError, match=source):
        open_play(source, SIZE)


def test_each_fault_of_the_picture_is_seen_in_it():
    image = open_play("works", SIZE).picture(3.0)
    spoiler = Spoiler()

    def with_fault(*faults):
        return spoiler.picture(image, frozenset(map(CameraFault, faults)))

    assert with_fault("black").max() < 20
    assert with_fault("size").shape == (96, 160, 3)
    assert with_fault("night")[..., 0].tolist() == with_fault("night")[..., 2].tolist()
    soft = cv2.Laplacian(with_fault("defocus"), cv2.CV_32F).std()
    assert soft < 0.4 * cv2.Laplacian(image, cv2.CV_32F).std()
    assert with_fault("block")[:, :200].mean() < 60
    shifted = with_fault("move")[20:-20, 32:-64].astype(int)
    still = image[20 - 4 : -20 - 4, 64:-32].astype(int)
    assert np.abs(shifted - still).mean() < 6
    driven = [with_fault("drive") for _ in range(64)]
    assert np.array_equal(driven[0][:, :-3], image[:, 3:])  # a hundredth of 320
    assert np.array_equal(driven[9][:, :-30], image[:, 30:])
    assert np.abs(driven[-1].astype(int) - image).mean() > 10
    assert (with_fault("grey")[150:] == 130).mean() > 0.9
    assert with_fault() is image


def test_a_frozen_picture_stays_and_the_next_freeze_has_another():
    spoiler, faults = Spoiler(), frozenset({CameraFault.FREEZE})
    images = [np.full((4, 4, 3), number, np.uint8) for number in range(4)]

    frozen = [spoiler.picture(image, faults)[0, 0, 0] for image in images[:2]]
    spoiler.picture(images[2], frozenset())

    assert frozen == [0, 0]
    assert spoiler.picture(images[3], faults)[0, 0, 0] == 3


def test_a_nonce_is_of_one_use_for_each_count():
    gate = Gatekeeper(Login("u", "p", "digest"))
    nonce = gate.challenge().split('nonce="')[1].split('"')[0]
    handler = urllib.request.HTTPDigestAuthHandler()
    handler.add_password("camera", "http://h/", "u", "p")
    request = urllib.request.Request("http://h/snapshot.jpg")
    told = {"realm": "camera", "nonce": nonce, "qop": "auth", "algorithm": "MD5"}
    said = "Digest " + handler.get_authorization(request, told)

    assert gate.lets_in("GET", said)
    assert not gate.lets_in("GET", said)
    assert not gate.lets_in("GET", None)
    assert not Gatekeeper(Login("u", "p", "basic")).lets_in("GET", said)


@pytest.mark.parametrize("scheme", ["basic", "digest"])
async def test_a_still_wants_the_login_and_refuses_everybody_when_told(scheme):
    async with camera("c", "snapshot", scheme=scheme) as (simulated, told):
        good = await asyncio.to_thread(_get, told.url, USER, PASSWORD)
        bad = await asyncio.to_thread(_get, told.url, USER, "wrong")
        simulated.command({"begin": "refuse"})
        await asyncio.sleep(0.5)
        refused = await asyncio.to_thread(_get, told.url, USER, PASSWORD)
    assert cv2.imdecode(np.frombuffer(good, np.uint8), 1).shape == (192, 320, 3)
    assert (bad, refused) == (401, 401)


def _get(url, user, password):
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, url, user, password)
    opener = urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    )
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as exc:
        exc.close()
        return 401 if exc.code == 401 or "digest" in str(exc).lower() else exc.code
    except ValueError:  # urllib gives up on a digest that is asked for again
        return 401


async def test_a_stream_of_stills_ends_in_the_middle_of_one_when_it_vanishes():
    async with camera("c", "mjpeg", scheme="none") as (simulated, told):
        port = int(told.url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /mjpeg HTTP/1.1\r\nHost: c\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"\xff\xd9")
        simulated.command({"begin": "vanish"})
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        simulated.command({"end": None})
        for _ in range(100):
            await asyncio.sleep(0.05)
            try:
                _, again = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                continue
            again.close()
            break
        else:
            pytest.fail("it did not come back")
    assert b"multipart/x-mixed-replace" in head


@pytest.mark.needs(*RTSP)
@pytest.mark.parametrize("kind", ["rtsp", "udp"])
async def test_a_stream_is_decoded_by_another_hand(kind, monkeypatch):
    options = f"rtsp_transport;{'udp' if kind == 'udp' else 'tcp'}"
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", options + "|fpsprobesize;0")
    async with camera("c", kind, scheme="none") as (_, told):
        frames = await asyncio.to_thread(_frames, told.url, 3)
    assert [one.shape for one in frames] == [(192, 320, 3)] * 3
    assert frames[0].mean() > 60


def _frames(url, count):
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    try:
        return [capture.read()[1] for _ in range(count)]
    finally:
        capture.release()


async def test_switches_over_http_and_on_standard_input():
    async with camera("c", "snapshot") as (simulated, _):
        at = f"http://127.0.0.1:{simulated.control.port}"
        began = await asyncio.to_thread(_post, at, {"begin": "black", "for": 60})
        wrong = await asyncio.to_thread(_post, at, {"begin": "frost"})
        said = json.loads(obey(simulated, ["state"]))
        ended = json.loads(obey(simulated, ["end", "black"]))
        unknown = obey(simulated, ["dance"])
    assert began["faults"] == said["faults"] == ["black"]
    assert "no such fault" in wrong["error"]
    assert ended["faults"] == []
    assert "expected begin FAULT" in unknown


def _post(at, said):
    body = json.dumps(said).encode()
    request = urllib.request.Request(f"{at}/fault", body)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as exc:
        with exc:
            return json.load(exc)


def test_the_process_says_where_it_serves_and_ends_when_told():
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "simulators.camera"),
            *("yard", "--http", "0", "--size", "320x192"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    ready = json.loads(child.stdout.readline())
    picture = _get(f"http://127.0.0.1:{ready['http']}/snapshot.jpg", "", "")
    child.terminate()
    child.stdout.close()

    assert child.wait(20) == 0
    assert ready["urls"][0].endswith("/snapshot.jpg")
    assert picture[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["works"], "--rtsp PORT or --http PORT"),
        (["works", "--http", "0", "--size", "641x360"], "divisible by 16"),
        (["works", "--http", "0", "--fault", "frost"], "no such fault"),
        (["works", "--http", "0", "--event", "smog@1-2"], "expected WHAT@10-40"),
        (["nowhere", "--http", "0"], "no scene"),
    ],
)
def test_wrong_options_are_refused_with_what_was_expected(argv, words, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(argv)

    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_without_gstreamer_it_says_what_to_install():
    rtsp_process.find_python.cache_clear()

    with pytest.raises(
        rtsp_process.RtspMissingError, match=r"apt-get install python3-gi"
    ):
        rtsp_process.find_python(("/nonexistent/python3",))
    rtsp_process.find_python.cache_clear()

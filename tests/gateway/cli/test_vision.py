"""``ecogate vision``: its actions, and how it says what is missing."""

from __future__ import annotations

import io
import json

import msgspec
import pytest

from gateway.cli import main, vision_child, vision_run
from gateway.cli.exits import Exit
from gateway.texts import set_language, t
from tests.support.stills import make_stills
from vision.messages import Camera, Configure, Evidence
from vision.said import Trouble
from vision.verbs import snapshot


@pytest.fixture(autouse=True)
def _language():
    yield
    set_language(None)


def test_its_actions_are_listed(capsys):
    with pytest.raises(SystemExit):
        main(["--lang", "en", "vision", "--help"])

    said = capsys.readouterr().out
    for action in ("run", "test", "snapshot", "bench", "check-model", "label"):
        assert f"\n    {action} " in said or f"  {action}  " in said, action


def test_without_the_extra_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    stills = make_stills(tmp_path / "stills", 2)
    monkeypatch.setattr(vision_child, "missing", lambda: ["cv2"])

    status = main(["--lang", "en", "vision", "run", str(stills)])

    assert status == Exit.USAGE
    assert "EXTRAS=vision systemd/install.sh" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ("rtsp://a:hunter2@h/x", "password in the URL"),
        ("http://h/x", "expected kind"),
        ("nowhere", "expected a camera of the site file (none yet), found nowhere"),
    ],
)
def test_an_address_is_held_to_what_a_site_file_asks(
    camera, said, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECOGATE_SITE", raising=False)

    status = main(["--lang", "en", "vision", "snapshot", camera])

    error = capsys.readouterr().err
    assert status == Exit.USAGE
    assert said in error
    assert "hunter2" not in error


def test_a_password_others_can_read_is_said_in_chinese(tmp_path, capsys):
    (tmp_path / "pw").write_text("hunter2", "utf-8")
    (tmp_path / "pw").chmod(0o644)
    yard = "{url: 'rtsp://10.0.0.1/a', username: watch, password_file: pw}"
    text = f"gateway: site-07\nbuffer: {{path: ./data}}\ncameras: {{yard-1: {yard}}}\n"
    (tmp_path / "site.yaml").write_text(text, "utf-8")

    site = ["--site", str(tmp_path / "site.yaml")]
    status = main(["--lang", "zh", "vision", "snapshot", "yard-1", *site])

    last = capsys.readouterr().err.splitlines()[-1]
    assert status != Exit.OK
    assert "password_file：其他用户可以读取" in last


def test_a_folder_is_watched_in_the_foreground(tmp_path, capsys):
    stills = make_stills(tmp_path / "stills", 2)

    status = main(
        ["--json", "vision", "run", f"{stills}/", "--for", "20s"],
    )

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == Exit.OK
    assert lines[0]["kind"] == "hello"
    assert lines[-1]["kind"] == "beat"
    assert lines[-1]["cameras"][0]["frames"] >= 1


def test_a_camera_that_gave_nothing_is_told_from_one_that_did():
    beats = [
        {"kind": "beat", "cameras": [{"name": "a", "frames": n}]} for n in (0, 0, 3)
    ]

    for told, frames in ((beats[:2], 0), (beats, 3)):
        seen = vision_run.Seen()
        assert list(seen.through(iter(told))) == told
        assert seen.frames == frames


@pytest.mark.parametrize("code", ["zh", "en"])
def test_what_is_seen_is_told_without_gaps(code):
    set_language(code)
    sight = {"kind": "sight", "state": "raised", "label": "dust", "score": 0.7}
    picture = {"kind": "picture", "role": "at", "file": "a.jpg"}

    plain, zoned, pictured = vision_run.told(
        iter([sight, sight | {"zone": "road"}, picture]), pictures=True
    )

    assert "road" in zoned
    assert not plain.endswith(("-", ",", "，"))
    assert ("告警时" in pictured) == (code == "zh")


def test_a_file_that_is_not_there_is_said_before_anything_is_loaded(capsys):
    assert main(["vision", "test", "nothing.mp4"]) == Exit.USAGE
    said = capsys.readouterr()
    assert "nothing.mp4" in said.err
    assert said.out == ""


def test_a_picture_is_taken_without_a_gateway(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stills = make_stills(tmp_path / "stills", 2)

    status = main(["--json", "vision", "snapshot", f"{stills}/", "--out", "a.jpg"])

    found = json.loads(capsys.readouterr().out)
    assert status == Exit.OK
    assert (tmp_path / "a.jpg").stat().st_size == found["bytes"]


def test_a_camera_that_cannot_be_reached_is_said_why(monkeypatch, tmp_path):
    told = Configure(
        group="camera",
        cameras=(Camera(name="a", kind="snapshot", url="http://127.0.0.1:9/a.jpg"),),
        evidence=Evidence(folder=str(tmp_path)),
    )
    stdin = io.TextIOWrapper(io.BytesIO(msgspec.json.encode(told)))
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr(snapshot, "REFUSED_S", 0.0)

    with pytest.raises(Trouble) as caught:
        snapshot.main([])

    said = t(caught.value.key, **caught.value.args_)
    assert "127.0.0.1:9" in said

"""The demo's camera: its alarms with their pictures, and the site file that has it."""

from __future__ import annotations

from gateway.cli.demo.sights import Sights
from gateway.cli.demo.site import CAMERA, Ports, write_site
from gateway.config import load_site


def _event(state, text):
    texts = {"zh": text, "en": text}
    return {
        "kind": "event",
        "type": "smoke_seen",
        "id": "a-1",
        "state": state,
        "text": texts,
    }


def test_an_alarm_is_told_once_with_the_path_of_its_picture(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(kept))
    (tmp_path / "a-1-1.jpg").write_bytes(b"picture")
    notes = []
    sights = Sights(tmp_path, lambda key, **values: notes.append((key, values)))
    picture = {
        "kind": "media",
        "event": "a-1",
        "annotated": True,
        "name": "a-1-1.jpg",
    }

    sights.hear(picture | {"event": "heartbeat"})
    sights.hear(_event("raised", "smoke"))
    sights.hear(picture | {"annotated": False})
    sights.hear(picture)
    sights.hear(picture)
    sights.hear(_event("updated", "more smoke"))

    assert sights.last == "more smoke"
    path = str(kept / "ecogate-a-1-1.jpg")
    assert sights.told == [{"id": "a-1", "text": "smoke", "picture": path}]
    assert [key for key, _ in notes] == ["demo.log.sight", "demo.log.picture"]
    assert (kept / "ecogate-a-1-1.jpg").read_bytes() == b"picture"
    sights.hear(_event("cleared", "no smoke"))
    assert sights.last == ""


def test_a_picture_that_is_gone_is_no_trouble(tmp_path):
    sights = Sights(tmp_path, lambda *_, **__: None)

    sights.hear(_event("raised", "smoke"))
    sights.hear({"kind": "media", "event": "a-1", "annotated": True, "name": "no.jpg"})

    assert sights.told == [{"id": "a-1", "text": "smoke"}]


def test_the_site_file_has_the_camera_only_where_there_is_one(tmp_path):
    plain = load_site(write_site(tmp_path, tmp_path / "line", Ports(1, 2, 3, 4)))
    ports = Ports(1, 2, 3, 4, "rtsp://127.0.0.1:5/live")
    seen = load_site(write_site(tmp_path, tmp_path / "line", ports))

    assert not plain.cameras
    assert list(seen.cameras) == [CAMERA]
    assert (tmp_path / "camera-password").stat().st_mode & 0o777 == 0o600

"""``cameras`` and ``vision`` of a site file: what is read, derived and warned of."""

from __future__ import annotations

import pytest

from gateway.config import line_of, load_problems
from gateway.config.cameras import groups
from gateway.texts import set_language
from vision.messages import LABELS

HEAD = """\
gateway: site-07
site: {position: [118.18012, 39.63041], grid: 2-3-017}
buffer: {path: ./data}
assets: {DA001: {kind: outlet}}
"""


def read(tmp_path, text, head=HEAD):
    file = tmp_path / "site.yaml"
    file.write_text(head + text, "utf-8")
    site, problems = load_problems(file)
    return site, {problem.code for problem in problems}


def test_a_camera_with_nothing_but_its_address(tmp_path):
    site, _ = read(tmp_path, "cameras: {yard-1: {url: 'rtsp://10.0.0.1/sub'}}\n")

    found = site.cameras["yard-1"]
    camera = found.camera
    assert (camera.kind, camera.every_s, camera.transport) == ("rtsp", 1.0, "tcp")
    assert camera.labels == LABELS
    assert camera.heartbeat == "08:00"
    assert camera.night == "auto"
    # Where it stands, until somebody says otherwise.
    assert camera.mount.position == (118.18012, 39.63041)
    assert camera.password is None
    assert (found.group, found.grid) == ("main", "2-3-017")
    assert site.vision.evidence.folder == str(tmp_path / "data" / "media")


@pytest.mark.parametrize(
    ("url", "more", "kind"),
    [
        ("rtsp://10.0.0.1:8554/a?channel=1", "", "rtsp"),
        ("rtsps://10.0.0.1/a", "", "rtsp"),
        ("http://10.0.0.1/snap.jpg", "", "snapshot"),
        ("https://[fe80::1]/Snap.JPEG?res=hd", "", "snapshot"),
        ("http://10.0.0.1/video.mjpg", "", "mjpeg"),
        ("http://10.0.0.1/cgi-bin/view", ", kind: mjpeg", "mjpeg"),
        ("/dev/video0", "", "usb"),
        ("/dev/v4l/by-id/usb-cam", "", "usb"),
        ("clip.mp4", "", "file"),
        ("stills/", "", "folder"),
        ("stills", "", "folder"),
        ("stills", ", kind: folder", "folder"),
    ],
)
def test_an_address_tells_what_it_is(tmp_path, url, more, kind):
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "stills").mkdir()

    site, _ = read(tmp_path, f"cameras: {{c: {{url: '{url}'{more}}}}}\n")

    assert site.cameras["c"].camera.kind == kind


def test_rtsps_is_over_tcp(tmp_path):
    text = "cameras: {c: {url: 'rtsps://10.0.0.1/a', transport: udp}}\n"

    assert "camera_udp_clear" in read(tmp_path, text)[1]


def test_a_tower_looks_every_ten_seconds(tmp_path):
    text = "cameras: {t: {url: 'http://10.0.0.1/a.jpg', tiles: [4, 2]}}\n"

    site, _ = read(tmp_path, text)

    camera = site.cameras["t"].camera
    assert (camera.tiles, camera.every_s) == ((4, 2), 10.0)


def test_all_of_a_camera(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    text = """\
cameras:
  yard-1:
    url: rtsp://10.0.0.1/sub
    username: watch
    password_file: secret
    transport: udp
    every: 500ms
    labels: [dust]
    rules: {dust: {threshold: 0.7, confirm: 8, clear: 1m, cooldown: 10min, off: false}}
    zones: {yard: {area: [[0, 0.5], [1, 0.5], [1, 1], [0, 1], [0, 0.5]]}}
    night: hold
    mount: {position: [118.2, 39.64], bearing: 132, view: 60}
    heartbeat: never
    clip: 10s
    group: east
    asset: DA001
vision: {memory: 1GB, threads: 2, evidence: {path: pics, max_bytes: 1GB, keep: 90d}}
"""
    site, codes = read(tmp_path, text)

    found = site.cameras["yard-1"]
    camera, rule = found.camera, found.camera.rules["dust"]
    assert found.password_file == secret
    # Eight of six makes no sense: who says eight means eight of eight.
    assert (rule.confirm, rule.of, rule.clear_s, rule.cooldown_s) == (8, 8, 60.0, 600.0)
    assert len(camera.zones[0].area) == 4
    assert camera.mount.bearing == 132.0
    assert camera.heartbeat is None
    assert camera.clip_s == 10.0
    assert site.vision.memory == 1_000_000_000
    assert site.vision.evidence.folder == str(tmp_path / "pics")
    assert site.vision.evidence.keep_s == 90 * 86_400.0
    assert groups(site.cameras) == {"east": (found,)}
    assert "camera_no_sun" not in codes


def test_what_is_warned_of_does_not_keep_a_site_from_running(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.config.cameras.find_spec", lambda name: None)
    head = "gateway: g\nbuffer: {path: ./data}\n"
    many = ", ".join(f"c{n}: {{url: 'rtsp://10.0.0.1/{n}'}}" for n in range(20))
    text = f"cameras: {{{many}, f: {{url: gone.mp4}}}}\nvision: {{model: gone.onnx}}\n"

    site, codes = read(tmp_path, text, head)

    assert site is not None
    assert codes >= {
        "camera_no_sun",
        "camera_extra_missing",
        "camera_group_busy",
        "file_absent",
    }


def test_clips_must_fit_into_memory(tmp_path):
    cameras = ", ".join(
        f"c{n}: {{url: 'rtsp://10.0.0.1/{n}', every: 100ms, clip: 30s, group: a}}"
        for n in range(2)
    )

    site, codes = read(tmp_path, f"cameras: {{{cameras}}}\n")

    assert site is None
    assert "camera_clip_room" in codes


def test_a_place_far_from_the_site_is_doubted(tmp_path):
    text = "cameras: {c: {url: 'rtsp://h/a', mount: {position: [116.4, 39.9]}}}\n"

    _, codes = read(tmp_path, text)

    assert "camera_far" in codes


def test_without_cameras_nothing_is_asked(tmp_path):
    site, codes = read(tmp_path, "vision: {memory: 1GB}\n")

    assert site.vision is None
    assert not any(code.startswith("camera") for code in codes)


ALL = "[[0, 0], [1, 0], [1, 1], [0, 1]]"
UPPER = "[[0, 0], [1, 0], [1, 0.5], [0, 0.5]]"
LOWER = "[[0, 0.5], [1, 0.5], [1, 1], [0, 1]]"


@pytest.mark.parametrize(
    ("zones", "rules", "blind"),
    [
        (f"a: {{area: {ALL}, use: ignore}}", "", True),
        (f"a: {{area: {UPPER}, use: ignore}}", "", False),
        (f"a: {{area: {UPPER}, use: ignore}}, b: {{area: {LOWER}}}", "", False),
        (f"a: {{area: {UPPER}, use: private}}, b: {{area: {UPPER}}}", "", True),
        (f"a: {{area: {ALL}, use: ignore, labels: [dust]}}", "", True),
        (
            f"a: {{area: {ALL}, use: ignore, labels: [dust]}}",
            ", rules: {dust: {off: true}}",
            False,
        ),
    ],
)
def test_zones_that_leave_nothing_to_watch_are_said(tmp_path, zones, rules, blind):
    text = f"cameras: {{y: {{url: 'rtsp://h/a', zones: {{{zones}}}{rules}}}}}\n"
    site, codes = read(tmp_path, text)

    assert site is not None
    assert ("camera_blind" in codes) == blind


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("en", "expected a device listed here (none yet), found 'cems-1.so2'"),
        ("zh", "应为 devices 中的设备（暂无），实为 'cems-1.so2'"),
    ],
)
def test_a_site_without_devices_is_said_to_have_none(tmp_path, code, said):
    file = tmp_path / "site.yaml"
    yard = "{url: 'rtsp://10.0.0.1/a', values: [cems-1.so2]}"
    file.write_text(f"{HEAD}cameras: {{yard-1: {yard}}}\n", "utf-8")
    set_language(code)
    try:
        _, problems = load_problems(file)
        (line,) = [line_of(p, file) for p in problems if p.code == "unknown_device"]
    finally:
        set_language(None)

    assert line.endswith(f"cameras.yard-1.values: {said}")


@pytest.mark.parametrize("code", ["en", "zh"])
def test_a_password_that_others_can_read_is_said_and_its_key_once(tmp_path, code):
    file, secret = tmp_path / "site.yaml", tmp_path / "secret"
    secret.write_text("hunter2", "utf-8")
    secret.chmod(0o644)
    yard = "{url: 'rtsp://10.0.0.1/a', username: watch, password_file: secret}"
    file.write_text(f"{HEAD}cameras: {{yard-1: {yard}}}\n", "utf-8")
    set_language(code)
    try:
        _, problems = load_problems(file)
        (line,) = [line_of(p, file) for p in problems if p.code == "file_modes"]
    finally:
        set_language(None)

    assert line.count("password_file") == 1
    assert f"chmod g-w,o-rwx {secret}" in line

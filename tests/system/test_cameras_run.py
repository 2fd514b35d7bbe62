"""The whole gateway as a process with a camera: what it loads, what it survives."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from gateway.control import ControlClient, ControlError
from tests.support.stills import make_stills
from vision.messages import UNTOLD_FOLDER

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
HEAVY = ("numpy", "/cv2", "onnxruntime")


@pytest.fixture
def site(tmp_path):
    make_stills(tmp_path / "stills")
    file = tmp_path / "site.yaml"
    file.write_text(
        json.dumps(
            {
                "gateway": "site-07",
                "buffer": {"path": "data"},
                "clock": {"trust": "always"},
                "cameras": {
                    "yard-1": {
                        "url": "stills/",
                        "every": "200ms",
                        "loop": True,
                        "heartbeat": "00:00",
                    }
                },
            }
        )
    )
    return file


@contextlib.contextmanager
def running(site):
    command = [sys.executable, "-m", "gateway", "run", str(site)]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PATIENCE_S)


def cameras(site):
    with ControlClient.for_folder(site.parent / "data") as client:
        return client.call("health")["cameras"]


def watch(site, wanted):
    """The first camera once it is as wanted; also while nobody answers yet."""
    until, found = time.monotonic() + PATIENCE_S, None
    while time.monotonic() < until:
        with contextlib.suppress(ControlError):
            found = cameras(site)[0]
            if wanted(found):
                return found
        time.sleep(0.1)
    raise AssertionError(found)


def test_a_gateway_with_a_camera(tmp_path, site):
    with running(site) as gateway:
        first = watch(site, lambda c: c["judged"] >= 2)
        maps = Path(f"/proc/{gateway.pid}/maps").read_text("utf-8")
        looking = Path(f"/proc/{first['pid']}/maps").read_text("utf-8")
        shot = tmp_path / "shot.jpg"
        asked = subprocess.run(
            [
                *(sys.executable, "-m", "gateway", "vision", "snapshot", "yard-1"),
                *("--site", str(site), "--out", str(shot)),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        os.kill(first["pid"], signal.SIGKILL)
        second = watch(site, lambda c: c["pid"] not in (None, first["pid"]))
        watch(site, lambda c: c["judged"] >= 2)
        gateway.terminate()
        _, said = gateway.communicate(timeout=PATIENCE_S)

    # What looks is in the child, and nowhere else.
    assert not [word for word in HEAVY if word in maps]
    assert all(word in looking for word in HEAVY)
    assert asked.returncode == 0, asked.stderr
    assert shot.read_bytes()[:2] == b"\xff\xd8"
    assert second["restarts"] == 1
    assert gateway.returncode == 0, said
    assert "Traceback" not in said
    assert not psutil.pid_exists(second["pid"])
    # The picture of the day was noted, told, and is not told again.
    media = site.parent / "data" / "media"
    assert [path.name[:11] for path in media.rglob("*.jpg")].count("_heartbeat-") == 1
    assert list((media / UNTOLD_FOLDER).iterdir()) == []


def test_a_gateway_without_the_extra_runs_and_says_so(tmp_path, site):
    # A folder that stands before the installed packages: importing any of them fails.
    blocked = tmp_path / "blocked"
    for name in ("numpy", "cv2", "onnxruntime"):
        (blocked / name).mkdir(parents=True)
        text = f"raise ModuleNotFoundError('no {name}', name='{name}')\n"
        (blocked / name / "__init__.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(blocked)}
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "run", str(site)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        found = watch(site, lambda c: c["state"] == "refused")
    finally:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE_S)

    assert "EXTRAS=vision systemd/install.sh" in found["reason"]["zh"]
    assert process.returncode == 0, said

"""The demo is the README's first promise: it ends by itself, or on Ctrl-C, judged."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "gateway", "--lang", "en", "demo"]


@pytest.mark.timeout(90)
def test_it_ends_by_itself_with_a_clean_verdict(figure, tmp_path):
    started = time.monotonic()

    done = subprocess.run(
        [*COMMAND, "--for", "10s", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        timeout=80,
    )

    verdict = json.loads(done.stdout)
    figure("seconds", round(time.monotonic() - started, 1))
    figure("records", verdict["records"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict["clean"]
    assert (verdict["missing"], verdict["wrong"]) == (0, 0)
    # Five devices at 1 s for what is left of ten seconds: nobody was left out.
    assert len(verdict["devices"]) == 5
    assert min(verdict["devices"].values()) >= 2
    # The regulator's side has a judge of its own; a minute may or may not have ended.
    assert verdict["hj212"]["clean"], verdict["hj212"]
    assert verdict["hj212"]["differing"] == 0
    assert not list(tmp_path.iterdir()), "the temporary folder was left behind"


@pytest.mark.bars
@pytest.mark.timeout(240)
def test_with_vision_its_camera_alarms_and_the_picture_is_there(figure, tmp_path):
    done = subprocess.run(
        [*COMMAND, "--vision", "--for", "100s", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        timeout=200,
    )

    verdict = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict["clean"]
    (sight,) = verdict["sights"]
    figure("alarm", sight["text"])
    assert "dark smoke" in sight["text"]
    assert Path(sight["picture"]).read_bytes()[:2] == b"\xff\xd8"
    assert verdict["pictures"] >= 3


@pytest.mark.timeout(90)
def test_ctrl_c_on_a_terminal_ends_it_with_the_verdict():
    pid, terminal = pty.fork()
    if pid == 0:  # the child: a terminal of its own, as a person has
        os.execv(COMMAND[0], COMMAND)  # noqa: S606 - our own interpreter
    seen = _until(terminal, b"the platform has its first value", 40)
    seen += _until(terminal, b"ms behind", 20)

    os.write(terminal, b"\x03")

    seen = _until(terminal, b"wrong", 30)
    seen += _rest(terminal)
    _, status = os.waitpid(pid, 0)
    assert b"verdict" in seen
    assert b"clean" in seen
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.timeout(60)
def test_its_children_end_with_it_even_when_it_is_killed(tmp_path):
    env = os.environ | {"TMPDIR": str(tmp_path)}
    demo = subprocess.Popen(
        [*COMMAND, "--plain"], stdout=subprocess.PIPE, text=True, env=env
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "the gateway runs" in line:
            break
    children = _children(demo.pid)
    assert len(children) >= 6

    demo.send_signal(signal.SIGKILL)
    demo.wait()
    demo.stdout.close()

    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and any(_runs(child) for child in children):
        select.select([], [], [], 0.1)
    assert [child for child in children if _runs(child)] == []


def _until(terminal, words, seconds):
    seen, deadline = b"", time.monotonic() + seconds
    while words not in seen:
        left = deadline - time.monotonic()
        assert left > 0, f"{words!r} did not come; last: {seen[-2000:]!r}"
        if select.select([terminal], [], [], left)[0]:
            seen += os.read(terminal, 65536)
    return seen


def _rest(terminal):
    seen = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # EIO: the last process closed its end
            return seen
        if not data:
            return seen
        seen += data


def _children(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text("ascii").split()]


def _runs(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"

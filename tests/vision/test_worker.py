"""The vision process as a process: it greets, looks, obeys, dies with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from gateway.cameras.process import start
from tests.support.stills import make_stills
from vision.messages import (
    Ask,
    Beat,
    Camera,
    Configure,
    Evidence,
    Hello,
    Model,
    Picture,
    Refused,
    Stop,
)

PATIENCE_S = 60.0
"""A loaded machine takes its time to import what vision needs."""


@pytest.fixture
def stills(tmp_path):
    return make_stills(tmp_path / "stills")


def configured(tmp_path, stills, **more):
    camera = Camera(
        name="yard-1",
        kind="folder",
        url=str(stills),
        every_s=0.2,
        loop=True,
        heartbeat=None,
    )
    usual = {
        "group": "main",
        "cameras": (camera,),
        "evidence": Evidence(folder=str(tmp_path / "media")),
        "heartbeat_s": 0.2,
    }
    return Configure(**(usual | more))


def oom_score(pid):
    return Path(f"/proc/{pid}/oom_score_adj").read_text("ascii").strip()


async def hear(child, kind, *, until=lambda _: True):
    async with asyncio.timeout(PATIENCE_S):
        while (message := await child.receive()) is not None:
            if isinstance(message, kind) and until(message):
                return message
    return None


async def test_it_greets_looks_answers_and_ends_when_told(tmp_path, stills):
    child = await start("main")
    try:
        child.send(configured(tmp_path, stills))
        hello = await hear(child, Hello)
        beat = await hear(child, Beat, until=lambda b: b.cameras[0].judged >= 2)
        nice = os.getpriority(os.PRIO_PROCESS, child.pid)
        oom = oom_score(child.pid)
        command = psutil.Process(child.pid).cmdline()
        child.send(Ask(camera="yard-1", id="asked-1"))
        picture = await hear(child, Picture)
        began = time.monotonic()
        child.send(Stop())
        status = await child.end(10.0)
        took = time.monotonic() - began
    finally:
        await child.end(0.0)

    assert hello.pid == child.pid
    assert beat.rss_bytes > 10_000_000
    assert beat.cameras[0].faults == ()
    assert (picture.event, picture.role) == ("asked-1", "snapshot")
    assert (tmp_path / "media" / picture.file).stat().st_size == picture.bytes
    assert nice == os.getpriority(os.PRIO_PROCESS, 0) + 5 or nice == 5
    assert oom == "500"
    assert "url" not in " ".join(command)
    assert status == 0
    assert took < 10


async def test_it_ends_when_the_gateway_closes_the_socket(tmp_path, stills):
    child = await start("main")
    try:
        child.send(configured(tmp_path, stills))
        await hear(child, Hello)
        child._writer.close()
        status = await child.end(10.0)
    finally:
        await child.end(0.0)

    assert status == 0


async def test_a_model_that_is_none_is_refused_in_the_child(tmp_path, stills):
    model = tmp_path / "own.onnx"
    model.write_bytes(b"no model at all" * 100)
    child = await start("main")
    try:
        child.send(configured(tmp_path, stills, model=Model(path=str(model))))
        refused = await hear(child, Refused)
        status = await child.end(10.0)
    finally:
        await child.end(0.0)

    assert refused.key.startswith("vision.model.")
    assert status == 1


async def test_a_child_that_does_not_end_is_killed(tmp_path, stills):
    child = await start("main")
    try:
        child.send(configured(tmp_path, stills))
        await hear(child, Hello)
        os.kill(child.pid, signal.SIGSTOP)
        child.send(Stop())
        status = await child.end(0.2)
    finally:
        await child.end(0.0)

    assert status == -signal.SIGKILL


def test_it_dies_with_its_parent(tmp_path, stills):
    program = textwrap.dedent(
        """
        import asyncio, os, signal, sys
        from gateway.cameras.process import start

        async def main():
            child = await start("main")
            print(child.pid, flush=True)
            await asyncio.sleep(2.0)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """
    )
    parent = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    pid = int(parent.stdout)

    assert parent.returncode == -signal.SIGKILL
    until = time.monotonic() + 20
    while psutil.pid_exists(pid) and time.monotonic() < until:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.05)
    assert time.monotonic() < until


async def test_restarts_leak_no_handle_no_process_and_no_memory(
    tmp_path, stills, count, figure
):
    """Bar 6's part: 100 restarts (ECOGATE_BARS=1)."""
    me, times = psutil.Process(), count(3, 100)
    handles, memory, beats = [], [], []
    for _ in range(times + 1):
        child = await start("main")
        try:
            child.send(configured(tmp_path, stills))
            beat = await hear(child, Beat, until=lambda b: b.cameras[0].judged >= 1)
            beats.append(beat.rss_bytes)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            await child.end(0.0)
        handles.append(me.num_fds())
        # What is ours alone: shared pages weigh less the more processes share them.
        memory.append(me.memory_full_info().uss)

    figure("restarts", times)
    figure("handles_first_last", f"{handles[0]} {handles[-1]}")
    figure("gateway_uss_mb_first_last", f"{memory[0] / 1e6:.1f} {memory[-1] / 1e6:.1f}")
    assert handles[-1] == handles[0]
    assert not me.children()
    assert memory[-1] < memory[0] + 10_000_000

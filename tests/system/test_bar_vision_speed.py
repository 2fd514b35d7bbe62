"""Bar 4: what a picture costs, alone and in the process of one camera."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from benchmarks import process
from tests.conftest import BARS
from tests.support.cameras import RTSP, vision
from tests.support.spawn import ROOT, Spawned
from vision.messages import Camera

FRAME_MS = {(640, 384): 45.0, (448, 256): 30.0}
MEMORY = 180_000_000
SHARE = 0.08


@pytest.mark.parametrize("size", FRAME_MS)
def test_a_frame_takes_its_milliseconds_on_one_thread(size, count, figure):
    command = [sys.executable, "-m", "vision", "bench"]
    command += ["--model", json.dumps({"size": size}), "--frames", str(count(4, 100))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in done.stdout.splitlines()]

    for line in lines:
        name = f"{line['fed'][0]}x{line['fed'][1]}_of_{line['picture'][0]}"
        parts = ("prepare_ms", "infer_ms", "decode_ms")
        times = ("p50_ms", "p95_ms", "cpu_ms")
        figure(f"ms_{name}", ", ".join(f"{p} {line[p]}" for p in times))
        figure(f"parts_{name}", ", ".join(f"{p} {line[p]}" for p in parts))
        # Its processor time: what it takes when nobody else wants the core.
        assert line["cpu_ms"] < FRAME_MS[size] * (1 if BARS else 10)
        assert 0 < line["pss_bytes"] < MEMORY
    assert len(lines) == 2


@pytest.mark.needs(*RTSP)
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "size",
    [
        pytest.param((640, 360), id="sub-stream"),
        pytest.param((1920, 1080), id="main-stream", marks=pytest.mark.bars),
    ],
)
async def test_a_process_with_one_camera_stays_small_and_cheap(
    tmp_path, count, figure, size
):
    """Stream, model, usual view, ring of pictures and an alarm's evidence, all live.

    What it holds is its resident memory: PSS, which is what the bar is about, comes to
    the same where no other process uses these libraries, and here others do.
    """
    for_s, small = count(2, 180), size[0] == 640
    # The simulator takes seconds to draw one large picture of smoke.
    shown = ("--event", "dark@60-100") if small else ("--fps", 2)
    with Spawned(
        *("simulators.camera", "works", "--rtsp", 0, "--size", f"{size[0]}x{size[1]}"),
        *shown,
    ) as camera:
        told = Camera(
            name="stack", kind="rtsp", url=camera.ready["urls"][0], heartbeat=None
        )
        async with vision(tmp_path / "media", [told]) as looking:
            first = await looking.until(lambda seen: judged(seen) > 1, 60)
            assert first, "no picture was judged"
            before_s = process.cpu_s(looking.pid)
            await asyncio.sleep(for_s)
            share = (process.cpu_s(looking.pid) - before_s) / for_s
            pss, rss = process.pss_bytes(looking.pid), process.rss_bytes(looking.pid)
            seen = looking.seen

    figure("judged", judged(seen))
    figure("alarms", len({sight.id for _, sight in seen.sights}))
    figure("pss_mb, rss_mb", f"{pss / 1e6:.0f}, {rss / 1e6:.0f}")
    figure("core_percent", round(100 * share, 1))
    assert max(pss, rss) <= MEMORY
    if BARS and small:
        assert seen.sights, "evidence takes memory, too"
        assert share <= SHARE


def judged(seen):
    beat = seen.beat("stack")
    return beat.judged if beat else 0

"""Bar 10: a week at 10 devices x 10 points each second, and nothing grows.

A virtual week runs the whole composition of ``gateway.app`` in some minutes; the real
minutes run the gateway as a process, beside it. Both are judged by the slope over their
second half: a leak of any size that matters in a year shows there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.long_site import LongSite
from tests.support.slopes import growth
from tests.support.spawn import ROOT
from tests.support.virtual import run_virtual

BARS = os.environ.get("ECOGATE_BARS", "") not in {"", "0"}
DAY_S = 86_400
ALLOWED = {
    # The second half of a week may add so much; a record a second kept for ever would
    # be 3,000,000 objects.
    "rss_kib": 2048,
    "blocks": 2000,
    "handles": 0.5,
    "tasks": 0.5,
    "timers": 40,
    "files": 2,
    # A segment of the store grows until it is full and everybody has it: a sixteenth
    # of the bound, and its write-ahead log.
    "file_bytes": 1_300_000,
}
REAL = {
    "rss_kib": 512,
    "pss_kib": 512,
    "handles": 0.5,
    "threads": 0.5,
    "files": 2,
    "file_bytes": 1_300_000,
}


@pytest.fixture(scope="module")
def soak(tmp_path_factory):
    """A site as processes, begun before the first test of this file."""
    folder = tmp_path_factory.mktemp("soak")
    minutes, every_s = (24.0, 5.0) if BARS else (0.04, 0.5)
    with (folder / "said").open("wb") as said:
        command = [sys.executable, "-m", "tests.support.soak", str(folder)]
        process = subprocess.Popen(
            [*command, "--minutes", str(minutes), "--every", str(every_s)],
            cwd=ROOT,
            stdout=said,
            stderr=said,
        )
    yield process, folder, minutes
    process.kill()
    process.wait()


@pytest.mark.sentence(2, 6)
def test_a_week_of_virtual_time_grows_nothing(soak, tmp_path, count, figure):
    seconds = count(1200, 7 * DAY_S)

    async def week():
        async with LongSite(tmp_path, max_bytes=16_000_000) as site:
            await site.live(seconds, every_s=count(60, 3600))
        return site

    site = run_virtual(week())

    sink, seen = site.sinks["platform"], site.seen
    rises = {
        name: growth([(v.at_s, getattr(v, name)) for v in seen]) for name in ALLOWED
    }
    figure("virtual_hours", round(seconds / 3600, 2))
    figure("cpu_s", round(seen[-1].cpu_s - seen[0].cpu_s, 1))
    figure("records", len(sink.arrived))
    figure("last", {name: getattr(seen[-1], name) for name in ALLOWED})
    figure("rise_in_second_half", {name: round(r, 2) for name, r in rises.items()})
    assert sink.troubles == []
    assert sink.uncovered() == []
    assert not len(sink.lost)
    assert sink.repeats == 0
    assert all(n >= seconds - 2 for n in sink.scans.values()), sink.scans
    assert len(sink.scans) == 10
    grown = {name: r for name, r in rises.items() if r > ALLOWED[name]}
    assert not grown, (grown, seen[len(seen) // 2], seen[-1])


@pytest.mark.sentence(2, 6)
def test_real_minutes_grow_nothing(soak, figure):
    process, folder, minutes = soak

    assert process.wait() == 0, (folder / "said").read_text()[-3000:]

    found = json.loads((folder / "soak.json").read_text())
    seen = found["seen"]
    rises = {name: growth([(v["at_s"], v[name]) for v in seen]) for name in REAL}
    figure("minutes", minutes)
    figure("records", found["arrived"])
    figure("last", {name: seen[-1][name] for name in REAL})
    figure("rise_in_second_half", {name: round(r, 2) for name, r in rises.items()})
    figure("core_share", round(seen[-1]["cpu_s"] / seen[-1]["at_s"], 4))
    figure("log_lines", found["log_lines"])
    figure("asked_twice", found["asked_twice"])
    assert found["verdict"]["clean"], found["text"]
    assert (found["absent"], found["wrong"]) == (0, []), found["text"]
    assert found["log_lines"] < 30, found["text"]
    if BARS:  # seconds say nothing about growth
        grown = {name: r for name, r in rises.items() if r > REAL[name]}
        assert not grown, (grown, seen[len(seen) // 2], seen[-1])

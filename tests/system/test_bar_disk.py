"""Delivery bar 7, the daemon's part: a disk that is full is said, waited out, survived.

The gateway runs as a process on a small file system of its own. Whatever becomes of
that, it polls, delivers, says ``degraded:disk``, goes on and recovers by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.site_run import SiteRun, until, watch
from tests.support.small_disk import SmallDisk
from tests.support.spawn import ROOT

MB = 1_000_000
SMALL = {"max_bytes": "4MB", "keep_free": "0B"}


def status(site) -> dict:
    """What ``ecogate status --json`` says."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "status", str(site.site), "--json"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    return json.loads(done.stdout)


def events(site, kind):
    return [r["state"] for r in site.witness.records("event") if r["type"] == kind]


def no_silent_loss(site):
    """Every seq and every birth at the platform, or stated lost."""
    site.wait_complete()
    verdict, match = site.witness.verdict(), site.match()
    where = f"{verdict.text()}\n{site.gateway.tail()}"
    assert not match.wrong, (match.wrong[:5], where)
    lost = site.witness.records("lost")
    bound = sum(record["at_most"] for record in lost)
    absent = match.absent_scans
    assert len(absent) <= bound, (len(absent), lost, where)
    return len(absent), bound


@pytest.mark.timeout(60)
@pytest.mark.sentence(2, 6, 7)
def test_a_full_disk_is_said_waited_out_and_left_behind(tmp_path, count, figure):
    with (
        SmallDisk(tmp_path / "data", 20 * MB) as disk,
        SiteRun(tmp_path, devices=3, points=10, every="200ms", buffer=SMALL) as site,
    ):
        disk.fill()
        ready_s = site.start()
        pid = site.gateway.process.pid
        site.wait_fresh(what="delivery with no byte free since before the start")
        full = status(site)
        until(lambda: "raised" in events(site, "disk_degraded"), 15, "the event")
        disk.clear()
        recovered_s = until(
            lambda: "cleared" in events(site, "disk_degraded"), 15, "recovery"
        )
        well = status(site)

        site.cut()
        disk.fill()
        born = site.born()
        until(lambda: site.born() > born + 30, 20, "polling on a full disk")
        watch(lambda: False, count(1, 20))
        disk.clear()
        site.heal()
        absent, bound = no_silent_loss(site)

        assert full["buffer"]["degraded"] == "disk"
        assert full["disk"]["state"] == "degraded:disk"
        assert (
            "space" in full["buffer"]["trouble"] or "full" in full["buffer"]["trouble"]
        )
        assert well["buffer"]["degraded"] is None
        assert site.gateway.running
        assert site.gateway.process.pid == pid
        assert absent == 0, "what fits into a minute of memory is not lost"
        assert site.gateway.stop() < 5
    figure("ready s on a full disk", round(ready_s, 2))
    figure("recovered s after space came back", round(recovered_s, 2))
    figure("records lost", absent)
    figure("stated at most", bound)


@pytest.mark.timeout(60)
@pytest.mark.sentence(2, 7)
def test_a_disk_without_a_free_name_ends_nothing(tmp_path):
    with (
        SmallDisk(tmp_path / "data", 20 * MB, inodes=60) as disk,
        SiteRun(tmp_path, devices=2, points=10, every="200ms", buffer=SMALL) as site,
    ):
        site.start()
        site.wait_fresh()
        disk.fill_names()
        site.gateway.stop()
        site.start()
        site.wait_fresh(what="delivery with no free name since before the start")
        site.cut()
        born = site.born()
        until(lambda: site.born() > born + 20, 20, "polling")
        disk.clear()
        site.heal()
        absent, _ = no_silent_loss(site)

        assert site.gateway.running
        assert absent == 0
        assert site.gateway.stop() < 5


@pytest.mark.timeout(60)
@pytest.mark.sentence(2, 7)
def test_a_read_only_disk_is_waited_for_and_nothing_exits(tmp_path):
    """What ext4 does to itself on an error: found by the next start."""
    with (
        SmallDisk(tmp_path / "data", 20 * MB) as disk,
        SiteRun(tmp_path, devices=2, points=10, every="200ms", buffer=SMALL) as site,
    ):
        site.start()
        site.wait_fresh()
        site.gateway.stop()
        assert disk.set_readonly(True)
        site.gateway.start(wait=False)
        until(
            lambda: any("cannot be opened" in x for x in site.gateway.lines()), 20, ""
        )
        asked = any("EXTEND_TIMEOUT_USEC" in said for said in site.gateway.hear())
        watch(lambda: not site.gateway.running, 3)
        assert site.gateway.running
        assert disk.set_readonly(False)
        site.gateway.wait_ready(10)
        absent, _ = no_silent_loss(site)

        assert asked, "the service manager is told to wait"
        assert absent == 0
        assert site.gateway.stop() < 5


@pytest.mark.timeout(60)
def test_a_folder_that_may_not_be_used_is_refused_with_the_reason(tmp_path):
    """A person must act: this is no disk trouble that passes."""
    (tmp_path / "data").write_text("a file stands where the folder should be")
    with SiteRun(tmp_path, devices=1, points=1) as site:
        site.gateway.start(wait=False)
        code = site.gateway.process.wait(20)

        assert code not in {0, None}
        assert str(site.data) in site.gateway.tail()
        assert "Traceback" not in site.gateway.tail()

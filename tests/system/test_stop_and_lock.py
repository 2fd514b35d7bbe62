"""A clean stop under load, and one gateway to a data folder."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.support.site_run import ROOT, SiteRun, watch

STOP_S = 3.0


@pytest.mark.parametrize("link", ["up", "cut", "half-open", "pause"])
def test_sigterm_stops_cleanly_under_load(tmp_path, link, figure):
    # A dead unit on the line, so that the stop finds a question open.
    with SiteRun(
        tmp_path, devices=20, points=50, every="200ms", simulate=("--dead", "20")
    ) as site:
        site.start()
        watch(lambda: site.born() > 500, 20)
        if link != "up":
            site.say(site.link, link)
        watch(lambda: False, 1.0)
        stop_s = site.gateway.stop()
        status = site.gateway.process.returncode
        stopped_ms = site.now_ms()
        site.heal()
        site.start()
        site.wait_fresh(units=range(1, 20))
        site.gateway.stop()
        watch(lambda: site.witness.verdict().missing == 0, 10)

        verdict, match = site.witness.verdict(), site.match()
    where = f"{verdict.text()}\n{site.gateway.tail()}"
    assert status == 0, where
    assert "Traceback" not in site.gateway.tail(), where
    # Stopped on purpose: everything that was answered before is there, to the last.
    absent = [b for b in match.absent if b.t_ms < stopped_ms]
    assert len(absent) <= 1, (absent, where)  # the question that was open
    assert not match.wrong, (match.wrong[:5], where)
    assert verdict.lost_stated == 0, where
    assert verdict.missing == 0, where
    causes = {gap["cause"] for gap in site.witness.records("gap")}
    assert "power_off" not in causes, (causes, where)
    assert stop_s < STOP_S, (stop_s, where)
    figure("stop_s", round(stop_s, 2))


def test_a_second_run_on_the_same_folder_is_refused_with_the_pid(tmp_path, figure):
    with SiteRun(tmp_path, devices=2) as site:
        site.start()
        site.wait_fresh()
        started = time.monotonic()
        second = subprocess.run(
            site.gateway.command(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        figure("refused_after_s", round(time.monotonic() - started, 2))

        assert second.returncode == 1, second.stderr
        assert str(site.gateway.process.pid) in second.stderr, second.stderr
        assert str(site.data) in second.stderr, second.stderr
        assert "Traceback" not in second.stderr
        # The first never noticed.
        site.wait_complete()
        assert site.witness.verdict().clean, site.witness.verdict().text()
        site.gateway.kill()
        # A lock of a killed process holds nobody back.
        site.start()
        site.wait_complete()

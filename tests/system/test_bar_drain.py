"""Bar 4: a backlog leaves at 20,000 values a second and more, and memory stays flat.

``benchmarks.drain`` measures: a store gathered without a platform, its files dropped
from the page cache, a new process, a broker that limits nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.drain import FLAT_MIB, LIMIT_VALUES_PER_S
from tests.support.spawn import ROOT


@pytest.mark.sentence(2, 5)
@pytest.mark.parametrize("points", [50, 1])
def test_a_backlog_drains_fast_and_flat(tmp_path, count, figure, points):
    scans, out = count(4_000, 300_000), tmp_path / "drain.json"
    command = [sys.executable, "-m", "benchmarks.drain", "--scans", str(scans)]

    done = subprocess.run(
        [*command, "--points", str(points), "--folder", tmp_path, "--out", out],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    (row,) = json.loads(out.read_text())["runs"]
    for name in ("scans", "values_per_s", "scans_per_s", "seconds", "bytes_per_value"):
        figure(name, row[name])
    figure("pss_mib", [row["pss_first_mib"], row["pss_peak_mib"], row["pss_rise_mib"]])
    assert row["scans"] >= scans
    assert (row["wrong"], row["missing"], row["duplicates"]) == (0, 0, 0), row
    assert row["pss_rise_mib"] < FLAT_MIB, row
    if points == 50:
        assert row["values_per_s"] >= LIMIT_VALUES_PER_S, row

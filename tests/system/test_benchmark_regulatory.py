"""The benchmark of averages and HJ 212 works; its figures are for reading."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_quick_look_at_what_averages_and_hj212_cost(tmp_path):
    options = ("--quick", "--cases", "whole", "--broker", "nats")

    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.regulatory", *options),
            *("--folder", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    row = json.loads(done.stdout.splitlines()[0])
    assert row["case"] == "whole"
    assert row["cpu_s"] > 0
    assert row["pss_mib"] > 1
    assert set(row["frames_held"]) == {"2017", "2025"}

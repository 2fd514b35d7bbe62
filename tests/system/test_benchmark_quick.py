"""The benchmark's command works; its figures are for reading, not for passing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "broker",
    ["nats", pytest.param("mosquitto", marks=pytest.mark.needs("mosquitto"))],
)
def test_a_quick_benchmark_measures_both_engines(tmp_path, broker):
    out = tmp_path / "out.json"
    command = "--quick --sizes 2x10 --engines own,pymodbus --warm-up 1 --window 3"

    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", *command.split()),
            *("--broker", broker, "--folder", tmp_path, "--out", out),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(out.read_text())
    rows = {row["engine"]: row for row in result["runs"]}
    assert set(rows) == {"own", "pymodbus"}
    for row in rows.values():
        assert row["values"] >= 0.5 * row["values_due"], row
        assert row["wrong"] == 0, row
        assert row["cpu_s_per_1000"] > 0, row
        assert row["pss_mib"] > 1, row
    assert result["about"]["machine"]["cores"] >= 1
    assert "2 x 10" in done.stdout

"""Bar 2 of the delivery bars: power cuts anywhere in recorded runs (T2).

Runs are recorded under strace; their disks after a cut are built and opened, see
`tests.support.cuts`. One run again: ``python -m tests.support.cuts SEED``.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESSES = 2

pytestmark = pytest.mark.needs("strace")


def play(shares: list[list[int]], *options: str) -> list[dict]:
    """Each share of seeds in a process of its own."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.cuts", *options, *map(str, share)],
            cwd=ROOT,
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for share in shares
        if share
    ]
    said = []
    for child in children:
        out, err = child.communicate()
        assert child.returncode in {0, 1}, err.decode()[-3000:]
        assert out, err.decode()[-3000:]
        said.append(json.loads(out))
    return said


@pytest.mark.timeout(60)
@pytest.mark.sentence(1, 2, 7)
def test_every_state_a_power_cut_may_leave_opens_and_is_complete(
    seed, count, figure
) -> None:
    runs = random.Random(seed).sample(range(1_000_000), count(4, 200))
    shares = [runs[n::PROCESSES] for n in range(PROCESSES)]

    said = play(shares, "--cap", str(count(200, 800)))

    wrong = [line for one in said for line in one["first_wrong"]]
    assert not wrong, "\n".join(wrong)
    assert sum(one["runs"] for one in said) == len(runs)
    figure("runs recorded", len(runs))
    figure("calls recorded", sum(one["calls"] for one in said))
    figure("states opened", sum(one["states"] for one in said))
    figure("states wrong", 0)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sync", ["commit", "names", "mark"])
def test_the_model_notices_a_sync_left_out(sync) -> None:
    """Who judges must be able to find fault: a store made worse on purpose."""
    (said,) = play([[6]], "--cap", "500", "--without", sync)

    assert said["wrong"] > 0

"""Record runs, build their states, open each; a line of JSON says how it went.

python -m tests.support.cuts SEED [SEED...] [--cap N] [--without SYNC]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.cuts.disk import states
from tests.support.cuts.judge import WrongError, judge, truth_until
from tests.support.cuts.trace import Op, record
from tests.support.virtual import run_virtual

_TOGETHER = 10
"""Runs recorded by one child."""
_MOST_TOLD = 20


def look_at(ops: list[Op], seed: int, cap: int, folder: Path) -> tuple[int, list[str]]:
    """Open every state of one run; how many, and what is wrong."""
    wrong: list[str] = []
    opened = 0

    async def all_states() -> None:
        nonlocal opened
        for state in states(ops, random.Random(f"states/{seed}"), cap):
            opened += 1
            try:
                await judge(state, truth_until(ops, state.cut), folder)
            except WrongError as exc:
                wrong.append(str(exc))

    run_virtual(all_states())
    return opened, wrong


def main(words: list[str]) -> int:
    """Play the runs."""
    parser = argparse.ArgumentParser(prog="tests.support.cuts")
    parser.add_argument("seeds", nargs="+", type=int)
    parser.add_argument("--cap", type=int, default=400, help="states of a run")
    parser.add_argument("--without", default="", help="leave out a sync on purpose")
    args = parser.parse_args(words)
    began = time.monotonic()
    figures: Counter[str] = Counter()
    wrong: list[str] = []
    shm = Path("/dev/shm")  # noqa: S108 - the folder is a fresh one below it
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as made:
        for at in range(0, len(args.seeds), _TOGETHER):
            seeds = args.seeds[at : at + _TOGETHER]
            home = Path(made) / f"runs-{at}"
            home.mkdir()
            for seed, ops in record(home, seeds, without=args.without).items():
                opened, bad = look_at(ops, seed, args.cap, Path(made))
                figures.update(runs=1, states=opened, calls=len(ops), wrong=len(bad))
                wrong += bad
    said = {
        **figures,
        "seconds": round(time.monotonic() - began, 1),
        "first_wrong": wrong[:_MOST_TOLD],
    }
    sys.stdout.write(json.dumps(said, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Bar 8: no good value of an ASCII instrument is another's or an old one.

Per fault kind and line: two analyzers that echo the command, two that do not but check
what they say, one that does neither; 30 % of replies faulty, polled back to back and
once a second, in virtual time. ``ECOGATE_BARS=1`` polls 10,000 times a row and writes
``benchmarks/results/ascii_faults.json``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from drivers.ascii.doubts import Doubts
from simulators.analyzer_line import AsciiFault
from tests.support.ascii_bench import AsciiBench, Row
from tests.support.virtual import run_virtual

SEED = int(os.environ.get("ECOGATE_SEED") or 20251122)
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "ascii_faults.json"
POLLS, POLLS_BARS = 150, 10_000
PACES = {"back to back": 0.0, "1 s": 1.0}
LINES = ("echo", "checked", "bare")
SHARE = 0.95
FEW = 300


class Kind(NamedTuple):
    """One row of the bar."""

    fault: AsciiFault
    factor: float | None = None

    def __str__(self) -> str:
        return f"{self.fault.value}{f'-{self.factor}x' if self.factor else ''}"


KINDS = [
    *(Kind(AsciiFault.LATE, factor) for factor in (1.1, 3.0, 10.0)),
    *(Kind(fault) for fault in AsciiFault if fault is not AsciiFault.LATE),
]


def run_one(kind: Kind, line: str, pace: str, polls: int) -> Row:
    async def main() -> Row:
        bench = AsciiBench(line, kind.fault, factor=kind.factor, seed=SEED)
        row = Row(
            fault=kind.fault.value, factor=kind.factor, line=line, pace=pace, seed=SEED
        )
        return await bench.run(row, polls, every_s=PACES[pace])

    return run_virtual(main())


def judge(row: Row) -> None:
    said = f"seed {row.seed}: {row}"
    asked = row.polls - row.unasked
    # Few questions leave where each fault makes the next ones wait.
    assert row.faulted >= (0.25 * asked if asked > FEW else 1), said
    assert row.wrong == 0, said
    assert row.stale == 0, said
    assert row.share >= SHARE, said


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_good_value_is_wrong_or_stale(kind: Kind, line: str) -> None:
    for pace in PACES:
        judge(run_one(kind, line, pace, POLLS))


@pytest.mark.parametrize(
    ("kind", "line"),
    [(KINDS[1], "echo"), (KINDS[2], "echo"), (KINDS[1], "bare")],
    ids=str,
)
def test_the_bar_finds_out_a_careless_master(
    kind: Kind, line: str, monkeypatch
) -> None:
    """Without doubts the same runs have wrong or old values: the judge can see."""
    monkeypatch.setattr(Doubts, "held", lambda *_: None)
    monkeypatch.setattr(Doubts, "claims", lambda *_: None)
    row = run_one(kind, line, "back to back", 600)

    assert row.wrong + row.stale > 3, row


@pytest.mark.bars
@pytest.mark.timeout(3000)
def test_the_bar_in_full(figure) -> None:
    rows = [
        run_one(kind, line, pace, POLLS_BARS)
        for kind in KINDS
        for line in LINES
        for pace in PACES
    ]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_bytes(
        msgspec.json.format(
            msgspec.json.encode({"bar": 8, "seed": SEED, "rows": rows}), indent=1
        )
    )
    figure("polls", sum(row.polls for row in rows))
    figure("wrong", sum(row.wrong for row in rows))
    figure("stale", sum(row.stale for row in rows))
    figure("least_share", min(row.share for row in rows))
    for row in rows:
        judge(row)

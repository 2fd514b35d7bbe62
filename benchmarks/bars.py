"""``make bars``: every test with its full counts, and the benchmark.

Processor and freshness are measured first, alone. Then the tests run beside the runs
that count disk bytes, which other work does not change. Figures that tests state
(``figure``, see ``tests/conftest.py``), the seed and every outcome go into one JSON
file in ``benchmarks/results/``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from benchmarks import machine

RESULTS = machine.ROOT / "benchmarks" / "results"


def outcomes(junit: Path) -> dict[str, Any]:
    """What a JUnit file says: counts, figures by test, failures with their message."""
    # Our own pytest wrote it a moment ago.
    root = ET.parse(junit).getroot()  # noqa: S314
    counts = {"passed": 0, "failed": 0, "left_out": 0}
    figures: dict[str, dict[str, str]] = {}
    failed: dict[str, str] = {}
    for case in root.iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        problem = case.find("failure")
        if problem is None:
            problem = case.find("error")
        if problem is not None:
            counts["failed"] += 1
            failed[name] = (problem.get("message") or "")[:500]
        elif case.find("skipped") is not None:
            counts["left_out"] += 1
        else:
            counts["passed"] += 1
        stated = {
            str(item.get("name")): str(item.get("value"))
            for item in case.iter("property")
        }
        if stated:
            figures[name] = stated
    return {"counts": counts, "figures": figures, "failed": failed}


def main() -> int:
    """Exit status 1 where a test failed or the benchmark did not run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bars")
    parser.add_argument("--tests", default="", help="only these, as pytest takes them")
    parser.add_argument("--no-benchmark", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    command = ["python -m benchmarks.bars", *sys.argv[1:]]
    about = machine.describe(command) | {"seed": options.seed}
    print(f"seed {options.seed} (make bars ARGS='--seed {options.seed}' repeats it)")
    status = 0
    with contextlib.ExitStack() as stack:
        if not options.no_benchmark:
            out = RESULTS / f"benchmark-{stamp}.json"
            bench = [sys.executable, "-m", "benchmarks", "--out", str(out)]
            status |= _wait([*bench, "--disk-minutes", "0"])
            out = RESULTS / f"regulatory-{stamp}.json"
            regulatory = [sys.executable, "-m", "benchmarks.regulatory"]
            status |= _wait([*regulatory, "--out", str(out)])
            out = RESULTS / f"benchmark-disk-{stamp}.json"
            disk = subprocess.Popen(
                [*bench[:-1], str(out), "--repeat", "0", "--engines", "own"],
                cwd=machine.ROOT,
            )
            stack.callback(_end, disk)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        junit = folder / "junit.xml"
        tests = _wait(
            [
                *(sys.executable, "-m", "pytest", f"--junitxml={junit}"),
                *("-o", "timeout=3000"),
                *shlex.split(options.tests),
            ],
            {"ECOGATE_BARS": "1", "ECOGATE_SEED": str(options.seed)},
        )
        status |= tests
        found = outcomes(junit) if junit.exists() else {}
        if not options.no_benchmark:
            status |= disk.wait()
    about["minutes"] = round((time.monotonic() - started) / 60, 1)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"bars-{stamp}.json"
    text = json.dumps({"about": about, **found}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"written: {path}\nseed {options.seed}, {about['minutes']} min")
    return int(status != 0)


def _wait(command: list[str], more: dict[str, str] | None = None) -> int:
    process = subprocess.Popen(command, cwd=machine.ROOT, env=os.environ | (more or {}))
    try:
        return process.wait()
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)

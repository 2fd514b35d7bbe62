"""Minutes of real time with the gateway as a process: ``python -m tests.support.soak``.

Runs a whole site in a folder, looks at the gateway from outside every so often, and
writes what it saw and how delivery ended to ``soak.json``. A process of its own, so
that it can go on beside other tests.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from benchmarks import process
from tests.support.long_site import count
from tests.support.site_run import SiteRun, watch

SLOT_MS = 900
"""Less than the period: two births this close were asked for in one slot."""


def look(pid: int, data: Path, since_ns: int) -> dict[str, float]:
    """What the kernel says of the gateway, and the size of its files."""
    sizes = []
    for file in data.rglob("*"):
        try:
            sizes.append(file.stat().st_size)
        except FileNotFoundError:
            continue  # a segment that all targets have
    return {
        "at_s": (time.monotonic_ns() - since_ns) / 1e9,
        "rss_kib": process.rss_bytes(pid) / 1024,
        "pss_kib": process.pss_bytes(pid) / 1024,
        "handles": count(Path(f"/proc/{pid}/fd")),
        "threads": count(Path(f"/proc/{pid}/task")),
        "files": len(sizes),
        "file_bytes": sum(sizes),
        "cpu_s": process.cpu_s(pid),
    }


def soak(folder: Path, minutes: float, every_s: float) -> dict[str, Any]:
    """Ten devices of ten points each second, undisturbed."""
    shape = {"devices": 10, "points": 10, "every": "1s", "separate": True}
    with SiteRun(folder, **shape, buffer={"max_bytes": "16MB"}) as site:
        site.start()
        site.wait_fresh()
        seen, start_ns = [], time.monotonic_ns()
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            watch(lambda: False, min(every_s, end - time.monotonic()))
            assert site.gateway.process is not None
            seen.append(look(site.gateway.process.pid, site.data, start_ns))
        site.wait_complete()
        match, verdict = site.match(), site.witness.verdict()
        # A machine under load answers late now and then; the question is put again
        # within the slot, and the second answer is the slot's.
        times: dict[int, list[int]] = {}
        for birth in site.births():
            times.setdefault(birth.unit, []).append(birth.t_ms)
        lost = [
            birth
            for birth in match.absent
            if not any(0 < t - birth.t_ms < SLOT_MS for t in times[birth.unit])
        ]
        log = len(site.gateway.lines())
        stop_s = site.gateway.stop()
    return {
        "seen": seen,
        "verdict": verdict.as_dict(),
        "text": verdict.text() + "\n" + site.gateway.tail(),
        "arrived": match.arrived,
        "absent": len(lost),
        "asked_twice": len(match.absent) - len(lost),
        "wrong": match.wrong[:5],
        "log_lines": log,
        "stop_s": stop_s,
    }


def main() -> None:
    """Soak and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.soak")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--every", type=float, default=5.0)
    options = parser.parse_args()
    found = soak(options.folder, options.minutes, options.every)
    path = options.folder / "soak.json"
    path.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()

"""How fast a backlog leaves: ``python -m benchmarks.drain``.

A gateway gathers hours of scans while nobody listens (in virtual time: the whole of it,
with its own store); then its files are dropped from the page cache and it starts, as a
process, beside a broker that limits nothing. Counted is from the first record that
arrives to the last, and what the process weighs meanwhile. Scans of 50 values and of
one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks import machine, process
from benchmarks.__main__ import RESULTS, default_broker
from benchmarks.child import Child, ChildError
from simulators.broker import Broker, Kind, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_VALUES_PER_S = 20_000
"""Of scans of 50 values."""
FLAT_MIB = 2.0
"""More than this in the second half of a drain is growth."""
DEVICES = 20
_READY_S = 30.0
_QUIET_S = 1.5
"""No message for so long: drained."""


class Row(msgspec.Struct, frozen=True):
    """One drain."""

    points: int
    """Values in a scan."""
    scans: int
    values: int
    messages: int
    stored_bytes: int
    bytes_per_value: float
    """On disk, of the backlog."""
    seconds: float
    """From the first record that arrived to the last."""
    values_per_s: int
    scans_per_s: int
    start_s: float
    """From starting the process to the first record."""
    cpu_s_per_1000: float
    """Of the gateway, per 1,000 values, without its start."""
    pss_first_mib: float
    pss_peak_mib: float
    pss_rise_mib: float
    """Between the middle and the end of the drain."""
    wrong: int
    missing: int
    duplicates: int
    other_records: dict[str, int]


def drain(points: int, scans: int, *, folder: Path, broker: Kind) -> Row:
    """Gather a backlog of scans of so many values, and let it go.

    Raises:
        ChildError: A process did not start or ended early.
    """
    with contextlib.ExitStack() as stack:
        place = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="ecogate-drain-", dir=folder)
            )
        )
        _gather(place, points, scans)
        stored = _forget(place / "data")
        port = free_port()
        platform = stack.enter_context(
            Broker(place / "broker", kind=broker, port=port, message_limit=8 << 20)
        )
        platform.again()
        collector = stack.enter_context(
            _python("collector", ["benchmarks.collector", port], place)
        )
        collector.hear("ready", _READY_S)
        gateway = stack.enter_context(_gateway(_site(place, port), place))
        samples = _watch(gateway, collector)
        collector.tell({"ask": "report"})
        seen = collector.hear("report", 60.0)
        gateway.check()
    return _row(points, stored, samples, seen, gateway.spawned_ns)


def _gather(place: Path, points: int, scans: int) -> None:
    """Let a gateway live through hours of virtual time that nobody listens to."""
    command = ["tests.support.backlog", place, "--gateway", "bench"]
    shape = ["--devices", DEVICES, "--points", points, "--seconds", scans / DEVICES]
    with _python("gathering", [*command, *shape], place) as gathering:
        gathering.hear("records", 60 + scans / 500)


def _site(place: Path, port: int) -> Path:
    """A site file without devices: it only delivers what is stored."""
    address = f"mqtt://127.0.0.1:{port}"
    site = {
        "gateway": "bench",
        "clock": {"trust": "always"},
        "buffer": {"path": str(place / "data"), "max_bytes": "2GB"},
        "targets": {"platform": {"mqtt": address, "backfill": "10000/s"}},
    }
    path = place / "site.yaml"
    path.write_text(json.dumps(site, indent=1), encoding="utf-8")  # JSON is YAML 1.2
    return path


def _forget(data: Path) -> int:
    """Drop the files from the page cache (posix_fadvise(2)); their bytes."""
    size = 0
    for file in data.rglob("*"):
        if not file.is_file():
            continue
        size += file.stat().st_size
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)  # only clean pages can be dropped
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
    return size


def _watch(gateway: Child, collector: Child) -> list[tuple[int, float, float]]:
    """Instant, PSS in MiB and CPU seconds, until nothing has come for a while."""
    samples: list[tuple[int, float, float]] = []
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        time.sleep(0.05)
        gateway.check()
        now_ns = time.monotonic_ns()
        pss = process.pss_bytes(gateway.pid) / 2**20
        samples.append((now_ns, pss, process.cpu_s(gateway.pid)))
        collector.tell({"ask": "count"})
        count = collector.hear("count", _READY_S)
        quiet_s = (now_ns - (count["last_ns"] or gateway.spawned_ns)) / 1e9
        if quiet_s > (_QUIET_S if count["messages"] else _READY_S):
            return samples
    raise ChildError("expected the backlog to be drained within 600 s")


def _row(
    points: int,
    stored: int,
    samples: list[tuple[int, float, float]],
    seen: dict[str, Any],
    spawned_ns: int,
) -> Row:
    first_ns, last_ns = seen["first_ns"], seen["last_ns"]
    seconds = max((last_ns - first_ns) / 1e9, 1e-3)
    during = [s for s in samples if first_ns <= s[0] <= last_ns] or samples[-1:]
    middle = during[len(during) // 2]
    return Row(
        points=points,
        scans=seen["scans"],
        values=seen["values"],
        messages=seen["messages"],
        stored_bytes=stored,
        bytes_per_value=round(stored / max(seen["values"], 1), 2),
        seconds=round(seconds, 3),
        values_per_s=round(seen["values"] / seconds),
        scans_per_s=round(seen["scans"] / seconds),
        start_s=round((first_ns - spawned_ns) / 1e9, 3),
        cpu_s_per_1000=round(
            (during[-1][2] - during[0][2]) * 1000 / max(seen["values"], 1), 5
        ),
        pss_first_mib=round(during[0][1], 1),
        pss_peak_mib=round(max(s[1] for s in during), 1),
        pss_rise_mib=round(during[-1][1] - middle[1], 2),
        wrong=seen["wrong"],
        missing=seen["missing"],
        duplicates=seen["duplicates"],
        other_records=seen["other"],
    )


def _gateway(site: Path, place: Path) -> Child:
    command = [sys.executable, "-m", "gateway", "run", str(site)]
    return Child("gateway", command, place / f"{site.stem}.log", talks=False)


def _python(name: str, words: Sequence[object], place: Path) -> Child:
    command = [sys.executable, "-m", *(str(word) for word in words)]
    return Child(name, command, place / f"{name}.log")


def table(rows: Sequence[Row]) -> str:
    """For people."""
    lines = ["values/scan   scans     values/s   scans/s   PSS first, peak, rise MiB"]
    lines += [
        f"{r.points:11} {r.scans:7} {r.values_per_s:12,} {r.scans_per_s:9,}"
        f"   {r.pss_first_mib:.1f}, {r.pss_peak_mib:.1f}, {r.pss_rise_mib:+.2f}"
        for r in rows
    ]
    return "\n".join(lines)


def main() -> int:
    """Exit status 1 where a record is wrong, missing or repeated."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drain")
    parser.add_argument("--points", default="50,1", help="values in a scan")
    parser.add_argument("--scans", type=int, default=300_000, help="backlog of each")
    parser.add_argument("--broker", choices=["mosquitto", "nats"])
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/var/tmp"),  # noqa: S108 - on a disk where /tmp is in memory
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "drain.json")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    broker: Kind = options.broker or default_broker()
    about = machine.describe(["python -m benchmarks.drain", *sys.argv[1:]])
    about["broker"] = broker
    rows = []
    for points in (int(text) for text in options.points.split(",")):
        print(f"{options.scans} scans of {points}", file=sys.stderr, flush=True)
        rows.append(drain(points, options.scans, folder=options.folder, broker=broker))
    print(table(rows))
    said = {"about": about, "runs": [msgspec.to_builtins(row) for row in rows]}
    options.out.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    print(f"written: {options.out}")
    return int(any(row.wrong or row.missing for row in rows))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)

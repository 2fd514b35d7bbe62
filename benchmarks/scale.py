"""``python -m benchmarks.scale``: what one broker on this machine holds.

A broker, the made-up gateways (``simulators.gateways``) and a platform's intake
(``simulators.subscribers``) share this machine's processors: the figures say what one
broker does beside them, not what it could do alone. Writes
``benchmarks/results/scale.json``; ``--quick`` is a look only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import zstandard

from benchmarks import machine, process
from simulators import mqtt_codec as codec
from simulators.broker import Broker, Kind, find_program
from simulators.consumer import Consumer
from simulators.gateways import open_files
from simulators.made_up import MadeUp, Scan
from simulators.receipts import Receipts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESULTS = machine.ROOT / "benchmarks" / "results" / "scale.json"
_STOP_S = 300.0
"""A flooded intake has a long queue at the broker."""


class Case(NamedTuple):
    """One run of the fleet."""

    name: str
    about: str
    options: tuple[str, ...]
    """Of ``simulators.gateways``."""


CASES = (
    Case(
        "city",
        "a scan every 10 s, a message each; away for 20 s, all back within 1 s",
        ("--every", "10", "--away", "20"),
    ),
    Case(
        "busy",
        "a scan every second, a message each; away for 20 s, all back within 1 s",
        ("--every", "1", "--away", "20"),
    ),
    Case(
        "batch",
        "a scan every second, 10 in a message; away for 20 s, all back within 1 s",
        ("--every", "1", "--records", "10", "--away", "20"),
    ),
    Case(
        "small back-fill",
        "as city, the backlog of 60 s in messages of one scan, 20 a second each",
        ("--every", "3", "--away", "60", "--backfill-records", "1"),
    ),
    Case(
        "at once",
        "all connect in the same moment",
        ("--every", "10", "--ramp", "1000000", "--seconds", "1"),
    ),
    Case(
        "flood",
        "without pause, two messages on the way each, a scan a message",
        ("--every", "0", "--window", "2", "--seconds", "10"),
    ),
    Case(
        "flood, batch",
        "the same with 10 scans a message",
        ("--every", "0", "--window", "2", "--records", "10", "--seconds", "10"),
    ),
)


def run_case(
    case: Case, kind: Kind, folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """One broker, one intake, one fleet; figures by phase."""
    version = "5" if kind == "mosquitto" else "3.1.1"
    with tempfile.TemporaryDirectory(dir=folder, prefix="scale-") as home:
        broker = Broker.start(Path(home), kind=kind)
        with broker:
            pid = broker.process.pid if broker.process else 0
            common = ("--port", str(broker.port), "--version", version)
            # nats-server takes a shared subscription over MQTT and delivers nothing.
            shared = kind == "mosquitto"
            intake_options = (
                ("--count", "4") if shared else ("--filter", "ecogate/v1/#")
            )
            with _intake((*common, *intake_options)) as intake:
                phases = _fleet(
                    (*common, "--gateways", str(options.gateways), *case.options,
                     *(("--seconds", str(options.seconds))
                       if "--seconds" not in case.options else ())),
                    pid,
                )  # fmt: skip
            said = intake[-1] if intake else {}
    verdict = said.get("verdict", {})
    return {
        "case": case.name,
        "about": case.about,
        "broker": kind,
        "mqtt": version,
        "gateways": options.gateways,
        "phases": phases,
        "intake": {
            "shared": shared,
            "messages_each": said.get("messages_each"),
            "cpu_s": said.get("cpu_s"),
            "behind_s": said.get("behind_s"),
            **{
                name: verdict.get(name)
                for name in ("records", "missing", "duplicates", "conflicts",
                             "disordered", "latency_ms", "lanes")
            },
        },
    }  # fmt: skip


@contextlib.contextmanager
def _intake(options: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    """The platform's side; what it said at the end is in the list then."""
    said: list[dict[str, Any]] = []
    child = _start("simulators.subscribers", options)
    try:
        if child.stdout is None or not child.stdout.readline():
            raise RuntimeError("the intake did not start")
        yield said
    finally:
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=_STOP_S)
        said += [json.loads(line) for line in output.splitlines()]
        said.append(said.pop() | {"behind_s": round(time.monotonic() - began, 1)})


def _fleet(options: Sequence[str], broker: int) -> dict[str, Any]:
    """Play the phases; each with what the broker cost in it."""
    child = _start("simulators.gateways", options)
    phases: dict[str, Any] = {}
    cpu = process.cpu_s(broker)
    try:
        assert child.stdout is not None  # noqa: S101 it is a pipe
        for line in child.stdout:
            said = json.loads(line)
            if "phase" not in said:
                continue
            now = process.cpu_s(broker)
            said["broker_cpu_s"] = round(now - cpu, 2)
            said["broker_rss_mib"] = round(process.rss_bytes(broker) / 2**20, 1)
            phases[said.pop("phase")] = said
            cpu = now
        child.wait(_STOP_S)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
    return phases


def _start(module: str, options: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *options],
        cwd=machine.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def message_bytes() -> dict[str, Any]:
    """Bytes of the made-up messages, whole MQTT packets, and compressed."""
    words = MadeUp(1, prefix="ecogate/v1", values=10, every_s=10, store="5f2c9a01")
    pack = zstandard.ZstdCompressor(level=3).compress
    said: dict[str, Any] = {}
    for count in (1, 10, 100, 200):
        scans = [
            Scan(1_000_000 + n, 1_763_712_000_123 + 1000 * n) for n in range(count)
        ]
        payload = words.data("live", scans, 1_763_712_001_950)
        packet = codec.publish(words.data_topic, payload, 1, v5=True)
        small = codec.publish(words.data_topic, pack(payload), 1, v5=True)
        said[f"data of {count}"] = {
            "packet": len(packet),
            "per_record": round(len(packet) / count, 1),
            "zstd_per_record": round(len(small) / count, 1),
        }
    topic = words.topic.encode()
    said["status"] = len(
        codec.publish(topic + b"/status", words.status("online", 1, 1, 0), 1, v5=True)
    )
    said["meta"] = len(
        codec.publish(topic + b"/meta/a7c0ffee", words.meta(), 1, v5=True)
    )
    receipts = Receipts()
    for seq in range(1_000_000, 1_000_100):
        receipts.ok(words.topic, "5f2c9a01", seq)
    ((where, payload),) = receipts.take()
    said["receipt"] = len(codec.publish(where.encode(), payload, 1, v5=True))
    return said


def consumer_speed() -> dict[str, Any]:
    """Records a second that the reference consumer reads, checks and adds up."""
    said: dict[str, Any] = {}
    fleet = [
        MadeUp(n, prefix="p", values=10, every_s=1, store="5f2c9a01")
        for n in range(100)
    ]
    for count in (1, 10, 200):
        consumer = Consumer(from_seq=1)
        for words in fleet:
            consumer.feed(f"{words.topic}/meta/a7c0ffee", words.meta(), 0)
        messages = [
            (
                f"{words.topic}/data",
                words.data(
                    "live", [Scan(at + n, 1000 * (at + n)) for n in range(count)], 0
                ),
            )
            for at in range(1, 20_001 // 100 + 1, count)
            for words in fleet
        ]
        began = time.process_time()
        for topic, payload in messages:
            consumer.feed(topic, payload, 0)
        consumer.receipts()
        seconds = time.process_time() - began
        said[f"data of {count}"] = round(len(messages) * count / seconds)
        if not consumer.verdict().clean:
            raise RuntimeError(consumer.verdict().text())
    return said


def text(result: dict[str, Any]) -> str:
    """One run, for people."""
    lines = [f"{result['broker']}, {result['case']}: {result['about']}"]
    for name, phase in result["phases"].items():
        proofs = ", ".join(
            f"{lane} PUBACK p50 {times['p50']} p99 {times['p99']} ms"
            for lane, times in phase["puback_ms"].items()
        )
        lines.append(
            f"  {name:<8} {phase['seconds']:>6} s"
            f"  {phase['connects_per_s']:>7} connects/s"
            f"  {phase['messages_per_s']:>8} messages/s"
            f"  {phase['values_per_s']:>9} values/s"
            f"  broker {phase['broker_cpu_s']} s, {phase['broker_rss_mib']} MiB"
            f"  {proofs}"
        )
    seen = result["intake"]
    lines.append(
        f"  intake   {seen['records']} records, {seen['missing']} missing,"
        f" {seen['duplicates']} repeats, {seen['disordered']} out of order,"
        f" {seen['behind_s']} s behind at the end"
    )
    return "\n".join(lines)


def table(results: Sequence[dict[str, Any]]) -> str:
    """All runs as the table of ``docs/scale.md``."""
    heads = (
        *("broker, run", "connects/s", "messages/s", "values/s"),
        *("live PUBACK p50, p99", "all back, backlog empty", "broker: cores, memory"),
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for result in results:
        phases = result["phases"]
        steady, storm = phases["steady"], phases.get("storm")
        live = steady["puback_ms"].get("live", {})
        back = (
            f"{storm['all_back_s']} s, {storm['backlog_empty_s']} s"
            f" ({storm['backlog_records']} items)"
            if storm
            else ""
        )
        memory = max(phase["broker_rss_mib"] for phase in phases.values())
        cores = steady["broker_cpu_s"] / steady["seconds"]
        lines.append(
            f"| {result['broker']}, {result['case']}"
            f" | {phases['connect']['connects_per_s']:,.0f}"
            f" | {steady['messages_per_s']:,.0f}"
            f" | {steady['values_per_s']:,.0f}"
            f" | {live.get('p50')} ms, {live.get('p99')} ms"
            f" | {back}"
            f" | {cores:.2f}, {memory:.0f} MiB |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--gateways", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--cases", default="", help="comma separated; default: all")
    parser.add_argument("--brokers", default="mosquitto,nats")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))  # noqa: S108
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="seconds: a look only")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.quick:
        options.seconds, options.gateways = 2.0, 100
    open_files(options.gateways)
    wanted = options.cases.split(",") if options.cases else [c.name for c in CASES]
    results = []
    about = machine.describe(["python -m benchmarks.scale", *sys.argv[1:]])
    for kind in options.brokers.split(","):
        about[kind] = _version(kind)
        for case in CASES:
            if case.name in wanted:
                result = run_case(case, kind, options.folder, options)
                print(text(result), flush=True)
                results.append(result)
    if not options.quick:
        options.out.parent.mkdir(exist_ok=True)
        sizes = message_bytes()
        said = json.dumps({"about": about, "bytes": sizes, "runs": results}, indent=1)
        options.out.write_text(said + "\n", encoding="utf-8")
        print(f"written: {options.out}")
    return 0


def _version(kind: Kind) -> str:
    flag = "-h" if kind == "mosquitto" else "--version"
    done = subprocess.run(
        [find_program(kind), flag], capture_output=True, text=True, check=False
    )
    return (done.stdout or done.stderr).strip().splitlines()[0]


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)

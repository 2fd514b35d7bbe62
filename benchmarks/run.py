"""One run: start everything, wait, ask the kernel and the subscriber."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import process, site
from benchmarks.child import Child, ChildError
from benchmarks.sizes import Size
from simulators.broker import Broker, Kind

_READY_S = 30.0

_MESSAGE_LIMIT = 8 << 20
"""Of the broker: the description of 16,000 points is one message of 1.6 MB."""


class Plan(msgspec.Struct, frozen=True):
    """How a run is made."""

    size: Size
    engine: str = "own"
    warm_up_s: float = 10.0
    window_s: float = 60.0
    broker: Kind = "mosquitto"
    folder: Path = Path("/var/tmp")  # noqa: S108 - on a disk where /tmp is in memory
    purpose: str = "processor"
    gateway: tuple[str, ...] = ()
    """The command in front of ``run SITE``; the installed one where empty."""
    clips: tuple[Path, ...] = ()
    """Video files that play as cameras beside the devices."""


class Row(msgspec.Struct, frozen=True):
    """What a run showed. Counts are of the window; ``wrong`` and so on of all."""

    size: str
    engine: str
    purpose: str
    window_s: float
    values_due: int
    values: int
    cpu_s_per_1000: float
    core_share: float
    fresh_p50_ms: float
    fresh_p99_ms: float
    fresh_max_ms: float
    drift_ms: float
    pss_mib: float
    rss_mib: float
    start_s: float
    disk_bytes_per_value: float
    device_bytes_per_value: float | None
    wrong: int
    duplicates: int
    other_records: dict[str, int]
    cameras: int = 0
    vision_pss_mib: float = 0.0
    vision_rss_mib: float = 0.0
    """What it would be if no other process had the same libraries."""
    vision_core_share: float = 0.0
    """Of all vision processes together."""


def run(plan: Plan) -> Row:
    """Make one run.

    Raises:
        ChildError: A process did not start or ended early.
    """
    size = plan.size
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="ecogate-bench-", dir=plan.folder)
            )
        )
        start_ns = time.monotonic_ns()
        platform = stack.enter_context(
            Broker(folder / "broker", kind=plan.broker, message_limit=_MESSAGE_LIMIT)
        )
        platform.again()
        devices = stack.enter_context(
            _python(
                "devices",
                [
                    *("simulators.modbus", "--bench", f"{size.devices}x{size.points}"),
                    *("--tcp", 0, "--separate", "--start-ns", start_ns),
                ],
                folder,
            )
        )
        ports = devices.hear("ports", _READY_S)
        subscriber = stack.enter_context(
            _python(
                "subscriber",
                ["benchmarks.subscriber", platform.port, start_ns],
                folder,
            )
        )
        subscriber.hear("ready", _READY_S)
        settings = site.write(
            folder,
            size,
            plan.engine,
            [ports[str(n)] for n in range(1, size.devices + 1)],
            platform.port,
            plan.clips,
        )
        gateway = stack.enter_context(
            Child(
                "gateway",
                [*(plan.gateway or _ecogate()), "run", str(settings)],
                folder / "gateway.log",
                talks=False,
            )
        )
        try:
            first_ns = subscriber.hear("first_ns", _READY_S)
        except ChildError as exc:
            raise gateway.error(f"no value arrived\n{exc}") from exc
        time.sleep(plan.warm_up_s)
        before = _count(gateway, folder)
        time.sleep(plan.window_s)
        after = _count(gateway, folder)
        pss, rss = process.pss_bytes(gateway.pid), process.rss_bytes(gateway.pid)
        children = process.children(gateway.pid)
        looking = [
            sum(map(of, children)) for of in (process.pss_bytes, process.rss_bytes)
        ]
        time.sleep(0.5)  # what was on its way at the end of the window
        subscriber.tell({"from_ns": before["at_ns"], "to_ns": after["at_ns"]})
        seen = subscriber.hear("report", _READY_S)
        gateway.check()
    row = _row(plan, before, after, seen, pss, rss, first_ns - gateway.spawned_ns)
    spent_s = after["vision_s"] - before["vision_s"]
    return msgspec.structs.replace(
        row,
        cameras=len(plan.clips),
        vision_pss_mib=round(looking[0] / 2**20, 1),
        vision_rss_mib=round(looking[1] / 2**20, 1),
        vision_core_share=round(spent_s / row.window_s, 4),
    )


def _row(
    plan: Plan,
    before: dict[str, Any],
    after: dict[str, Any],
    seen: dict[str, Any],
    pss: int,
    rss: int,
    start_ns: int,
) -> Row:
    window_s = (after["at_ns"] - before["at_ns"]) / 1e9
    cpu_s = after["cpu_s"] - before["cpu_s"]
    values = seen["values"]
    per_value = 1 / values if values else 0.0
    device = None
    if before["device"] is not None and after["device"] is not None:
        device = round((after["device"] - before["device"]) * per_value, 1)
    return Row(
        size=plan.size.name,
        engine=plan.engine,
        purpose=plan.purpose,
        window_s=round(window_s, 2),
        values_due=round(plan.size.values_per_s * window_s),
        values=values,
        cpu_s_per_1000=round(cpu_s * per_value * 1000, 5),
        core_share=round(cpu_s / window_s, 4),
        fresh_p50_ms=round(seen["fresh_ms"]["p50"], 2),
        fresh_p99_ms=round(seen["fresh_ms"]["p99"], 2),
        fresh_max_ms=round(seen["fresh_ms"]["max"], 2),
        drift_ms=round(seen["drift_ms"], 1),
        pss_mib=round(pss / 2**20, 1),
        rss_mib=round(rss / 2**20, 1),
        start_s=round(start_ns / 1e9, 3),
        disk_bytes_per_value=round((after["disk"] - before["disk"]) * per_value, 1),
        device_bytes_per_value=device,
        wrong=seen["wrong"],
        duplicates=seen["duplicates"],
        other_records=seen["other"],
    )


def _count(gateway: Child, folder: Path) -> dict[str, Any]:
    gateway.check()
    return {
        "at_ns": time.monotonic_ns(),
        "cpu_s": process.cpu_s(gateway.pid),
        "vision_s": sum(map(process.cpu_s, process.children(gateway.pid))),
        "disk": process.written_bytes(gateway.pid),
        "device": process.device_written_bytes(folder),
    }


def _python(name: str, words: list[object], folder: Path) -> Child:
    command = [sys.executable, "-m", *(str(word) for word in words)]
    return Child(name, command, folder / f"{name}.log")


def _ecogate() -> list[str]:
    # The installed command, as a service starts it.
    script = Path(sys.executable).with_name("ecogate")
    return [str(script)] if script.exists() else [sys.executable, "-m", "gateway"]

"""``python -m benchmarks``: measure, print, write JSON."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine, report, sizes
from benchmarks.run import Plan, Row, run
from simulators.broker import find_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.broker import Kind

RESULTS = machine.ROOT / "benchmarks" / "results"


def plans(options: argparse.Namespace) -> list[Plan]:
    """The runs asked for, cheapest first."""
    common = {
        "broker": options.broker,
        "folder": options.folder,
        "gateway": tuple(shlex.split(options.gateway)),
    }
    made = [
        Plan(
            size,
            engine,
            warm_up_s=options.warm_up,
            window_s=options.window,
            **common,
        )
        for size in options.sizes
        for engine in options.engines
        # The second engine is a yardstick: one run.
        for _ in range(options.repeat if engine == "own" else 1)
    ]
    if options.disk_minutes:
        made += [
            Plan(
                size,
                warm_up_s=options.warm_up,
                window_s=60 * options.disk_minutes,
                purpose="disk",
                **common,
            )
            for size in sizes.DISK_SIZES
            if size in options.sizes
        ]
    return made


def measure(
    todo: Sequence[Plan], command: list[str], out: Path | None
) -> list[dict[str, object]]:
    """Make the runs; print the table; write the JSON; the limits and what came."""
    about = machine.describe(command)
    about["broker"] = todo[0].broker
    rows: list[Row] = []
    for number, plan in enumerate(todo, 1):
        seconds = plan.warm_up_s + plan.window_s
        print(
            f"[{number}/{len(todo)}] {plan.size.name} {plan.engine}"
            f" {plan.purpose}, {seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )
        rows.append(run(plan))
    lines = report.medians(rows)
    print(report.table(lines))
    found = report.verdicts(lines)
    print()
    print(report.limits_text(found))
    if out is not None:
        report.save(out, about, rows, lines)
        print(f"\nwritten: {out}")
    return found


def default_broker() -> Kind:
    """Mosquitto where it is installed."""
    try:
        find_program("mosquitto")
    except FileNotFoundError:
        return "nats"
    return "mosquitto"


def options_of(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--sizes",
        type=lambda text: [sizes.parse(part) for part in text.split(",")],
        default=list(sizes.SIZES),
        metavar="1x10,10x50",
        help="devices x points each second",
    )
    parser.add_argument(
        "--engines",
        type=lambda text: text.split(","),
        default=["own", "pymodbus"],
        help="own,pymodbus",
    )
    parser.add_argument("--repeat", type=int, default=3, help="median of so many")
    parser.add_argument("--warm-up", type=float, default=10.0, metavar="S")
    parser.add_argument("--window", type=float, default=60.0, metavar="S")
    parser.add_argument(
        "--disk-minutes", type=float, default=10.0, help="0 leaves the disk runs out"
    )
    parser.add_argument(
        "--broker", choices=["mosquitto", "nats"], default=default_broker()
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/var/tmp"),  # noqa: S108 - on a disk where /tmp is in memory
        help="where records are stored; on a disk, or disk figures mean nothing",
    )
    parser.add_argument(
        "--gateway",
        default="",
        help="another command to measure, e.g. an older ecogate",
    )
    parser.add_argument("--out", type=Path, help="JSON file; default in results/")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes: a look only"
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.repeat, options.warm_up, options.window = 1, 2.0, 5.0
        options.disk_minutes = 0.0
    elif options.out is None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        options.out = RESULTS / f"benchmark-{stamp}.json"
    return options


def main() -> int:
    """Exit status 0 also where a limit is missed: figures are for reading."""
    # Ended by a signal, the children are stopped all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = options_of(sys.argv[1:])
    command = ["python -m benchmarks", *sys.argv[1:]]
    try:
        measure(plans(options), command, options.out)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks.peers``: install, measure one by one, print, write."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks import machine, sizes
from benchmarks.peers import runs, tables
from benchmarks.peers.listing import PEERS
from benchmarks.peers.rows import Row
from benchmarks.peers.venvs import programs, version
from simulators.broker import find_program

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = machine.ROOT / "benchmarks" / "results" / "peers.json"
_KINDS = ("load", "outage", "late")


def steps(options: argparse.Namespace) -> list[tuple[str, Callable[[], Row]]]:
    """What is to be done, with a name for each."""
    plan = runs.Plan(options.cache, options.folder, window_s=options.window)
    if options.quick:
        plan = replace(plan, warm_up_s=3.0, window_s=5.0, away_s=5.0, back_s=15.0)
    made: list[tuple[str, Callable[[], Row]]] = []
    for kind in options.kinds:
        for key in options.peers:
            if kind == "load":
                made += [
                    (f"{key} {size.name}", partial(runs.load_run, key, size, plan))
                    for size in options.sizes
                ]
            elif kind == "outage":
                size = sizes.Size(10, 50)
                made.append(
                    (f"{key} outage", partial(runs.outage_run, key, size, plan))
                )
            elif key != "tb-file":  # where it stores changes nothing on the line
                made.append((f"{key} late", partial(runs.late_run, key, plan)))
    return made


def about(options: argparse.Namespace, command: list[str]) -> dict[str, Any]:
    """Machine, versions, configurations; installs the peers."""
    found = machine.describe(command)
    peers = [PEERS[key] for key in options.peers]
    found["peers"] = {
        peer.name: {
            "package": peer.package,
            "version": version(peer, programs(peer, options.cache)),
            "configuration": peer.configuration,
        }
        for peer in peers
    }
    done = subprocess.run(
        [find_program("mosquitto"), "-h"], capture_output=True, text=True, check=False
    )
    found["broker"] = done.stdout.partition("\n")[0]
    return found


def options_of(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__
    )

    def words(text: str) -> list[str]:
        return text.split(",")

    parser.add_argument("--peers", type=words, default=list(PEERS), metavar="A,B")
    parser.add_argument("--kinds", type=words, default=list(_KINDS), metavar="A,B")
    parser.add_argument(
        "--sizes",
        type=lambda text: [sizes.parse(part) for part in words(text)],
        default=list(sizes.SIZES[:3]),
        metavar="1x10,10x50",
    )
    parser.add_argument("--window", type=float, default=30.0, metavar="S")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "ecogate-peers",
        help="where the peers are installed",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/var/tmp"),  # noqa: S108 - on a disk where /tmp is in memory
        help="where the gateways keep their stores",
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file")
    parser.add_argument(
        "--show", action="store_true", help="print the tables of --out; measure nothing"
    )
    parser.add_argument("--quick", action="store_true", help="a look; writes nothing")
    options = parser.parse_args(arguments)
    for given, known in ((options.peers, PEERS), (options.kinds, _KINDS)):
        if unknown := set(given) - set(known):
            parser.error(f"no such {unknown}; choose of {', '.join(known)}")
    return options


def main() -> int:
    """Exit status 1 where a run was not possible."""
    # Ended by a signal, the children are stopped all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = options_of(sys.argv[1:])
    if options.show:
        stored = json.loads(options.out.read_bytes())["rows"]
        print(tables.text(msgspec.convert(stored, list[Row])))
        return 0
    options.cache = options.cache.resolve()
    facts = about(options, ["python -m benchmarks.peers", *sys.argv[1:]])
    for name, peer in facts["peers"].items():
        print(f"{name}: {peer['package']} {peer['version']}", flush=True)
    rows: list[Row] = []
    failed: dict[str, str] = {}
    todo = steps(options)
    for number, (name, run) in enumerate(todo, 1):
        print(f"[{number}/{len(todo)}] {name}", file=sys.stderr, flush=True)
        try:
            rows.append(run())
        except (RuntimeError, OSError) as exc:  # ChildError, or the broker's
            failed[name] = str(exc)
            print(exc, file=sys.stderr)
        if not options.quick:
            _write(options.out, facts, rows, failed)
    print(f"\n{tables.text(rows)}")
    if not options.quick:
        print(f"\nwritten: {options.out}")
    return int(bool(failed))


def _write(
    path: Path, facts: dict[str, Any], rows: list[Row], failed: dict[str, str]
) -> None:
    content = {
        "about": facts,
        "rows": [msgspec.to_builtins(row) for row in rows],
        "failed": failed,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

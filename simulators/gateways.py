"""A thousand gateways from one process: ``python -m simulators.gateways --port 1883``.

Four phases, a line of JSON each: ``connect`` (at ``--ramp`` a second), ``steady``
(scans for ``--seconds``), ``storm`` (all connections end at once, stay away for
``--away`` seconds while scans go on, and come back within a second; until every backlog
is empty) and ``drain`` (until everything is proved). ``--every 0`` sends without pause:
what the broker holds. Ends with status 0 when every record was proved.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import sys
from typing import TYPE_CHECKING

from simulators.fleet import Fleet, Plan
from simulators.process import die_with_parent, run, say_ready
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPARE_FILES = 64


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog=typed("gateways"))
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=1883)
    add("--gateways", type=int, default=1000)
    add("--prefix", default="ecogate/v1")
    add("--version", choices=["5", "3.1.1"], default="5", help="of MQTT")
    add("--values", type=int, default=10, help="points of each gateway's device")
    add("--records", type=int, default=1, help="scans a message")
    add("--every", type=float, default=10.0, metavar="S", help="0: without pause")
    add("--window", type=int, default=20, help="messages without proof, per gateway")
    add("--ramp", type=float, default=200.0, help="new connections a second")
    add("--seconds", type=float, default=30.0, help="of the steady phase")
    add("--away", type=float, default=0.0, metavar="S", help="0: no storm")
    add("--backfill", type=float, default=20.0, help="messages a second per gateway")
    add("--backfill-records", type=int, default=200, help="scans a back-fill message")
    add("--limit", type=float, default=120.0, metavar="S", help="for each wait")
    add("--seed", type=int, default=1)
    return parser.parse_args(argv)


def plan_of(options: argparse.Namespace) -> Plan:
    """What the options ask for."""
    return Plan(
        host=options.host,
        port=options.port,
        gateways=options.gateways,
        prefix=options.prefix,
        v5=options.version == "5",
        values=options.values,
        records=options.records,
        every_s=options.every,
        window=options.window,
        ramp_per_s=options.ramp,
        backfill_per_s=options.backfill,
        backfill_records=options.backfill_records,
        seed=options.seed,
    )


def open_files(wanted: int) -> None:
    """Raise this process' limit of open files, as far as it may.

    Raises:
        SystemExit: The hard limit is too low; says what to do.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _SPARE_FILES
    if soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(
            f"{wanted} connections need {needed} open files, the hard limit is {hard}:"
            f" ulimit -Hn {needed} as root, or fewer --gateways"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


async def main(options: argparse.Namespace) -> int:
    """Play the phases; returns the exit status."""
    fleet = Fleet(plan_of(options))
    say_ready(gateways=options.gateways)
    try:
        await fleet.connect()
        _say("connect", fleet)
        await fleet.poll(options.seconds)
        _say("steady", fleet)
        if options.away:
            await _storm(fleet, options)
        await fleet.drain(options.limit)
        _say("drain", fleet)
    except TimeoutError:
        _say("gave up", fleet, connected=fleet.connected, backlog=fleet.backlog)
        return 1
    finally:
        await fleet.close()
    return 0


async def _storm(fleet: Fleet, options: argparse.Namespace) -> None:
    fleet.hold = True
    fleet.drop_all()
    await fleet.poll(options.away)
    backlog = fleet.backlog
    fleet.say()
    fleet.release()
    began = fleet.loop.time()
    scanning = asyncio.create_task(fleet.poll(options.limit), name="scans")
    try:
        await fleet.until_connected(options.limit)
        back_s = fleet.loop.time() - began
        async with asyncio.timeout(options.limit):
            while fleet.backlog:  # noqa: ASYNC110 counted in callbacks
                await asyncio.sleep(0.01)
        drained_s = fleet.loop.time() - began
    finally:
        scanning.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await scanning
    _say(
        "storm",
        fleet,
        away_s=options.away,
        backlog_records=backlog,
        all_back_s=round(back_s, 2),
        backlog_empty_s=round(drained_s, 2),
    )


def _say(name: str, fleet: Fleet, **more: object) -> None:
    print(json.dumps({"phase": name, **more, **fleet.say()}), flush=True)


if __name__ == "__main__":
    die_with_parent()
    chosen = parse()
    open_files(chosen.gateways)
    sys.exit(run(main(chosen)))

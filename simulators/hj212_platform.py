"""A supervision platform of HJ 212, in a process of its own.

    python -m simulators.hj212_platform --listen 127.0.0.1:9212
        --mn 010000A8900016F000169DC0@31 [--version 2025] [--strict] [--script all]

Prints one JSON line when it listens, runs its script as soon as each device has spoken,
and prints a conformance report at the end: SIGTERM, SIGINT, ``--for``, or the script's
end. Exit status 0 where nothing failed, else 1. Options: ``docs/simulators.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.hj212_platform_account import Account
from simulators.hj212_platform_faults import Fault, Faults
from simulators.hj212_platform_host import Host, NobodyThereError
from simulators.hj212_platform_ledger import shown
from simulators.hj212_platform_script import Script
from simulators.hj212_sm4 import key_of
from simulators.process import die_with_parent, run, say_ready, until_told
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.hj212_platform_link import Link

_WAIT_S = 3600.0
"""For a device's first frame."""
_FIRST_MN = "010000A8900016F000169DC0"
"""The standard's own example."""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog=typed("hj212_platform"))
    add = parser.add_argument
    add("--listen", metavar="HOST:PORT", default="127.0.0.1:9212")
    add("--mn", metavar="MN[@ST]", action="append", default=[])
    add("--version", type=int, choices=[2017, 2025], default=2017)
    add("--password", metavar="PW", default="123456", help="PW, the devices' too")
    add("--password-file", metavar="FILE", type=Path)
    add("--strict", action="store_true", help="refuse what deviates in form")
    add("--key-file", metavar="FILE", type=Path, help="SM4: 32 hex digits")
    add("--sealed", choices=["raw", "literal"], default="raw")
    add("--minute", type=int, default=1, metavar="MINUTES", help="MinInterval")
    add("--realtime", type=int, default=30, metavar="SECONDS", help="RtdInterval")
    add("--factors", metavar="CODE,CODE", help="what every frame must have")
    add("--script", choices=["commands", "pull", "all"])
    add("--after", type=float, default=0.0, metavar="SECONDS", help="until the script")
    add("--act", action="store_true", help="commands that act on instruments, too")
    add("--fault", action="append", default=[], type=Fault, choices=list(Fault))
    add("--share", type=float, default=1.0, help="part of answers that meet a fault")
    add("--late", type=float, default=15.0, metavar="SECONDS")
    add("--read-rate", type=float, metavar="BYTES", help="a slow reader, a second")
    add("--seed", type=int, default=1)
    add("--trace", action="store_true", help="every frame, on standard error")
    add("--report", choices=["text", "json"], default="text")
    add("--lang", choices=["zh", "en"], default="zh")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    options = parser.parse_args(argv)
    if not options.mn:
        options.mn = [_FIRST_MN]
    host, _, port = options.listen.rpartition(":")
    if not host or not port.isdigit():
        parser.error(f"--listen: expected HOST:PORT, got {options.listen!r}")
    options.host, options.port = host, int(port)
    return options


def make_host(options: argparse.Namespace) -> Host:
    """The platform that was asked for.

    Raises:
        OSError: A file of a secret cannot be read.
        ValueError: A key is none.
    """
    password = options.password
    if options.password_file is not None:
        password = options.password_file.read_text(encoding="utf-8").strip()
    key = None
    if options.key_file is not None:
        key = key_of(options.key_file.read_text(encoding="utf-8"))
    factors = frozenset(options.factors.split(",")) if options.factors else None
    accounts = []
    for told in options.mn:
        mn, _, st = told.partition("@")
        accounts.append(
            Account(
                mn,
                st=st or "31",
                pw=password,
                version=options.version,
                key=key,
                sealed=options.sealed,
                factors=factors,
                minute_min=options.minute,
                rtd_s=options.realtime,
            )
        )
    faults = Faults(
        set(options.fault),
        share=options.share,
        late_s=options.late,
        read_bytes_s=options.read_rate,
        seed=options.seed,
    )
    return Host(accounts, strict=options.strict, faults=faults)


async def main(options: argparse.Namespace) -> int:
    """Listen until told to stop, or until the script is through; the exit status."""
    host = make_host(options)
    if options.trace:
        host.on_frame = _trace
    port = await host.open(options.host, options.port)
    say_ready(port=port)
    told = asyncio.create_task(until_told(options.for_s), name="until told")
    waits = {told}
    if options.script is not None:
        waits.add(asyncio.create_task(_examine(host, options), name="script"))
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await host.close()
    del done
    ledger = host.finish()
    if options.report == "json":
        counts = {f"{mn} {cn}": number for (mn, cn), number in host.held.sets.items()}
        about = {"connections": host.connections, "held": counts}
        print(json.dumps(about | json.loads(ledger.json()), ensure_ascii=False))
    else:
        heads = [
            f"MN={mn} CN={cn} ×{number}" for (mn, cn), number in host.held.sets.items()
        ]
        print(ledger.text(options.lang, heads), flush=True)
    return 0 if ledger.clean else 1


async def _examine(host: Host, options: argparse.Namespace) -> None:
    for mn in host.accounts:
        await host.arrived(mn, _WAIT_S)
        await asyncio.sleep(options.after)
        script = Script(host, mn, act=options.act)
        try:
            if options.script in {"commands", "all"}:
                await script.commands()
            if options.script in {"pull", "all"}:
                await script.pull()
        except NobodyThereError as exc:
            print(exc, file=sys.stderr)


def _trace(link: Link, way: str, frame: bytes) -> None:
    print(f"{link.peer} {way} {shown(frame)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    die_with_parent()
    sys.exit(run(main(parse())))

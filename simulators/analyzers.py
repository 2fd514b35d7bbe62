"""Serial analyzers in a process of their own: ``python -m simulators.analyzers``.

    --kind thermo:42=no,no2,nox --kind thermo:43=so2 --pty ./analyzers
    --kind windsonic --tcp 0                    it speaks by itself
    --kind teledyne:700=so2 --fault late --fault unsolicited --share 0.3

Each ``--kind NAME[:ADDRESS][=GASES]`` is one instrument of one line. Prints one JSON
line when it serves; ends on SIGTERM, SIGINT or with its parent. Options:
``docs/simulators.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from simulators import analyzer_kinds as kinds
from simulators.analyzer_line import AnalyzerLine, AnalyzerServer, AsciiFault, Mischief
from simulators.ports import PtyPort
from simulators.process import die_with_parent, run, say_ready, until_told
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = (
    "thermo",
    "teledyne",
    "bam",
    "wxt",
    "wxt-auto",
    "windsonic",
    "windsonic-polled",
    "dusttrak",
    "yaohua",
    "toledo",
)


class Wanted(NamedTuple):
    """One instrument of the command line."""

    name: str
    address: str
    gases: tuple[str, ...]


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog=typed("analyzers"))
    add = parser.add_argument
    add("--kind", metavar="NAME[:ADDRESS][=GASES]", action="append", type=wanted)
    add("--tcp", metavar="PORT", type=int, help="0 chooses a free port")
    add("--host", default="127.0.0.1")
    add("--pty", metavar="LINK", type=Path, help="a serial line behind this link")
    add("--every", type=float, default=1.0, help="period of those that speak unasked")
    add("--seed", type=int, default=1)
    add("--fault", action="append", default=[], type=AsciiFault)
    add("--share", type=float, default=0.3, help="part of replies that meet a fault")
    add("--timeout-ms", type=float, default=500.0, help="the time-out in force")
    add("--late-factor", type=float, default=1.1)
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    options = parser.parse_args(argv)
    if not options.kind:
        parser.error(f"say which instruments: --kind, one of {', '.join(NAMES)}")
    if options.tcp is None and options.pty is None:
        parser.error("say where they are: --tcp PORT or --pty LINK")
    return options


def wanted(text: str) -> Wanted:
    """``thermo:42=no,no2,nox``."""
    text, _, gases = text.partition("=")
    name, _, address = text.partition(":")
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(NAMES)}")
    return Wanted(name, address, tuple(gases.split(",")) if gases else ("so2",))


def make(  # noqa: PLR0911 one for each kind
    one: Wanted, values: kinds.Values, every_s: float
) -> kinds.Instrument:
    """The instrument."""
    number = int(one.address) if one.address.isdecimal() else 0
    match one.name:
        case "thermo":
            return kinds.Thermo(values, number, one.gases)
        case "teledyne":
            return kinds.Teledyne(values, number, one.gases)
        case "bam":
            return kinds.Bam(values, lambda: time.strftime("%m/%d/%y %H:00"))
        case "wxt" | "wxt-auto":
            period_s = every_s if one.name == "wxt-auto" else 0.0
            return kinds.Wxt(values, one.address or "0", period_s)
        case "windsonic" | "windsonic-polled":
            period_s = every_s if one.name == "windsonic" else 0.0
            return kinds.WindSonic(values, one.address or "Q", period_s)
        case "dusttrak":
            return kinds.DustTrak(values)
        case "yaohua":
            return kinds.Yaohua(values, every_s)
        case _:
            return kinds.Toledo(values, every_s)


async def main(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    line = AnalyzerLine(
        [
            make(one, kinds.Waves(options.seed + index, time.monotonic), options.every)
            for index, one in enumerate(options.kind)
        ],
        Mischief(
            options.fault,
            share=options.share,
            seed=options.seed,
            timeout_s=lambda: options.timeout_ms / 1000,
            late_factor=options.late_factor,
        ),
    )
    facts: dict[str, object] = {"instruments": [one.name for one in options.kind]}
    server: asyncio.AbstractServer | None = None
    pty: PtyPort | None = None
    if options.tcp is not None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: AnalyzerServer(line), options.host, options.tcp
        )
        facts["port"] = cast("Any", server).sockets[0].getsockname()[1]
    if options.pty is not None:
        pty = PtyPort(options.pty, lambda: AnalyzerServer(line))
        pty.open()
        facts["path"] = str(options.pty)
    say_ready(**facts)
    try:
        await until_told(options.for_s)
    finally:
        if pty is not None:
            pty.close()
        if server is not None:
            server.close()


if __name__ == "__main__":
    die_with_parent()
    run(main(parse()))

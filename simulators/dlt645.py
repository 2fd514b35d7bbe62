"""DL/T 645 meters in a process of their own: ``python -m simulators.dlt645``.

    --meter generic-dlt645-3p4w@202511210001 --pty ./line-1
    --meter generic-dlt645-1p@202511210002 --tcp 0
    --fault late --fault checksum --share 0.3      what happens to the answers

Several meters share the line. Prints one JSON line when it serves, takes ``dead
ADDRESS`` and ``alive ADDRESS`` on standard input with ``--control``, and ends on
SIGTERM, SIGINT or with its parent. Options: ``docs/simulators.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from simulators.dlt645_meter import ProfileMeter
from simulators.dlt645_station import OWN_FAULTS, MeterServer, MeterStation
from simulators.faults import Fault, Switchboard
from simulators.ports import PtyPort
from simulators.process import die_with_parent, run, say_ready, until_told
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BITS = {"8E1": 11, "8N1": 10, "8O1": 11, "8N2": 11}
_DIGITS = 12


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog=typed("dlt645"))
    add = parser.add_argument
    faults = [*(fault.value for fault in Fault), *OWN_FAULTS]
    add("--meter", metavar="PROFILE@ADDRESS", action="append", default=[], type=_named)
    add("--tcp", metavar="PORT", type=int, help="0 chooses a free port")
    add("--host", default="127.0.0.1")
    add("--pty", metavar="LINK", type=Path, help="a serial line behind this link")
    add("--baud", type=int, default=0, help="model the wire's time at this rate")
    add("--framing", choices=sorted(_BITS), default="8E1")
    add("--no-blocks", action="store_true", help="refuse block identifiers")
    add("--frame-bytes", type=int, default=200, help="more comes as following frames")
    add("--refuse", metavar="DI", action="append", default=[], help="has no such data")
    add("--missing", metavar="DI", action="append", default=[], help="is all FF")
    add("--turnaround", metavar="MS", type=float, default=20.0)
    add("--fault", action="append", default=[], choices=faults)
    add("--share", type=float, default=0.3, help="part of answers that meet a fault")
    add("--timeout-ms", type=float, default=1000.0, help="the gateway's time-out")
    add("--late-factor", type=float, default=1.1)
    add("--dead", action="append", default=[], help="address of a silent meter")
    add("--seed", type=int, default=1)
    add("--control", action="store_true", help="take commands on standard input")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    options = parser.parse_args(argv)
    if not options.meter:
        parser.error("say which meters: --meter PROFILE@ADDRESS")
    if (options.tcp is None) == (options.pty is None):
        parser.error("say where they are: --tcp PORT or --pty LINK")
    return options


def make_station(options: argparse.Namespace) -> MeterStation:
    """The meters and what befalls them."""
    from drivers.profiles.library import load_profile  # noqa: PLC0415 YAML is slow

    turnaround_s = options.turnaround / 1000
    shared = [Fault(name) for name in options.fault if name not in OWN_FAULTS]
    board = Switchboard(
        shared,
        share=options.share,
        seed=options.seed,
        timeout_s=options.timeout_ms / 1000,
        turnaround_s=(turnaround_s, turnaround_s),
        late_factor=options.late_factor,
    )
    own = [name for name in options.fault if name in OWN_FAULTS]
    station = MeterStation(
        [
            ProfileMeter(
                address,
                load_profile(name),
                seed=options.seed,
                block=not options.no_blocks,
                refuse=options.refuse,
                missing=options.missing,
            )
            for name, address in options.meter
        ],
        switchboard=board if shared else None,
        own_faults=own,
        share=options.share if own else 0.0,
        seed=options.seed,
        turnaround_s=turnaround_s,
        frame_bytes=options.frame_bytes,
    )
    station.dead = set(options.dead)
    return station


def obey(station: MeterStation, line: str) -> str:
    """Carry out one command; the answer is for whoever sent it."""
    word, _, address = line.strip().partition(" ")
    if word not in ("dead", "alive"):
        return f"no such command: {word!r}; dead or alive"
    if address not in {meter.address for meter in station.meters}:
        return f"{word}: no meter {address!r}"
    (station.dead.add if word == "dead" else station.dead.discard)(address)
    return "ok"


async def main(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    station = make_station(options)
    loop = asyncio.get_running_loop()
    bits = _BITS[options.framing]

    def server() -> MeterServer:
        return MeterServer(station, baud=options.baud, bits=bits)

    facts: dict[str, object] = {"meters": [meter.address for meter in station.meters]}
    closings: list[Callable[[], object]] = []
    if options.pty is not None:
        pty = PtyPort(options.pty, server)
        station.on_vanish = pty.vanish
        pty.open()
        closings.append(pty.close)
        facts["path"] = str(options.pty)
    else:
        listening = await loop.create_server(server, options.host, options.tcp)
        closings.append(listening.close)
        facts["port"] = cast("Any", listening).sockets[0].getsockname()[1]
    if options.control:
        reader = asyncio.StreamReader()
        pipe, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        task = loop.create_task(_listen(station, reader), name="control")
        closings += [task.cancel, pipe.close]
    say_ready(**facts)
    try:
        await until_told(options.for_s)
    finally:
        for close in closings:
            close()


async def _listen(station: MeterStation, reader: asyncio.StreamReader) -> None:
    while line := await reader.readline():
        print(obey(station, line.decode("utf-8", "replace")), flush=True)


def _named(text: str) -> tuple[str, str]:
    name, _, address = text.partition("@")
    if len(address) != _DIGITS or not address.isdecimal():
        raise argparse.ArgumentTypeError(f"expected PROFILE@twelve digits: {text!r}")
    return name, address


if __name__ == "__main__":
    die_with_parent()
    run(main(parse()))

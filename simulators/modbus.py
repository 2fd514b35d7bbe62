"""Modbus devices in a process of their own: ``python -m simulators.modbus``.

    --bench 10x50 --tcp 0                       ten benchmark devices of 50 points
    --profile eastron-sdm630@3 --pty ./line-1   a meter, unit 3, behind a pty
    --engine pymodbus                           served by pymodbus instead
    --mode ascii --pty ./line-2                 Modbus ASCII on a line
    --mode rtu --tcp 4001                       a terminal server with an RTU line
    --fault late --fault duplicate --share 0.3  what happens to the replies

Prints one JSON line when it serves, takes commands on standard input with
``--control`` (``dead 3``, ``alive 3``, ``share 0.3``, ``vanish 2``), and ends on
SIGTERM, SIGINT or with its parent. Options: ``docs/simulators.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from simulators.bench import BenchUnit
from simulators.births import BirthLog
from simulators.faults import Fault, Switchboard
from simulators.ports import PtyPort, TcpPort
from simulators.process import (
    SharedStart,
    die_with_parent,
    run,
    say_ready,
    until_told,
)
from simulators.profiled import ProfileUnit
from simulators.station import AsciiServer, RtuServer, Station
from simulators.terminal import TerminalPort
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulators.units import Unit

_MAX_UNIT = 247
_BITS = {"8N1": 10, "8E1": 11, "8O1": 11, "8N2": 11, "7E1": 10, "7O1": 10}
_LINES: dict[str, type[RtuServer]] = {"rtu": RtuServer, "ascii": AsciiServer}


class Served(NamedTuple):
    """What runs, for the commands and the end."""

    stations: list[Station]
    ports: list[TcpPort | TerminalPort | PtyPort]
    facts: dict[str, object]
    """For the ready line."""
    closings: list[Callable[[], object]]


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog=typed("modbus"))
    add = parser.add_argument
    add("--bench", metavar="DEVICESxPOINTS", type=_grid, help="benchmark devices")
    add("--profile", metavar="NAME@UNIT", action="append", default=[], type=_named)
    add("--tcp", metavar="PORT", type=int, help="0 chooses a free port")
    add("--host", default="127.0.0.1")
    add("--separate", action="store_true", help="one TCP port for each unit")
    add("--pty", metavar="LINK", type=Path, help="a serial line behind this link")
    add("--baud", type=int, default=0, help="model the wire's time at this rate")
    add("--framing", choices=sorted(_BITS), default="8N1")
    add(
        "--mode",
        choices=["rtu", "ascii"],
        help="frames: rtu or ascii on a line; with --tcp a terminal server's, else TCP",
    )
    add("--engine", choices=["own", "pymodbus"], default="own")
    add("--holes", choices=["zero", "refuse"], default="zero")
    add("--seed", type=int, default=1)
    add("--start-ns", type=int, help="the shared start, time.monotonic_ns()")
    add("--births", metavar="FILE", type=Path, help="log of every request, JSON lines")
    add("--turnaround", metavar="MS", type=_range_ms, default=(0.0, 0.0))
    add("--fault", action="append", default=[], type=Fault, choices=list(Fault))
    add("--share", type=float, default=0.3, help="part of replies that meet a fault")
    add("--timeout-ms", type=float, default=500.0, help="the time-out in force")
    add("--late-factor", type=float, default=1.1)
    add("--fault-unit", action="append", type=int, help="only these units, default all")
    add("--dead", action="append", type=int, default=[], help="unit that is silent")
    add("--control", action="store_true", help="take commands on standard input")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    options = parser.parse_args(argv)
    if not options.bench and not options.profile:
        parser.error("say which devices: --bench 10x50 or --profile NAME@UNIT")
    if options.tcp is None and options.pty is None:
        parser.error("say where they are: --tcp PORT or --pty LINK")
    if options.separate and options.pty:
        parser.error("--separate is for --tcp: a line has one port")
    if options.mode and (options.separate or options.engine == "pymodbus"):
        parser.error("--mode goes with neither --separate nor --engine pymodbus")
    if options.engine == "pymodbus" and (options.fault or options.separate):
        parser.error("--engine pymodbus has neither --fault nor --separate")
    return options


async def serve(options: argparse.Namespace, start: SharedStart) -> Served:
    """Open the ports and serve."""
    units = make_units(options, start)
    if options.engine == "pymodbus":
        return await _serve_pymodbus(options, units)
    births = BirthLog(options.births) if options.births else None
    groups = [[unit] for unit in units] if options.separate else [units]
    stations: list[Station] = []
    ports: list[TcpPort | TerminalPort] = []
    facts: dict[str, object] = {}
    numbers: dict[str, int] = {}
    for index, group in enumerate(groups):
        station = Station(
            group,
            switchboard=_switchboard(options, options.seed + index),
            births=births,
            now_ms=start.now_ms,
        )
        station.dead = set(options.dead)
        stations.append(station)
        if options.tcp is not None:
            number = 0 if options.separate else options.tcp
            port: TcpPort | TerminalPort = TcpPort(station, options.host, number)
            if options.mode:
                serve_line = _LINES[options.mode]
                port = TerminalPort(station, options.host, number, serve=serve_line)
            await port.open()
            ports.append(port)
            numbers.update({str(unit.number): port.port for unit in group})
    if numbers:
        facts |= {"port": next(iter(numbers.values())), "ports": numbers}
    all_ports: list[TcpPort | TerminalPort | PtyPort] = [*ports]
    if options.pty is not None:
        bits = _BITS[options.framing]
        line = _LINES[options.mode or "rtu"]
        pty = PtyPort(
            options.pty, lambda: line(stations[0], baud=options.baud, bits=bits)
        )
        stations[0].on_vanish = pty.vanish
        pty.open()
        all_ports.append(pty)
        facts["path"] = str(options.pty)
    closings: list[Callable[[], object]] = [port.close for port in all_ports]
    if births is not None:
        closings.append(births.close)
    return Served(stations, all_ports, facts, closings)


def make_units(options: argparse.Namespace, start: SharedStart) -> list[Unit]:
    """The devices that were asked for; benchmark devices are numbered from 1."""
    units: list[Unit] = []
    if options.bench:
        devices, points = options.bench
        units += [BenchUnit(n, points, start.now_ms) for n in range(1, devices + 1)]
    if options.profile:
        from drivers.profiles.library import load_profile  # noqa: PLC0415 YAML is slow

        units += [
            ProfileUnit(
                number,
                load_profile(name),
                seed=options.seed,
                utc_s=time.time,
                holes=options.holes,
            )
            for name, number in options.profile
        ]
    return units


async def _serve_pymodbus(options: argparse.Namespace, units: list[Unit]) -> Served:
    from simulators.peer import PymodbusPty, PymodbusTcp  # noqa: PLC0415 slow import

    live = [unit for unit in units if unit.number not in options.dead]
    facts: dict[str, object] = {}
    closings: list[Callable[[], object]] = []
    if options.tcp is not None:
        tcp = PymodbusTcp(live, options.host, options.tcp)
        await tcp.open()
        numbers = {str(unit.number): tcp.port for unit in units}
        facts |= {"port": tcp.port, "ports": numbers}
        closings.append(tcp.close)
    if options.pty is not None:
        pty = PymodbusPty(live, options.pty, baud=options.baud or 9600)
        await pty.open()
        facts["path"] = str(options.pty)
        closings.append(pty.close)
    return Served([], [], facts, closings)


def _switchboard(options: argparse.Namespace, seed: int) -> Switchboard:
    return Switchboard(
        options.fault,
        share=options.share if options.fault else 0.0,
        seed=seed,
        timeout_s=options.timeout_ms / 1000,
        turnaround_s=options.turnaround,
        late_factor=options.late_factor,
        units=frozenset(options.fault_unit) if options.fault_unit else None,
    )


def obey(served: Served, line: str) -> str:
    """Carry out one command; the answer is for whoever sent it."""
    word, _, rest = line.strip().partition(" ")
    try:
        if word == "dead":
            for station in served.stations:
                station.dead.add(int(rest))
        elif word == "alive":
            for station in served.stations:
                station.dead.discard(int(rest))
        elif word == "share":
            for station in served.stations:
                if station.switchboard is not None:
                    station.switchboard.share = float(rest)
        elif word == "vanish":
            for port in served.ports:
                port.vanish(float(rest))
        else:
            return f"no such command: {word!r}; dead, alive, share or vanish"
    except ValueError:
        return f"{word}: expected a number, got {rest!r}"
    return "ok"


async def _listen(served: Served) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            print(obey(served, line.decode("utf-8", "replace")), flush=True)
    finally:
        transport.close()


async def main(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    start = SharedStart(options.start_ns)
    served = await serve(options, start)
    say_ready(start_ns=start.start_ns, start_utc_ms=start.utc_ms(), **served.facts)
    listening = (
        asyncio.create_task(_listen(served), name="control")
        if options.control
        else None
    )
    try:
        await until_told(options.for_s)
    finally:
        if listening is not None:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
        for close in served.closings:
            done = close()
            if asyncio.iscoroutine(done):
                await done


def _grid(text: str) -> tuple[int, int]:
    devices, _, points = text.partition("x")
    count = int(devices)
    if not 1 <= count <= _MAX_UNIT:
        raise argparse.ArgumentTypeError(f"expected 1 to {_MAX_UNIT} devices")
    return count, int(points)


def _named(text: str) -> tuple[str, int]:
    name, _, number = text.partition("@")
    return name, int(number or 1)


def _range_ms(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    return float(low) / 1000, float(high or low) / 1000


if __name__ == "__main__":
    die_with_parent()
    run(main(parse()))

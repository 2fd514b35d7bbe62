"""Whatever happens on the line, no good value is on a wrong point or stale.

Per fault kind, engine and line: three units on one bus, blocks of one length side by
side, 30 % of replies faulty, turnaround 0 to 50 ms, polled back to back and once a
second. Small counts by default; ``ECOGATE_BARS=1`` (or ``-m bars``) runs 10,000 polls
in virtual time and 500 on a pty and a socket, and writes
``benchmarks/results/faults.json``.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from drivers.modbus import (
    AsciiBus,
    AsciiTcpBus,
    PymodbusBus,
    RtuBus,
    RtuTcpBus,
    TcpBus,
)
from drivers.modbus.proof import Shape, UnitProof
from drivers.modbus.wire import READ_FUNCTION, data_bytes
from simulators.faults import Fault
from simulators.ports import PtyPort, TcpPort, serve_pty
from simulators.station import AsciiServer, RtuServer, TcpServer
from simulators.terminal import TerminalPort
from tests.support.fault_bench import RIGID_HOLES, FaultBench, Row
from tests.support.virtual import run_virtual, running_loop

if TYPE_CHECKING:
    from drivers.modbus.bus import ProvedBus

SEED = int(os.environ.get("ECOGATE_SEED") or 20251121)
RESULTS = Path(__file__).parents[3] / "benchmarks" / "results" / "faults.json"
POLLS, POLLS_BARS = 300, 10_000
RIGID_SCANS, RIGID_SCANS_BARS = 40, 2_000
REAL_POLLS, REAL_POLLS_BARS = 40, 500
SHARE, SHARE_SMALL = 0.95, 0.90
"""300 polls are mostly the first minute, before reply times are learned."""
PACES = {"back to back": 0.0, "1 s": 1.0}


class Kind(NamedTuple):
    """One row of the bar."""

    fault: Fault
    factor: float | None = None

    def __str__(self) -> str:
        return f"{self.fault.value}{f'-{self.factor}x' if self.factor else ''}"


KINDS = [
    Kind(Fault.LATE, 1.1),
    Kind(Fault.LATE, 3.0),
    Kind(Fault.LATE, 10.0),
    Kind(Fault.DUPLICATE),
    Kind(Fault.SWAP),
    Kind(Fault.UNSOLICITED_IDLE),
    Kind(Fault.UNSOLICITED_OPEN),
    Kind(Fault.STALE_RECONNECT),
    Kind(Fault.NEIGHBOUR),
]
ENGINES = ("own", "pymodbus")
LINES = ("rtu", "tcp", "gateway")
"""``gateway``: a serial server that hands late answers over under the open number."""
OWN_LINES = ("ascii", "rtu-tcp", "ascii-tcp")
"""Our engine's alone; with ``-tcp`` a terminal server in transparent mode."""
ALL = [(engine, line) for engine in ENGINES for line in LINES] + [
    ("own", line) for line in OWN_LINES
]


class Renumbering(TcpServer):
    """Each frame leaves under the number of the newest request."""

    _newest = b"\0\0"

    def data_received(self, data: bytes) -> None:
        self._newest = data[:2]
        super().data_received(data)

    def _send(self, data: bytes) -> None:
        super()._send(self._newest + data[2:])


SERVERS = {
    "rtu": RtuServer,
    "rtu-tcp": RtuServer,
    "ascii": AsciiServer,
    "ascii-tcp": AsciiServer,
    "tcp": TcpServer,
    "gateway": Renumbering,
}


def virtual_bus(bench: FaultBench, engine: str, line: str) -> ProvedBus:
    loop = running_loop()
    serve = SERVERS[line]
    if engine == "own" and line in ("rtu", "ascii"):
        wire = loop.line("line")
        wire.attach(lambda: serve(bench.station))
        kind = RtuBus if line == "rtu" else AsciiBus
        return kind("line", 115200, open_port=wire.open_port)
    loop.net.listen(lambda: serve(bench.station), "plc", 502)
    if engine == "own":
        own = {"rtu-tcp": RtuTcpBus, "ascii-tcp": AsciiTcpBus}.get(line, TcpBus)
        return own("plc", 502)
    return PymodbusBus("plc", rtu_over_tcp=line == "rtu")


def run_one(kind: Kind, engine: str, line: str, pace: str, polls: int) -> Row:
    async def main() -> Row:
        bench = FaultBench(kind.fault, seed=SEED, factor=kind.factor)
        bus = virtual_bus(bench, engine, line)
        row = Row(
            fault=kind.fault.value,
            factor=kind.factor,
            engine=engine,
            line=line,
            pace=pace,
            seed=SEED,
        )
        return await bench.run(bus, row, polls, every_s=PACES[pace])

    return run_virtual(main())


def judge(row: Row, share: float = SHARE) -> None:
    said = f"seed {row.seed}: {row}"
    assert row.faulted >= 0.2 * row.polls, said
    assert row.wrong == 0, said
    assert row.stale == 0, said
    assert row.share >= share, said


@pytest.mark.parametrize(("engine", "line"), ALL)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_good_value_is_wrong_or_stale(kind: Kind, engine: str, line: str) -> None:
    for pace in PACES:
        judge(run_one(kind, engine, line, pace, POLLS), SHARE_SMALL)


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[5], KINDS[8]], ids=str)
def test_the_bar_finds_out_a_careless_master(kind: Kind, monkeypatch) -> None:
    """Without the proof the same runs are full of wrong values: the judge can see."""

    def always_bare(self, span, now, *, bare=False):
        del self, now, bare
        function = READ_FUNCTION[span.table]
        size = data_bytes(function, span.count)
        return Shape(function, span.start, span.count, size, 0, 0)

    monkeypatch.setattr(UnitProof, "choose", always_bare)
    row = run_one(kind, "own", "rtu", "back to back", POLLS)

    assert row.wrong + row.stale > 10, row


def run_rigid(kind: Kind, line: str, pace: str, scans: int) -> Row:
    async def main() -> Row:
        bench = FaultBench(
            kind.fault, seed=SEED, factor=kind.factor, share=0.1, holes=RIGID_HOLES
        )
        bus = virtual_bus(bench, "own", line)
        row = Row(
            fault=kind.fault.value,
            factor=kind.factor,
            engine="own",
            line=f"{line}, blocks without room",
            pace=pace,
            seed=SEED,
        )
        return await bench.run_scans(bus, row, scans, every_s=PACES[pace])

    return run_virtual(main())


RIGID_LINES = ("rtu", "rtu-tcp", "gateway")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_blocks_without_room_in_any_order_are_not_mixed_up(kind: Kind, figure) -> None:
    """Four blocks a scan, alike in size: order and halving are the device's choice."""
    row = run_rigid(kind, "rtu", "back to back", RIGID_SCANS)

    figure("good_share", round(row.share, 3))
    assert row.faulted >= 0.1 * row.polls, f"seed {row.seed}: {row}"
    judge_rigid(row)


def judge_rigid(row: Row) -> None:
    """Of their own accord these blocks have one size; halved, they have enough."""
    said = f"seed {row.seed}: {row}"
    assert row.wrong == 0, said
    assert row.stale == 0, said


class Real(NamedTuple):
    """One bus on a real loop."""

    kind: Kind
    engine: str
    line: str


async def run_real(real: Real, polls: int, folder: Path) -> Row:
    kind, engine, line = real
    bench = FaultBench(kind.fault, seed=SEED, factor=kind.factor)
    row = Row(
        fault=kind.fault.value,
        factor=kind.factor,
        engine=engine,
        line=line,
        pace="back to back",
        seed=SEED,
    )
    port, bus = await real_bus(bench, real, folder)
    try:
        return await bench.run(bus, row, polls, every_s=0.0)
    finally:
        port.close()


async def real_bus(
    bench: FaultBench, real: Real, folder: Path
) -> tuple[TcpPort | PtyPort | TerminalPort, ProvedBus]:
    kind, engine, line = real
    if line == "socket":
        port = TcpPort(bench.station)
        await port.open()
        own = engine == "own"
        return port, (TcpBus if own else PymodbusBus)("127.0.0.1", port.port)
    if line == "terminal":
        server = TerminalPort(bench.station)
        await server.open()
        return server, RtuTcpBus("127.0.0.1", server.port)
    link = folder / f"{kind}-{engine}-{line}"
    if line == "ascii-pty":
        pty = PtyPort(link, lambda: AsciiServer(bench.station))
        bench.station.on_vanish = pty.vanish
        pty.open()
        return pty, AsciiBus(str(link), 115200)
    pty = serve_pty(bench.station, link)
    if engine == "own":
        return pty, RtuBus(str(link), 115200)
    return pty, PymodbusBus(device=str(link), baud=115200)


async def run_reals(polls: int, folder: Path, kinds: list[Kind]) -> list[Row]:
    """All at once: they mostly wait."""
    reals = [
        Real(kind, engine, line)
        for kind in kinds
        for engine in ENGINES
        for line in ("pty", "socket")
    ]
    reals += [
        Real(kind, "own", line) for kind in kinds for line in ("ascii-pty", "terminal")
    ]
    return await asyncio.gather(*(run_real(real, polls, folder) for real in reals))


async def test_no_good_value_is_wrong_or_stale_on_ptys_and_sockets(tmp_path) -> None:
    kinds = [KINDS[0], KINDS[3], KINDS[5], KINDS[7]]
    for row in await run_reals(REAL_POLLS, tmp_path, kinds):
        said = f"seed {row.seed}: {row}"
        assert row.wrong == 0, said
        assert row.stale == 0, said


@pytest.mark.bars
@pytest.mark.timeout(3000)
def test_the_bar_in_full(tmp_path) -> None:
    rows = [
        run_one(kind, engine, line, pace, POLLS_BARS)
        for kind in KINDS
        for engine, line in ALL
        for pace in PACES
    ]
    rigid = [
        run_rigid(kind, line, pace, RIGID_SCANS_BARS)
        for kind in KINDS
        for line in RIGID_LINES
        for pace in PACES
    ]
    for row in rigid:
        judge_rigid(row)
    rows += asyncio.run(run_reals(REAL_POLLS_BARS, tmp_path, KINDS))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_bytes(
        msgspec.json.format(
            msgspec.json.encode({"bar": 1, "seed": SEED, "rows": rows + rigid}),
            indent=1,
        )
    )
    for row in rows:
        judge(row)

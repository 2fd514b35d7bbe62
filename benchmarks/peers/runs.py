"""The three runs: a load, a broker that dies, a line with late replies."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import process
from benchmarks.child import Child, ChildError
from benchmarks.peers.listing import PEERS
from benchmarks.peers.load import Block, Load, Place, plain
from benchmarks.peers.rows import LateRow, LoadRow, OutageRow
from benchmarks.peers.venvs import programs
from simulators.bench import kind_of
from simulators.births import read_births
from simulators.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.peers.model import Peer
    from benchmarks.sizes import Size
    from simulators.bench import Kind
    from simulators.births import Birth

_READY_S = 30.0
_FIRST_S = 90.0
_BEFORE_S, _AFTER_S = 5.0, 30.0
"""What is counted around an outage."""
_LATE = Load(1, tuple(Block(at, 18) for at in (0, 132, 264, 396)), timeout_s=0.5)
"""Four blocks of nine values, too far apart to be read as one."""
_LATE_POINTS = 250
"""Of the device that has them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How runs are made."""

    cache: Path
    """Where the peers' environments are."""
    folder: Path
    """On a disk: where the runs keep their files."""
    warm_up_s: float = 10.0
    window_s: float = 30.0
    away_s: float = 20.0
    back_s: float = 60.0
    """How long values may come after the broker did."""


@dataclass(slots=True)
class Scene:
    """What runs."""

    folder: Path
    start_ns: int
    broker: Broker
    subscriber: Child
    peer: Child
    first_ns: int

    @property
    def births(self) -> list[Birth]:
        """Every request the devices answered."""
        return read_births(self.folder / "births")

    def ask(self, from_ns: int, to_ns: int, *, counters: bool = False) -> Any:  # noqa: ANN401
        """What arrived in between."""
        self.peer.check()
        self.subscriber.tell({"from_ns": from_ns, "to_ns": to_ns, "counters": counters})
        return self.subscriber.hear("report", _READY_S)

    def since_ms(self, at_ns: int) -> float:
        """On the births' clock."""
        return (at_ns - self.start_ns) / 1e6


def load_run(key: str, size: Size, plan: Plan) -> LoadRow:
    """Processor, freshness, memory and start at one size.

    Raises:
        ChildError: A process did not start or ended early.
    """
    load = plain(*size)
    with _scene(key, load, plan) as scene:
        time.sleep(plan.warm_up_s)
        pids = tree(scene.peer.pid)
        from_ns, before = time.monotonic_ns(), sum(map(process.cpu_s, pids))
        time.sleep(plan.window_s)
        to_ns, after = time.monotonic_ns(), sum(map(process.cpu_s, pids))
        pss = sum(map(process.pss_bytes, pids))
        time.sleep(1.0)  # what was on its way at the end of the window
        seen = scene.ask(from_ns, to_ns)
        spawned_ns = scene.peer.spawned_ns
    window_s = (to_ns - from_ns) / 1e9
    return LoadRow(
        peer=PEERS[key].name,
        size=size.name,
        window_s=round(window_s, 2),
        values_due=round(load.values_per_s * window_s),
        values=seen["values"],
        cpu_s_per_1000=round((after - before) / max(seen["values"], 1) * 1000, 5),
        fresh_p50_ms=round(seen["fresh_p50_ms"], 1),
        fresh_p99_ms=round(seen["fresh_p99_ms"], 1),
        pss_mib=round(pss / 2**20, 1),
        start_s=round((scene.first_ns - spawned_ns) / 1e9, 2),
        judged=seen["judged"],
        wrong=seen["wrong"],
    )


def outage_run(key: str, size: Size, plan: Plan) -> OutageRow:
    """Kill the broker, start it again on the same port, and count what came.

    Raises:
        ChildError: A process did not start or ended early.
    """
    load = plain(*size)
    with _scene(key, load, plan, births=True) as scene:
        time.sleep(plan.warm_up_s)
        killed_ns = time.monotonic_ns()
        scene.broker.kill()
        time.sleep(plan.away_s)
        scene.broker.again()
        back_ns = time.monotonic_ns()
        ready_ns = scene.subscriber.hear("at_ns", _READY_S)
        time.sleep(plan.back_s)
        seen = scene.ask(back_ns, time.monotonic_ns(), counters=True)
        births = scene.births
        killed, back = scene.since_ms(killed_ns), scene.since_ms(back_ns)
    came = {tuple(key) for key in seen["counters"]}
    due = _counters(births, load, killed, back)
    around = _counters(births, load, killed - _BEFORE_S * 1e3, back + _AFTER_S * 1e3)
    each_s = load.devices * len(_points(load, "counter"))
    first_ns = seen["first_ns"]
    return OutageRow(
        peer=PEERS[key].name,
        size=size.name,
        away_s=round((back_ns - killed_ns) / 1e9, 2),
        asked=len(due),
        arrived=len(due & came),
        around=len(around),
        around_arrived=len(around & came),
        lost_s=round(len(around - came) / each_s, 1),
        repeats=seen["repeats"],
        first_after_s=round((first_ns - back_ns) / 1e9, 2) if first_ns else None,
        subscriber_back_s=round((ready_ns - back_ns) / 1e9, 3),
    )


def late_run(key: str, plan: Plan) -> LateRow:
    """One device on a serial line, 30 % of its replies 1.1 time-outs late.

    Raises:
        ChildError: A process did not start or ended early.
    """
    with _scene(key, _LATE, plan, births=True, late=True) as scene:
        from_ns = time.monotonic_ns()
        time.sleep(2 * plan.window_s)
        to_ns = time.monotonic_ns()
        time.sleep(1.0)
        seen = scene.ask(from_ns, to_ns)
        low, high = scene.since_ms(from_ns), scene.since_ms(to_ns)
        births = [b for b in scene.births if low <= b.t_ms < high]
    each_s = _LATE.devices * len(_points(_LATE, "identity"))
    return LateRow(
        peer=PEERS[key].name,
        window_s=round((to_ns - from_ns) / 1e9, 2),
        due=round(each_s * (to_ns - from_ns) / 1e9),
        timeout_s=_LATE.timeout_s,
        requests=len(births),
        late=sum(b.fault == "late" for b in births),
        values=seen["values"],
        judged=seen["judged"],
        wrong=seen["wrong"],
    )


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(word) for word in task.read_text().split()]
    return found


def _points(load: Load, kind: Kind) -> list[int]:
    points = [at for block in load.blocks for at in block.points]
    return [at for at in points if kind_of(at) == kind]


def _counters(
    births: list[Birth], load: Load, from_ms: float, to_ms: float
) -> set[tuple[int, int, int]]:
    """(unit, address, counter) of each counter value handed out in between."""
    wanted = _points(load, "counter")
    return {
        (birth.unit, at, birth.mark)
        for birth in births
        if from_ms <= birth.t_ms < to_ms
        for at in wanted
        if birth.address <= at and at + 2 <= birth.address + birth.count
    }


@contextlib.contextmanager
def _scene(
    key: str, load: Load, plan: Plan, *, births: bool = False, late: bool = False
) -> Iterator[Scene]:
    peer = PEERS[key]
    where = programs(peer, plan.cache)
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="ecogate-peers-", dir=plan.folder)
            )
        )
        start_ns = time.monotonic_ns()
        broker = stack.enter_context(Broker(folder / "broker", kind="mosquitto"))
        broker.again()
        words = _devices(peer, load, folder, late=late)
        words += ["--births", str(folder / "births")] if births else []
        devices = stack.enter_context(
            _python("devices", [*words, "--start-ns", str(start_ns)], folder)
        )
        if late:
            devices.hear("path", _READY_S)
            place = Place(broker.port, serial=folder / "line")
        else:
            ports = devices.hear("ports", _READY_S)
            place = Place(broker.port, tuple(ports.values()))
        subscriber = stack.enter_context(
            _python(
                "subscriber",
                ["benchmarks.peers.subscriber", str(broker.port), str(start_ns), key],
                folder,
            )
        )
        subscriber.hear("ready", _READY_S)
        home = folder / "peer"
        home.mkdir()
        command = peer.command(where, home, load, place)
        child = stack.enter_context(
            Child(peer.name, command, folder / "peer.log", talks=False)
        )
        try:
            first_ns = subscriber.hear("first_ns", _FIRST_S)
        except ChildError as exc:
            raise child.error(f"no value arrived\n{exc}") from exc
        yield Scene(folder, start_ns, broker, subscriber, child, first_ns)


def _devices(peer: Peer, load: Load, folder: Path, *, late: bool) -> list[str]:
    if late:
        ms = str(load.timeout_s * 1000)
        return [
            *("simulators.modbus", "--bench", f"{load.devices}x{_LATE_POINTS}"),
            *("--pty", str(folder / "line"), "--baud", str(Place(0).baud)),
            *("--framing", "8N1", "--fault", "late", "--share", "0.3"),
            *("--late-factor", "1.1", "--timeout-ms", ms),
        ]
    words = ["simulators.modbus", "--bench", f"{load.devices}x{load.points}"]
    return [*words, "--tcp", "0", *(["--separate"] if peer.separate else [])]


def _python(name: str, words: list[str], folder: Path) -> Child:
    return Child(name, [sys.executable, "-m", *words], folder / f"{name}.log")

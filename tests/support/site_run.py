"""A whole site as processes: devices, a broker, a bad link, and the gateway itself.

    with SiteRun(tmp_path, devices=5, points=10, every="200ms") as site:
        site.start()
        site.link.say("cut")
        site.gateway.kill()

The truth is kept here, by the parent: the devices' birth log and the witness at the
broker. Nothing asks the gateway how it went.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from simulators import bench
from simulators.births import Birth, read_births
from simulators.broker import Broker
from simulators.process import SharedStart
from tests.support.spawn import ROOT, Spawned
from tests.support.witness import Match, Witness, match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

STEP_S = 0.005


def until(condition: Callable[[], object], limit_s: float, what: str) -> float:
    """Poll until it holds; returns how many seconds that took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > limit_s:
            raise AssertionError(f"not within {limit_s:g} s: {what}")
        time.sleep(STEP_S)
    return time.monotonic() - start


def watch(condition: Callable[[], object], for_s: float) -> bool:
    """Look for so long; whether it came to hold."""
    with contextlib.suppress(AssertionError):
        until(condition, for_s, "")
        return True
    return False


class Gateway:
    """``python -m gateway run``, and what it tells the service manager."""

    def __init__(self, site: Path, folder: Path, *options: str) -> None:
        self.site = site
        self.folder = folder
        self.log = folder / "gateway.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.told: list[str] = []
        self._options = options
        self._starts = 0
        self._notify: socket.socket | None = None

    def start(self, *, wait: bool = True, limit_s: float = 20) -> float:
        """Run it; returns the seconds until READY=1."""
        self._starts += 1
        path = self.folder / f"notify-{self._starts}"
        self._close_notify()
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(path))
        self._notify.setblocking(False)
        self.told = []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=os.environ | {"NOTIFY_SOCKET": str(path)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_us,  # noqa: PLW1509 nothing of ours runs there
            )
        return self.wait_ready(limit_s) if wait else 0.0

    def command(self) -> list[str]:
        """What is run; the same folder for every call."""
        words = ["run", str(self.site), "--lang", "en", *self._options]
        return [sys.executable, "-m", "gateway", *words]

    def wait_ready(self, limit_s: float = 20) -> float:
        """Until it said READY=1; returns the seconds waited."""

        def ready() -> bool:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(
                    f"the gateway ended with {self.process.returncode}: {self.tail()}"
                )
            return any("READY=1" in said for said in self.hear())

        return until(ready, limit_s, f"READY=1; it said: {self.tail()}")

    def hear(self) -> list[str]:
        """Everything told to the service manager since this start."""
        while self._notify is not None:
            try:
                self.told.append(self._notify.recv(4096).decode())
            except BlockingIOError:
                break
        return self.told

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> int:
        """SIGKILL; returns ``time.monotonic_ns()`` just before."""
        assert self.process is not None
        at_ns = time.monotonic_ns()
        self.process.kill()
        self.process.wait()
        return at_ns

    def stop(self, number: int = signal.SIGTERM, limit_s: float = 15) -> float:
        """Tell it to stop; returns how many seconds it took."""
        assert self.process is not None
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(limit_s)
        return time.monotonic() - start

    def lines(self) -> list[str]:
        """Its log, a line each, without the time."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return [line.split(" ", 2)[2] for line in text.splitlines() if line[:2] == "20"]

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]

    def close(self) -> None:
        """End it by force if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._close_notify()

    def _close_notify(self) -> None:
        if self._notify is not None:
            self._notify.close()
            self._notify = None


class SiteRun:
    """Benchmark devices behind TCP, a broker, a link between, and a gateway.

    Args:
        folder: Everything goes here.
        devices: How many; unit ids from 1.
        points: Of each, uint32.
        every: Poll period as the site file writes it.
        broker: ``nats`` or ``mosquitto``.
        separate: A port and a bus for each device; else one bus.
        target: More keys of the MQTT target.
        buffer: More keys of the buffer.
        simulate: More options of ``simulators.modbus``.
        bus: More keys of every bus.
        serial: Keys of the bus where the devices are behind a pty instead.
        ports: Unit id -> port of devices that run already, with their ``start_ns``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        devices: int = 5,
        points: int = 10,
        every: str = "200ms",
        broker: str = "nats",
        separate: bool = False,
        target: dict[str, Any] | None = None,
        buffer: dict[str, Any] | None = None,
        bus: dict[str, Any] | None = None,
        simulate: tuple[str, ...] = (),
        serial: dict[str, Any] | None = None,
        ports: dict[int, int] | None = None,
        start_ns: int = 0,
    ) -> None:
        self.folder = folder
        self.births_file = folder / "births.jsonl"
        self._stack = contextlib.ExitStack()
        self._shape = (devices, points, every, separate, bus or {}, serial)
        self._target, self._buffer = target or {}, buffer or {}
        self._kind, self._simulate = broker, simulate
        self._ports = ports
        self.start_ns = start_ns

    def __enter__(self) -> SiteRun:
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _open(self, stack: contextlib.ExitStack) -> None:
        self.line = self.folder / "line-1"
        if self._ports is None:
            self._open_devices(stack)
        self.start_utc_ms = SharedStart(self.start_ns).utc_ms()
        self.broker = Broker.start(self.folder / "broker", kind=self._kind)  # type: ignore[arg-type]
        stack.callback(self.broker.kill)
        self.link = stack.enter_context(
            Spawned("simulators.proxy", "--to", f"127.0.0.1:{self.broker.port}")
        )
        # mosquitto keeps sessions in memory: one that is killed has none.
        kept = self._kind == "nats"
        self.witness = stack.enter_context(
            Witness(
                self.broker.port,
                self.start_utc_ms,
                kept=kept,
                receipts=self._target.get("receipts", False),
            )
        )
        assert self.witness.subscribed.wait(10), "the witness could not subscribe"
        self.site = self.folder / "site.yaml"
        self.site.write_text(json.dumps(self.document(), indent=1), encoding="utf-8")
        self.gateway = Gateway(self.site, self.folder)
        stack.callback(self.gateway.close)

    def _open_devices(self, stack: contextlib.ExitStack) -> None:
        devices, points, _, separate, _, serial = self._shape
        ports = ["--pty", self.line] if serial is not None else ["--tcp", 0]
        if separate:
            ports.append("--separate")
        self.devices = stack.enter_context(
            Spawned(
                "simulators.modbus",
                *("--bench", f"{devices}x{points}", *ports, "--control"),
                *("--births", self.births_file, *self._simulate),
            )
        )
        self.start_ns = self.devices.ready["start_ns"]
        said = self.devices.ready.get("ports", {})
        self._ports = {int(n): port for n, port in said.items()}

    def document(self) -> dict[str, Any]:
        """The site file; JSON is YAML 1.2."""
        devices, points, every, separate, bus, serial = self._shape
        numbers = range(1, devices + 1)
        buses = {}
        if serial is not None:
            common = {"protocol": "modbus-rtu", "serial": str(self.line), **serial}
            buses["bus-0"] = common | bus
        else:
            for n in numbers if separate else (0,):
                assert self._ports is not None
                port = self._ports[n or 1]
                buses[f"bus-{n}"] = {
                    "protocol": "modbus-tcp",
                    "tcp": f"127.0.0.1:{port}",
                    **bus,
                }
        return {
            "gateway": "site-07",
            # This machine's clock is the simulators' clock, disciplined or not.
            "clock": {"trust": "always"},
            "buffer": {
                "path": str(self.data),
                "max_bytes": "64MB",
                "keep_free": "1MB",
                **self._buffer,
            },
            "buses": buses,
            "devices": {
                f"bench-{n}": {
                    "bus": f"bus-{n if separate else 0}",
                    "address": n,
                    "every": every,
                    "points": bench.site_points(points),
                }
                for n in numbers
            },
            "targets": {
                "platform": {
                    "mqtt": f"mqtt://127.0.0.1:{self.link.ready['port']}",
                    **self._target,
                }
            },
        }

    @property
    def data(self) -> Path:
        """The gateway's data folder."""
        return self.folder / "data"

    # -- acts ---------------------------------------------------------------

    def start(self) -> float:
        """Run the gateway; returns the seconds until it is ready."""
        return self.gateway.start()

    def say(self, process: Spawned, command: str) -> None:
        """One command to the devices or the link."""
        answer = process.say(command)
        assert answer == "ok", answer

    def cut(self) -> None:
        """The gateway loses its way to the broker."""
        self.say(self.link, "cut")

    def heal(self) -> int:
        """The way is back; returns ``time.monotonic_ns()`` of it."""
        self.say(self.link, "heal")
        return time.monotonic_ns()

    # -- what is known ------------------------------------------------------

    def births(self) -> list[Birth]:
        """Every request the devices answered."""
        return read_births(self.births_file)

    def born(self) -> int:
        """How many lines the log has; cheap."""
        with self.births_file.open("rb") as file:
            return sum(1 for _ in file)

    def now_ms(self) -> int:
        """On the scale of the births."""
        return (time.monotonic_ns() - self.start_ns) // 1_000_000

    def match(self) -> Match:
        """All births so far against all records; waits for what is on its way."""
        births = self.births()
        if self.gateway.running:
            self.wait_fresh(units={birth.unit for birth in births[-200:]})
        records = self.witness.records()
        later = self.births()[len(births) :]
        return match(births, records, self.start_utc_ms, later)

    def fresh(self, since_ms: int, units: Iterable[int] | None = None) -> bool:
        """Whether these devices, or all, have a value born later at the platform."""
        names = {f"bench-{n}" for n in units or range(1, self._shape[0] + 1)}
        for message in reversed(self.witness.all()):
            for record in message.records:
                born = record["t"] - self.start_utc_ms
                if record["kind"] == "scan" and record["values"] and born > since_ms:
                    names.discard(record["device"])
            if not names:
                return True
            if message.at_ns < self.start_ns + since_ms * 1_000_000:
                break
        return False

    def wait_fresh(
        self,
        limit_s: float = 20,
        what: str = "fresh values",
        units: Iterable[int] | None = None,
    ) -> float:
        """Until every device has a value born after now at the platform."""
        now = self.now_ms()
        return until(lambda: self.fresh(now, units), limit_s, what)

    def wait_complete(
        self, limit_s: float = 30, units: Iterable[int] | None = None
    ) -> float:
        """Until fresh values came and every seq before them is accounted for."""
        self.wait_fresh(limit_s, units=units)
        return until(
            lambda: self.witness.verdict().missing == 0,
            limit_s,
            f"every seq; {self.witness.verdict().text()}",
        )


def _end_with_us() -> None:
    """In the child: be told when the parent ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)

"""Brings a simulated site up: ptys and loopback ports, and the gateway's site file.

With it comes the HJ 212 platform that the site reports to, unless that is another's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING, Any, cast

from simulators.hj212_platform_account import Account
from simulators.hj212_platform_host import Host
from simulators.ports import PtyPort
from simulators.site_cameras import PASSWORD_FILE, CameraPart, site_text
from simulators.site_parts import ModbusPart, World, make_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulators.site_parts import Line, Part
    from simulators.site_plan import SitePlan

HOST = "127.0.0.1"
MQTT = "mqtt://127.0.0.1:1883"
PASSWORD = "123456"  # noqa: S105 public, of a simulator
"""PW of HJ 212, as the standard's examples have it."""
_PERIODS = {2011: "real-time", 2051: "minutes", 2061: "hours", 2031: "days"}


def open_pty(link: Path, serve: Callable[[], asyncio.Protocol]) -> Callable[[], object]:
    """A pty behind this link; returns what takes it away."""
    port = PtyPort(link, serve)
    port.open()
    return port.close


def free_port() -> int:
    """A port that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def write_secret(path: Path, text: str) -> None:
    """A file that nobody else can read."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def _nobody(_device: str, _point: str, _number: float) -> None:
    return


class SimulatedSite:
    """A whole site; on any loop that can serve TCP.

    Args:
        plan: What it consists of.
        folder: Where the site file and the links to the ptys stand.
        mqtt: The platform's address, for the site file.
        hj212: Of an HJ 212 platform, ``host:port``; None: one of our own.
        utc_s: The time.
        said: Told every number that a device says: device, point or quantity, number.
        paced: Whether serial bytes take their time.
        cameras: With its cameras, which want the extra ``vision``.
        open_line: Brings up a serial line; a pty by default.
        choose_port: Where the gateway is to listen.
    """

    def __init__(
        self,
        plan: SitePlan,
        folder: Path,
        *,
        mqtt: str = MQTT,
        hj212: str | None = None,
        utc_s: Callable[[], float] = time.time,
        said: Callable[[str, str, float], None] = _nobody,
        paced: bool = True,
        cameras: bool = False,
        open_line: Callable[
            [Path, Callable[[], asyncio.Protocol]], Callable[[], object]
        ] = open_pty,
        choose_port: Callable[[], int] = free_port,
    ) -> None:
        self.plan, self.folder = plan, folder
        world = World(plan.seed, plan.position, utc_s, paced, said)
        self.lines = make_lines(plan, world)
        self.parts: dict[str, Part] = {
            name: part
            for line in self.lines.values()
            for name, part in line.parts.items()
        }
        self.ports: dict[str, int] = {}
        self.site_file = folder / "site.yaml"
        self._mqtt = mqtt
        self._host = Host([self._account()], utc_s=utc_s) if hj212 is None else None
        self.hj212 = hj212 or ""
        """Where the HJ 212 platform is; ours, once the site is open."""
        self._cameras = plan.cameras if cameras else {}
        self._open_line, self._choose_port = open_line, choose_port
        self._stack = contextlib.AsyncExitStack()

    async def open(self) -> None:
        """Bring up every line, then write the site file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, line in self.lines.items():
            await self._open(name, line)
        if self._host is not None:
            self.hj212 = f"{HOST}:{await self._host.open(HOST, 0)}"
            self._stack.push_async_callback(self._host.close)
        write_secret(self.folder / self.plan.regulator.password_file, PASSWORD)
        text = self.plan.filled_in(str(self.folder), self.ports, self._mqtt, self.hj212)
        text += site_text(await self._open_cameras())
        self.site_file.write_text(text, "utf-8")

    async def _open_cameras(self) -> dict[str, CameraPart]:
        """Start them beside each other; they are parts as all devices are."""
        found: dict[str, CameraPart] = {}
        if self._cameras:
            write_secret(self.folder / PASSWORD_FILE, PASSWORD)
        for name, plan in self._cameras.items():
            found[name] = await CameraPart.start(plan, PASSWORD, self.plan.seed)
            self._stack.push_async_callback(found[name].close)
        self.parts.update(found)
        return found

    def _account(self) -> Account:
        known = self.plan.regulator
        return Account(known.mn, st=known.st, pw=PASSWORD, version=known.version)

    @property
    def regulator(self) -> Host | None:
        """The HJ 212 platform, where it is ours."""
        return self._host

    def regulator_text(self) -> str:
        """What our HJ 212 platform holds, and whether anything was wrong with it."""
        if self._host is None:
            return f"the HJ 212 platform is not ours: {self.hj212}"
        mn, host = self.plan.regulator.mn, self._host
        counts = [f"{words} {host.held.sets[mn, cn]}" for cn, words in _PERIODS.items()]
        again = sum(host.held.again(mn, cn).duplicate for cn in _PERIODS)
        failed = host.ledger.failed
        return (
            f"HJ 212 platform {self.hj212}, MN {mn}: {', '.join(counts)};"
            f" repeated {again}; failed clauses: {', '.join(failed) or 'none'}"
        )

    async def close(self) -> None:
        """Take everything away; may be called twice."""
        await self._stack.aclose()

    async def _open(self, name: str, line: Line) -> None:
        if line.bus.way == "serial":
            self._stack.callback(self._open_line(self.folder / name, line.serve))
        elif line.bus.way == "listen":
            assert line.call is not None  # noqa: S101 - only who pushes connects
            self.ports[name] = self._choose_port()
            self._stack.push_async_callback(line.call(HOST, self.ports[name]).close)
        else:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(line.serve, HOST, 0)
            self._stack.callback(server.close)
            self.ports[name] = cast("Any", server).sockets[0].getsockname()[1]

    def obey(self, line: str) -> str:
        """Carry out one command; the answer is for whoever sent it."""
        words = line.split()
        try:
            return self._obey(words)
        except KeyError as exc:
            return f"{' '.join(words)}: there is no {exc.args[0]}"
        except ValueError:
            return f"{' '.join(words)}: expected a number, got {words[-1]!r}"

    def _obey(self, words: list[str]) -> str:
        match words:
            case ["list"]:
                return " ".join(self.parts)
            case ["platform"]:
                return self.regulator_text()
            case ["kill", name]:
                self.parts[name].kill()
            case ["revive", name]:
                self.parts[name].revive()
            case ["spoil", name, fault]:
                self.parts[name].spoil(fault)
            case ["set", name, point, number]:
                part = self.parts[name]
                if not isinstance(part, ModbusPart):
                    return f"set: {name} has no registers"
                part.set(point, float(number))
            case _:
                return (
                    f"no such command: {' '.join(words)!r}; list, kill NAME,"
                    " revive NAME, spoil NAME FAULT, set NAME POINT NUMBER, platform"
                )
        return "ok"

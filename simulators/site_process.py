"""Brings a simulated site up: ptys and loopback ports, and the gateway's site file."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any, cast

from simulators.ports import PtyPort
from simulators.site_parts import ModbusPart, World, make_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulators.site_parts import Line, Part
    from simulators.site_plan import SitePlan

HOST = "127.0.0.1"
MQTT = "mqtt://127.0.0.1:1883"


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


def _nobody(_device: str, _point: str, _number: float) -> None:
    return


class SimulatedSite:
    """A whole site; on any loop that can serve TCP.

    Args:
        plan: What it consists of.
        folder: Where the site file and the links to the ptys stand.
        mqtt: The platform's address, for the site file.
        utc_s: The time.
        said: Told every number that a device says: device, point or quantity, number.
        paced: Whether serial bytes take their time.
        open_line: Brings up a serial line; a pty by default.
        choose_port: Where the gateway is to listen.
    """

    def __init__(
        self,
        plan: SitePlan,
        folder: Path,
        *,
        mqtt: str = MQTT,
        utc_s: Callable[[], float] = time.time,
        said: Callable[[str, str, float], None] = _nobody,
        paced: bool = True,
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
        self._open_line, self._choose_port = open_line, choose_port
        self._stack = contextlib.AsyncExitStack()

    async def open(self) -> None:
        """Bring up every line, then write the site file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, line in self.lines.items():
            await self._open(name, line)
        text = self.plan.filled_in(str(self.folder), self.ports, self._mqtt)
        self.site_file.write_text(text, "utf-8")

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
                    " revive NAME, spoil NAME FAULT, set NAME POINT NUMBER"
                )
        return "ok"

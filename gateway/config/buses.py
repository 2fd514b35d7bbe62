"""The ``buses`` of a site file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from drivers.profiles.points import NAME
from drivers.profiles.reading import Report, Section, join
from gateway.config.line_load import STANDARD_BAUDS
from gateway.config.model import Bus, SerialLine, TcpEndpoint

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from drivers.profiles.document import Node

PROTOCOLS = ("modbus-rtu", "modbus-tcp")
KEYS = (
    "protocol", "serial", "tcp", "baud", "framing", "echo", "engine", "timeout",
    "pause",
)  # fmt: skip
_ONLY_SERIAL = ("serial", "baud", "framing", "echo")
_FRAMING = re.compile(r"8[NEO][12]\Z")
# Names the kernel gives in the order adapters are found; another order after a restart
# puts one bus's devices on the other bus's port.
_UNSTABLE = re.compile(r"/dev/tty(USB|ACM)[0-9]+\Z")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}\Z|\[[0-9A-Fa-f:.]{2,45}\]\Z")


def read_bus(report: Report, name: str, node: Node, path: str) -> Bus | None:
    """Read one bus; None when anything but a warning was wrong with it."""
    before = len(report.problems)
    section = Section.open(report, node, path, KEYS)
    if section is None:
        return None
    protocol = section.choice("protocol", PROTOCOLS, required=True)
    serial: SerialLine | None = None
    tcp: TcpEndpoint | None = None
    if protocol == "modbus-rtu":
        serial = _serial(section)
        if section.has("tcp"):
            section.wrong("tcp", "not_with", name="tcp", protocol=protocol)
    elif protocol == "modbus-tcp":
        tcp = _tcp(section)
        for key in _ONLY_SERIAL:
            if section.has(key):
                section.wrong(key, "not_with", name=key, protocol=protocol)
    engine = section.choice("engine", ("own", "pymodbus"))
    timeout_s = section.duration("timeout", 0.01, 60.0)
    pause_s = section.duration("pause", 0.0, 10.0)
    if any(not problem.warning for problem in report.problems[before:]):
        return None
    return Bus(
        name=name,
        protocol=cast("Literal['modbus-rtu', 'modbus-tcp']", protocol),
        engine=cast("Literal['own', 'pymodbus']", engine or "own"),
        serial=serial,
        tcp=tcp,
        timeout_s=0.5 if timeout_s is None else timeout_s,
        pause_s=pause_s or 0.0,
    )


def check_name(report: Report, name: str, node: Node, path: str) -> None:
    """Names of buses, devices and targets stand in topics, paths and commands."""
    if not NAME.match(name):
        report.add(node.key_marks[name], join(path, name), "name", found=name)


def warn_absent_port(report: Report, section: Node, path: str, port: Path) -> None:
    """A port that is not there may yet be plugged in, or be another machine's."""
    place = section.get("serial") or section
    if not port.exists():
        report.add(place, join(path, "serial"), "port_absent", warning=True, found=port)
    if _UNSTABLE.match(str(port)):
        report.add(
            place, join(path, "serial"), "port_unstable", warning=True, found=port
        )


def _serial(section: Section) -> SerialLine:
    device = section.text("serial", required=True)
    if device is not None and not device.startswith("/"):
        section.wrong("serial", "port_path", found=device)
    baud = section.integer("baud", 300, 4_000_000)
    if baud is not None and baud not in (300, 600, *STANDARD_BAUDS):
        near = min(STANDARD_BAUDS, key=lambda usual: abs(usual - baud))
        section.wrong("baud", "baud_unusual", found=baud, meant=str(near), warning=True)
    framing = section.text("framing")
    if framing is not None and not _FRAMING.match(framing):
        upper = framing.upper()
        meant = upper if _FRAMING.match(upper) else ""
        section.wrong("framing", "framing", found=framing, meant=meant)
        framing = None
    echo = section.choice("echo", ("auto", "yes", "no"))
    return SerialLine(
        device=device or "",
        baud=baud or 9600,
        framing=framing or "8N1",
        echo=cast("Literal['auto', 'yes', 'no']", echo or "auto"),
    )


def _tcp(section: Section) -> TcpEndpoint | None:
    text = section.text("tcp", required=True)
    if text is None:
        return None
    found = split_host_port(text, 502)
    if found is None:
        section.wrong("tcp", "endpoint", found=text)
        return None
    return TcpEndpoint(host=found[0], port=found[1])


def split_host_port(text: str, default: int) -> tuple[str, int] | None:
    """Host and port of ``host:port``, ``host`` or ``[v6]:port``; None if it is none."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]/@\s]*)(?::([0-9]{1,5}))?", text)
    if match is None or not _HOST.match(match[1]):
        return None
    port = int(match[2]) if match[2] else default
    if not 1 <= port <= 65535:  # noqa: PLR2004
        return None
    return match[1].strip("[]"), port

"""The ``buses`` of a site file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, cast, get_args

from drivers.profiles.points import NAME
from drivers.profiles.reading import Report, Section, join
from gateway.config.line_load import STANDARD_BAUDS
from gateway.config.model import Bus, BusProtocol, SerialLine, TcpEndpoint

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from drivers.profiles.document import Node

PROTOCOLS: tuple[BusProtocol, ...] = get_args(BusProtocol)
WAYS = ("serial", "tcp", "listen", "gpsd", "chip")
"""How a bus may be reached: each bus says exactly one."""
KEYS = (
    "protocol", *WAYS, "baud", "framing", "echo", "engine", "timeout", "pause",
    "broadcast_time", "answer",
)  # fmt: skip
ONLY_SERIAL = ("baud", "framing", "echo")


class Manner(NamedTuple):
    """What a protocol usually is like."""

    ways: tuple[str, ...]
    baud: int = 9600
    framing: str = "8N1"
    timeout_s: float = 0.5
    port: int | None = None
    """Of TCP, where none is written; None: it must be."""


MANNERS: dict[BusProtocol, Manner] = {
    "modbus-rtu": Manner(("serial",)),
    "modbus-ascii": Manner(("serial", "tcp"), framing="7E1", timeout_s=1.0),
    "modbus-tcp": Manner(("tcp",), port=502),
    # The line behind a terminal server takes its time, and only the server knows which.
    "modbus-rtu-tcp": Manner(("tcp",), timeout_s=1.0),
    # Meters answer within 500 ms, terminal servers and radio links add to that.
    "dlt645": Manner(("serial", "tcp"), baud=2400, framing="8E1", timeout_s=1.0),
    "ascii": Manner(("serial", "tcp"), timeout_s=2.0),
    "hj212": Manner(("serial", "tcp", "listen"), timeout_s=2.0),
    "gnss": Manner(("serial", "tcp", "gpsd"), timeout_s=2.0, port=2947),
    "gpio": Manner(("chip",)),
}
_FRAMING = re.compile(r"8[NEO][12]\Z")
_FRAMING_7 = re.compile(r"[78][NEO][12]\Z")
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
    said = section.choice("protocol", PROTOCOLS, required=True)
    protocol = cast("BusProtocol", said or "modbus-rtu")
    manner = MANNERS[protocol]
    way = _way(section, protocol) if said else ""
    serial = _serial(section, protocol) if way == "serial" else None
    if way and way != "serial":
        for key in ONLY_SERIAL:
            if section.has(key):
                spoken = protocol if len(manner.ways) == 1 else f"{protocol} ({way})"
                section.wrong(key, "not_with", name=key, protocol=spoken)
    ends = {
        key: _endpoint(section, key, manner.port)
        for key in ("tcp", "listen", "gpsd")
        if way == key
    }
    chip = section.text("chip") if way == "chip" else None
    engine = _engine(section, protocol)
    timeout_s = section.duration("timeout", 0.01, 60.0)
    pause_s = section.duration("pause", 0.0, 10.0)
    broadcast_time = section.boolean("broadcast_time")
    if section.has("broadcast_time") and protocol != "dlt645":
        section.wrong(
            "broadcast_time", "not_with", name="broadcast_time", protocol=protocol
        )
    answer = section.boolean("answer")
    if section.has("answer") and protocol != "hj212":
        section.wrong("answer", "not_with", name="answer", protocol=protocol)
    if any(not problem.warning for problem in report.problems[before:]):
        return None
    return Bus(
        name=name,
        protocol=protocol,
        engine=cast("Literal['own', 'pymodbus']", engine or "own"),
        serial=serial,
        chip=chip,
        timeout_s=manner.timeout_s if timeout_s is None else timeout_s,
        pause_s=pause_s or 0.0,
        broadcast_time=bool(broadcast_time),
        answer=answer,
        **ends,
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


def _way(section: Section, protocol: BusProtocol) -> str:
    """The one way that is given; what is wrong is reported."""
    ways = MANNERS[protocol].ways
    for key in WAYS:
        if section.has(key) and key not in ways:
            section.wrong(key, "not_with", name=key, protocol=protocol)
    given = [key for key in ways if section.has(key)]
    if not given:
        if len(ways) == 1:
            section.get(ways[0], required=True)
        else:
            section.report.add(
                section.node, section.path, "way_missing", choices=", ".join(ways)
            )
        return ""
    for key in given[1:]:
        section.wrong(key, "not_both", name=key, other=given[0])
    return given[0]


def _engine(section: Section, protocol: BusProtocol) -> str | None:
    """The second engine speaks plain RTU and TCP only."""
    engine = section.choice("engine", ("own", "pymodbus"))
    if engine == "pymodbus" and protocol not in ("modbus-rtu", "modbus-tcp"):
        section.wrong("engine", "not_with", name="engine: pymodbus", protocol=protocol)
    return engine


def _serial(section: Section, protocol: BusProtocol) -> SerialLine:
    manner = MANNERS[protocol]
    device = section.text("serial", required=True)
    if device is not None and not device.startswith("/"):
        section.wrong("serial", "port_path", found=device)
    baud = section.integer("baud", 300, 4_000_000)
    if baud is not None and baud not in (300, 600, *STANDARD_BAUDS):
        near = min(STANDARD_BAUDS, key=lambda usual: abs(usual - baud))
        section.wrong("baud", "baud_unusual", found=baud, meant=str(near), warning=True)
    framing = section.text("framing")
    seven = protocol in ("modbus-ascii", "ascii")
    form = _FRAMING_7 if seven else _FRAMING
    if framing is not None and not form.match(framing):
        upper = framing.upper()
        meant = upper if form.match(upper) else ""
        code = "framing_7" if seven else "framing"
        section.wrong("framing", code, found=framing, meant=meant)
        framing = None
    echo = section.choice("echo", ("auto", "yes", "no"))
    return SerialLine(
        device=device or "",
        baud=baud or manner.baud,
        framing=framing or manner.framing,
        echo=cast("Literal['auto', 'yes', 'no']", echo or "auto"),
    )


def _endpoint(section: Section, key: str, port: int | None) -> TcpEndpoint | None:
    text = section.text(key, required=True)
    if text is None:
        return None
    found = split_host_port(text, port or 0)
    if found is None or not found[1]:
        section.wrong(key, "endpoint", found=text)
        return None
    return TcpEndpoint(host=found[0], port=found[1])


def split_host_port(text: str, default: int) -> tuple[str, int] | None:
    """Host and port of ``host:port``, ``host`` or ``[v6]:port``; None if it is none."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]/@\s]*)(?::([0-9]{1,5}))?", text)
    if match is None or not _HOST.match(match[1]):
        return None
    port = int(match[2]) if match[2] else default
    if not (1 if match[2] else 0) <= port <= 65535:  # noqa: PLR2004
        return None
    return match[1].strip("[]"), port

"""What a simulated site consists of: ``simulators/sites/<kind>.yaml``, read.

Such a file has two documents. The first is a site file for the gateway, in which
``<folder>``, ``<mqtt>``, ``<hj212>`` and ``<port:BUS>`` are filled in when the site
comes up. The second says what plays its devices where that does not follow from their
profiles::

    seed: 11
    play:
      cems-nox: {kind: thermo, gases: [no, no2, nox]}    # an ASCII instrument
      logger: {push_s: 5, dialect: "2017"}               # an HJ 212 instrument
      sampler: {hold: {door: 0}, count: {pulses: 0.35}}  # of Modbus points
      cod: {shape: {cod: [32, 6, 3600]}}

``hold`` keeps a point at its raw number, ``count`` lets it grow by so much a second,
``shape`` gives middle and swing of what its unit alone would say badly (oxygen in a
flue is no humidity in a room), and after how many seconds there is a new result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from drivers.profiles.bases import KEY, joined, packaged_nodes
from drivers.profiles.document import Mark, load_document
from drivers.profiles.library import load_profile
from drivers.profiles.points import points_from_list
from drivers.profiles.reading import Report
from simulators.site_cameras import CameraPlan, camera_plans
from simulators.waveform import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drivers.profiles.document import Node
    from drivers.profiles.model import Profile, Protocol

KINDS = ("enterprise", "construction", "water")
WAYS = ("serial", "tcp", "listen", "gpsd")
REGULATOR = "regulator"
"""The target that is an HJ 212 platform."""
_ST = {"flue_gas": "31", "water": "32", "dust": "39"}
"""Of a station's kind. Source: HJ 212-2017, table 5."""
_DIVIDER = re.compile(r"^---.*\n", re.MULTILINE)
_FAMILY: dict[str, Protocol] = {
    "modbus-rtu": "modbus",
    "modbus-ascii": "modbus",
    "modbus-tcp": "modbus",
    "modbus-rtu-tcp": "modbus",
}


@dataclass(frozen=True)
class BusPlan:
    """One line or endpoint of the site."""

    name: str
    protocol: str
    """As in the site file."""
    way: str
    """``serial``: a pty; ``tcp``, ``gpsd``: we listen; ``listen``: the gateway does."""
    baud: int

    @property
    def family(self) -> Protocol:
        """What its devices speak."""
        return _FAMILY.get(self.protocol, cast("Protocol", self.protocol))


@dataclass(frozen=True)
class DevicePlan:
    """One device of the site."""

    name: str
    bus: BusPlan
    address: int | str | None
    profile: Profile
    """With exactly those points that the site file asks for."""
    play: Mapping[str, Any]
    """What stands under its name in the second document."""

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """How its points move; of an ASCII instrument, its quantities."""
        said = self.play.get("shape", {})
        return {name: Shape(*map(float, shape)) for name, shape in said.items()}


class RegulatorPlan(NamedTuple):
    """What the HJ 212 platform of the site knows."""

    mn: str
    st: str
    version: int
    password_file: str
    """In the site's folder."""


@dataclass(frozen=True)
class SitePlan:
    """A whole site."""

    kind: str
    text: str
    """The site file, not yet filled in."""
    seed: int
    position: tuple[float, float]
    """Longitude, latitude, degrees."""
    buses: Mapping[str, BusPlan]
    devices: Mapping[str, DevicePlan]
    regulator: RegulatorPlan
    cameras: Mapping[str, CameraPlan]

    def on(self, bus: str) -> list[DevicePlan]:
        """The devices of this bus, in the order of the file."""
        return [one for one in self.devices.values() if one.bus.name == bus]

    def filled_in(
        self, folder: str, ports: Mapping[str, int], mqtt: str, hj212: str
    ) -> str:
        """The site file.

        Args:
            folder: Where the ptys' links are, an absolute path.
            ports: Bus -> TCP port, for those that have one.
            mqtt: The platform's address.
            hj212: The HJ 212 platform's, host:port.
        """
        text = self.text.replace("<folder>", _in_quotes(folder))
        text = text.replace("<mqtt>", _in_quotes(mqtt))
        text = text.replace("<hj212>", _in_quotes(hj212))
        for bus, port in ports.items():
            text = text.replace(f"<port:{bus}>", str(port))
        return text


def load_plan(kind: str, seed: int | None = None) -> SitePlan:
    """Read one of the sites that come with the simulators.

    Args:
        kind: One of :data:`KINDS`.
        seed: Instead of the file's.
    """
    file = resources.files("simulators").joinpath(f"sites/{kind}.yaml")
    text, second = _DIVIDER.split(file.read_text("utf-8"))
    root = load_document(text, f"{kind}.yaml")
    told = cast("dict[str, Any]", load_document(second, f"{kind}.yaml, play").plain())
    buses = {name: _bus(name, node) for name, node in _under(root, "buses")}
    play = told["play"]
    devices = {
        name: _device(name, node, buses, play.pop(name, {}))
        for name, node in _under(root, "devices")
    }
    if play:
        raise ValueError(f"{kind}.yaml: no device for what plays {', '.join(play)}")
    whole = cast("dict[str, Any]", root.plain())
    longitude, latitude = whole["site"]["position"]
    seed = told["seed"] if seed is None else seed
    regulator = _regulator(whole)
    cameras = camera_plans(told.get("cameras", {}))
    return SitePlan(
        kind, text, seed, (longitude, latitude), buses, devices, regulator, cameras
    )


def _regulator(whole: dict[str, Any]) -> RegulatorPlan:
    target = whole["targets"][REGULATOR]
    return RegulatorPlan(
        target["mn"],
        _ST[whole["stations"][target["station"]]["kind"]],
        target.get("version", 2017),
        target["password_file"],
    )


def _in_quotes(text: str) -> str:
    """As it stands between double quotes in YAML."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _under(root: Node, key: str) -> Iterator[tuple[str, Node]]:
    node = root.get(key)
    return iter(()) if node is None else node.items()


def _bus(name: str, node: Node) -> BusPlan:
    said = cast("dict[str, Any]", node.plain())
    way = next(way for way in WAYS if way in said)
    return BusPlan(name, said["protocol"], way, said.get("baud", 9600))


def _device(
    name: str, node: Node, buses: Mapping[str, BusPlan], play: Mapping[str, Any]
) -> DevicePlan:
    said = cast("dict[str, Any]", node.plain())
    bus = buses[said["bus"]]
    return DevicePlan(name, bus, said.get("address"), _profile(node, bus), play)


def _profile(node: Node, bus: BusPlan) -> Profile:
    """The device's profile with the points that its entry makes of it."""
    named = node.get("profile")
    profile = load_profile("generic-modbus" if named is None else named.text)
    written = node.get("points")
    if written is None:
        return profile
    bases = packaged_nodes(profile.profile)
    whole, taken = [], set()
    for one in cast("list[Node]", written.value):
        base = one.get(KEY)
        if base is not None:
            taken.add(base.text)
            one = joined(one, bases[base.text], Mark(base.line, base.column))  # noqa: PLW2901
        whole.append(one)
    report = Report()
    own = [p for p, _ in points_from_list(report, whole, "points", bus.family)]
    if report.problems:
        raise ValueError(f"{node!r}: {report.problems}")
    taken |= {point.name for point in own}
    rest = [p for p in profile.points if p.name not in taken and not node.get("only")]
    return msgspec.structs.replace(profile, points=(*rest, *own))

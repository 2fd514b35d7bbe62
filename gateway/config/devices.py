"""The ``devices`` of a site file: a profile, points of their own, or both."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from drivers.profiles.modbus_points import report_overlaps
from drivers.profiles.points import labels, points_from_list
from drivers.profiles.reading import Report, Section, closest, shown
from gateway.config.model import Device

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from drivers.profiles.document import Mark, Node
    from drivers.profiles.model import Point, Profile, Protocol
    from gateway.config.library import Library
    from gateway.config.model import Bus

ONLY_MODBUS = ("max_registers", "transaction_id")
ONLY_DLT645 = ("ct", "pt")
# Any meter (the only one of its line), or one known by its last digits (shortened).
_METER = re.compile(r"(?=[0-9A]{12}\Z)(AA)*[0-9]*\Z")
_OWN_NAME = re.compile(r"[!-~]{1,64}\Z")
KEYS = (
    "bus", "address", "profile", "every", "asset", "points", "timeout", "pause",
    "max_reply", "max_registers", "ambiguous", "transaction_id", "ct", "pt", "label",
)  # fmt: skip


class DeviceReader:
    """Reads devices of one site; lists of points shared by an alias are read once."""

    def __init__(
        self, report: Report, library: Library, buses: Mapping[str, Bus]
    ) -> None:
        self._report = report
        self._library = library
        self._buses = buses
        self._names: tuple[str, ...] | None = None
        self._profiles: dict[str, Profile | None] = {}
        self._lists: dict[int, list[tuple[Point, Node]]] = {}

    def read(self, name: str, node: Node, path: str) -> Device | None:
        """Read one device; None when anything but a warning was wrong with it."""
        report = self._report
        before = len(report.problems)
        section = Section.open(report, node, path, KEYS)
        if section is None:
            return None
        bus = section.text("bus", required=True)
        every_s = section.duration("every", 0.01, 86_400.0, required=True)
        profile = self._profile(section)
        protocol = self._protocol(section, bus, profile)
        address = read_address(section, protocol)
        points = self._points(section, profile, protocol)
        if not section.has("profile") and not section.has("points"):
            report.add(node, path, "no_points")
        traits = _traits(section, profile)
        asset = section.text("asset")
        label = labels(section, "label")
        failed = any(not problem.warning for problem in report.problems[before:])
        if failed or bus is None or every_s is None:
            return None
        return Device(
            name=name,
            bus=bus,
            address=address,
            every_s=every_s,
            points=tuple(points),
            profile=profile,
            asset=asset,
            label=label or {},
            **traits,
        )

    def _protocol(
        self, section: Section, name: str | None, profile: Profile | None
    ) -> Protocol:
        """What the device speaks: its bus says so, its profile must agree."""
        bus = self._buses.get(name or "")
        if bus is None:
            return profile.protocol if profile is not None else "modbus"
        if profile is not None and profile.protocol != bus.family:
            section.wrong(
                "profile",
                "protocol_mismatch",
                protocol=bus.protocol,
                bus=bus.name,
                profile=profile.profile,
                found=profile.protocol,
            )
        if bus.family != "modbus":
            for key in ONLY_MODBUS:
                if section.has(key):
                    section.wrong(key, "not_with", name=key, protocol=bus.protocol)
        if bus.family != "dlt645":
            for key in ONLY_DLT645:
                if section.has(key):
                    section.wrong(key, "not_with", name=key, protocol=bus.protocol)
        return bus.family

    def _profile(self, section: Section) -> Profile | None:
        name = section.text("profile")
        if name is None:
            return None
        if name not in self._profiles:
            self._profiles[name] = self._find(name)
        if name not in self._all_names():
            section.wrong(
                "profile",
                "unknown_profile",
                found=name,
                meant=closest(name, self._all_names()),
            )
        return self._profiles[name]

    def _find(self, name: str) -> Profile | None:
        return self._library.load(name) if name in self._all_names() else None

    def _all_names(self) -> tuple[str, ...]:
        if self._names is None:
            self._names = tuple(self._library.names())
        return self._names

    def _points(
        self, section: Section, profile: Profile | None, protocol: Protocol
    ) -> list[Point]:
        """The profile's points, those of the same name replaced, the others added."""
        own_node = section.get("points")
        own: list[tuple[Point, Node]] = []
        if own_node is not None:
            known = self._lists.get(id(own_node))
            if known is None:
                nodes = section.items("points")
                if isinstance(own_node.value, list) and not nodes:
                    section.wrong("points", "empty")
                known = points_from_list(
                    self._report, nodes, section.path_of("points"), protocol
                )
                self._lists[id(own_node)] = known
                if profile is None:
                    report_overlaps(self._report, known, section.path_of("points"))
            own = known
        if profile is None:
            return [point for point, _ in own]
        if not own:
            return list(profile.points)
        replaced = {point.name for point, _ in own}
        at_profile = section.at("profile")
        placed: list[tuple[Point, Node | Mark]] = [
            (point, at_profile)
            for point in profile.points
            if point.name not in replaced
        ]
        placed += own
        report_overlaps(self._report, placed, section.path_of("points"))
        return [point for point, _ in placed]


def read_address(section: Section, protocol: Protocol) -> int | str | None:
    """How a device is told from others on its bus; what is wrong is reported."""
    if protocol == "modbus":
        return section.integer("address", 0, 255, required=True)
    if protocol in ("gnss", "gpio"):
        if section.has("address"):
            section.wrong("address", "no_address", protocol=protocol)
        return None
    node = section.get("address", required=protocol == "dlt645")
    if node is None:
        return None
    # Twelve digits that begin with 0 are no number in YAML 1.2; others would be one.
    text = node.text if node.kind in ("text", "int") else ""
    if protocol == "dlt645" and not _METER.match(text):
        meant = f'"{text.zfill(12)}"' if text.isdecimal() and len(text) < 12 else ""  # noqa: PLR2004
        section.wrong("address", "meter_address", found=shown(node), meant=meant)
    elif not _OWN_NAME.match(text):
        section.wrong("address", "device_name", found=shown(node))
    return text


def _traits(section: Section, profile: Profile | None) -> dict[str, Any]:
    """How it behaves on its bus: what stands here, else what its profile says."""
    checked = section.choice("transaction_id", ("checked", "ignored"))
    own = {
        "timeout_s": section.duration("timeout", 0.01, 60.0),
        "pause_s": section.duration("pause", 0.0, 10.0),
        "max_reply_s": section.duration("max_reply", 0.01, 60.0),
        "max_registers": section.integer("max_registers", 1, 125),
        "ambiguous": section.boolean("ambiguous"),
        "transaction_id": checked,
    }
    if profile is not None:
        own = {
            key: getattr(profile, key) if value is None else value
            for key, value in own.items()
        }
    ratios = {key: _transformer(section, key) for key in ONLY_DLT645}
    said = {**own, **ratios}
    return {key: value for key, value in said.items() if value is not None}


def _transformer(section: Section, key: str) -> Fraction | None:
    """A ratio above 0, exactly as written."""
    ratio = section.fraction(key)
    if ratio is not None and ratio <= 0:
        section.wrong(key, "ratio_zero", found=section.at(key).text)
        return None
    return ratio

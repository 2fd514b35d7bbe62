"""The ``devices`` of a site file: a profile, points of their own, or both."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from drivers.profiles import bases
from drivers.profiles.dialogue_reader import report_address, report_points
from drivers.profiles.document import Mark
from drivers.profiles.modbus_points import report_overlaps
from drivers.profiles.points import labels, points_from_list
from drivers.profiles.reading import Report, Section, closest, shown
from gateway.config.flag_keys import read_flagging
from gateway.config.model import Device
from gateway.config.place_keys import read_watches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from drivers.profiles.document import Node
    from drivers.profiles.model import Point, Profile, Protocol
    from gateway.config.library import Library
    from gateway.config.model import Bus

ONLY_MODBUS = ("max_registers", "transaction_id", "holes")
ONLY_DLT645 = ("ct", "pt")
# Any meter (the only one of its line), or one known by its last digits (shortened);
# twelve times 9 is the address of a broadcast, which no meter answers.
_METER = re.compile(r"(?=[0-9A]{12}\Z)(?!9{12}\Z)(AA)*[0-9]*\Z")
_OWN_NAME = re.compile(r"[!-~]{1,64}\Z")
KEYS = (
    "bus", "address", "profile", "every", "asset", "points", "only", "timeout", "pause",
    "max_reply", "max_registers", "ambiguous", "transaction_id", "holes", "ct", "pt",
    "label", "reception", "track", "states", "rules", "parameters",
)  # fmt: skip


class PointList(NamedTuple):
    """The points that a device writes itself."""

    points: tuple[tuple[Point, Node], ...]
    built_on: frozenset[str]
    """Points of the profile that these take the place of, under other names."""


class DeviceReader:
    """Reads devices of one site; lists of points shared by an alias are read once."""

    def __init__(
        self,
        report: Report,
        library: Library,
        buses: Mapping[str, Bus],
        timezone: str,
    ) -> None:
        self._report = report
        self._timezone = timezone
        self._library = library
        self._buses = buses
        self._names: tuple[str, ...] | None = None
        self._profiles: dict[str, Profile | None] = {}
        self._nodes: dict[str, Mapping[str, Node]] = {}
        self._lists: dict[tuple[int, str], PointList] = {}

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
        if protocol == "ascii" and (profile is not None or not section.has("profile")):
            own = address if isinstance(address, str) else None
            report_address(section, profile.dialogue if profile else None, own)
        points = self._points(section, profile, protocol)
        if not section.has("profile") and not section.has("points"):
            report.add(node, path, "no_points")
        elif profile and not profile.points and not section.has("points"):
            section.wrong("profile", "points_to_fill", profile=profile.profile)
        traits = _traits(section, profile)
        watched = read_watches(section, points)
        signs = profile.states if profile else ()
        watched |= read_flagging(section, points, every_s or 1.0, signs)
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
            profile=profile,
            asset=asset,
            timezone=self._timezone,
            label=label or {},
            **traits,
            **watched,
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
        """The profile's points, those named or built on here replaced, others added."""
        own_node = section.get("points")
        only = self._only(section, profile, own_node)
        own, built_on = PointList((), frozenset())
        if own_node is not None:
            # Lists shared by an alias are read once for each profile they build on.
            key = id(own_node), profile.profile if profile else ""
            if key not in self._lists:
                self._lists[key] = self._read_list(section, own_node, profile, protocol)
            own, built_on = self._lists[key]
        if profile is None:
            return [point for point, _ in own]
        if not own:
            return list(profile.points)
        replaced = {point.name for point, _ in own} | built_on
        at_profile = section.at("profile")
        placed: list[tuple[Point, Node | Mark]] = [
            (point, at_profile)
            for point in profile.points
            if point.name not in replaced and not only
        ]
        placed += own
        report_overlaps(self._report, placed, section.path_of("points"))
        return [point for point, _ in placed]

    def _read_list(
        self,
        section: Section,
        own_node: Node,
        profile: Profile | None,
        protocol: Protocol,
    ) -> PointList:
        nodes, path = section.items("points"), section.path_of("points")
        if isinstance(own_node.value, list) and not nodes:
            section.wrong("points", "empty")
        nodes, built_on = self._joined(nodes, profile, path)
        known = points_from_list(self._report, nodes, path, protocol)
        if profile is not None and profile.dialogue is not None:
            report_points(self._report, profile.dialogue, known, path)
        if profile is not None and profile.template:
            from drivers.profiles.template import takes_after  # noqa: PLC0415 - rarely

            known = [(takes_after(profile, point), at) for point, at in known]
        if profile is None:
            report_overlaps(self._report, known, path)
        return PointList(tuple(known), frozenset(built_on))

    def _joined(
        self, nodes: Sequence[Node], profile: Profile | None, path: str
    ) -> tuple[list[Node], set[str]]:
        """Points that build on one of the profile's, made whole; and which those are.

        One whose base is not there is reported and left out: what it lacks would only
        be said again.
        """
        whole: list[Node] = []
        built_on: set[str] = set()
        for index, node in enumerate(nodes):
            base = node.get(bases.KEY)
            if base is None:
                whole.append(node)
                continue
            at = f"{path}[{index}].{bases.KEY}"
            if profile is None:
                self._report.add(base, at, "base_alone")
                continue
            known = self._nodes_of(profile.profile)
            found = known.get(base.text)
            if found is None:
                self._report.add(
                    base,
                    at,
                    "unknown_base",
                    profile=profile.profile,
                    found=base.text,
                    meant=closest(base.text, tuple(known)),
                )
                continue
            renamed = bases.renamed_unit(node, found)
            if renamed is not None:
                unit = node.get("unit") or node
                place = f"{path}[{index}].unit"
                self._report.add(
                    unit, place, "base_unit", expected=renamed, found=shown(unit)
                )
            built_on.add(base.text)
            whole.append(bases.joined(node, found, Mark(base.line, base.column)))
        return whole, built_on

    def _nodes_of(self, profile: str) -> Mapping[str, Node]:
        if profile not in self._nodes:
            self._nodes[profile] = self._library.nodes(profile)
        return self._nodes[profile]

    def _only(
        self, section: Section, profile: Profile | None, points: Node | None
    ) -> bool:
        """Whether what the profile offers beside the points written here is left."""
        said = section.choice("only", ("named",)) is not None
        if said and (points is None or not section.has("profile")):
            section.wrong("only", "only_alone")
        return said and profile is not None


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
        "holes": section.choice("holes", ("served", "refused")),
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

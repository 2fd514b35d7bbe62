"""The ``devices`` of a site file: a profile, points of their own, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivers.profiles.points import labels, points_from_list, report_overlaps
from drivers.profiles.reading import Report, Section, closest
from gateway.config.model import Device

if TYPE_CHECKING:
    from drivers.profiles.document import Mark, Node
    from drivers.profiles.model import Point, Profile
    from gateway.config.library import Library

KEYS = (
    "bus", "address", "profile", "every", "asset", "points", "timeout", "pause",
    "max_reply", "max_registers", "ambiguous", "transaction_id", "label",
)  # fmt: skip


class DeviceReader:
    """Reads devices of one site; lists of points shared by an alias are read once."""

    def __init__(self, report: Report, library: Library) -> None:
        self._report = report
        self._library = library
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
        address = section.integer("address", 0, 255, required=True)
        every_s = section.duration("every", 0.01, 86_400.0, required=True)
        profile = self._profile(section)
        points = self._points(section, profile)
        if not section.has("profile") and not section.has("points"):
            report.add(node, path, "no_points")
        traits = _traits(section, profile)
        asset = section.text("asset")
        label = labels(section, "label")
        failed = any(not problem.warning for problem in report.problems[before:])
        if failed or bus is None or address is None or every_s is None:
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

    def _points(self, section: Section, profile: Profile | None) -> list[Point]:
        """The profile's points, those of the same name replaced, the others added."""
        own_node = section.get("points")
        own: list[tuple[Point, Node]] = []
        if own_node is not None:
            known = self._lists.get(id(own_node))
            if known is None:
                nodes = section.items("points")
                if isinstance(own_node.value, list) and not nodes:
                    section.wrong("points", "empty")
                known = points_from_list(self._report, nodes, section.path_of("points"))
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
    return {key: value for key, value in own.items() if value is not None}

"""Reads ``cameras`` of a site: where their pictures come from, what is looked for.

cameras:
  yard-1:
    url: rtsp://192.168.1.64/Streaming/Channels/102
    username: watch
    password_file: /etc/ecogate/yard-1.password
    rules: {dust: {threshold: 0.7, confirm: 5, of: 8}}
    mount: {bearing: 132, view: 60}
    values: [cems-1.so2]
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import msgspec

from drivers.profiles.reading import Section, closest, join
from gateway.config import security
from gateway.config.buses import check_name
from gateway.config.camera_url import NETWORK, read_address
from gateway.config.camera_zones import (
    read_labels,
    read_mount,
    read_zones,
    warn_unwatched,
)
from gateway.config.cameras import GROUP, SiteCamera
from gateway.config.site_info import report_unknown
from vision.messages import LABELS, Camera, Label, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from drivers.profiles.document import Node
    from gateway.config.camera_url import Address
    from gateway.config.model import SiteInfo

CAMERA_KEYS = (
    "url", "kind", "username", "password_file", "password_env", "password_credential",
    "transport", "every", "loop", "labels", "rules", "zones", "night", "mount", "tiles",
    "heartbeat", "clip", "group", "asset", "grid", "values",
)  # fmt: skip
RULE_KEYS = ("threshold", "confirm", "of", "clear", "cooldown", "off")
NIGHTS = ("watch", "hold", "auto")
TRANSPORTS = ("tcp", "udp")
NEVER = "never"
MOST_TILES = 24
EVERY_S, EVERY_TILED_S = 1.0, 10.0
"""One frame a second; a tower's wide scan looks far, where smoke is slow."""
FASTEST_S, SLOWEST_S = 0.1, 3600.0
SHORTEST_CLIP_S, LONGEST_CLIP_S = 2.0, 30.0
LEAST_CONFIRM = 2
"""One frame never alarms."""
_SECRETS = ("password", "passwd", "pass", "pwd", "secret", "token", "pw")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")


class CameraReader:
    """Reads cameras one by one, with what it must know of the rest of the file."""

    def __init__(self, root: Section, info: SiteInfo, folder: Path) -> None:
        self._root = root
        self._info = info
        self._folder = folder
        self._assets = _names(root, "assets")

    def read_all(self) -> dict[str, SiteCamera]:
        """The ``cameras`` of the file; what is wrong has been reported."""
        found: dict[str, SiteCamera] = {}
        taken = {
            name: key
            for key in ("stations", "devices")
            for name in _names(self._root, key)
        }
        for name, node, mark in self._root.entries("cameras"):
            report, path = self._root.report, f"cameras.{name}"
            check_name(report, name, self._root.at("cameras"), "cameras")
            if name in taken:
                first = self._root.at(taken[name]).key_marks[name]
                place = f"{first.line}:{first.column}"
                report.add(mark, path, "duplicate_name", found=name, first=place)
            before = len(report.problems)
            section = self._open(node, path)
            camera = None if section is None else self._read(section, name)
            if camera is not None and all(p.warning for p in report.problems[before:]):
                found[name] = camera
        return found

    def _open(self, node: Node, path: str) -> Section | None:
        """A section that says what to do instead of a secret in the file."""
        report = self._root.report
        if node.kind != "map":
            return Section.open(report, node, path, CAMERA_KEYS)
        section = Section(report, node, path)
        for key, mark in node.key_marks.items():
            if key.lower() in _SECRETS:
                report.add(mark, join(path, key), "secret_inline")
            elif key not in CAMERA_KEYS:
                section.unknown_key(key, CAMERA_KEYS)
        return section

    def _read(self, section: Section, name: str) -> SiteCamera | None:
        address = read_address(section, self._folder)
        secrets = security.read_secret_place(section, "password", self._folder)
        username = section.text("username")
        _check_login(section, address.kind if address else None)
        tiles = _tiles(section)
        every_s = section.duration("every", FASTEST_S, SLOWEST_S)
        every_s = every_s or (EVERY_TILED_S if tiles else EVERY_S)
        labels = read_labels(section, "labels") or LABELS
        group = section.text("group")
        if group is not None:
            check_name(section.report, group, section.at("group"), section.path)
        asset = section.text("asset")
        if asset is not None:
            place, path = section.at("asset"), section.path_of("asset")
            report_unknown(section.report, place, path, "asset", self._assets)
        fields: dict[str, Any] = {
            "username": username,
            "transport": _transport(section, address),
            "every_s": every_s,
            "loop": _loop(section, address.kind if address else None),
            "labels": labels,
            "rules": _rules(section, labels),
            "zones": read_zones(section),
            "night": section.choice("night", NIGHTS) or "auto",
            "mount": read_mount(section, self._info.position),
            "tiles": tiles,
            "heartbeat": _heartbeat(section),
            "timezone": self._info.timezone,
            "clip_s": _clip_s(section, every_s),
        }
        _warn_night(section, fields)
        on = [x for x in labels if not fields["rules"].get(x, Rule()).off]
        warn_unwatched(section, fields["zones"], on)
        values = self._values(section)
        if address is None:
            return None
        camera = Camera(name=name, kind=address.kind, url=address.url, **fields)
        return SiteCamera(
            camera=camera,
            group=group or GROUP,
            asset=asset,
            grid=section.text("grid") or self._info.grid,
            values=values,
            **cast("dict[str, Any]", secrets),
        )

    def _values(self, section: Section) -> tuple[str, ...]:
        """Devices and points that are there; see ``check_values`` for points."""
        found, devices = [], _names(self._root, "devices")
        for node in section.items("values"):
            path = section.path_of("values")
            device = node.text.partition(".")[0]
            if device in devices:
                found.append(node.text)
                continue
            section.report.add(
                node,
                path,
                "unknown_device",
                found=node.text,
                choices=", ".join(devices) or "-",
                meant=closest(device, devices),
            )
        return tuple(dict.fromkeys(found))


def _names(root: Section, key: str) -> list[str]:
    listed = root.get(key)
    return [name for name, _ in listed.items()] if listed is not None else []


def _check_login(section: Section, kind: str | None) -> None:
    """A password goes with a user's name, and a login with what asks for one."""
    given = [
        key
        for key in ("username", "password_file", "password_env", "password_credential")
        if section.has(key)
    ]
    if kind is not None and kind not in NETWORK:
        for key in given:
            section.wrong(key, "camera_no_login", kind=kind)
    elif given and "username" not in given:
        section.wrong(given[0], "goes_with", one=given[0], two="username")


def _transport(section: Section, address: Address | None) -> str:
    transport = section.choice("transport", TRANSPORTS)
    if transport is None or address is None:
        return transport or "tcp"
    if address.kind != "rtsp":
        section.wrong("transport", "camera_only_kind", key="transport", kind="rtsp")
    elif transport == "udp" and address.url.lower().startswith("rtsps:"):
        section.wrong("transport", "camera_udp_clear")
    return transport


def _loop(section: Section, kind: str | None) -> bool:
    loop = section.boolean("loop")
    if loop and kind not in (None, "file", "folder"):
        section.wrong("loop", "camera_only_kind", key="loop", kind="file, folder")
    return bool(loop)


def _tiles(section: Section) -> tuple[int, int] | None:
    nodes = section.items("tiles")
    if not isinstance(section.at("tiles").value, list) or not section.has("tiles"):
        return None
    numbers = [node.value for node in nodes if type(node.value) is int]
    if len(numbers) != 2 or len(nodes) != 2 or min(numbers) < 1:  # noqa: PLR2004
        section.wrong("tiles", "camera_tiles")
        return None
    columns, rows = numbers
    if not 2 <= columns * rows <= MOST_TILES:  # noqa: PLR2004 - one tile is none
        section.wrong(
            "tiles", "range", low=2, high=MOST_TILES, found=str(columns * rows)
        )
        return None
    return columns, rows


def _rules(section: Section, labels: tuple[Label, ...]) -> dict[Label, Rule]:
    found: dict[Label, Rule] = {}
    for name, node, mark in section.entries("rules"):
        path = f"{section.path_of('rules')}.{name}"
        if name not in LABELS:
            section.report.add(
                mark,
                path,
                "choice",
                choices=", ".join(LABELS),
                found=name,
                meant=closest(name, LABELS),
            )
            continue
        if name not in labels:
            section.report.add(mark, path, "camera_rule_unused", found=name)
        inner = Section.open(section.report, node, path, RULE_KEYS)
        if inner is not None:
            found[name] = _rule(inner)
    return found


def _rule(section: Section) -> Rule:
    threshold = section.number("threshold")
    if threshold is not None and not 0.01 <= threshold <= 0.99:  # noqa: PLR2004
        found = section.at("threshold").text
        section.wrong("threshold", "range", low=0.01, high=0.99, found=found)
        threshold = None
    usual = Rule()
    said: dict[str, Any] = {
        "threshold": threshold,
        "confirm": section.integer("confirm", LEAST_CONFIRM, 60),
        "of": section.integer("of", LEAST_CONFIRM, 120),
        "clear_s": section.duration("clear", 1.0, 3600.0),
        "cooldown_s": section.duration("cooldown", 0.0, 86_400.0),
        "off": section.boolean("off"),
    }
    given = {key: value for key, value in said.items() if value is not None}
    rule = msgspec.structs.replace(usual, **given)
    if rule.confirm > rule.of:
        # Only one of the two said: the other follows, as long as it can be guessed.
        if "of" not in given:
            return msgspec.structs.replace(rule, of=rule.confirm)
        section.wrong("confirm", "camera_confirm", of=rule.of, found=rule.confirm)
    return rule


def _heartbeat(section: Section) -> str | None:
    text = section.text("heartbeat")
    if text is None:
        return "08:00"
    if text == NEVER:
        return None
    if not _CLOCK.match(text):
        meant = f"0{text}" if _CLOCK.match(f"0{text}") else ""
        section.wrong("heartbeat", "camera_time", found=text, meant=meant)
    return text


def _clip_s(section: Section, every_s: float) -> float:
    clip_s = section.duration("clip", SHORTEST_CLIP_S, LONGEST_CLIP_S)
    if clip_s is not None and clip_s < 2 * every_s:
        section.wrong("clip", "camera_clip_short", every=f"{every_s:g} s")
    return clip_s or 0.0


def _warn_night(section: Section, fields: dict[str, Any]) -> None:
    """``auto`` knows the sun where it knows the place."""
    if fields["night"] == "auto" and fields["mount"].position is None:
        code, place = "camera_no_sun", section.node
        section.report.add(place, section.path, code, warning=True)


def check_values(
    section: Section, cameras: Iterable[SiteCamera], points: dict[str, set[str]]
) -> None:
    """Every point named by ``values`` is one of its device.

    Args:
        section: The whole file.
        cameras: Those that were read.
        points: Device -> names of its points; devices with mistakes are not there.
    """
    listed = section.at("cameras")
    for camera in cameras:
        node = listed.get(camera.name)
        place = node.get("values") if node is not None else None
        for entry in camera.values:
            device, dot, point = entry.partition(".")
            names = points.get(device)
            if not dot or names is None or point in names or place is None:
                continue
            section.report.add(
                place,
                f"cameras.{camera.name}.values",
                "unknown_point_of",
                device=device,
                found=point,
                choices=", ".join(sorted(names)) or "-",
                meant=closest(point, names),
            )

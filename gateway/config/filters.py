"""What of the records a target gets: which devices, which kinds, how fast the old ones.

devices: [cems-1, "fan-*"]
kinds: [scan, event]
backfill: 20/s
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from drivers.profiles.reading import Word, closest, shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from drivers.profiles.document import Node
    from drivers.profiles.reading import Report, Section

KINDS = ("scan", "gap", "event", "ledger", "track", "minute", "hour", "day", "media")
"""``lost`` is not among them: it always travels."""
RATE_UNITS = {"s": 1.0, "min": 60.0}
SLOWEST_PER_S, FASTEST_PER_S = 1 / 60, 10_000.0
PATTERN = r"[A-Za-z*][A-Za-z0-9_*-]{0,63}"
_PATTERN = re.compile(rf"{PATTERN}\Z")
_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?/ ?([a-z]+)\Z")


def read_devices(section: Section) -> tuple[str, ...] | None:
    """Names and patterns, as written; ``check_devices`` compares them."""
    found: list[str] = []
    for node in _listed(section, "devices"):
        text = node.value
        if isinstance(text, str) and _PATTERN.match(text):
            found.append(text)
        else:
            place = section.path_of("devices")
            section.report.add(node, place, "device_pattern", found=shown(node))
    return tuple(dict.fromkeys(found)) or None


def read_kinds(section: Section) -> tuple[str, ...] | None:
    """Some of ``KINDS``."""
    found: list[str] = []
    for node in _listed(section, "kinds"):
        text = node.value
        if isinstance(text, str) and text in KINDS:
            found.append(text)
        elif text == "lost":
            section.report.add(node, section.path_of("kinds"), "lost_always")
        else:
            section.report.add(
                node,
                section.path_of("kinds"),
                "choice",
                choices=", ".join(KINDS),
                found=shown(node),
                meant=closest(node.text, KINDS) if node.text else "",
            )
    return tuple(dict.fromkeys(found)) or None


def read_rate(section: Section, key: str) -> float | None:
    """Messages a second of ``20/s`` or ``30/min``."""
    node = section.get(key)
    if node is None:
        return None
    match = _RATE.match(node.text) if node.kind == "text" else None
    per = RATE_UNITS.get(match[2]) if match else None
    if match is None or per is None:
        bare = node.kind in ("int", "float")
        meant = f"{node.text}/s" if bare else ""
        section.wrong(key, "rate", found=shown(node), meant=meant)
        return None
    rate = float(match[1]) / per
    if not SLOWEST_PER_S <= rate <= FASTEST_PER_S:
        # At none at all the backlog would stay for ever.
        section.wrong(key, "range", low="1/min", high="10000/s", found=shown(node))
        return None
    return rate


def check_devices(report: Report, root: Node) -> None:
    """Every name and pattern of a target's ``devices`` fits something of the site.

    Stations have averages and cameras have pictures: their names stand there, too.
    """
    targets = root.get("targets")
    if targets is None or targets.kind != "map":
        return
    areas = (root.get(area) for area in ("devices", "stations", "cameras"))
    names = [name for area in areas if area is not None for name, _ in area.items()]
    for target, node in targets.items():
        listed = node.get("devices")
        if listed is None or not isinstance(listed.value, list):
            continue
        for entry in listed.value:
            text = entry.value
            if not isinstance(text, str) or not _PATTERN.match(text):
                continue
            if not any(fnmatchcase(name, text) for name in names):
                _report_unknown(report, entry, f"targets.{target}.devices", names)


def _report_unknown(
    report: Report, entry: Node, path: str, names: Collection[str]
) -> None:
    # A pattern may wait for devices that are still to come; a name is a slip.
    report.add(
        entry,
        path,
        "no_such_name",
        warning="*" in entry.text,
        choices=", ".join(names),
        found=entry.text,
        meant=closest(entry.text, names) if "*" not in entry.text else "",
    )


def _listed(section: Section, key: str) -> list[Node]:
    """The entries of a list; an empty one would read as "none", and means "all"."""
    found = section.items(key)
    node = section.get(key)
    if not found and node is not None and isinstance(node.value, list):
        section.wrong(key, "empty", found=Word("list"))
    return found

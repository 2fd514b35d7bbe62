"""The profiles that come with the gateway, and how one is read.

A profile is read like a site file: every mistake is listed with line, column and path,
and an unknown key is one. What a point does not say itself it takes from the vocabulary
(``quantities.yaml``): its label in both languages and its HJ 212 code.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast, get_args

import msgspec

from drivers.errors import ProfileError
from drivers.profiles.dialogue_reader import read_dialogue, report_points
from drivers.profiles.dlt645_items import edition_of
from drivers.profiles.document import load_document, read_document
from drivers.profiles.fingerprint import read_fingerprint
from drivers.profiles.gnss_points import DATUMS
from drivers.profiles.gpio_points import report_shared
from drivers.profiles.kinds import KINDS_OF_DEVICE
from drivers.profiles.modbus_points import report_overlaps
from drivers.profiles.model import Evidence, Profile, Protocol
from drivers.profiles.points import KINDS, points_from_list
from drivers.profiles.reading import Report, Section, closest, shown
from drivers.profiles.signs import periods_of, read_signs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.profiles.dialogue import Dialogue
    from drivers.profiles.document import Node
    from drivers.profiles.model import Point
    from drivers.profiles.reading import Problem

KEYS = (
    "profile",
    "revision",
    "maker",
    "models",
    "protocol",
    "kind",
    "evidence",
    "source",
    "notes",
    "baud",
    "framing",
    "timeout",
    "pause",
    "max_reply",
    "max_registers",
    "ambiguous",
    "transaction_id",
    "holes",
    "datum",
    "edition",
    "dialogue",
    "template",
    "fingerprint",
    "states",
    "points",
)
EVIDENCE: tuple[str, ...] = get_args(Evidence)
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_FRAMING = re.compile(r"[78][NEO][12]\Z")
_VOCABULARY = "quantities.yaml"


class Quantity(msgspec.Struct, frozen=True):
    """What a point name means."""

    unit: str
    """UCUM code."""
    zh: str
    en: str
    code: str | None = None
    """HJ 212 factor code, where the standard has one."""
    also: tuple[str, ...] = ()
    """Other codes that are in use for it."""
    bit: bool = False
    """Whether it is yes or no."""


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with the gateway, sorted."""
    files = (entry.name for entry in resources.files("drivers.profiles").iterdir())
    return tuple(
        sorted(
            name.removesuffix(".yaml")
            for name in files
            if name.endswith(".yaml") and name != _VOCABULARY
        )
    )


@cache
def load_profile(name: str) -> Profile:
    """Read one of the profiles that come with the gateway.

    Raises:
        ProfileError: There is none of this name, or it has mistakes; all are listed.
    """
    if name not in profile_names():
        known = ", ".join(profile_names())
        raise ProfileError(f"expected one of the profiles {known}, found {name!r}")
    return profile_from_text(_text(f"{name}.yaml"), name)


def profile_from_text(text: str, name: str) -> Profile:
    """Read a profile.

    Args:
        text: The YAML document.
        name: What it is called: its file's name without ``.yaml``.

    Raises:
        ProfileError: One line a mistake, each ``name.yaml:line:column: path: cause``.
    """
    profile, problems = read_profile(text, name)
    if profile is None:
        lines = [f"{name}.yaml:{problem}" for problem in problems]
        raise ProfileError("\n".join(lines))
    return profile


def read_profile(text: str, name: str) -> tuple[Profile | None, list[Problem]]:
    """The profile, or None where anything but a warning is wrong; and what is."""
    report = Report()
    root, errors = read_document(text, f"{name}.yaml")
    report.add_document_errors(errors)
    section = Section.open(report, root, "", KEYS)
    fields = _fields(section, name) if section and not report.failed else {}
    if report.failed:
        return None, report.problems
    return Profile(**fields), report.problems


@cache
def quantities() -> dict[str, Quantity]:
    """The vocabulary of point names."""
    root = load_document(_text(_VOCABULARY), _VOCABULARY)
    return msgspec.convert(root.plain(), dict[str, Quantity])


def _text(file: str) -> str:
    return resources.files("drivers.profiles").joinpath(file).read_text("utf-8")


def _fields(section: Section, name: str) -> dict[str, Any]:
    notes = _notes(section)
    dialogue = read_dialogue(section)
    fields = {
        "profile": _own_name(section, name),
        "revision": section.integer("revision", 1, 9999),
        "maker": section.text("maker", required=True),
        "models": _models(section),
        "protocol": section.choice("protocol", tuple(KINDS)),
        "kind": section.choice("kind", KINDS_OF_DEVICE),
        "evidence": section.choice("evidence", EVIDENCE, required=True),
        "source": section.text("source", required=True),
        "notes": notes.get("en"),
        "notes_zh": notes.get("zh"),
        "baud": section.integer("baud", 300, 1_000_000),
        "framing": _framing(section),
        "timeout_s": section.duration("timeout", 0.01, 60.0),
        "pause_s": section.duration("pause", 0.0, 10.0),
        "max_reply_s": section.duration("max_reply", 0.01, 60.0),
        "max_registers": section.integer("max_registers", 4, 125),
        "ambiguous": section.boolean("ambiguous"),
        "transaction_id": section.choice("transaction_id", ("checked", "ignored")),
        "holes": section.choice("holes", ("served", "refused")),
        "datum": section.choice("datum", DATUMS),
        "template": _template(section),
        "fingerprint": read_fingerprint(section) or None,
        "dialogue": dialogue,
        "points": (points := _points(section, dialogue)),
        "states": tuple(read_signs(section, periods_of(points))),
        "edition": _edition(section),
    }
    return {key: value for key, value in fields.items() if value is not None}


def _own_name(section: Section, name: str) -> str | None:
    own = section.text("profile", required=True)
    if own is None:
        return None
    if not _NAME.match(own):
        section.wrong(
            "profile",
            "profile_name",
            text="expected small letters, digits and single hyphens, found {found}",
            found=own,
        )
    elif own != name:
        section.wrong(
            "profile",
            "profile_file",
            text="expected {file}, the name of its file, found {found}",
            meant=name,
            file=name,
            found=own,
        )
    return own


def _models(section: Section) -> tuple[str, ...]:
    nodes = section.items("models", required=True)
    models = [node.text for node in nodes if node.kind not in {"map", "list"}]
    if section.has("models") and not models:
        section.wrong("models", "empty")
    return tuple(models)


def _notes(section: Section) -> dict[str, str]:
    node = section.get("notes")
    if node is None:
        return {}
    languages = ("zh", "en")
    inner = Section.open(section.report, node, "notes", languages)
    if inner is None:
        return {}
    texts = {code: inner.text(code, required=True) for code in languages}
    return {code: text.strip() for code, text in texts.items() if text}


def _framing(section: Section) -> str | None:
    framing = section.text("framing")
    if framing is not None and not _FRAMING.match(framing):
        section.wrong(
            "framing",
            "framing",
            text="expected data bits, parity and stop bits such as 8N1, found {found}",
            found=framing,
        )
    return framing


def _points(section: Section, dialogue: Dialogue | None) -> tuple[Point, ...]:
    """The points; only a generic profile may have none."""
    nodes: Sequence[Node] = section.items("points", required=True)
    if not nodes and section.has("points"):
        evidence = section.get("evidence")
        if evidence is None or evidence.value != "generic":
            section.wrong("points", "empty")
    said = section.get("protocol")
    known = said is not None and said.kind == "text" and said.value in KINDS
    protocol = said.value if said is not None and known else "modbus"
    read = points_from_list(section.report, nodes, "points", cast("Protocol", protocol))
    report_overlaps(section.report, read, "points")
    report_shared(section.report, read, "points")
    report_points(section.report, dialogue, read, "points")
    return tuple(_labelled(point) for point, _ in read)


def _template(section: Section) -> tuple[str, ...]:
    """Names of the vocabulary: what the technician finds in the device's manual."""
    names = []
    for node in section.items("template"):
        if node.text in quantities() and node.text not in names:
            names.append(node.text)
        else:
            section.report.add(
                node,
                section.path_of("template"),
                "template_name",
                text="expected names of quantities.yaml, each once, found {found}",
                found=shown(node),
                meant=closest(node.text, quantities()),
            )
    return tuple(names)


def _edition(section: Section) -> str | None:
    """The edition a meter speaks; every identifier has to belong to it."""
    edition = section.choice("edition", ("2007", "1997"))
    for index, node in enumerate(section.items("points")):
        di = node.get("di")
        if di is not None and edition_of(di.text) != (edition or "2007"):
            section.report.add(
                di,
                f"points[{index}].di",
                "dlt645_edition",
                edition=edition or "2007",
                found=di.text,
            )
    return edition


def _labelled(point: Point) -> Point:
    """The point with the label and the code of its name, where it has none itself."""
    quantity = quantities().get(point.name)
    if quantity is None:
        return point
    label = point.label or {"zh": quantity.zh, "en": quantity.en}
    code = point.code or quantity.code
    return msgspec.structs.replace(point, label=label, code=code)

"""What a point may say about how it is watched: contacts and counters, as data.

A driver reads a door contact like any other bit, and a pulse counter like any other
number; what an edge or a rollover means is said here, beside the point, whatever
protocol it speaks. Who judges is the gateway's business.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from drivers.profiles.reading import Section, Word, closest, shown

if TYPE_CHECKING:
    from drivers.profiles.document import Node

ContactKind = Literal["contact", "door", "relay", "float", "beacon"]
Severity = Literal["info", "warning", "alarm"]

CONTACT_KINDS: tuple[str, ...] = get_args(ContactKind)
SEVERITIES: tuple[str, ...] = get_args(Severity)
CONTACT_KEYS = (
    "kind", "normal", "debounce", "polls", "severity", "edges", "text", "text_normal",
)  # fmt: skip
COUNTER_KEYS = ("bits", "digits", "max_rate")

MOST_DIGITS = 18
RATE_UNITS = {"s": 1, "min": 60, "h": 3600}
_RATE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?/ ?(s|min|h)\Z")


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A point with two or a few states, one of which is the usual one."""

    kind: ContactKind = "contact"
    """What it is, for the sentence people read."""
    normal: bool | int | str = False
    """The value of the usual state; every other one is worth an event."""
    debounce_s: float = 0.0
    """A new state counts only once it has been shown for so long, ..."""
    polls: int = 2
    """... and by so many good polls one after the other."""
    severity: Severity = "warning"
    edges: str | None = None
    """The point of the same device that counts its edges: it tells of pulses too short
    for any poll to see."""
    text: dict[str, str] = {}
    """What is said when it leaves its usual state, by language."""
    text_normal: dict[str, str] = {}
    """What is said when it is back."""


class Counter(msgspec.Struct, frozen=True, kw_only=True):
    """A point that only grows, until it is full, reset or replaced."""

    modulus: Fraction | None = None
    """Where it begins again, in the unit of its value; None: it never does."""
    max_rate: Fraction | None = None
    """The most it can grow in a second, in the unit of its value."""


def read_contact(section: Section) -> Contact | None:
    """The ``contact`` of a point; None where absent or wrong."""
    inner = _open(section, "contact", CONTACT_KEYS)
    if inner is None:
        return None
    before = len(inner.report.problems)
    fields: dict[str, Any] = {
        "kind": inner.choice("kind", CONTACT_KINDS),
        "normal": _normal(inner, section),
        "debounce_s": inner.duration("debounce", 0.0, 3600.0),
        "polls": inner.integer("polls", 1, 100),
        "severity": inner.choice("severity", SEVERITIES),
        "edges": inner.text("edges"),
        "text": _texts(inner, "text"),
        "text_normal": _texts(inner, "text_normal"),
    }
    if any(not problem.warning for problem in inner.report.problems[before:]):
        return None
    said = {key: value for key, value in fields.items() if value is not None}
    return Contact(**said)


def read_counter(section: Section, scale: Fraction | None) -> Counter | None:
    """The ``counter`` of a point; None where absent or wrong.

    Args:
        section: The point.
        scale: Its scale, as read: ``bits`` and ``digits`` are of the raw number.
    """
    inner = _open(section, "counter", COUNTER_KEYS)
    if inner is None:
        return None
    bits = inner.integer("bits", 8, 64)
    digits = inner.integer("digits", 3, MOST_DIGITS)
    if inner.has("bits") and inner.has("digits"):
        inner.wrong("digits", "not_both", name="digits", other="bits")
    width = None
    if bits is not None:
        width = 1 << bits
    elif digits is not None:
        width = 10**digits
    factor = abs(scale) if scale else Fraction(1)
    return Counter(
        modulus=None if width is None else width * factor, max_rate=_rate(inner)
    )


def _open(section: Section, key: str, keys: tuple[str, ...]) -> Section | None:
    node = section.get(key)
    if node is None:
        return None
    return Section.open(section.report, node, section.path_of(key), keys)


def _normal(section: Section, point: Section) -> bool | int | str | None:
    """True, false or a whole number; of a point with ``enum`` one of its words."""
    words = [node.text for _, node, _ in point.entries("enum")]
    node = section.get("normal", required=bool(words))
    if node is None:
        return None
    if words:
        if node.text in words:
            return node.text
        choices, meant = ", ".join(words), closest(node.text, words)
        section.wrong(
            "normal", "choice", choices=choices, found=shown(node), meant=meant
        )
    elif isinstance(node.value, bool | int):
        return node.value
    else:
        section.wrong("normal", "type", expected=Word("bool"), found=shown(node))
    return None


def _texts(section: Section, key: str) -> dict[str, str] | None:
    """A sentence in both languages: who reads an alarm chooses neither."""
    node = section.get(key)
    if node is None:
        return None
    inner = Section.open(section.report, node, section.path_of(key), ("zh", "en"))
    if inner is None:
        return None
    texts = {code: inner.text(code, required=True) for code in ("zh", "en")}
    return {code: text for code, text in texts.items() if text is not None}


def _rate(section: Section) -> Fraction | None:
    """``50/s``, ``10/min``, ``120/h``: a number and what time it is for."""
    node = section.get("max_rate")
    if node is None:
        return None
    rate = _parse_rate(node)
    if rate is None:
        section.wrong("max_rate", "rate_form", found=shown(node))
    return rate


def _parse_rate(node: Node) -> Fraction | None:
    match = _RATE.match(node.text)
    if match is None:
        return None
    return Fraction(match[1]) / RATE_UNITS[match[2]] or None

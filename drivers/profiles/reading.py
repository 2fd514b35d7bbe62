"""From a document to typed values, listing everything wrong instead of stopping.

A ``Section`` reads the keys of one mapping; whatever is wrong goes to the ``Report``
with its place and a stable code, and the reader goes on with None. The English wording
of every code stands in ``MESSAGES``; whoever speaks other languages words the code
itself, from the same values.
"""

from __future__ import annotations

import difflib
import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from drivers.profiles.units import (
    UnitError,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from drivers.profiles.document import DocumentError, Mark, Node

MESSAGES: dict[str, str] = {
    "unknown_key": "expected one of {known}, found {found}",
    "misspelt_key": "expected a key that is known here, found {found}",
    "missing_key": "expected the key {key}, found none",
    "type": "expected {expected}, found {found}",
    "number_not_text": "expected text, found the number {found}: put it in quotes",
    "leading_zero": "expected a whole number, found {found}: "
    "take the zero in front away",
    "choice": "expected one of {choices}, found {found}",
    "range": "expected {low} to {high}, found {found}",
    "duration": "expected a duration with its unit such as 500ms, 1s or 10m, "
    "found {found}",
    "duration_bare": "expected a duration with its unit such as 500ms, 1s or 10m, "
    "found {found} without one",
    "size": "expected a size with its unit such as 512MB, found {found}",
    "size_bare": "expected a size with its unit such as 512MB, "
    "found {found} without one",
    "duplicate_name": "expected a name of its own, found {found} again, "
    "first at {first}",
    "empty": "expected at least one entry, found none",
    "name": "expected a letter, then letters, digits, _ or -, 64 at most, "
    "found {found}",
    "address_notation": "expected pdu:N as on the wire or {reference} as in "
    "the maker's list, found {found}",
    "address_table": "expected 0x, 1x, 3x or 4x before the colon, found {found}",
    "address_other_table": "expected an address of table {table}, found {found}",
    "address_range": "expected an address that is there (pdu:0 to pdu:65535), "
    "found {found}",
    "address_end": "expected {count} registers from {first} to end by pdu:65535",
    "type_in_bits": "expected type bool in table {table} (it holds single bits), "
    "found {found}",
    "bit_missing": "expected bit: 0 to 15 with type bool in table {table}, found none",
    "bit_not_bool": "expected bit only with type bool in holding or input, "
    "found type {found}",
    "only_integers": "expected a whole-number type with {key}, found {found}",
    "scale_zero": "expected a scale other than 0 (value = raw * scale + offset)",
    "scale_bool": "expected no {key} with type bool",
    "unit_missing": "expected a unit (a UCUM code such as A, kW, Cel, mg/m3; "
    '"1" for a plain number), found none',
    "unit_ascii": "expected a UCUM code such as Cel, mg/m3, m3/h, found {found}",
    "hj212_code": "expected a factor code of letters and digits such as a21026, "
    "found {found}",
    "not_both": "expected {other} or {name}, found both",
    "rate_form": "expected a number and its time such as 50/s, 10/min or 120/h, "
    "found {found}",
    "order": "expected {low_key} <= {high_key}, found {low} and {high}",
    "not_with_type": "expected no {key} with type {found}",
    "layout": "expected a layout such as {forms}, found {found}",
    "loop_beside": "expected no {key} beside loop",
    "loop_flat": "expected high to differ from low, found {found} for both",
    "loop_range": "expected to above from ({low}), found {found}",
    "not_writable_table": "expected table coil or holding for a writable point, "
    "found {found}",
    "write_limits": "expected write_min and write_max on a writable number, "
    "found {found}",
    "limits_not_writable": "expected writable: true beside {key}, found none",
    "dlt645_di": "expected an identifier of 8 hex digits (4 for DL/T "
    "645-1997), found {found}",
    "dlt645_unknown": "expected an identifier of the table, or its format beside "
    "it, found {found}",
    "dlt645_format": "expected a format such as XXX.X, hhmmss, N12, A6 or B16, "
    "found {found}",
    "dlt645_part": "expected a part that has a value, found {found}",
    "dlt645_text": "expected no {key} with format {found}: it is no number",
    "dlt645_unit": "expected the unit {expected} of this identifier, or a scale "
    "beside {found}",
    "dlt645_edition": "expected identifiers of the edition {edition}, found {found}",
    "line_shared": "expected line {found} set up as for {other}: active_low, bias, "
    "debounce and which edges count are of the line",
    "overlap": "expected registers of its own, found {where} shared with {other} "
    "at {place}",
}
"""Code -> English; the values' names are the placeholders."""

WORDS: dict[str, str] = {
    "map": "a mapping",
    "list": "a list",
    "text": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}

_SHOWN = 60
_NUMBER = re.compile(r"-?[0-9][0-9.]*\Z")
_UNITS_MEANT = {
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "msec": "ms",
    "minute": "min",
    "minutes": "min",
    "hour": "h",
    "hours": "h",
    "hr": "h",
    "hrs": "h",
    "s": "s",
    "h": "h",
    "kb": "kB",
    "mb": "MB",
    "gb": "GB",
    "g": "GB",
}


class Word(str):
    """A value that is itself a word of ours, not something a person wrote."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, code: str) -> Word:
        """The word of a code of ``WORDS``."""
        word = super().__new__(cls, WORDS[code])
        word.code = code
        return word


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong, where, and what was expected instead."""

    line: int
    column: int
    path: str
    """Where in the document, such as ``devices.fan-2.points.current.unit``."""
    code: str
    values: dict[str, object] = {}
    meant: str = ""
    """What was probably meant, or empty."""
    warning: bool = False
    text: str = ""
    """The English wording of a code that ``MESSAGES`` does not have."""
    document: str = ""
    """The file, where it is another than the one that was asked about."""

    @property
    def message(self) -> str:
        """The English wording, without the place."""
        values = {name: displayed(name, value) for name, value in self.values.items()}
        text = self.text or MESSAGES.get(self.code, self.code).format_map(values)
        return f"{text}; did you mean {self.meant}?" if self.meant else text

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{self.line}:{self.column}: {where}{self.message}"


class Report:
    """Collects what is wrong with one document."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    @property
    def failed(self) -> bool:
        """Whether anything but warnings was reported."""
        return any(not problem.warning for problem in self.problems)

    def add(
        self,
        place: Node | Mark,
        path: str,
        code: str,
        /,
        *,
        meant: str = "",
        warning: bool = False,
        text: str = "",
        **values: object,
    ) -> None:
        """Report one thing; ``text`` words a code that ``MESSAGES`` does not have."""
        self.problems.append(
            Problem(
                line=place.line,
                column=place.column,
                path=path,
                code=code,
                values=values,
                meant=meant,
                warning=warning,
                text=text,
            )
        )

    def add_document_errors(self, errors: Iterable[DocumentError]) -> None:
        """Take over what was wrong with the YAML itself."""
        for error in errors:
            self.problems.append(
                Problem(
                    line=error.line,
                    column=error.column,
                    path="",
                    code=f"yaml_{error.code}",
                    values=error.values,
                    text=error.message,
                )
            )


def shown(node: Node) -> str:
    """What was written, for ``found``; a word of ours for lists and mappings."""
    if node.kind in ("map", "list") or (node.kind == "null" and not node.text):
        return Word(node.kind)
    return node.text


def displayed(name: str, value: object) -> object:
    """How one of a problem's values stands in its message.

    Text that came from outside (``found``) is quoted, shortened and without control
    characters, so that it can neither be taken for our words nor move the cursor.
    """
    if name != "found" or not isinstance(value, str) or isinstance(value, Word):
        return value
    text = value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if _NUMBER.match(text) else f"'{text}'"


def closest(found: str, choices: Collection[str]) -> str:
    """The choice that was probably meant, or empty."""
    # get_close_matches breaks ties by the alphabet; ours go to the first offered, so
    # that "float" means float32.
    near = difflib.get_close_matches(found.lower(), [c.lower() for c in choices], 5)
    if not near:
        return ""
    matcher = difflib.SequenceMatcher(b=found.lower())

    def likeness(choice: str) -> float:
        matcher.set_seq1(choice.lower())
        return matcher.ratio()

    return max(choices, key=likeness)


def join(path: str, key: str) -> str:
    """The path of a key below another path."""
    return f"{path}.{key}" if path else key


class Section:
    """One mapping of a document, read key by key.

    Every reading method returns None for a key that is absent or wrong; a wrong one has
    been reported. ``required=True`` reports an absent one as well.
    """

    def __init__(self, report: Report, node: Node, path: str) -> None:
        self.report = report
        self.node = node
        self.path = path
        self._misspelt: dict[str, str] = {}

    @classmethod
    def open(
        cls, report: Report, node: Node, path: str, known: Sequence[str]
    ) -> Section | None:
        """The section, its unknown keys reported; None where it is no mapping."""
        if node.kind != "map":
            report.add(node, path, "type", expected=Word("map"), found=shown(node))
            return None
        section = cls(report, node, path)
        for key in node.key_marks:
            if key not in known:
                section.unknown_key(key, known)
        return section

    def unknown_key(self, key: str, known: Sequence[str]) -> None:
        """Report a key; one that is plainly misspelt is read all the same.

        So what stands below it is checked too, and is not reported as missing.
        """
        meant = closest(key, known)
        self.report.add(
            self.node.key_marks[key],
            self.path_of(key),
            "misspelt_key" if meant else "unknown_key",
            known=", ".join(known),
            found=key,
            meant=meant,
        )
        if meant and self.node.get(meant) is None:
            self._misspelt.setdefault(meant, key)

    def has(self, key: str) -> bool:
        """Whether the key stands there, be it with a null."""
        return self._find(key) is not None

    def at(self, key: str) -> Node:
        """Where to point for this key: its value, or the section when absent."""
        return self._find(key) or self.node

    def path_of(self, key: str) -> str:
        """The path of one of this section's keys."""
        return join(self.path, key)

    def get(self, key: str, *, required: bool = False) -> Node | None:
        """The node under a key; a null counts as absent."""
        node = self._find(key)
        if node is None or (node.kind == "null" and not required):
            if required:
                self.report.add(self.node, self.path, "missing_key", key=key)
            return None
        return node

    def wrong(
        self,
        key: str,
        code: str,
        /,
        *,
        meant: str = "",
        warning: bool = False,
        text: str = "",
        **values: object,
    ) -> None:
        """Report something about the value of a key."""
        self.report.add(
            self.at(key),
            self.path_of(key),
            code,
            meant=meant,
            warning=warning,
            text=text,
            **values,
        )

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Text; numbers and words such as ``true`` must be quoted to be text."""
        node = self.get(key, required=required)
        if node is None:
            return None
        if isinstance(node.value, str):
            return node.value
        if node.kind in ("int", "float"):
            self.wrong(key, "number_not_text", found=node.text, meant=f'"{node.text}"')
        else:
            self._wrong_type(key, node, "text")
        return None

    def integer(
        self, key: str, low: int, high: int, *, required: bool = False
    ) -> int | None:
        """A whole number within these bounds, both included."""
        node = self.get(key, required=required)
        if node is None:
            return None
        if type(node.value) is not int:
            if node.kind == "text" and not node.quoted and node.text.isdigit():
                meant = node.text.lstrip("0") or "0"
                self.wrong(key, "leading_zero", found=node.text, meant=meant)
            elif node.kind == "text" and node.quoted and node.text.isdigit():
                self.wrong(key, "text_not_number", found=node.text)
            else:
                self._wrong_type(key, node, "int")
            return None
        if not low <= node.value <= high:
            self.wrong(key, "range", low=low, high=high, found=node.text)
            return None
        return node.value

    def number(self, key: str, *, required: bool = False) -> float | None:
        """A finite number."""
        node = self.get(key, required=required)
        if node is None:
            return None
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong_type(key, node, "float")
            return None
        if not math.isfinite(value):
            self._wrong_type(key, node, "float")
            return None
        return value

    def fraction(self, key: str, *, required: bool = False) -> Fraction | None:
        """A finite number, exactly as written: 0.1 is one tenth."""
        if self.number(key, required=required) is None:
            return None
        node = self.at(key)
        if isinstance(node.value, int):
            return Fraction(node.value)
        return Fraction(node.text.removesuffix("."))

    def boolean(self, key: str, *, required: bool = False) -> bool | None:
        """``true`` or ``false``; ``yes`` and ``no`` are text in YAML 1.2."""
        node = self.get(key, required=required)
        if node is None:
            return None
        if isinstance(node.value, bool):
            return node.value
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        self._wrong_type(key, node, "bool", meant.get(node.text.lower(), ""))
        return None

    def choice(
        self, key: str, choices: Sequence[str], *, required: bool = False
    ) -> str | None:
        """One of these words."""
        node = self.get(key, required=required)
        if node is None:
            return None
        if isinstance(node.value, str) and node.value in choices:
            return node.value
        self.wrong(
            key,
            "choice",
            choices=", ".join(choices),
            found=shown(node),
            meant=closest(node.text, choices) if node.text else "",
        )
        return None

    def duration(
        self,
        key: str,
        low: float = 0.0,
        high: float = math.inf,
        *,
        required: bool = False,
    ) -> float | None:
        """Seconds of a duration with its unit, within these bounds."""
        return self._measure(
            key, "duration", parse_duration, (low, high), required=required
        )

    def size(
        self,
        key: str,
        low: int = 0,
        high: float = math.inf,
        *,
        required: bool = False,
    ) -> int | None:
        """Bytes of a size with its unit, within these bounds."""
        found = self._measure(key, "size", parse_size, (low, high), required=required)
        return None if found is None else int(found)

    def items(self, key: str, *, required: bool = False) -> list[Node]:
        """The entries of a list; none where it is absent or wrong."""
        node = self.get(key, required=required)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self._wrong_type(key, node, "list")
            return []
        return node.value

    def entries(self, key: str) -> list[tuple[str, Node, Mark]]:
        """Name, value and the name's place of each entry of a mapping."""
        node = self.get(key)
        if node is None:
            return []
        if not isinstance(node.value, dict):
            self._wrong_type(key, node, "map")
            return []
        return [(name, value, node.key_marks[name]) for name, value in node.items()]

    def _find(self, key: str) -> Node | None:
        return self.node.get(key) or self.node.get(self._misspelt.get(key, ""))

    def _wrong_type(self, key: str, node: Node, kind: str, meant: str = "") -> None:
        self.wrong(key, "type", expected=Word(kind), found=shown(node), meant=meant)

    def _measure(
        self,
        key: str,
        kind: str,
        parse: Callable[[str], float],
        bounds: tuple[float, float],
        *,
        required: bool,
    ) -> float | None:
        node = self.get(key, required=required)
        if node is None:
            return None
        if node.kind in ("int", "float"):
            meant = f"{node.text}MB"
            if kind == "duration":
                # 500 where a second is much was meant in milliseconds.
                many = isinstance(node.value, int | float) and node.value > bounds[1]
                meant = f"{node.text}ms" if many else f"{node.text}s"
            self.wrong(key, f"{kind}_bare", found=node.text, meant=meant)
            return None
        try:
            value = parse(node.text if isinstance(node.value, str) else "")
        except UnitError as exc:
            unit = _UNITS_MEANT.get(exc.unit.lower())
            meant = node.text.replace(exc.unit, unit) if unit else ""
            self.wrong(key, kind, found=shown(node), meant=meant)
            return None
        low, high = bounds
        if not low <= value <= high:
            write = _duration if kind == "duration" else _size
            self.wrong(
                key, "range", low=write(low), high=write(high), found=shown(node)
            )
            return None
        return value


def check_order(
    section: Section, low: str, high: str, values: Mapping[str, float | None]
) -> None:
    """Report a lower limit above its upper one."""
    lower, upper = values[low], values[high]
    if lower is not None and upper is not None and lower > upper:
        section.wrong(
            low,
            "order",
            low_key=low,
            high_key=high,
            low=section.at(low).text,
            high=section.at(high).text,
        )


def _duration(seconds: float) -> str:
    return format_duration(seconds) if math.isfinite(seconds) else "∞"


def _size(size: float) -> str:
    return format_size(int(size)) if math.isfinite(size) else "∞"

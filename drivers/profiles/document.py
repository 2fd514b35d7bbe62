"""YAML with positions: what profiles and the site file are read through.

YAML 1.2 core schema, narrowed where the core would surprise: ``no``, ``on``, ``12:34``
and ``1_000`` are text, and so are ``010`` (YAML 1.1 reads 8, 1.2 reads 10: we do not
guess) and ``8E1`` (a serial framing, not 80: an exponent needs a point or a sign).
Every node knows its line and column, both counted from 1. Refused, because they hide
mistakes or cost without bound: a key given twice, merge keys (``<<``), tags, several
documents in one file, documents beyond the limits below. Plain aliases are allowed.

Source: YAML 1.2.2, 10.3.2 "Tag Resolution".
"""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import yaml

from drivers.profiles.compose import PLAIN, QUOTED, TooDeepError, compose

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHARACTERS = 4_000_000
"""16,000 points written out take 1.5 MB."""
MAX_DEPTH = 20
MAX_ALIASES = 2_000
MAX_NODES = 1_000_000
"""Counted with every alias written out, so that no alias can multiply work."""

Scalar = str | int | float | bool | None

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z|0x[0-9a-fA-F]+\Z|0o[0-7]+\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)\.[0-9]*)(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?(?:0|[1-9][0-9]*)[eE][-+][0-9]+\Z"
    r"|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)
# Python's float() knows "inf" and "nan" without YAML's leading point.
_INFINITE = re.compile(r"\.(?=[iInN])")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_MAY_BE_NUMBER = frozenset("0123456789+-.")
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)

# What libyaml and PyYAML call the same mistake, by a stable word each.
_SYNTAX = (
    ("tab character", "tab"),
    ("mapping values are not allowed", "colon"),
    ("cannot start any token", "token"),
    ("could not find expected ':'", "missing_colon"),
    ("while scanning a quoted scalar", "quote"),
    ("unexpected end of stream", "quote"),
    ("did not find expected key", "indent"),
    ("did not find expected '-' indicator", "indent"),
    ("expected <block end>", "indent"),
    ("did not find expected ',' or", "flow"),
    ("expected ',' or", "flow"),
    ("undefined alias", "alias_unknown"),
    ("but found another document", "several"),
)


class Mark(NamedTuple):
    """A place in a document, counted from 1."""

    line: int
    column: int


class DocumentError(Exception):
    """A document that cannot be read as it stands.

    ``code`` is a stable word and ``values`` its details, for a caller that words the
    message itself; ``str()`` is the English message with its place.
    """

    def __init__(
        self,
        line: int,
        column: int,
        message: str,
        code: str = "syntax",
        **values: object,
    ) -> None:
        super().__init__(f"{line}:{column}: {message}")
        self.line = line
        self.column = column
        self.message = message
        self.code = code
        self.values = values


class Node:
    """One value of a document and where it stands.

    ``value`` is a scalar, a ``list[Node]`` or a ``dict[str, Node]``. For scalars
    ``text`` is what was written and ``quoted`` whether it stood in quotes; for mappings
    ``key_marks`` tells where each key stands.
    """

    __slots__ = ("column", "key_marks", "line", "quoted", "text", "value")

    def __init__(
        self,
        value: Scalar | list[Node] | dict[str, Node],
        line: int,
        column: int,
        *,
        text: str = "",
        quoted: bool = False,
        key_marks: dict[str, Mark] | None = None,
    ) -> None:
        self.value = value
        self.line = line
        self.column = column
        self.text = text
        self.quoted = quoted
        self.key_marks: dict[str, Mark] = {} if key_marks is None else key_marks

    def __repr__(self) -> str:
        return f"Node({self.value!r}, {self.line}, {self.column})"

    @property
    def mark(self) -> Mark:
        """Where the value starts."""
        return Mark(self.line, self.column)

    @property
    def kind(self) -> str:
        """One of ``map list text int float bool null``."""
        return _KINDS[type(self.value)]

    def get(self, key: str) -> Node | None:
        """The value under a key; None where there is none or this is no mapping."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys and values of a mapping; nothing for anything else."""
        if isinstance(self.value, dict):
            yield from self.value.items()

    def plain(self) -> object:
        """The bare Python value, positions dropped."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


_KINDS: dict[type, str] = {
    dict: "map",
    list: "list",
    str: "text",
    int: "int",
    float: "float",
    bool: "bool",
    type(None): "null",
}


def load_document(text: str, name: str) -> Node:
    """Read one YAML document.

    Args:
        text: The whole document.
        name: What the document is called in messages; a file name, mostly.

    Raises:
        DocumentError: The first thing that is wrong with it.
    """
    node, problems = read_document(text, name)
    if problems:
        raise problems[0]
    return node


def read_document(text: str, name: str) -> tuple[Node, list[DocumentError]]:
    """Read one YAML document and list everything wrong with it.

    Broken syntax ends the reading: the node is then an empty mapping. Keys given twice
    do not: the first value stands, so that the rest can be checked as well.
    """
    reading = _Reading()
    try:
        with no_collection():
            root = reading.node(_root(text.removeprefix("\ufeff"), name))
    except DocumentError as exc:
        return Node({}, 1, 1), [*reading.problems, exc]
    return root, reading.problems


def decode_text(data: bytes) -> str:
    """Decode a file's bytes, which must be UTF-8.

    Raises:
        DocumentError: With the place of the first byte that is not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        line, column = _place(data[: exc.start].decode("utf-8"), None)
        message = f"byte 0x{data[exc.start]:02X} is not UTF-8; save the file as UTF-8"
        found = f"0x{data[exc.start]:02X}"
        raise DocumentError(line, column, message, "not_utf8", found=found) from None


def _root(text: str, name: str) -> yaml.Node:
    if len(text) > MAX_CHARACTERS:
        message = f"expected at most {MAX_CHARACTERS} characters, found {len(text)}"
        raise DocumentError(
            1, 1, message, "too_large", limit=MAX_CHARACTERS, found=len(text)
        )
    if forbidden := _FORBIDDEN.search(text):
        shown = f"U+{ord(forbidden[0]):04X}"
        raise DocumentError(
            *_place(text, forbidden.start()),
            f"character {shown} is not allowed in YAML",
            "character",
            found=shown,
        )
    try:
        root = compose(text, MAX_DEPTH)
    except yaml.MarkedYAMLError as exc:
        raise _syntax_error(exc) from None
    except TooDeepError as exc:
        raise _too_deep(exc.mark.line + 1, exc.mark.column + 1) from None
    if root is None:
        raise DocumentError(1, 1, f"{name} is empty", "empty")
    return root


def _too_deep(line: int, column: int) -> DocumentError:
    message = f"nested deeper than {MAX_DEPTH} levels"
    return DocumentError(line, column, message, "too_deep", limit=MAX_DEPTH)


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep the garbage collector out while a large tree grows.

    Nothing in the tree is garbage, and searching it again and again costs three times
    as much as building it: 1.7 s against 0.5 s for 16,000 points.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _place(text: str, index: int | None) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _syntax_error(exc: yaml.MarkedYAMLError) -> DocumentError:
    mark = exc.problem_mark or exc.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    told = f"{exc.context or ''} {exc.problem or ''}".strip()
    code = next((word for part, word in _SYNTAX if part in told), "syntax")
    if code in ("quote", "several") and exc.context_mark and "quoted" in told:
        # An open quote runs to the end of the file: its start is what helps.
        line, column = exc.context_mark.line + 1, exc.context_mark.column + 1
    return DocumentError(line, column, f"not valid YAML: {told}", code, detail=told)


class _Done(NamedTuple):
    """A node that an alias may name again, with what that costs."""

    node: Node
    size: int
    height: int


class _Reading:
    """One pass over PyYAML's nodes that turns them into ours, within the limits."""

    def __init__(self) -> None:
        self.problems: list[DocumentError] = []
        self._done: dict[int, _Done] = {}
        self._open: set[int] = set()
        self._nodes = 0
        self._aliases = 0
        self._depth = 0
        self._deepest = 0

    def node(self, raw: yaml.Node) -> Node:
        if isinstance(raw, yaml.ScalarNode):
            return self._scalar(raw)
        line, column = raw.start_mark.line + 1, raw.start_mark.column + 1
        known = self._done.get(id(raw))
        if known is not None:
            self._aliases += 1
            self._count(known.size, line, column)
            self._deepest = max(self._deepest, self._depth + 1 + known.height)
            if self._deepest > MAX_DEPTH:
                raise _too_deep(line, column)
            return known.node
        if id(raw) in self._open:
            raise DocumentError(
                line, column, "an alias inside its own anchor", "alias_circle"
            )
        before, deepest = self._nodes, self._deepest
        self._count(1, line, column)
        self._no_tag(raw, line, column)
        self._open.add(id(raw))
        self._depth += 1
        self._deepest = self._depth
        if isinstance(raw, yaml.MappingNode):
            node = self._mapping(raw, line, column)
        else:
            node = Node([self.node(child) for child in raw.value], line, column)
        height = self._deepest - self._depth
        self._depth -= 1
        self._deepest = max(self._deepest, deepest)
        self._open.discard(id(raw))
        self._done[id(raw)] = _Done(node, self._nodes - before, height)
        return node

    def _count(self, nodes: int, line: int, column: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES or self._aliases > MAX_ALIASES:
            limits = f"{MAX_NODES} values, {MAX_ALIASES} aliases"
            raise DocumentError(
                line,
                column,
                f"larger than allowed ({limits})",
                "too_many",
                nodes=MAX_NODES,
                aliases=MAX_ALIASES,
            )

    def _no_tag(self, raw: yaml.Node, line: int, column: int) -> None:
        if raw.tag not in (PLAIN, QUOTED):
            self.problems.append(
                DocumentError(
                    line,
                    column,
                    f"tags are not supported, found {raw.tag!r}",
                    "tag",
                    found=raw.tag,
                )
            )

    def _scalar(self, raw: yaml.ScalarNode) -> Node:
        mark = raw.start_mark
        line, column = mark.line + 1, mark.column + 1
        self._count(1, line, column)
        text: str = raw.value
        if raw.tag == PLAIN:
            return Node(_meaning(text), line, column, text=text)
        self._no_tag(raw, line, column)
        return Node(text, line, column, text=text, quoted=True)

    def _mapping(self, raw: yaml.MappingNode, line: int, column: int) -> Node:
        values: dict[str, Node] = {}
        marks: dict[str, Mark] = {}
        for key_node, value_node in raw.value:
            mark = Mark(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, yaml.ScalarNode) or (
                key_node.tag == PLAIN and _WORDS.get(key_node.value, True) is None
            ):
                raise DocumentError(*mark, "a key must be plain text", "key")
            key = key_node.value
            if key == "<<" and key_node.tag == PLAIN:
                self.problems.append(
                    DocumentError(
                        *mark,
                        "merge keys (<<) are not supported; write the keys out",
                        "merge_key",
                    )
                )
                continue
            value = self.node(value_node)
            if key in values:
                first = marks[key]
                self.problems.append(
                    DocumentError(
                        *mark,
                        f"key {key!r} given twice, first at {first[0]}:{first[1]}",
                        "duplicate_key",
                        key=key,
                        first=f"{first[0]}:{first[1]}",
                    )
                )
                continue
            values[key] = value
            marks[key] = mark
        return Node(values, line, column, key_marks=marks)


def _meaning(text: str) -> Scalar:
    """What an unquoted scalar is by the narrowed core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _MAY_BE_NUMBER:
        if _INT.match(text):
            return int(text, 0)
        if _FLOAT.match(text):
            return float(_INFINITE.sub("", text))
    return text

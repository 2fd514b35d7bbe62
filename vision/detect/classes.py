"""Which of a file's classes are ours: its names, and the map an operator gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vision.detect.errors import ModelError
from vision.detect.metadata import literal
from vision.messages import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vision.messages import Label

_SHOWN = 20


def names_of(metadata: Mapping[str, str]) -> dict[int, str]:
    """The class names a file brings; empty where it brings none.

    Ours are a JSON list under ``ecogate.classes``; Ultralytics writes a dictionary of
    Python's under ``names``.
    """
    found = literal(metadata.get("ecogate.classes") or metadata.get("names") or "")
    if isinstance(found, list):
        found = dict(enumerate(found))
    if not isinstance(found, dict):
        return {}
    try:
        return {int(index): str(name) for index, name in found.items()}
    except (TypeError, ValueError):
        return {}


def mapped(
    declared: Mapping[str, Label], names: Mapping[int, str], count: int
) -> dict[int, int]:
    """Number of a file's class -> place of our label.

    Args:
        declared: The file's names or numbers -> our labels, as the operator says.
        names: The file's own names.
        count: How many classes its output has; 0 where that cannot be told.

    Raises:
        ModelError: A name the file does not have, or nothing that is ours.
    """
    if not declared:
        found = {n: LABELS.index(x) for n, x in names.items() if x in LABELS}
        if not found:
            raise ModelError("classes_needed", names=shown(names, count))
        return _within(found, names, count)
    by_name = {name: index for index, name in names.items()}
    found = {}
    for word, label in declared.items():
        index = by_name.get(word)
        if index is None and word.isascii() and word.isdecimal():
            index = int(word)
            if index not in names and names:
                index = None
        if index is None:
            raise ModelError("class_unknown", name=word, names=shown(names, count))
        found[index] = LABELS.index(label)
    return _within(found, names, count)


def _within(
    found: dict[int, int], names: Mapping[int, str], count: int
) -> dict[int, int]:
    if count and names and len(names) != count:
        raise ModelError("class_count", found=count, names=shown(names, count))
    if count and (most := max(found)) >= count:
        raise ModelError("class_unknown", name=most, names=shown(names, count))
    return found


def shown(names: Mapping[int, str], count: int) -> str:
    """A file's classes for a sentence: names where it has them, else numbers."""
    if not names:
        return f"0..{count - 1}" if count else "?"
    listed = [f"{index}: {name[:40]}" for index, name in sorted(names.items())]
    more = ["…"] if len(listed) > _SHOWN else []
    return ", ".join(listed[:_SHOWN] + more)

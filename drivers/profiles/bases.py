"""Points that take what they do not say from a point of their device's profile.

``{base: ai1, name: tank_level, unit: m, loop: {low: 0, high: 5}}`` in a site file is
the profile's ``ai1`` under another name and with another meaning. It is joined before
it is read, key by key, so that the outcome is checked like any other point, whatever
its protocol. What belongs to a name stays with it: ``label`` and ``code`` are not taken
over, nor, where the point says what its signal stands for (``loop``), the unit and the
range of the bare signal, nor, where it has another unit or scale, rounding and limits
that were meant for the old one. Another unit alone, which would only call the same
number something else, is a mistake (``renamed_unit``).
"""

from __future__ import annotations

from importlib import resources

from drivers.profiles.document import Mark, Node, read_document

KEY = "base"
_OWN = ("name", "label", "code")
_OF_THE_SIGNAL = ("unit", "minimum", "maximum", "decimals")
_IN_ITS_UNIT = ("minimum", "maximum", "decimals", "write_min", "write_max")
_SCALE = ("scale", "offset", "unit")
_MADE_FIT = ("scale", "loop", "units", "format")
"""What makes another unit true."""


def packaged_nodes(name: str) -> dict[str, Node]:
    """Point by point, what a profile that comes with the gateway has written."""
    file = resources.files("drivers.profiles").joinpath(f"{name}.yaml")
    return point_nodes(file.read_text("utf-8"), name)


def point_nodes(text: str, name: str) -> dict[str, Node]:
    """Point by point, what a profile has written; none where it cannot be read."""
    root, _ = read_document(text, f"{name}.yaml")
    points = root.get("points")
    listed = points.value if points is not None else None
    found: dict[str, Node] = {}
    for node in listed if isinstance(listed, list) else ():
        own = node.get("name")
        if own is not None:
            found[own.text] = node
    return found


def joined(own: Node, base: Node, place: Mark) -> Node:
    """One mapping of both: what the point says, and of its base what it does not.

    Args:
        own: As the site file has it, ``base`` included.
        base: The profile's point.
        place: Where mistakes in what was taken over are shown: the word after ``base``.
    """
    left_out: tuple[str, ...] = _OWN
    if own.get("loop") is not None:
        left_out += _OF_THE_SIGNAL
    elif any(_changes(own, base, key) for key in _SCALE):
        left_out += _IN_ITS_UNIT
    entries: dict[str, Node] = {}
    marks: dict[str, Mark] = {}
    for key, node in base.items():
        if key not in left_out:
            entries[key], marks[key] = _moved(node, place), place
    for key, node in own.items():
        if key != KEY:
            entries[key], marks[key] = node, own.key_marks[key]
    return Node(entries, own.line, own.column, key_marks=marks)


def renamed_unit(own: Node, base: Node) -> str | None:
    """The base's unit, where the point has another one and nothing that leads to it.

    A base without dimension ("1") may be given the unit that it lacks; an ASCII
    instrument's own ``units`` are turned into whatever unit a point has.
    """
    unit = base.get("unit")
    if unit is None or unit.text == "1" or not _changes(own, base, "unit"):
        return None
    if base.get("units") is not None or any(own.get(key) for key in _MADE_FIT):
        return None
    return unit.text


def _changes(own: Node, base: Node, key: str) -> bool:
    mine, theirs = own.get(key), base.get(key)
    return mine is not None and (theirs is None or mine.text != theirs.text)


def _moved(node: Node, place: Mark) -> Node:
    """The same value, standing at another place."""
    value = node.value
    if isinstance(value, dict):
        value = {key: _moved(inner, place) for key, inner in value.items()}
    elif isinstance(value, list):
        value = [_moved(inner, place) for inner in value]
    return Node(
        value,
        place.line,
        place.column,
        text=node.text,
        quoted=node.quoted,
        key_marks=dict.fromkeys(node.key_marks, place),
    )

"""How a device shows that it is in a state: by points of its own, as data.

states:
  calibration: {point: status.calibrating, equals: true}
  fault:
    - {point: alarm, at_least: 1}
    - {point: mode, equals: [lamp_off, cell_hot], points: [so2]}

The same in a profile and in a site file. They are looked at in the order they stand in:
the first that is shown is the state. Who judges is the gateway's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from drivers.profiles.reading import Section, Word, closest, join, shown
from drivers.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from drivers.profiles.document import Mark, Node
    from drivers.profiles.model import Point

Shows = Literal[
    "stopped",
    "maintenance",
    "calibration",
    "fault",
    "manual",
    "over_range",
    "condition",
    "link",
]
CAN_BE_SHOWN: tuple[Shows, ...] = get_args(Shows)
STATE_KEYS = ("point", "equals", "at_least", "at_most", "points")
_UNSAID = "expected how the state is shown: equals, or at_least and at_most"


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a device shows one state."""

    state: Shows
    point: str
    """A point of the same device, or one of its named bits: ``status.purging``."""
    equals: tuple[Value, ...] = ()
    """The state is shown by one of these, ..."""
    at_least: float | None = None
    at_most: float | None = None
    """... or by a number within these."""
    points: tuple[str, ...] = ()
    """Whose readings it concerns; none: of the whole device."""
    every_s: float = 0.0
    """How often ``point`` is read; 0: a profile cannot know."""


def periods_of(points: Sequence[Point], every_s: float = 0.0) -> dict[str, float]:
    """How often points, and their named bits, are read.

    Args:
        points: Of one device.
        every_s: Where a point says nothing itself.
    """
    periods: dict[str, float] = {}
    for point in points:
        own_s = point.every_s or every_s
        periods[point.name] = own_s
        periods |= {f"{point.name}.{bit}": own_s for bit in point.bits.values()}
    return periods


def read_signs(section: Section, periods: Mapping[str, float]) -> Iterator[Sign]:
    """The ``states`` of a device or a profile; what is wrong is reported.

    Args:
        section: Where they stand.
        periods: Points and named bits that are there, and how often they are read.
    """
    for name, node, mark in section.entries("states"):
        path = join(section.path_of("states"), name)
        if name not in CAN_BE_SHOWN:
            section.report.add(
                mark,
                path,
                "choice",
                choices=", ".join(CAN_BE_SHOWN),
                found=name,
                meant=closest(name, CAN_BE_SHOWN),
            )
            continue
        several = isinstance(node.value, list)
        nodes: list[Node] = node.value if isinstance(node.value, list) else [node]
        if not nodes:
            section.report.add(node, path, "empty")
        for index, each in enumerate(nodes):
            at = f"{path}[{index}]" if several else path
            inner = Section.open(section.report, each, at, STATE_KEYS)
            if inner is None:
                continue
            found = _shown(inner, name, periods)
            if found is not None:
                yield found


def _shown(inner: Section, state: Shows, periods: Mapping[str, float]) -> Sign | None:
    before = len(inner.report.problems)
    point = _one(inner, "point", periods)
    at_least, at_most = inner.number("at_least"), inner.number("at_most")
    equals = tuple(_values(inner))
    if inner.has("equals") and (at_least is not None or at_most is not None):
        inner.wrong("equals", "not_both", name="equals", other="at_least, at_most")
    elif not inner.has("equals") and at_least is None and at_most is None:
        inner.report.add(inner.node, inner.path, "state_unsaid", text=_UNSAID)
    elif at_least is not None and at_most is not None and at_least > at_most:
        inner.wrong(
            "at_most",
            "order",
            low_key="at_least",
            high_key="at_most",
            low=at_least,
            high=at_most,
        )
    points = listed_points(inner, "points", [n for n in periods if "." not in n])
    if point is None or failed(inner, before):
        return None
    return Sign(
        state=state,
        point=point,
        equals=equals,
        at_least=at_least,
        at_most=at_most,
        points=points,
        every_s=periods[point],
    )


def _values(inner: Section) -> Iterator[Value]:
    """One value or a list of them."""
    node = inner.get("equals")
    if node is None:
        return
    nodes: list[Node] = node.value if isinstance(node.value, list) else [node]
    if not nodes:
        inner.wrong("equals", "empty")
    for each in nodes:
        value = each.value
        if isinstance(value, bool | int | float | str):
            yield value
        else:
            at = inner.path_of("equals")
            expected = Word("text")
            inner.report.add(each, at, "type", expected=expected, found=shown(each))


def listed_points(
    inner: Section, key: str, known: Sequence[str], *, required: bool = False
) -> tuple[str, ...]:
    """Names of points, each of this device."""
    node = inner.get(key, required=required)
    if node is None:
        return ()
    names: list[str] = []
    for each in inner.items(key):
        if each.text in known and each.kind == "text":
            names.append(each.text)
        else:
            unknown_point(inner, each, inner.path_of(key), each.text, known)
    return tuple(dict.fromkeys(names))


def _one(inner: Section, key: str, known: Mapping[str, float]) -> str | None:
    name = inner.text(key, required=True)
    if name is None or name in known:
        return name
    unknown_point(inner, inner.at(key), inner.path_of(key), name, list(known))
    return None


def unknown_point(
    section: Section, place: Node | Mark, path: str, found: str, known: Sequence[str]
) -> None:
    """Report a name that is no point here."""
    section.report.add(
        place,
        path,
        "unknown_point",
        text="expected a point that is here ({choices}), found {found}",
        found=found,
        choices=", ".join(known) or "-",
        meant=closest(found, known),
    )


def failed(section: Section, before: int) -> bool:
    """Whether anything but a warning was reported since."""
    return any(not problem.warning for problem in section.report.problems[before:])

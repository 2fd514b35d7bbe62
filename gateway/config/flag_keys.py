"""Reads ``states``, ``rules`` and ``parameters`` of a device.

states:
  calibration: {point: status.calibrating, equals: true}
  fault:
    - {point: alarm, at_least: 1}
    - {point: mode, equals: [lamp_off, cell_hot], points: [so2]}
rules:
  so2: {below: 0, above: 285.7, constant: 2h, jump: 50 per 1m}
parameters: {points: [range, slope, intercept], every: 10m}

States are looked at in the order they stand in: the first that is shown is the state.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from drivers.profiles.reading import Section, Word, closest, join, shown
from drivers.profiles.units import UnitError, parse_duration
from gateway.config.flagging import PARAMETERS_EVERY_S, Rules, Sign
from gateway.judge.states import NORMAL, UNKNOWN, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from drivers.profiles.document import Mark, Node
    from drivers.profiles.model import Point
    from drivers.values import Value

CAN_BE_SHOWN: tuple[State, ...] = tuple(
    state for state in get_args(State) if state not in (NORMAL, UNKNOWN)
)
STATE_KEYS = ("point", "equals", "at_least", "at_most", "points")
RULE_KEYS = (
    "below", "above", "constant", "jump", "max_age", "clock", "missing",
)  # fmt: skip
PARAMETER_KEYS = ("points", "every")
JUMP = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?per ?(.+)\Z")
_DAY_S = 86_400.0
_LONGEST_S = 366 * _DAY_S


def read_flagging(
    section: Section, points: Sequence[Point], every_s: float
) -> dict[str, Any]:
    """The fields of a device that these keys fill; what is wrong is reported.

    Args:
        section: The device.
        points: All of its points.
        every_s: Its own period.
    """
    periods = {name: own_s or every_s for name, own_s in _names(points)}
    parameters, slowly_s = _parameters(section, periods)
    slow = {
        point.name: msgspec.structs.replace(point, every_s=slowly_s)
        for point in points
        if point.name in parameters
    }
    if slow:
        periods |= dict.fromkeys(slow, slowly_s)
        points = [slow.get(point.name, point) for point in points]
    return {
        "points": tuple(points),
        "states": tuple(_states(section, periods)),
        "rules": tuple(_rules(section, points, periods)),
        "parameters": parameters,
    }


def _names(points: Sequence[Point]) -> Iterator[tuple[str, float | None]]:
    """Points and their named bits, and their periods where they have their own."""
    for point in points:
        yield point.name, point.every_s
        for bit in point.bits.values():
            yield f"{point.name}.{bit}", point.every_s


def _parameters(
    section: Section, periods: Mapping[str, float]
) -> tuple[tuple[str, ...], float]:
    inner = _open(section, "parameters", PARAMETER_KEYS)
    if inner is None:
        return (), PARAMETERS_EVERY_S
    every_s = inner.duration("every", 1.0, _DAY_S)
    plain = [name for name in periods if "." not in name]
    names = _listed(inner, "points", plain, required=True)
    return names, PARAMETERS_EVERY_S if every_s is None else every_s


def _states(section: Section, periods: Mapping[str, float]) -> Iterator[Sign]:
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
            found = _shown(inner, name, periods) if inner is not None else None
            if found is not None:
                yield found


def _shown(inner: Section, state: State, periods: Mapping[str, float]) -> Sign | None:
    before = len(inner.report.problems)
    point = _one(inner, "point", periods)
    at_least, at_most = inner.number("at_least"), inner.number("at_most")
    equals = tuple(_values(inner))
    if inner.has("equals") and (at_least is not None or at_most is not None):
        inner.wrong("equals", "not_both", name="equals", other="at_least, at_most")
    elif not inner.has("equals") and at_least is None and at_most is None:
        inner.report.add(inner.node, inner.path, "state_unsaid")
    elif at_least is not None and at_most is not None and at_least > at_most:
        inner.wrong(
            "at_most",
            "order",
            low_key="at_least",
            high_key="at_most",
            low=at_least,
            high=at_most,
        )
    points = _listed(inner, "points", [n for n in periods if "." not in n])
    if point is None or _failed(inner, before):
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


def _rules(
    section: Section, points: Sequence[Point], periods: Mapping[str, float]
) -> Iterator[Rules]:
    numbers = [point.name for point in points if _is_number(point)]
    for name, node, mark in section.entries("rules"):
        path = join(section.path_of("rules"), name)
        if name not in numbers:
            _unknown(section, mark, path, name, numbers)
            continue
        inner = Section.open(section.report, node, path, RULE_KEYS)
        if inner is not None:
            found = _rule(inner, name, periods[name])
            if found is not None:
                yield found


def _is_number(point: Point) -> bool:
    """Whether its readings can be compared: no words, no bits."""
    return not (point.enum or point.bits or point.contact)


def _rule(inner: Section, name: str, every_s: float) -> Rules | None:
    before = len(inner.report.problems)
    below, above = inner.number("below"), inner.number("above")
    if below is not None and above is not None and below > above:
        inner.wrong(
            "above", "order", low_key="below", high_key="above", low=below, high=above
        )
    jump, jump_s = _jump(inner)
    rules = Rules(
        point=name,
        below=below,
        above=above,
        constant_s=inner.duration("constant", 1.0, _LONGEST_S),
        jump=jump,
        jump_s=jump_s,
        max_age_s=inner.duration("max_age", 1.0, _LONGEST_S),
        clock=bool(inner.boolean("clock")),
        missing_s=inner.duration("missing", 1.0, _LONGEST_S),
        every_s=every_s,
    )
    return None if _failed(inner, before) else rules


def _jump(inner: Section) -> tuple[Fraction | None, float]:
    """``50 per 1m``: so much within so long."""
    node = inner.get("jump")
    if node is None:
        return None, 60.0
    match = JUMP.match(node.text) if node.kind == "text" else None
    try:
        within_s = parse_duration(match[2]) if match else 0.0
    except UnitError:
        within_s = 0.0
    if match is None or not 0 < within_s <= _DAY_S:
        inner.wrong("jump", "jump_form", found=shown(node))
        return None, 60.0
    return Fraction(match[1]), within_s


def _listed(
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
            _unknown(inner, each, inner.path_of(key), each.text, known)
    return tuple(dict.fromkeys(names))


def _one(inner: Section, key: str, known: Mapping[str, float]) -> str | None:
    name = inner.text(key, required=True)
    if name is None or name in known:
        return name
    _unknown(inner, inner.at(key), inner.path_of(key), name, list(known))
    return None


def _unknown(
    section: Section, place: Node | Mark, path: str, found: str, known: Sequence[str]
) -> None:
    section.report.add(
        place,
        path,
        "unknown_point",
        found=found,
        choices=", ".join(known) or "-",
        meant=closest(found, known),
    )


def _failed(section: Section, before: int) -> bool:
    return any(not problem.warning for problem in section.report.problems[before:])


def _open(section: Section, key: str, keys: tuple[str, ...]) -> Section | None:
    node = section.get(key)
    if node is None:
        return None
    return Section.open(section.report, node, section.path_of(key), keys)

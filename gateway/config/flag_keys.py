"""Reads ``states``, ``rules`` and ``parameters`` of a device.

states:
  calibration: {point: status.calibrating, equals: true}
  fault:
    - {point: alarm, at_least: 1}
    - {point: mode, equals: [lamp_off, cell_hot], points: [so2]}
rules:
  so2: {below: 0, above: 285.7, constant: 2h, jump: 50 per 1m}
parameters: {points: [range, slope, intercept], every: 10m}

States: see ``drivers.profiles.signs``; those of the profile come after the site's own.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.profiles.reading import Section, join, shown
from drivers.profiles.signs import (
    Sign,
    failed,
    listed_points,
    periods_of,
    read_signs,
    unknown_point,
)
from drivers.profiles.units import UnitError, parse_duration
from gateway.config.flagging import PARAMETERS_EVERY_S, Rules

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from drivers.profiles.model import Point

RULE_KEYS = (
    "below", "above", "constant", "jump", "max_age", "clock", "missing",
)  # fmt: skip
PARAMETER_KEYS = ("points", "every")
JUMP = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?per ?(.+)\Z")
_DAY_S = 86_400.0
_LONGEST_S = 366 * _DAY_S


def read_flagging(
    section: Section,
    points: Sequence[Point],
    every_s: float,
    signs: Sequence[Sign] = (),
) -> dict[str, Any]:
    """The fields of a device that these keys fill; what is wrong is reported.

    Args:
        section: The device.
        points: All of its points.
        every_s: Its own period.
        signs: Those of its profile; the site's own are looked at first.
    """
    periods = periods_of(points, every_s)
    parameters, slowly_s = _parameters(section, periods)
    slow = {
        point.name: msgspec.structs.replace(point, every_s=slowly_s)
        for point in points
        if point.name in parameters
    }
    if slow:
        points = [slow.get(point.name, point) for point in points]
        periods = periods_of(points, every_s)
    all_signs = *read_signs(section, periods), *_of_profile(section, signs, periods)
    _slow_signs(section, all_signs, periods, parameters)
    return {
        "points": tuple(points),
        "states": all_signs,
        "rules": tuple(_rules(section, points, periods)),
        "parameters": parameters,
    }


def _parameters(
    section: Section, periods: Mapping[str, float]
) -> tuple[tuple[str, ...], float]:
    inner = _open(section, "parameters", PARAMETER_KEYS)
    if inner is None:
        return (), PARAMETERS_EVERY_S
    every_s = inner.duration("every", 1.0, _DAY_S)
    plain = [name for name in periods if "." not in name]
    names = listed_points(inner, "points", plain, required=True)
    return names, PARAMETERS_EVERY_S if every_s is None else every_s


def _of_profile(
    section: Section, signs: Sequence[Sign], periods: Mapping[str, float]
) -> Iterator[Sign]:
    """What the profile says of states, as far as its points are read here."""
    for sign in signs:
        points = tuple(point for point in sign.points if point in periods)
        if sign.point not in periods:
            section.report.add(
                section.node,
                section.path,
                "state_left_out",
                warning=True,
                state=sign.state,
                found=sign.point,
            )
        elif points or not sign.points:
            every_s = periods[sign.point]
            yield msgspec.structs.replace(sign, points=points, every_s=every_s)


def _slow_signs(
    section: Section,
    signs: Sequence[Sign],
    periods: Mapping[str, float],
    parameters: Collection[str],
) -> None:
    """Say which states are seen later than the readings that they concern."""
    words = {sign.point.partition(".")[0] for sign in signs}
    told: set[str] = set()
    for sign in signs:
        concerned = sign.points or [
            name
            for name in periods
            if "." not in name and name not in words and name not in parameters
        ]
        often_s = min((periods[name] for name in concerned), default=sign.every_s)
        if sign.every_s > often_s and sign.point not in told:
            told.add(sign.point)
            section.report.add(
                section.node,
                section.path,
                "state_slow",
                warning=True,
                found=sign.point,
                every=f"{sign.every_s:g} s",
                often=f"{often_s:g} s",
            )


def _rules(
    section: Section, points: Sequence[Point], periods: Mapping[str, float]
) -> Iterator[Rules]:
    numbers = [point.name for point in points if _is_number(point)]
    for name, node, mark in section.entries("rules"):
        path = join(section.path_of("rules"), name)
        if name not in numbers:
            unknown_point(section, mark, path, name, numbers)
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
    return None if failed(inner, before) else rules


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


def _open(section: Section, key: str, keys: tuple[str, ...]) -> Section | None:
    node = section.get(key)
    if node is None:
        return None
    return Section.open(section.report, node, section.path_of(key), keys)

"""GPIO points as they are written: a line of a chip, its state or a count of its edges.

{name: door_open, line: 17, bias: pull_up, active_low: true, debounce: 5ms}
{name: rain, line: 27, bias: pull_up, count: falling, scale: 0.2, unit: mm}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, get_args

from drivers.profiles.model import Point
from drivers.profiles.reading import Word, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.profiles.document import Mark, Node
    from drivers.profiles.reading import Report, Section

Bias = Literal["as_is", "pull_up", "pull_down", "disabled"]
Edges = Literal["rising", "falling", "both"]
BIASES: tuple[str, ...] = get_args(Bias)
EDGES: tuple[str, ...] = get_args(Edges)
KEYS = ("line", "active_low", "bias", "debounce", "count")

LAST_LINE = 1023
MOST_DEBOUNCE_S = 4.0
"""The kernel takes microseconds in 32 bits; beyond seconds nobody debounces there."""
_LINE_NAME = re.compile(r"[!-~][ -~]{0,30}\Z")


class GpioPoint(Point, frozen=True, kw_only=True):
    """One line of a GPIO chip: on or off, or how often it changed."""

    line: int | str
    """Its offset on the chip, or its name as ``gpioinfo`` shows it."""
    active_low: bool = False
    """A low level is on: a contact to ground with a pull-up."""
    bias: Bias = "as_is"
    debounce_s: float = 0.0
    """What the kernel filters, before it counts."""
    count: Edges | None = None
    """The value is how often it did that since the chip was opened; None: its state."""

    @property
    def where(self) -> str:
        """Its line."""
        return str(self.line)

    @property
    def form(self) -> str:
        """Its state, or which edges are counted."""
        return f"count {self.count}" if self.count else "bool"


def read_gpio(section: Section) -> dict[str, Any]:
    """The fields that only a GPIO point has; None where absent or wrong."""
    count = section.choice("count", EDGES)
    if not section.has("count"):
        for key in ("scale", "offset", "decimals"):
            if section.has(key):
                section.wrong(key, "scale_bool", key=key)
    elif section.has("enum"):
        section.wrong("enum", "not_both", name="enum", other="count")
    if section.has("bits"):
        section.wrong("bits", "only_integers", key="bits", found="bool")
    return {
        "line": _line(section),
        "active_low": section.boolean("active_low"),
        "bias": section.choice("bias", BIASES),
        "debounce_s": section.duration("debounce", 0.0, MOST_DEBOUNCE_S),
        "count": count,
    }


def needs_unit(section: Section) -> bool:
    """A count has a unit: pulses are "1", or what one of them stands for."""
    return section.has("count")


def report_shared(
    report: Report, points: Iterable[tuple[Point, Node | Mark]], path: str
) -> None:
    """Report points of one line that want it set up differently."""
    seen: dict[int | str, GpioPoint] = {}
    for point, place in points:
        if not isinstance(point, GpioPoint):
            continue
        first = seen.setdefault(point.line, point)
        differs = setup(first) != setup(point)
        counts = {first.count, point.count} - {None}
        if differs or len(counts) > 1:
            where = f"{path}.{point.name}"
            report.add(
                place, where, "line_shared", found=str(point.line), other=first.name
            )
        elif first.count is None:
            seen[point.line] = point


def setup(point: GpioPoint) -> tuple[bool, Bias, float]:
    """What all points of one line must agree on."""
    return point.active_low, point.bias, point.debounce_s


def _line(section: Section) -> int | str | None:
    node = section.get("line", required=True)
    if node is None:
        return None
    if type(node.value) is int:
        return section.integer("line", 0, LAST_LINE)
    if isinstance(node.value, str) and _LINE_NAME.match(node.value):
        return node.value
    section.wrong("line", "type", expected=Word("int"), found=shown(node))
    return None

"""``loop:`` of a point: what a 4-20 mA signal stands for, as it is written.

    {name: ph, table: input, address: "pdu:0", type: uint16, scale: 0.001, unit: "1",
     loop: {low: 0, high: 14}}

``scale`` makes milliamperes (or volts) of the raw number, ``loop`` the measured value
of those. ``from`` and ``to`` say the signal's range where it is not 4 to 20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profiles.model import Loop
from drivers.profiles.reading import Section

if TYPE_CHECKING:
    from drivers.profiles.model import PointType

KEYS = ("low", "high", "from", "to")


def read_loop(section: Section, kind: PointType | None) -> Loop | None:
    """The range map of a numeric point; what is wrong with it is reported."""
    node = section.get("loop")
    if node is None:
        return None
    if kind == "bool":
        section.wrong("loop", "not_with_type", key="loop", found=kind)
    for key in ("enum", "bits", "writable"):
        if section.has(key):
            section.wrong("loop", "loop_beside", key=key)
    inner = Section.open(section.report, node, section.path_of("loop"), KEYS)
    if inner is None:
        return None
    low = inner.fraction("low", required=True)
    high = inner.fraction("high", required=True)
    ends = {"start": inner.fraction("from"), "end": inner.fraction("to")}
    said = {key: value for key, value in ends.items() if value is not None}
    if low is None or high is None:
        return None
    if low == high:
        inner.wrong("high", "loop_flat", found=inner.at("high").text)
        return None
    loop = Loop(low, high, **said)
    if loop.start >= loop.end:
        inner.wrong("to", "loop_range", low=float(loop.start), found=float(loop.end))
        return None
    return loop

"""What a generic profile offers, as lines of a site file with addresses to fill in.

A ``template:`` lists names of the vocabulary that such a device offers at addresses
nobody can say beforehand. A line that was not filled in has ``pdu:?`` for an address,
which no check lets pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.profiles.library import Quantity, quantities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profiles.model import Point, Profile

TO_FILL = "pdu:?"
_BARE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")


def site_lines(profile: Profile) -> str:
    """A device for the ``devices:`` of a site file, its points to be filled in.

    Args:
        profile: One with a ``template``.
    """
    name = profile.profile.removeprefix("generic-")
    points = [f"      - {line}" for line in _points(profile)]
    head = [
        "devices:",
        f"  {name}:",
        '    bus: "?"',
        "    address: 1",
        f"    profile: {profile.profile}",
        "    every: 10s",
        "    points:",
    ]
    return "\n".join([*head, *points])


def takes_after(profile: Profile, point: Point) -> Point:
    """A point of a site file, with the label and code of the quantity it fills in.

    Only where the profile's template names it and the unit is the vocabulary's: the
    code of a mass concentration is not that of a volume fraction.
    """
    quantity = quantities().get(point.name)
    if quantity is None or point.name not in profile.template:
        return point
    label = point.label or {"zh": quantity.zh, "en": quantity.en}
    same = point.unit == quantity.unit
    code = point.code or (quantity.code if same else None)
    return msgspec.structs.replace(point, label=label, code=code)


def _points(profile: Profile) -> Iterator[str]:
    for name in profile.template:
        quantity = quantities()[name]
        comment = f"{quantity.zh} {quantity.en}"
        if quantity.code:
            comment += f", {quantity.code}"
        yield f"{{{', '.join(_keys(name, quantity))}}}  # {comment}"


def _keys(name: str, quantity: Quantity) -> Iterator[str]:
    yield f"name: {name}"
    if quantity.bit:
        yield "table: discrete"
        yield f'address: "{TO_FILL}"'
        return
    yield "table: holding"
    yield f'address: "{TO_FILL}"'
    yield "type: float32"
    bare = set(quantity.unit) <= _BARE and not quantity.unit[0].isdigit()
    yield f"unit: {quantity.unit}" if bare else f'unit: "{quantity.unit}"'

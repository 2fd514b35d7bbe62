"""A parameter of an instrument has changed: told by 3020, a serial number by 3019.

Only what the target's ``shown`` names goes out: it says which info code a point is.

Source: HJ 212-2017, C.38 to C.45, table B.10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.judge.parameter_watch import CHANGED
from gateway.uplink.hj212.seams import Upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.hj212.cp import Item
    from gateway.config.model import Hj212Target
    from gateway.config.rights import Shown
    from gateway.record import Event

SERIAL, INFO = 3019, 3020
_SERIAL_NUMBER = "SN"


class Changes:
    """Of one target."""

    def __init__(self, target: Hj212Target, time: Callable[[int], str]) -> None:
        """Prepare; ``time`` writes ``YYYYMMDDhhmmss``."""
        self._time = time
        self._codes: dict[tuple[str, str], Shown] = {
            (one.device, one.point): one
            for one in target.shown
            if one.device is not None
            and one.point is not None
            and (one.code == _SERIAL_NUMBER or one.code.startswith("i"))
        }

    def wants(self, event: Event) -> bool:
        """Whether this is told to the platform."""
        return self._of(event) is not None

    def upload(self, event: Event) -> Upload | None:
        """What the platform is told; None: nothing."""
        shown = self._of(event)
        if shown is None:
            return None
        value = event.values["value"]
        items: list[Item] = [(("DataTime", self._time(event.at.wall_ms)),)]
        if shown.factor is not None:
            items.append((("PolId", shown.factor),))
        if shown.code == _SERIAL_NUMBER:
            of = shown.factor or ""
            items.append(((f"{of}-SN", str(value)),))
            return Upload(cn=SERIAL, items=tuple(items))
        items.append(((f"{shown.code}-Info", _text(value)),))
        return Upload(cn=INFO, items=tuple(items))

    def _of(self, event: Event) -> Shown | None:
        if event.type != CHANGED or not event.at.trusted or "value" not in event.values:
            return None
        point = event.values.get("point")
        return self._codes.get((event.device or "", str(point)))


def _text(value: object) -> str:
    """Numbers as they are; words between the marks of a text."""
    return f"//{value}//" if isinstance(value, str) else str(value)

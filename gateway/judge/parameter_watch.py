"""Parameters of an instrument: range, slope, intercept, span. Any change is an event.

They are read slowly, and what they were is kept: a change while the gateway was off is
told at the next reading. The first reading of all tells nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.values import Quality, Value
from gateway.clock import Instant
from gateway.judge.told import Teller, within, worded
from gateway.judge.watch import Kept, kept_number, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profiles.model import Point
    from gateway.config.model import Device
    from gateway.judge.watch import Moment
    from gateway.record import Event, Scan

CHANGED = "parameter_changed"


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What a parameter was."""

    value: Value | None = None
    """None: never seen."""
    seen: Instant | None = None


class ParameterWatch(Kept):
    """One parameter."""

    _type = Known

    def __init__(self, device: Device, point: Point) -> None:
        source = source_of(device, point)
        conf = (device.bus, device.asset, point, source)
        super().__init__(
            f"parameter:{device.name}.{point.name}",
            conf,
            Teller(device, "parameter", point.name),
            source,
        )
        self.state = Known()
        self.pressing = False
        """Seen for the first time: to be kept at once, or a change while the gateway is
        off would be the first reading of all."""
        self._point = point
        self._every_s = point.every_s or device.every_s

    def take(self, scan: Scan, moment: Moment) -> Iterator[Event]:
        """See ``Watch``: an uncertain reading counts, for it is beyond all bounds."""
        name = self._point.name
        value = scan.values.get(name)
        flaw = scan.flaws.get(name)
        if value is None or (flaw and flaw.quality is Quality.BAD) or self.retired:
            return
        value, known = kept_number(value), self.state
        self.state = Known(value, scan.at)
        if known.value is None:
            self.pressing = True
        elif known.value != value:
            yield self._event(known, value, scan.at)

    def _event(self, known: Known, value: Value, at: Instant) -> Event:
        text = worded(
            "event.parameter_changed",
            self._point.label,
            self._point.name,
            device=self.teller.device,
            before=known.value,
            after=value,
            unit="" if self._point.unit == "1" else self._point.unit,
        )
        text, when = within(text, known.seen, at, self._every_s)
        values: dict[str, Value] = {
            "point": self._point.name,
            "before": known.value if known.value is not None else "",
            "value": value,
            **when,
        }
        return self.teller.say(CHANGED, "warning", at, values, text)

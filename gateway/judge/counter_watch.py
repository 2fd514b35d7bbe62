"""The counters of a device: rollovers and jumps as events in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.judge import counter
from gateway.judge.told import Teller, within, worded
from gateway.judge.watch import Kept, kept_number, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profiles.model import Point
    from drivers.profiles.watches import Counter
    from drivers.values import Value
    from gateway.config.model import Device
    from gateway.judge.watch import Moment, Noted
    from gateway.record import Event, Scan


class CounterWatch(Kept):
    """Pulses, energy, volume: what only grows."""

    _type = counter.State

    def __init__(self, device: Device, point: Point, watch: Counter) -> None:
        key = f"counter:{device.name}.{point.name}"
        source = source_of(device, point)
        conf = (device.bus, device.every_s, device.asset, point, source)
        super().__init__(key, conf, Teller(device, "counter", point.name), source)
        self.state = counter.State()
        self._watch = watch
        self._point = point
        self._every_s = point.every_s or device.every_s

    def restore(self, noted: Noted) -> None:
        """See ``Watch``: an odd reading before a restart decides nothing."""
        super().restore(noted)
        self.state = counter.State(self.state.value, self.state.at, self.state.carried)

    def take(self, scan: Scan, moment: Moment) -> Iterator[Event]:
        """See ``Watch``."""
        name = self._point.name
        value = scan.values.get(name)
        if type(value) not in (int, float) or name in scan.flaws or self.retired:
            return
        number: counter.Number = kept_number(value)  # type: ignore[assignment,arg-type]
        self.state, found = counter.step(self._watch, self.state, number, scan.at)
        if found is not None:
            yield self._event(found)

    def _event(self, found: counter.Step) -> Event:
        text = worded(
            f"event.counter_{found.cause}",
            self._point.label,
            self._point.name,
            device=self.teller.device,
            before=found.before,
            after=found.after,
            increment=found.increment,
        )
        text, when = within(text, found.seen, found.at, self._every_s)
        rolled = found.cause == "rollover"
        values: dict[str, Value] = {
            "point": self._point.name,
            "before": found.before,
            "after": found.after,
            **({} if rolled else {"cause": found.cause}),
            **({} if found.increment is None else {"increment": found.increment}),
            **({} if found.total is None else {"total": found.total}),
            **when,
        }
        type_ = "counter_rollover" if rolled else "counter_jump"
        severity = "info" if rolled else "warning"
        return self.teller.say(type_, severity, found.at, values, text)  # type: ignore[arg-type]

"""What is judged of a receiver: its fences and how well it hears, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.judge import fence, reception
from gateway.judge.fix import Fix, NoFix
from gateway.judge.told import Teller, within, worded
from gateway.judge.watch import Kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.values import Value
    from gateway.clock import Instant
    from gateway.config.model import Device
    from gateway.config.places import Fence, Reception
    from gateway.judge.watch import Moment, Noted
    from gateway.record import Event, Scan


class FenceWatch(Kept):
    """One fence around, or in the way of, one receiver."""

    _type = fence.State

    def __init__(self, device: Device, conf: Fence) -> None:
        made_from = (device.bus, device.every_s, device.asset, conf)
        # Of another vehicle, or the other way round, it is another fence.
        key = f"fence:{device.name}.{conf.name}.{conf.rule}"
        super().__init__(key, made_from, Teller(device, "fence", conf.name))
        self.state = fence.State()
        self._fence = conf
        self._every_s = device.every_s
        leaves = conf.rule == "stay_in"
        self._type_of_event = "fence_left" if leaves else "fence_entered"
        self._texts = (
            ("event.fence_left", "event.fence_back")
            if leaves
            else ("event.fence_entered", "event.fence_cleared")
        )

    def restore(self, noted: Noted) -> None:
        """See ``Watch``: a stay that nobody saw is none."""
        super().restore(noted)
        self.state = fence.State(self.state.wrong, self.state.seen)

    def take(self, scan: Scan, moment: Moment) -> Iterator[Event]:
        """See ``Watch``."""
        if not isinstance(moment, Fix) or self.retired:
            return
        self.state, found = fence.step(self._fence, self.state, moment)
        if found is None:
            return
        type_ = self._type_of_event
        if found.wrong == (type_ in self.teller.told):
            return
        text = worded(
            self._texts[0] if found.wrong else self._texts[1],
            self._fence.label,
            self._fence.name,
            device=self.teller.device,
            beyond=f"{max(0.0, found.beyond_m):.0f}",
        )
        text, when = within(text, found.seen, found.at, self._every_s)
        values: dict[str, Value] = {
            "fence": self._fence.name,
            "beyond_m": round(found.beyond_m, 1),
            "lon": found.place[0],
            "lat": found.place[1],
            **when,
        }
        if found.wrong:
            severity = self._fence.severity
            yield self.teller.begin(type_, severity, found.at, values, text)
        else:
            yield self.teller.end(type_, found.at, values, text)


class ReceptionWatch(Kept):
    """How well one receiver hears."""

    _type = reception.State

    def __init__(self, device: Device, watch: Reception) -> None:
        super().__init__(
            f"reception:{device.name}",
            (device.bus, device.asset, watch),
            Teller(device, "reception", "reception"),
        )
        self.state = reception.State()
        self._watch = watch

    def restore(self, noted: Noted) -> None:
        """See ``Watch``: only what is told is worth keeping."""
        super().restore(noted)
        self.state = reception.State()

    def take(self, scan: Scan, moment: Moment) -> Iterator[Event]:
        """See ``Watch``."""
        if moment is None or self.retired:
            return
        if isinstance(moment, NoFix) and not moment.answered:
            return
        told = frozenset(self.teller.told)
        self.state, found = reception.step(
            self._watch,
            self.state,
            scan.at,
            reception.sky_of(scan),
            told,  # type: ignore[arg-type]
            fixed=isinstance(moment, Fix),
        )
        for each in found:
            yield self._event(each, scan.at)

    def _event(self, found: reception.Finding, now: Instant) -> Event:
        device, what = self.teller.device, found.what
        if not found.raised:
            text = worded(f"event.over.{what}", {}, device)
            return self.teller.end(what, found.at, {}, text)
        values: dict[str, Value] = {}
        for when, sky in (("before", found.before), ("now", found.now)):
            if sky is not None:
                values[f"used_{when}"] = sky.used
                if sky.in_view is not None:
                    values[f"in_view_{when}"] = sky.in_view
        seconds = (now.mono_ms - found.at.mono_ms) // 1000
        text = worded(
            f"event.{what}",
            {},
            device,
            seconds=seconds,
            before=found.before.used if found.before else "-",
            now=found.now.used if found.now else "-",
        )
        return self.teller.begin(what, "warning", found.at, values, text)

"""The contacts of a device: their edges as events in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.judge import contact
from gateway.judge.told import Teller, within, worded
from gateway.judge.watch import Kept, kept_number, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profiles.model import Point
    from drivers.profiles.watches import Contact
    from drivers.values import Value
    from gateway.clock import Instant
    from gateway.config.model import Device
    from gateway.judge.watch import Moment, Noted
    from gateway.record import Event, Scan


class ContactWatch(Kept):
    """A door, a relay, a float, a beacon."""

    _type = contact.State

    def __init__(self, device: Device, point: Point, watch: Contact) -> None:
        key = f"contact:{device.name}.{point.name}"
        counted = [p for p in device.points if p.name == watch.edges]
        source = source_of(device, point, *counted)
        conf = (device.bus, device.every_s, device.asset, point, source)
        super().__init__(key, conf, Teller(device, "contact", point.name), source)
        self.state = contact.State()
        self._watch = watch
        self._point = point
        self._every_s = point.every_s or device.every_s
        self._fresh = True
        """What is told was not compared yet since the start."""

    def restore(self, noted: Noted) -> None:
        """See ``Watch``: a candidate would have lasted through a time unseen."""
        super().restore(noted)
        s = self.state
        self.state = contact.State(s.value, s.seen, s.count, s.owed)

    def take(self, scan: Scan, moment: Moment) -> Iterator[Event]:
        """See ``Watch``."""
        name = self._point.name
        value = scan.values.get(name)
        if value is None or name in scan.flaws or self.retired:
            return
        count = None
        if self._watch.edges is not None and self._watch.edges not in scan.flaws:
            counted = scan.values.get(self._watch.edges)
            count = counted if type(counted) is int else None
            if count is not None and type(kept_number(count)) is not int:
                count = None
        value = kept_number(value)
        self.state, found = contact.step(self._watch, self.state, value, scan.at, count)
        if isinstance(found, contact.Edge):
            yield from self._edge(found)
        elif found is not None:
            yield self._pulse(found)
        elif self._fresh and self.state.value is not None:
            self._fresh = False
            yield from self._settle(scan.at)

    def _edge(self, edge: contact.Edge) -> Iterator[Event]:
        self._fresh = False
        normal = edge.value == self._watch.normal
        told = "contact" in self.teller.told
        if edge.before is None and normal and not told:
            return  # as it should be, from the first reading on
        text, when = self._sentence(edge.value, edge.seen, edge.at, normal=normal)
        values: dict[str, Value] = {
            "point": self._point.name,
            "value": edge.value,
            **({} if edge.before is None else {"before": edge.before}),
            **when,
        }
        if told and normal:
            yield self.teller.end("contact", edge.at, values, text)
        elif told:
            yield self.teller.update("contact", edge.at, values, text)
        elif not normal:
            severity = self._watch.severity
            yield self.teller.begin("contact", severity, edge.at, values, text)

    def _settle(self, at: Instant) -> Iterator[Event]:
        """The state is as it was kept; what is told of it may not be."""
        value = self.state.value
        normal = value == self._watch.normal
        if normal != ("contact" in self.teller.told):
            return
        values: dict[str, Value] = {"point": self._point.name, "value": value}
        text, _ = self._sentence(value, None, at, normal=normal)
        if normal:
            yield self.teller.end("contact", at, values, text)
        else:
            severity = self._watch.severity
            yield self.teller.begin("contact", severity, at, values, text)

    def _pulse(self, pulse: contact.Pulse) -> Event:
        name = self._point.name
        text = worded(
            "event.contact_pulse",
            self._point.label,
            name,
            device=self.teller.device,
            edges=pulse.edges,
        )
        text, when = within(text, pulse.seen, pulse.at, self._every_s)
        values: dict[str, Value] = {"point": name, "edges": pulse.edges, **when}
        severity = self._watch.severity
        return self.teller.say("contact_pulse", severity, pulse.at, values, text)

    def _sentence(
        self, value: Value, seen: Instant | None, at: Instant, *, normal: bool
    ) -> tuple[dict[str, str], dict[str, Value]]:
        watch = self._watch
        own = watch.text_normal if normal else watch.text
        if own:
            return within(own, seen, at, self._every_s)
        kind = watch.kind
        key = f"event.contact_back.{kind}" if normal else f"event.contact_away.{kind}"
        text = worded(
            key,
            self._point.label,
            self._point.name,
            device=self.teller.device,
            value=str(value).lower(),
        )
        return within(text, seen, at, self._every_s)

"""Events of the judge: what was raised, so that its end carries the same id.

What is told outlives a restart (``memory``): an alarm that a power cut interrupts is
cleared by the id it was raised with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.values import Value
from gateway.clock import Instant
from gateway.events import span
from gateway.judge.times import passed_ms
from gateway.record import Event, Severity
from gateway.texts import LANGUAGES, both

if TYPE_CHECKING:
    from gateway.config.model import Device

GAP_PERIODS = 2.5
"""So many periods between two readings are a gap that is worth a word."""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """An event that is in force."""

    id: str
    type: str
    severity: Severity
    at: Instant
    values: dict[str, Value] = {}


class Teller:
    """Makes the events of one thing that is watched at one device."""

    def __init__(self, device: Device, kind: str, name: str) -> None:
        self.told: dict[str, Told] = {}
        """Type -> what is in force."""
        self.device = device.name
        self._asset = device.asset
        self._bus = device.bus
        self._place = f"{device.name}.{name}" if kind != name else device.name

    def say(
        self,
        type_: str,
        severity: Severity,
        at: Instant,
        values: dict[str, Value],
        text: dict[str, str],
    ) -> Event:
        """Something that happened and has no end."""
        return Event(
            id=f"{type_}:{self._place}:{at.boot}:{at.mono_ms}",
            type=type_,
            severity=severity,
            at=at,
            device=self.device,
            bus=self._bus,
            asset=self._asset,
            values=values,
            text=text,
        )

    def begin(
        self,
        type_: str,
        severity: Severity,
        at: Instant,
        values: dict[str, Value],
        text: dict[str, str],
    ) -> Event:
        """Something that will end."""
        event = self.say(type_, severity, at, values, text)
        self.told[type_] = Told(event.id, type_, severity, at, values)
        return event

    def update(
        self, type_: str, at: Instant, values: dict[str, Value], text: dict[str, str]
    ) -> Event:
        """It goes on otherwise."""
        told = self.told[type_]
        return self._later(told, "updated", at, values, text)

    def end(
        self,
        type_: str,
        at: Instant,
        values: dict[str, Value],
        text: dict[str, str],
    ) -> Event:
        """What was told is over."""
        told = self.told.pop(type_)
        return self._later(told, "cleared", at, values, text)

    def drop(self, at: Instant) -> list[Event]:
        """Nobody watches it any more: what is in force is taken back."""
        return [unwatched(self.device, told, at) for told in self._all()]

    def _all(self) -> list[Told]:
        told, self.told = list(self.told.values()), {}
        return told

    def _later(
        self,
        told: Told,
        state: str,
        at: Instant,
        values: dict[str, Value],
        text: dict[str, str],
    ) -> Event:
        return Event(
            id=told.id,
            type=told.type,
            severity=told.severity,
            state="cleared" if state == "cleared" else "updated",
            at=told.at,
            until=at,
            device=self.device,
            bus=self._bus,
            asset=self._asset,
            values=values,
            text=text,
        )


def unwatched(device: str | None, told: Told, at: Instant) -> Event:
    """The end of an event whose subject was taken out of the site file."""
    return Event(
        id=told.id,
        type=told.type,
        severity=told.severity,
        state="cleared",
        at=told.at,
        until=at,
        device=device,
        values={**told.values, "cause": "unwatched"},
        text=both("event.unwatched", kind=told.type),
    )


def worded(
    key: str, labels: dict[str, str], name: str, **values: object
) -> dict[str, str]:
    """A sentence in every language, with what it is about called as each calls it."""
    return {
        code: both(key, name=labels.get(code) or name, **values)[code]
        for code in LANGUAGES
    }


def within(
    text: dict[str, str], seen: Instant | None, at: Instant, every_s: float
) -> tuple[dict[str, str], dict[str, Value]]:
    """Between which two readings it happened; said aloud where that is long.

    Args:
        text: What happened.
        seen: The last reading that showed it otherwise; None: there was none.
        at: The first that showed it so.
        every_s: How often it is read.

    Returns:
        The text, and ``within_ms``: it happened so long before ``at``, or less.
    """
    if seen is None:
        return text, {}
    passed = passed_ms(seen, at)
    if passed is None:
        late = both("event.within_unknown")
    elif passed > GAP_PERIODS * every_s * 1000:
        late = both("event.within", span=span(passed))
    else:
        return text, {"within_ms": passed}
    said = {code: f"{text[code]}{late[code]}" for code in text}
    return said, {} if passed is None else {"within_ms": passed}

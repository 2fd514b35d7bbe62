"""The events of flags: a state, a doubt, a value that is missing.

Each is told once, with since when, and ends once. What is told goes on over a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drivers.values import Quality
from gateway.clock import Instant
from gateway.judge import states
from gateway.judge.rules import DOUBTS, Judged, Run
from gateway.judge.states import Seen
from gateway.judge.times import passed_ms
from gateway.judge.told import Teller
from gateway.judge.watch import Kept, kept_number
from gateway.texts import LANGUAGES, both

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.values import Value
    from gateway.config.flagging import Rules, Sign
    from gateway.config.model import Device
    from gateway.judge.states import State
    from gateway.judge.watch import Moment, Noted
    from gateway.record import Event, Scan, Severity

STATE = "instrument_state"
MISSING = "value_missing"
QUIET_MS = 60_000
"""A doubt is over once no reading was doubted for so long: a value at its limit would
begin and end an event with every reading."""


class SignWatch(Kept):
    """One way in which a device shows one state."""

    _type = Seen

    def __init__(self, device: Device, sign: Sign, number: int) -> None:
        name = f"{sign.state}.{number}"
        conf = (device.bus, device.address, device.asset, sign)
        super().__init__(f"state:{device.name}.{name}", conf, Teller(device, "", name))
        self.state = Seen()
        self.sign = sign

    def restore(self, noted: Noted) -> None:
        """See ``Watch``: what it showed before is not what it shows now."""
        super().restore(noted)
        self.state = Seen()

    def look(self, scan: Scan) -> None:
        """Take what the scan says, before it is stored."""
        self.state = states.look(self.sign, self.state, scan)

    def holds(self, at: Instant) -> bool | None:
        """Whether the state holds; None: not known."""
        return states.holds(self.sign, self.state, at)

    def take(self, scan: Scan, moment: Moment) -> Iterator[Event]:
        """See ``Watch``."""
        if self.retired or self.state.at != scan.at:
            return
        if self.state.matched is None or self.state.matched == bool(self.teller.told):
            return
        sign = self.sign
        values: dict[str, Value] = {
            "state": sign.state,
            "source": sign.point,
            "value": kept_number(scan.values[sign.point]),
        }
        if sign.points:
            values["points"] = " ".join(sign.points)
        yield _state_event(self.teller, scan.at, sign.state, values)


class FlagWatch(Kept):
    """One state, as an instrument that speaks HJ 212 marks its own values with it."""

    def __init__(self, device: Device, state: State) -> None:
        conf = (device.bus, device.address, device.asset, state)
        teller = Teller(device, "", f"flag.{state}")
        super().__init__(f"flag:{device.name}.{state}", conf, teller)
        self.state: tuple[str, ...] = ()
        self._of = state

    def note(self) -> Noted | None:
        """See ``Watch``: only what is told must last."""
        return super().note() if self.teller.told else None

    def restore(self, noted: Noted) -> None:
        """See ``Watch``."""
        self.teller.told = dict(noted.told)
        if told := self.teller.told.get(STATE):
            self.state = tuple(str(told.values.get("points", "")).split())

    def take(self, scan: Scan, moment: Moment) -> Iterator[Event]:
        """See ``Watch``."""
        if self.retired:
            return
        # A flag's state stands in the judged scan: nearly always there is none.
        if not self.state and self._of not in (scan.states or {}).values():
            return
        flags = scan.flags or {}
        marked = {p for p, flag in flags.items() if states.of_flag(flag) == self._of}
        heard = flags.keys() | (scan.values.keys() - scan.flaws.keys())
        now = tuple(sorted((set(self.state) - heard) | marked))
        if now == self.state:
            return
        before, self.state = self.state, now
        values: dict[str, Value] = {
            "state": self._of,
            "source": "flag",
            "points": " ".join(now or before),
        }
        if not now or not before:
            yield _state_event(self.teller, scan.at, self._of, values)
        else:
            text = _state_text("event.instrument_state", self.teller.device, self._of)
            yield self.teller.update(STATE, scan.at, values, text)


def _state_text(key: str, device: str, state: str) -> dict[str, str]:
    named = both(f"state.{state}")
    return {
        code: both(key, device=device, state=named[code])[code] for code in LANGUAGES
    }


def _state_event(
    teller: Teller, at: Instant, state: State, values: dict[str, Value]
) -> Event:
    """It begins, or ends where it was told."""
    if STATE in teller.told:
        text = _state_text("event.instrument_state_over", teller.device, state)
        return teller.end(STATE, at, values, text)
    text = _state_text("event.instrument_state", teller.device, state)
    severity: Severity = "warning" if state in ("fault", "link") else "info"
    return teller.begin(STATE, severity, at, values, text)


class Doubted(msgspec.Struct, frozen=True, array_like=True):
    """What must not be forgotten of a point under rules."""

    run: Run | None = None
    good: Instant | None = None
    """The last reading with a value; kept for ``missing``."""
    last: dict[str, tuple[Instant, Instant | None]] = {}
    """Doubt -> the last reading that had it, and the first since that had it not."""


class RuleWatch(Kept):
    """The rules of one point."""

    _type = Doubted

    def __init__(self, device: Device, rules: Rules) -> None:
        self.point = rules.point
        conf = (device.bus, device.address, device.asset, rules)
        super().__init__(
            f"rules:{device.name}.{rules.point}",
            conf,
            Teller(device, "", rules.point),
        )
        self.judged = Judged(rules)
        self._missing_ms = 1000 * rules.missing_s if rules.missing_s else None
        self._good: Instant | None = None
        self._last: dict[str, tuple[Instant, Instant | None]] = {}

    def note(self) -> Noted | None:
        """See ``Watch``."""
        self.state = Doubted(self.judged.run, self._good, self._last)
        return super().note()

    def restore(self, noted: Noted) -> None:
        """See ``Watch``."""
        self.state = Doubted()
        super().restore(noted)
        self.judged.run = self.state.run
        self._good, self._last = self.state.good, dict(self.state.last)

    def take(self, scan: Scan, moment: Moment) -> Iterator[Event]:
        """See ``Watch``."""
        point, at = self.point, scan.at
        flaw = scan.flaws.get(point)
        has_value = point in scan.values and (
            flaw is None or flaw.quality is not Quality.BAD
        )
        if self.retired or not (has_value or flaw):
            return
        if self._missing_ms is not None:
            yield from self._look_for(at, has_value=has_value)
        if not has_value:
            return
        doubt = flaw.reason if flaw and flaw.reason in DOUBTS else None
        if doubt is not None or self._last:
            value = kept_number(scan.values[point])
            yield from self._doubts(doubt, value, at)

    def silent(self, at: Instant) -> Iterator[Event]:
        """The device was not asked: nothing came of this point either."""
        if self._missing_ms is not None and not self.retired:
            yield from self._look_for(at, has_value=False)

    def _look_for(self, at: Instant, *, has_value: bool) -> Iterator[Event]:
        told = self.teller.told.get(MISSING)
        if has_value:
            self._good = at
            if told is not None:
                yield self.teller.end(
                    MISSING, at, {"point": self.point}, self._text("over", MISSING)
                )
            return
        if self._good is None:
            self._good = at  # since the start: nobody knows of before
        since = self._good
        passed = passed_ms(since, at)
        if told is None and passed is not None and passed >= (self._missing_ms or 0):
            values: dict[str, Value] = {"point": self.point}
            yield self.teller.begin(
                MISSING, "warning", since, values, self._text("", MISSING)
            )

    def _doubts(self, doubt: str | None, value: Value, at: Instant) -> Iterator[Event]:
        if doubt is not None:
            began = f"value_{doubt}"
            if began not in self.teller.told:
                yield self._begin(doubt, value, at)
            self._last[doubt] = (at, None)
        for word, (last, over) in list(self._last.items()):
            if word == doubt:
                continue
            since = over or at
            passed = passed_ms(last, at)
            if passed is not None and passed < QUIET_MS:
                if over is None:
                    self._last[word] = (last, since)
                continue
            del self._last[word]
            kind = f"value_{word}"
            if kind in self.teller.told:
                values: dict[str, Value] = {"point": self.point, "value": value}
                yield self.teller.end(kind, since, values, self._text("over", word))

    def _begin(self, doubt: str, value: Value, at: Instant) -> Event:
        values: dict[str, Value] = {"point": self.point, "value": value}
        run = self.judged.run
        if doubt == "constant" and run is not None:
            same = passed_ms(run.since, at)
            if same is not None:
                values["same_ms"] = same
        return self.teller.begin(
            f"value_{doubt}", "warning", at, values, self._text("", doubt)
        )

    def _text(self, over: str, word: str) -> dict[str, str]:
        reason = both("reason.no_data" if word == MISSING else f"reason.{word}")
        key = f"event.doubt_{over}" if over else "event.doubt"
        if word == MISSING:
            key = "event.value_missing_over" if over else "event.value_missing"
        return {
            code: both(
                key, device=self.teller.device, point=self.point, reason=reason[code]
            )[code]
            for code in LANGUAGES
        }

"""What to ask next when a line is searched, and what an answer means. Pure.

First every setting with the likely addresses, then the rest, settings at which
something answered first. What was found is asked a second time before it counts.
Several DL/T 645 meters answer a wildcard at once, and their answers collide: then they
are told apart by shortened addresses, two digits more at a time (缩位寻址).

The state is JSON: a search that was stopped goes on where it was.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import msgspec

from drivers.dlt645.frame import ANY_METER, EVERY_METER
from drivers.dlt645.question import stray
from gateway.commission import frames
from gateway.commission.door import Setting

SETTINGS = (
    Setting(9600, "8N1"),
    Setting(2400, "8E1"),
    Setting(9600, "8E1"),
    Setting(4800, "8N1"),
    Setting(19200, "8N1"),
    Setting(2400, "8N1"),
    Setting(19200, "8E1"),
    Setting(115200, "8N1"),
    Setting(1200, "8E1"),
    Setting(4800, "8E1"),
    Setting(38400, "8N1"),
    Setting(57600, "8N1"),
    Setting(9600, "8O1"),
    Setting(9600, "8N2"),
    Setting(19200, "8O1"),
    Setting(1200, "8N1"),
)
"""By likelihood: factory settings of instruments and of meters (DL/T 645: 2400 8E1)."""
LIKELY = tuple(range(1, 17))
WAIT_S = 0.2
PATIENT_S = 1.0
METER_WAIT_S = 0.6
"""A meter answers within 500 ms (DL/T 645-2007)."""
_METER_FASTEST = 19_200
_LAST_UNIT = 247
_DIGIT_PAIRS = 6
_NOISE_LEAST, _NOISE_SHARE = 10, 0.3
"""Of a walk's questions: a few meters collide at a few digits; noise is anywhere."""
_IDLE = b"\0\xff\xfe"
"""A zero alone is what a line does that was at rest for long, or a break."""
VERSION = 1

Kind = Literal["modbus", "meter", "meter-read", "meter-1997", "walk"]


class Plan(msgspec.Struct, frozen=True):
    """What is searched."""

    settings: tuple[Setting, ...] = SETTINGS
    """Empty settings mean TCP: see ``over_tcp``."""
    addresses: tuple[int, ...] = tuple(range(1, _LAST_UNIT + 1))
    modbus: bool = True
    meters: bool = True
    over_tcp: Literal["", "modbus-tcp", "rtu"] = ""
    """What travels where there is no serial port: Modbus TCP, or RTU passed through."""
    wait_s: float = WAIT_S


class Found(msgspec.Struct, frozen=True):
    """One device and how it was reached."""

    protocol: Literal["modbus", "dlt645"]
    address: int | str
    setting: str
    """``9600 8N1``; empty over TCP."""
    reply_ms: int
    exception: int = 0
    """What it answered to a read of register 0; 0: the register."""


class Unclear(msgspec.Struct, frozen=True):
    """Something answers, but nothing that can be read: two devices, perhaps."""

    protocol: Literal["modbus", "dlt645"]
    address: int | str
    setting: str
    received: str
    """Hexadecimal."""


class State(msgspec.Struct):
    """Where a search stands."""

    plan: Plan
    version: int = VERSION
    order: list[int] = []
    """Settings of the second round, by number, once it has begun."""
    leg: int = 0
    """Which setting of which round: 0.. of the first, then of the second."""
    step: int = 0
    queue: list[str] = []
    """Asked before the next step, last first: ``kind:address:wait``."""
    walked: int = 0
    """Questions of the walk under way, and how many of them brought garbage."""
    collided: int = 0
    doubts: dict[str, int] = {}
    """Probes that answered once, and wait for their second time."""
    asked: int = 0
    found: list[Found] = []
    unclear: list[Unclear] = []


class Probe(NamedTuple):
    """One question."""

    kind: Kind
    address: str
    """A unit id, or the low digit pairs of a meter, lowest first."""
    setting: Setting | None
    wait_s: float
    frame: bytes

    @property
    def key(self) -> str:
        """What tells it from other probes of a search."""
        return f"{self.setting or ''}|{self.kind}:{self.address}"


class Outcome(NamedTuple):
    """What a probe brought."""

    units: list[tuple[int, int]]
    """Units that answered and their exceptions; not only the one asked."""
    meters: list[str]
    garbage: bytes
    """What came and is no frame."""
    reply_ms: int


def judge(
    probe: Probe, received: bytes, first_s: float | None, *, tcp: bool
) -> Outcome:
    """What the bytes that came after a probe say."""
    heard = received.removeprefix(probe.frame)
    answers = frames.tcp_answers(heard) if tcp else frames.rtu_answers(heard)
    units = [(a.unit, a.exception) for a in answers]
    meters = frames.meters(heard)
    if meters and probe.kind != "modbus":
        # Whoever is quick is heard whole; those who collide behind it are there, too.
        known = not stray(heard.strip(_IDLE), b"")
    else:
        known = bool(units or list(frames.meter_frames(heard)))
    garbage = b"" if known or not heard.strip(_IDLE) else heard
    return Outcome(units, meters, garbage, round(1000 * (first_s or 0.0)))


class Search:
    """A search that goes on from its state."""

    def __init__(self, state: State) -> None:
        """Begin, or go on.

        Args:
            state: ``State(plan)``, or one that was saved.
        """
        self.state = state
        self.known: set[tuple[str, int | str, str]] = set()
        """Protocol, address and setting of devices that a running gateway polls: they
        are not asked, a late answer of theirs would reach a poll."""
        plan = state.plan
        self._settings: list[Setting | None] = (
            [None] if plan.over_tcp else list(plan.settings)
        )
        self._likely = [a for a in plan.addresses if a in LIKELY]
        self._others = [a for a in plan.addresses if a not in LIKELY]

    @property
    def done(self) -> int:
        """Questions asked."""
        return self.state.asked

    @property
    def total(self) -> int:
        """Questions there will be, as far as known."""
        state, count = self.state, len(self._settings)
        first = sum(len(self._steps(leg)) for leg in range(count))
        second = count * (len(self._others) if state.plan.modbus else 0)
        before = sum(len(self._steps(leg)) for leg in range(min(state.leg, 2 * count)))
        left = first + second - before - state.step + len(state.queue)
        return state.asked + max(0, left)

    def next(self) -> Probe | None:
        """The next question; None: the search is over."""
        state = self.state
        while True:
            if state.leg >= 2 * len(self._settings):
                return None
            if state.queue:
                again, address, wait = state.queue[-1].split(":")
                return self._probe(cast("Kind", again), address, float(wait))
            steps = self._steps(state.leg)
            if state.step >= len(steps):
                state.leg, state.step = state.leg + 1, 0
                if state.leg == len(self._settings):
                    state.order = self._second_round()
                continue
            kind, address = steps[state.step]
            if self._known(kind, address):
                state.step += 1
                continue
            wait_s = METER_WAIT_S if kind != "modbus" else state.plan.wait_s
            return self._probe(kind, address, wait_s)

    def told(self, probe: Probe, outcome: Outcome) -> list[Found]:
        """Take in what the last probe brought; what was found for certain."""
        state = self.state
        state.asked += 1
        if state.queue:
            state.queue.pop()
        else:
            state.step += 1
        if probe.kind == "modbus":
            return self._told_modbus(probe, outcome)
        return self._told_meter(probe, outcome)

    # -- inside ---------------------------------------------------------------

    def _setting(self) -> Setting | None:
        count, leg = len(self._settings), self.state.leg
        return self._settings[leg if leg < count else self.state.order[leg - count]]

    def _steps(self, leg: int) -> list[tuple[Kind, str]]:
        plan, count = self.state.plan, len(self._settings)
        if leg >= count:
            return [("modbus", str(a)) for a in self._others] if plan.modbus else []
        setting = self._settings[leg]
        steps: list[tuple[Kind, str]] = []
        slow = setting is None or setting.baud <= _METER_FASTEST
        if plan.meters and slow and plan.over_tcp != "modbus-tcp":
            steps += [("meter", ""), ("meter-read", ""), ("meter-1997", "")]
        if plan.modbus:
            steps += [("modbus", str(a)) for a in self._likely]
        return steps

    def _second_round(self) -> list[int]:
        told = {found.setting for found in self.state.found}
        numbers = range(len(self._settings))
        return sorted(numbers, key=lambda n: str(self._settings[n] or "") not in told)

    def _probe(self, kind: Kind, address: str, wait_s: float) -> Probe:
        return Probe(kind, address, self._setting(), wait_s, self._frame(kind, address))

    def _frame(self, kind: Kind, address: str) -> bytes:
        if kind == "modbus":
            number = 1 + self.state.asked % 0xFFFF
            tcp = number if self.state.plan.over_tcp == "modbus-tcp" else 0
            return frames.read_registers(int(address), 3, 0, 1, tcp=tcp)
        if kind == "meter":
            return frames.read_address()
        if kind == "meter-1997":
            return frames.read_item(ANY_METER, frames.ENERGY_1997)
        return frames.read_item(_shortened(address), frames.ADDRESS_ITEM)

    def _known(self, kind: Kind, address: str) -> bool:
        """Whether asking could bring nothing new."""
        setting = self._setting()
        if kind in ("meter-read", "meter-1997"):
            # They are for meters that do not tell their address.
            told: list[Found | Unclear] = [*self.state.found, *self.state.unclear]
            text = str(setting or "")
            return any(t.protocol == "dlt645" and t.setting == text for t in told)
        if kind == "modbus":
            return self._has("modbus", int(address), setting)
        return False

    def _has(self, protocol: str, address: int | str, setting: Setting | None) -> bool:
        """Found at this speed, be it with another framing: 8N1 is heard as 8N2, too."""
        if (protocol, address, str(setting or "")) in self.known:
            return True
        speed = str(setting or "").partition(" ")[0]
        return any(
            found.protocol == protocol
            and found.address == address
            and found.setting.partition(" ")[0] == speed
            for found in self.state.found
        )

    def _told_modbus(self, probe: Probe, outcome: Outcome) -> list[Found]:
        asked, new = int(probe.address), []
        for unit, exception in outcome.units:
            if unit not in self.state.plan.addresses:
                continue
            if self._has("modbus", unit, probe.setting):
                continue
            if unit != asked:  # late, or somebody else's: ask itself, patiently
                self._ask_again("modbus", str(unit), PATIENT_S, probe)
            elif self._twice(probe):
                text = str(probe.setting or "")
                new.append(Found("modbus", unit, text, outcome.reply_ms, exception))
            else:
                self._ask_again("modbus", probe.address, PATIENT_S, probe)
        self.state.found += new
        if outcome.garbage and not outcome.units:
            if self._twice(probe):
                self._note("modbus", asked, probe, outcome)
            else:
                self._ask_again("modbus", probe.address, probe.wait_s, probe)
        return new

    def _told_meter(self, probe: Probe, outcome: Outcome) -> list[Found]:
        new = []
        for address in outcome.meters:
            if not self._has("dlt645", address, probe.setting):
                text = str(probe.setting or "")
                new.append(Found("dlt645", address, text, outcome.reply_ms))
                self.state.found.append(new[-1])
        if probe.kind == "walk":
            self.state.walked += 1
            self.state.collided += bool(outcome.garbage)
            if self._noisy():
                # Somebody talks all the time: nothing can be told apart here.
                queue = self.state.queue
                self.state.queue = [q for q in queue if not q.startswith("walk:")]
                return new
        if outcome.garbage:
            if probe.kind == "walk":
                if len(probe.address) < 2 * _DIGIT_PAIRS:
                    self._walk(probe.address)
                else:
                    self._note("dlt645", probe.address, probe, outcome)
            elif self._twice(probe):
                self._note("dlt645", ANY_METER, probe, outcome)
                self.state.walked = self.state.collided = 0
                self._walk("")
            else:
                self._ask_again(probe.kind, probe.address, probe.wait_s, probe)
        return new

    def _noisy(self) -> bool:
        walked, collided = self.state.walked, self.state.collided
        return collided > _NOISE_LEAST and collided > _NOISE_SHARE * walked

    def _walk(self, digits: str) -> None:
        """Ask each two digits more; the queue is served from its end."""
        for pair in range(99, -1, -1):
            address = f"{digits}{pair:02d}"
            if _shortened(address) != EVERY_METER:
                self.state.queue.append(f"walk:{address}:{METER_WAIT_S}")

    def _twice(self, probe: Probe) -> bool:
        """Whether this probe was answered before."""
        count = self.state.doubts.get(probe.key, 0) + 1
        self.state.doubts[probe.key] = count
        if count > 1:
            del self.state.doubts[probe.key]
        return count > 1

    def _ask_again(self, kind: str, address: str, wait_s: float, probe: Probe) -> None:
        again = f"{kind}:{address}:{max(wait_s, probe.wait_s)}"
        if again not in self.state.queue and self._again_left(again, probe):
            self.state.queue.append(again)

    def _again_left(self, again: str, probe: Probe) -> bool:
        """A talker that never ends must not keep us at one address."""
        key = f"again|{probe.setting or ''}|{again}"
        count = self.state.doubts.get(key, 0)
        self.state.doubts[key] = count + 1
        return count < 3  # noqa: PLR2004

    def _note(
        self,
        protocol: Literal["modbus", "dlt645"],
        address: int | str,
        probe: Probe,
        outcome: Outcome,
    ) -> None:
        text = str(probe.setting or "")
        received = outcome.garbage[:40].hex(" ")
        self.state.unclear.append(Unclear(protocol, address, text, received))


def _shortened(digits: str) -> str:
    """The address of all meters that end so: low digit pairs first, AA for the rest."""
    pairs = [digits[i : i + 2] for i in range(0, len(digits), 2)]
    return ANY_METER[len(digits) :] + "".join(reversed(pairs))

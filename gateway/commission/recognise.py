"""Reading what tells a found device's model, as little as needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.dlt645.frame import REFUSED
from drivers.dlt645.question import answers, read_key
from gateway.commission import frames
from gateway.commission.fingerprint import (
    Match,
    Memory,
    Sign,
    Span,
    hopeless,
    judge,
    parts,
    rank,
    spans,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drivers.dlt645.frame import Frame
    from drivers.profiles.model import Profile
    from gateway.commission.door import Door, Setting
    from gateway.commission.tap import Tap

WAIT_S = 1.0
_TRIES = 3
_ILLEGAL = frozenset({1, 2, 3})
_FUNCTION = {"holding": 3, "input": 4}
_ITEM_ANSWERED, _ITEM_REFUSED, _ITEM_TEXT = 0.5, -1.5, 6.0
_MODEL_ITEM = "0400040B"


class Reader:
    """Reads registers of one unit into a memory; each span once."""

    def __init__(
        self, door: Door, setting: Setting | None, unit: int, *, tcp: bool = False
    ) -> None:
        self.memory = Memory()
        self.setting = str(setting or "")
        self.asked = 0
        self._door = door
        self._setting = setting
        self._unit = unit
        self._tcp = tcp
        self._number = 0

    async def need(self, span: Span) -> bool:
        """Have these registers in the memory; False: they are refused, or silent."""
        memory = self.memory
        if memory.data(*span) is not None:
            return True
        if memory.refuses(*span):
            return False
        answer = await self._read(span)
        if answer is None:
            return False
        if answer.exception:
            if answer.exception in _ILLEGAL:
                memory.refused.add(span)
            return False
        for i in range(span.registers):
            word = int.from_bytes(answer.data[2 * i : 2 * i + 2], "big")
            memory.words[span.table, span.address + i] = word
        return True

    async def identity(self) -> str:
        """What it calls itself by functions 17 and 43; empty: nothing."""
        for frame in (frames.report_id(self._unit), frames.device_id(self._unit)):

            async def work(tap: Tap, frame: bytes = frame) -> bytes:
                exchange = await tap.ask(frame, lambda _: False, WAIT_S, settle_s=0.1)
                return exchange.received.removeprefix(frame)

            received = await self._door.use(self._setting, work)
            if text := frames.identity_text(self._unit, received):
                return text
        return ""

    async def _read(self, span: Span) -> frames.Answer | None:
        function = _FUNCTION[span.table]
        size = 2 * span.registers
        for _ in range(_TRIES):
            self.asked += 1
            self._number = self._number % 0xFFFF + 1
            frame = frames.read_registers(
                self._unit,
                function,
                span.address,
                span.registers,
                tcp=self._number if self._tcp else 0,
            )

            async def work(tap: Tap, frame: bytes = frame) -> frames.Answer | None:
                def right(received: bytes) -> frames.Answer | None:
                    heard = received.removeprefix(frame)
                    walk = frames.tcp_answers if self._tcp else frames.rtu_answers
                    for answer in walk(heard):
                        fits = answer.exception or len(answer.data) == size
                        if (answer.unit, answer.function) == (self._unit, function):
                            return answer if fits else None
                    return None

                exchange = await tap.ask(
                    frame, lambda heard: right(heard) is not None, WAIT_S, settle_s=0.1
                )
                answer = right(exchange.received)
                if answer is None and self._door.hold_s:
                    await tap.listen(self._door.hold_s)
                return answer

            answer = await self._door.use(self._setting, work)
            if answer is not None:
                return answer
        return None


async def recognise(
    reader: Reader, profiles: Iterable[Profile], *, ask_identity: bool = False
) -> list[Match]:
    """Which profiles fit a Modbus unit, best first.

    Args:
        reader: Of this unit.
        profiles: Those that come into question.
        ask_identity: Whether functions 17 and 43 may be tried as well.
    """
    identity = await reader.identity() if ask_identity else ""
    matches = []
    for profile in profiles:
        if profile.protocol != "modbus" or not profile.points:
            continue
        await _look(reader, profile)
        matches.append(judge(profile, reader.memory, identity, reader.setting))
    return rank(matches)


async def _look(reader: Reader, profile: Profile) -> None:
    """Read what judges a profile, as long as there is hope for it."""
    for span in spans(profile):
        if not await reader.need(span):
            # One of them may be refused, or so many at once.
            for part in parts(profile, span):
                await reader.need(part)
                if hopeless(profile, reader.memory):
                    return
        if hopeless(profile, reader.memory):
            return


async def recognise_meter(
    door: Door, setting: Setting | None, address: str, profiles: Iterable[Profile]
) -> list[Match]:
    """Which profiles fit a DL/T 645 meter: by the identifiers it knows."""
    candidates = [p for p in profiles if p.protocol == "dlt645" and p.points]
    asked: dict[str, bytes | None] = {}

    async def item(di: str) -> bytes | None:
        if di not in asked:
            asked[di] = await _item(door, setting, address, di)
        return asked[di]

    matches = []
    for profile in candidates:
        signs: list[Sign] = []
        for trait in profile.fingerprint:
            if trait.di:
                text = (await item(trait.di) or b"")[::-1].decode("ascii", "replace")
                shown = text.strip("\0 ")
                fits = bool(trait.text) and trait.text in text
                signs.append(Sign(trait.di, shown, _ITEM_TEXT if fits else -_ITEM_TEXT))
        for di in _identifiers(profile.points):
            answered = await item(di) is not None
            says = _ITEM_ANSWERED if answered else _ITEM_REFUSED
            signs.append(Sign(di, "" if answered else "-", says))
        score = sum(sign.weight for sign in signs)
        matches.append(Match(profile.profile, score, "possible", tuple(signs[:6])))
    return rank(matches)


def _identifiers(points: Sequence[object]) -> list[str]:
    told = [str(getattr(point, "di", "")) for point in points]
    return [di for di in dict.fromkeys(told) if len(di) == len(_MODEL_ITEM)]


async def _item(
    door: Door, setting: Setting | None, address: str, di: str
) -> bytes | None:
    """One identifier's data; None: the meter does not know it, or is silent."""
    frame, key = frames.read_item(address, di), read_key(address, di)

    def right(received: bytes) -> Frame | None:
        heard = received.removeprefix(frame)
        return next((f for f in frames.meter_frames(heard) if answers(f, key)), None)

    async def work(tap: Tap) -> Frame | None:
        exchange = await tap.ask(frame, lambda heard: bool(right(heard)), WAIT_S)
        return right(exchange.received)

    for _ in range(2):
        found = await door.use(setting, work)
        if found is not None:
            return None if found.control & REFUSED else found.data[len(key.what) :]
    return None

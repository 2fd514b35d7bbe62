"""One ASCII instrument that is asked, as a bus worker sees it.

A scan asks each question whose points are wanted, in the dialogue's order. Silence ends
it: an instrument that does not answer one question answers none, and each would cost a
time-out. A question that is held back, or refused by the instrument, costs the others
nothing.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from drivers.ascii.expect import Expect
from drivers.ascii.line import AGAIN_MOST_S, Got, Question, Timing
from drivers.ascii.reading import Reader
from drivers.ascii.sending import fill
from drivers.errors import (
    PointError,
    ProfileError,
    TransientError,
    UnprovableError,
    read_only,
)
from drivers.flaws import bad
from drivers.values import Answer, Flaw, Quality, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drivers.ascii.expect import Answered
    from drivers.ascii.line import AsciiLine
    from drivers.errors import DriverError
    from drivers.profiles.ascii_points import AsciiPoint
    from drivers.profiles.dialogue import Ask, Dialogue

STALE = Flaw(Quality.UNCERTAIN, "stale")
_DETAIL_LINES = 3
_NAMES = {
    0x02: "<STX>",
    0x03: "<ETX>",
    0x09: "<TAB>",
    0x0A: "<LF>",
    0x0D: "<CR>",
    0x1B: "<ESC>",
}


class Prepared(NamedTuple):
    """One ask of one device, ready."""

    ask: Ask
    expect: Expect
    steps: tuple[tuple[bytes, bytes], ...]
    points: tuple[AsciiPoint, ...]
    reader: Reader


class Record:
    """Since when an instrument has been sending the same record."""

    def __init__(self, stale_after_s: float) -> None:
        self._stale_after_s = stale_after_s
        self._body = b""
        self._since = 0.0

    def stale(self, body: bytes, now: float) -> bool:
        """Whether this record has been the same for too long."""
        if body != self._body:
            self._body, self._since = body, now
        return now - self._since > self._stale_after_s


def prepare(
    dialogue: Dialogue,
    address: str | None,
    points: Iterable[AsciiPoint],
    zone: tzinfo = UTC,
) -> list[Prepared]:
    """The asks that these points need, in the dialogue's order.

    Raises:
        ProfileError: A point names no ask, or a text needs an address.
    """
    own = address if address is not None else dialogue.address
    groups: dict[str, list[AsciiPoint]] = {}
    for point in points:
        ask = dialogue.ask(point.ask)
        if ask is None:
            raise ProfileError(f"{point.name}: no ask named {point.ask!r}")
        groups.setdefault(ask.name, []).append(point)
    return [
        Prepared(
            ask,
            Expect(dialogue, ask, own, _wanted(ask, groups[ask.name]), zone),
            tuple((fill(step.send, own), step.until) for step in ask.steps),
            tuple(groups[ask.name]),
            Reader(ask, groups[ask.name], dialogue.invalid),
        )
        for ask in dialogue.asks
        if ask.name in groups
    ]


def _wanted(ask: Ask, points: Iterable[AsciiPoint]) -> set[str]:
    """The fields that are read, for a header that must name them."""
    wanted = {status.field for status in ask.status}
    wanted.update(ask.time.fields if ask.time else ())
    for point in points:
        wanted.add(point.field)
        wanted.update(times.field for times in point.times)
        if point.unit_field:
            wanted.add(point.unit_field)
    return wanted


class AsciiDevice:
    """One configured instrument; implements ``drivers.values.Device``."""

    def __init__(
        self,
        name: str,
        address: str | None,
        port: AsciiLine,
        points: Iterable[AsciiPoint],
        dialogue: Dialogue,
        timing: Timing,
        *,
        zone: tzinfo = UTC,
    ) -> None:
        """Set up an instrument; nothing is sent.

        Args:
            name: What the site file calls it; used in messages.
            address: What it is called on its line; None: the dialogue's.
            port: The line it is on.
            points: Everything that may be asked for.
            dialogue: How it is spoken to.
            timing: How long it may take.
            zone: Of its clock, where its profile does not say.
        """
        self.name = name
        self._who = address
        self._port = port
        self._points = {point.name: point for point in points}
        self._timing = timing
        self._broken = ""
        self._asks: list[Prepared] = []
        try:
            self._asks = prepare(dialogue, address, self._points.values(), zone)
        except ProfileError as exc:
            self._broken = f"device {name}: {exc}"
        port.attend(each.expect.frame for each in self._asks)
        self._records = {
            each.ask.name: Record(each.ask.stale_after_s)
            for each in self._asks
            if each.ask.stale_after_s is not None
        }

    async def scan(
        self,
        points: Sequence[str],
        *,
        wait_s: float | None = None,
        want_raw: bool = False,
    ) -> Answer:
        """Ask for these points now; see ``drivers.values.Device.scan``.

        Raises:
            BusError: The port is gone.
            ProfileError: A name is no point of this device.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        scan = Scan(self._points, points, want_raw=want_raw)
        if self._broken:
            return scan.broken(self._broken)
        wanted = set(points)
        todo = [
            each
            for each in self._asks
            if any(point.name in wanted for point in each.points)
        ]
        while todo:
            each = todo.pop(0)
            question = Question(self._who, each.steps, each.expect, self._timing)
            try:
                got: Got = await self._port.exchange(question, wait_s)
            except PointError as exc:
                scan.answered = True
                scan.note(self._say(each, exc))
                scan.all_bad(each.points, exc.reason)
            except UnprovableError as exc:
                scan.note(self._say(each, exc))
                scan.all_bad(each.points, exc.reason)
            except TransientError as exc:
                scan.note(self._say(each, exc))
                for left in (each, *todo):
                    scan.all_bad(left.points, exc.reason)
                break
            else:
                scan.first_sent_at = scan.first_sent_at or got.sent_at
                record = self._records.get(each.ask.name)
                stale = record is not None and record.stale(
                    got.answer.body, loop.time()
                )
                scan.take(each, got.answer, stale=stale)
        return scan.answer(began)

    async def write(self, point: str, value: Value) -> None:
        """Nothing of an ASCII instrument is written.

        Raises:
            PointError: Always.
        """
        del value
        raise read_only(self.name, point, "an ASCII instrument")

    def worst_case_s(self, points: Sequence[str]) -> float:
        """The longest time this scan can hold the line if nothing answers.

        One time-out, because the first silence ends a scan, and for each question the
        moment in which an answer may be repeated.
        """
        if not points:
            return 0.0
        wanted = set(points)
        asks = [
            each
            for each in self._asks
            if any(point.name in wanted for point in each.points)
        ]
        steps = max((len(each.steps) for each in asks), default=1)
        waits = len(asks) * (AGAIN_MOST_S + self._timing.pause_s)
        return self._timing.timeout_s * steps + waits

    def _say(self, each: Prepared, exc: DriverError) -> str:
        return (
            f"device {self.name}, ask {each.ask.name}: {exc}; "
            f"sent {as_written(exc.sent)}; received {as_written(exc.received[:200])}"
        )


def as_written(data: bytes) -> str:
    """Bytes as profiles write them: control characters by name or code; ``nothing``."""
    return "".join(_NAMES.get(byte) or _written(byte) for byte in data) or "nothing"


def _written(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else f"<{byte:02X}>"  # noqa: PLR2004


class Scan:
    """The answer of one scan as it grows."""

    def __init__(
        self, points: dict[str, AsciiPoint], names: Sequence[str], *, want_raw: bool
    ) -> None:
        for name in names:
            if name not in points:
                raise ProfileError(f"no point named {name!r}")
        self._names = tuple(names)
        self._points = points
        self.values: dict[str, Value] = {}
        self.flaws: dict[str, Flaw] = {}
        self.raw: dict[str, bytes] | None = {} if want_raw else None
        self.sampled: dict[str, int] = {}
        self.age_ms: dict[str, int] = {}
        self.answered = False
        self.first_sent_at = 0.0
        self._notes: list[str] = []

    def take(
        self,
        each: Prepared,
        answer: Answered,
        *,
        stale: bool = False,
        age_ms: int | None = None,
    ) -> None:
        """Read the points of one answer."""
        self.answered = True
        each.reader.read(answer.fields, self._names, self.values, self.flaws)
        for point in each.points:
            if point.name not in self._names:
                continue
            if self.raw is not None:
                self.raw[point.name] = answer.body
            if point.name in self.flaws and point.name not in self.values:
                continue
            bits = (f"{point.name}.{word}" for word in point.bits.values())
            for key in (point.name, *bits):
                if key not in self.values:
                    continue
                if answer.sampled is not None:
                    self.sampled[key] = answer.sampled
                if age_ms is not None:
                    self.age_ms[key] = age_ms
                if stale:
                    self.flaws.setdefault(key, STALE)

    def all_bad(self, points: Iterable[AsciiPoint], reason: str) -> None:
        """These points have no value now."""
        flaw = Flaw(Quality.BAD, reason)
        for point in points:
            if point.name in self._names:
                bad(point, flaw, self.flaws)

    def note(self, text: str) -> None:
        """Something for people."""
        if len(self._notes) < _DETAIL_LINES:
            self._notes.append(text)

    def broken(self, why: str) -> Answer:
        """Nothing can be asked: the profile or the site file is wrong."""
        self.note(why)
        self.all_bad(self._points.values(), ProfileError.reason)
        return self.answer(0.0)

    def answer(self, began: float) -> Answer:
        """What came of it."""
        return Answer(
            self.values,
            self.flaws,
            self.answered,
            self.raw,
            "\n".join(self._notes),
            max(0.0, self.first_sent_at - began) if self.first_sent_at else 0.0,
            sampled=self.sampled or None,
            age_ms=self.age_ms or None,
        )

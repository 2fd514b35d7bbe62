"""One meter on a DL/T 645 line, as a bus worker sees it.

A scan asks one question after another, blocks where the meter gives them. An error
answer costs its own points only; silence or damage ends the scan, because a meter that
is silent once is silent for every question. What could not be proved is BAD
``unprovable`` and the next question is asked.

Nothing is ever written. With ``broadcast_time`` of the bus the meter's clock is read
once a day, see ``timekeeping``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.dlt645 import convert
from drivers.dlt645.convert import Transformers
from drivers.dlt645.formats import decode
from drivers.dlt645.plan import plan, singles
from drivers.dlt645.question import Timing
from drivers.dlt645.refusals import Refusals
from drivers.errors import (
    DriverError,
    PointError,
    PointUnsupportedError,
    ProfileError,
    TransientError,
    UnprovableError,
    read_only,
)
from drivers.flaws import bad
from drivers.profiles.dlt645_items import items
from drivers.values import Answer, Flaw, Quality, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drivers.dlt645.line import Dlt645Line
    from drivers.dlt645.plan import Plan, Question
    from drivers.dlt645.question import Reply
    from drivers.profiles.dlt645_items import Edition
    from drivers.profiles.dlt645_points import Dlt645Point

NOT_AVAILABLE = Flaw(Quality.BAD, "not_available")
BAD_LENGTH = Flaw(Quality.BAD, "bad_length")
_DETAIL_LINES = 3
_CLOCK: dict[Edition, tuple[str, str]] = {
    "2007": ("04000101", "04000102"),
    "1997": ("C010", "C011"),
}
"""Date and time."""
_QUESTION_BYTES = 60


class Dlt645Device:
    """One configured meter; implements ``drivers.values.Device``."""

    def __init__(
        self,
        name: str,
        address: str,
        line: Dlt645Line,
        points: Iterable[Dlt645Point],
        timing: Timing = Timing(),  # noqa: B008 - frozen
        *,
        ct: Fraction = Fraction(1),
        pt: Fraction = Fraction(1),
        refusals: Refusals | None = None,
    ) -> None:
        """Set up a meter; nothing is sent.

        Args:
            name: What the site file calls it; used in messages.
            address: Twelve digits; AA.. for the only meter of its line.
            line: The line it is on.
            points: Everything that may be asked for.
            timing: How long this meter may take.
            ct: Current transformer ratio; values stay secondary where it is 1.
            pt: Voltage transformer ratio.
            refusals: What is known to be refused (tests).
        """
        self.name = name
        self.address = address
        self.seen: str | None = None
        """Who answered first: at AA.. nobody else may answer later."""
        self._line = line
        self._points = {point.name: point for point in points}
        self._timing = timing
        self._transformers = Transformers(ct, pt)
        self._refusals = refusals or Refusals()
        line.timekeeper.meters.add(address)

    @property
    def points(self) -> tuple[Dlt645Point, ...]:
        """Everything that may be asked for."""
        return tuple(self._points.values())

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
        scan = _Scan(want_raw=want_raw)
        wanted = [self._point(name) for name in points]
        todo = deque(self._add(self._plan(wanted, began), scan))
        while todo:
            question = todo.popleft()
            try:
                reply = await self._line.exchange(
                    self.address,
                    question.di,
                    self._timing,
                    size=question.size,
                    wait_s=wait_s,
                )
            except PointUnsupportedError as exc:
                scan.answered = True
                self._refusals.refused(question.di, exc.reason, loop.time())
                todo.extendleft(self._instead(question, exc, scan))
            except UnprovableError as exc:
                scan.answered |= bool(exc.received)
                scan.note(self._say(question, exc))
                scan.all_bad(question.wanted, exc.reason)
            except TransientError as exc:
                scan.note(self._say(question, exc))
                for left in (question, *todo):
                    scan.all_bad(left.wanted, exc.reason)
                break
            else:
                scan.first_sent_at = scan.first_sent_at or reply.sent_at
                scan.answered = True
                todo.extendleft(self._take(question, reply, scan))
        if scan.values and self._line.may_set_time:
            await self._keep_time()
        return scan.answer(began)

    async def write(self, point: str, value: Value) -> None:
        """Refuse: a billing meter is never written.

        Raises:
            PointError: Always.
        """
        del value
        raise read_only(self.name, point, "a meter")

    async def read_clock(self, edition: Edition = "2007") -> datetime:
        """The meter's own date and time, without a zone.

        Raises:
            DriverError: It does not say, or the line is gone.
        """
        day, clock = _CLOCK[edition]
        date = await self._read_text(day)
        time = await self._read_text(clock)
        if time < "00:01:00":  # it may have turned between the two
            date = await self._read_text(day)
        return datetime.fromisoformat(f"{date}T{time}")

    def worst_case_s(self, points: Sequence[str]) -> float:
        """The longest time this scan can hold the line if nothing answers.

        One time-out, whatever the number of points: the first silence ends a scan.
        """
        if not points:
            return 0.0
        on_wire_s = _QUESTION_BYTES * self._line.char_s
        return self._timing.timeout_s + self._timing.pause_s + on_wire_s

    # -- questions ----------------------------------------------------------

    def _point(self, name: str) -> Dlt645Point:
        point = self._points.get(name)
        if point is None:
            raise ProfileError(f"device {self.name}: no point named {name!r}")
        return point

    def _plan(self, wanted: Iterable[Dlt645Point], now: float) -> Plan:
        return plan(
            wanted,
            lambda di: self._refusals.reason(di, now),
            lambda di: self._line.haunted(self.address, di),
        )

    def _add(self, planned: Plan, scan: _Scan) -> tuple[Question, ...]:
        """The plan's questions; what it cannot ask is BAD."""
        for point, why in planned.unasked:
            bad(point, Flaw(Quality.BAD, why), scan.flaws)
        return planned.questions

    def _instead(
        self, question: Question, exc: DriverError, scan: _Scan
    ) -> list[Question]:
        """What to ask where a question was refused, last first."""
        if not question.is_block:
            scan.note(self._say(question, exc))
            scan.all_bad(question.wanted, exc.reason)
            return []
        now = asyncio.get_running_loop().time()
        planned = singles(question, lambda di: self._refusals.reason(di, now))
        return list(reversed(self._add(planned, scan)))

    def _take(self, question: Question, reply: Reply, scan: _Scan) -> list[Question]:
        """Read an answer; what must be asked instead where it does not fit."""
        if self.seen is None:
            self.seen = reply.address
        elif self.seen != reply.address:
            scan.note(
                f"device {self.name}: meter {reply.address} answers where"
                f" {self.seen} did; write its address into the site file"
            )
            scan.all_bad(question.wanted, "other_meter")
            return []
        if not question.fits(len(reply.data)):
            exc = PointError(
                f"expected {question.size} bytes, got {len(reply.data)}",
                reason="bad_length",
                received=reply.data,
            )
            if question.is_block:
                now = asyncio.get_running_loop().time()
                self._refusals.refused(question.di, exc.reason, now, proved=True)
            return self._instead(question, exc, scan)
        self._refusals.answered(question.di)
        for point in question.wanted:
            data = question.piece(point.di, reply.data)
            if not data:
                bad(point, NOT_AVAILABLE, scan.flaws)
                continue
            if len(data) != point.item.size:
                # Another point's format fits this identifier, not this one's.
                bad(point, BAD_LENGTH, scan.flaws)
                continue
            convert.take(point, data, self._transformers, scan.values, scan.flaws)
            if scan.raw is not None:
                at, part = point.place
                scan.raw[point.name] = data[at : at + part.size]
        return []

    async def _read_text(self, di: str) -> str:
        reply = await self._line.exchange(self.address, di, self._timing, size=4)
        return str(decode(items()[di].parts[0], reply.data))

    # -- the clock ----------------------------------------------------------

    async def _keep_time(self) -> None:
        """Look at the meter's clock once a day; set them all where that is due."""
        line, keeper = self._line, self._line.timekeeper
        before = line.now()
        if before is None or not keeper.wants(self.address, before):
            return
        edition = next(iter(self._points.values())).edition
        try:
            told = await self.read_clock(edition)
        except (PointError, TransientError):
            return
        at = line.now()
        if at is None:
            return
        keeper.saw(self.address, (told - at).total_seconds(), at)
        if keeper.due(at):
            await line.broadcast_time(at)

    def _say(self, question: Question, exc: DriverError) -> str:
        return (
            f"device {self.name}: {exc}; sent {exc.sent.hex(' ') or 'nothing'};"
            f" received {exc.received.hex(' ') or 'nothing'}"
            f" ({', '.join(point.name for point in question.wanted[:3])})"
        )


class _Scan:
    """The answer of one scan as it grows."""

    def __init__(self, *, want_raw: bool) -> None:
        self.values: dict[str, Value] = {}
        self.flaws: dict[str, Flaw] = {}
        self.raw: dict[str, bytes] | None = {} if want_raw else None
        self.answered = False
        self.first_sent_at = 0.0
        self._notes: list[str] = []

    def all_bad(self, points: Iterable[Dlt645Point], reason: str) -> None:
        flaw = Flaw(Quality.BAD, reason)
        for point in points:
            bad(point, flaw, self.flaws)

    def note(self, text: str) -> None:
        if len(self._notes) < _DETAIL_LINES:
            self._notes.append(text)

    def answer(self, began: float) -> Answer:
        return Answer(
            self.values,
            self.flaws,
            self.answered,
            self.raw,
            "\n".join(self._notes),
            max(0.0, self.first_sent_at - began),
        )

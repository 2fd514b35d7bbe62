"""One ASCII instrument that speaks unasked, as a bus worker sees it.

Each kind of message it sends is a measurement of its own: the newest one is kept, an
older one that nobody took is counted as superseded. A point is answered once from each
measurement; where none has come since it was asked last, the scan waits for one, up to
the device's time-out. A look takes nothing from the next scan, and nothing is taken
that came before the line was opened anew. Points of different messages may stand in one
scan, but a point's value is always from one message.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from drivers.ascii.device import Record, Scan, prepare
from drivers.ascii.expect import Answered
from drivers.errors import ProfileError, read_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drivers.ascii.device import Prepared
    from drivers.ascii.framing import Message
    from drivers.ascii.line import AsciiLine, Timing
    from drivers.profiles.ascii_points import AsciiPoint
    from drivers.profiles.dialogue import Dialogue, Frame
    from drivers.values import Answer, Value


class _Heard(NamedTuple):
    answer: Answered
    at: float
    number: int
    """Of what this instrument said."""


class ListeningDevice:
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
        """Set up an instrument and listen from now on; see ``AsciiDevice``."""
        self.name = name
        self._who = address
        self._port = port
        self._points = {point.name: point for point in points}
        self._timing = timing
        self._broken = ""
        self._kinds: list[Prepared] = []
        try:
            self._kinds = prepare(dialogue, address, self._points.values(), zone)
        except ProfileError as exc:
            self._broken = f"device {name}: {exc}"
        self._newest: dict[str, _Heard] = {}
        self._used: set[str] = set()
        """Messages whose newest was taken by anybody."""
        self._taken: dict[str, int] = {}
        """The number of the message that each point was answered from last."""
        self._number = 0
        self._records = {
            each.ask.name: Record(each.ask.stale_after_s)
            for each in self._kinds
            if each.ask.stale_after_s is not None
        }
        self.frames: tuple[Frame, ...] = tuple({k.expect.frame for k in self._kinds})
        self._tally = port.tally(address)
        port.listen(self)

    def heard(self, message: Message) -> bool:
        """Keep a message that is one of this instrument's; see ``line.Listener``."""
        for each in self._kinds:
            verdict = each.expect.judge(message)
            if isinstance(verdict, Answered):
                self._tally.heard += 1
                name = each.ask.name
                self._tally.superseded += name in self._newest.keys() - self._used
                self._number += 1
                self._newest[name] = _Heard(verdict, message.began, self._number)
                self._used.discard(name)
                return True
        return False

    async def scan(
        self,
        points: Sequence[str],
        *,
        wait_s: float | None = None,
        want_raw: bool = False,
    ) -> Answer:
        """Take what came since the last scan; see ``drivers.values.Device.scan``.

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
        kinds = [
            each
            for each in self._kinds
            if any(point.name in wanted for point in each.points)
        ]
        timeout_s = self._timing.timeout_s
        self._port.end_gaps()
        await self._port.wait_for(
            lambda: all(self._fresh(each, wanted) for each in kinds),
            min(timeout_s, wait_s or timeout_s),
        )
        now = loop.time()
        found = [(each, self._fresh(each, wanted)) for each in kinds]
        # The scan's time is not before its data: what was waited for is of then.
        at = max([began, *(heard.at for _, heard in found if heard)])
        scan.first_sent_at = at
        for each, heard in found:
            if heard is None:
                scan.note(
                    f"device {self.name}: nothing heard of {each.ask.name}; check"
                    " that it sends by itself, and the time-out"
                )
                scan.all_bad(each.points, "no_data")
                continue
            if not want_raw:
                self._used.add(each.ask.name)
                self._taken |= dict.fromkeys(_asked(each, wanted), heard.number)
            record = self._records.get(each.ask.name)
            stale = record is not None and record.stale(heard.answer.body, now)
            age_ms = round(1000 * (at - heard.at))
            scan.take(each, heard.answer, stale=stale, age_ms=age_ms)
        return scan.answer(began)

    async def write(self, point: str, value: Value) -> None:
        """Nothing of an ASCII instrument is written.

        Raises:
            PointError: Always.
        """
        del value
        raise read_only(self.name, point, "an ASCII instrument")

    def close(self) -> None:
        """Listen no more."""
        self._port.ignore(self)

    def _fresh(self, each: Prepared, wanted: set[str]) -> _Heard | None:
        """The newest of these messages, where these points had it not yet."""
        heard = self._newest.get(each.ask.name)
        if heard is None or heard.at < self._port.opened_s:
            return None
        taken = max(self._taken.get(name, 0) for name in _asked(each, wanted))
        return heard if heard.number > taken else None

    def worst_case_s(self, points: Sequence[str]) -> float:
        """The longest time this scan can hold the line if nothing is said."""
        return self._timing.timeout_s if points else 0.0


def _asked(each: Prepared, wanted: set[str]) -> list[str]:
    """Those of a message's points that are asked for."""
    return [point.name for point in each.points if point.name in wanted]

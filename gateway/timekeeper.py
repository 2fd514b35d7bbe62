"""Keeps the table of boots, durably, and tells those who wait when it says more.

    clock --turn--> table --remembered, durable--> what ``when`` answers from
                                   `--> on_dated: pumps wake, gaps are told

A date is given only from the table as it is on disk: whatever happens next, the same
record is dated the same again. Nothing is written while the clock simply goes on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gateway import events, powercut
from gateway.clock import Instant
from gateway.dating import CORRECTED, DOUBTED, TRUSTED, UNKNOWN, WAITING, Table, date
from gateway.logs import CHANGE
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Callable

    from buffer import Buffer
    from gateway.clock import Clock, JudgedClock, Refused, Turn
    from gateway.dating import Span
    from gateway.record import DatedTime, Event

log = logging.getLogger(__name__)

ClockWord = Literal["trusted", "waiting", "unknown"]

NOTE = "clock"
TELL_S = 120.0
"""Without a trusted clock for so long it is told: NTP answers sooner where it can."""


class _Note(msgspec.Struct, array_like=True):
    table: Table
    steady: int
    """Clock of the store minus the monotonic clock, in the run that wrote this."""


class StoreClock:
    """What the store calls the time: never steps, never goes back, not even over runs.

    It begins with the wall clock, whatever that says, and only its differences count:
    how long ago, how old, which was last.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        at = clock.now()
        self.offset = at.wall_ms - at.mono_ms

    def __call__(self) -> int:
        """Milliseconds, comparable with all that this store has noted."""
        return self._clock.now().mono_ms + self.offset

    def not_before(self, ms: int) -> None:
        """Go on where the run before ended, if the wall clock lies before that."""
        self.offset = max(self.offset, ms - self._clock.now().mono_ms)


class Timekeeper:
    """Dates instants of untrusted clocks."""

    def __init__(
        self,
        buffer: Buffer,
        clock: JudgedClock,
        store_clock: StoreClock,
        *,
        wait_s: float | None,
    ) -> None:
        """Take up what the runs before this one left.

        Args:
            buffer: Keeps the table; its last run's end is dated here.
            clock: Judged from here on.
            store_clock: What the buffer was opened with.
            wait_s: Records wait so long for a trusted clock while they could be
                delivered; None: for ever.
        """
        self._buffer = buffer
        self._clock = clock
        self._wait_s = wait_s
        self._waited_s = 0.0
        self._changed = asyncio.Event()
        self._events: list[Event] = []
        self._told: Event | None = None
        self._said = False
        self._asked = False
        self.on_dated: Callable[[], None] = lambda: None
        """Called when instants can be dated that could not be before."""
        self.on_step: Callable[[], None] = lambda: None
        """Called when the wall clock has jumped."""
        self._steady = store_clock
        at = clock.now()
        note = _read(buffer.recall(NOTE))
        self._table = note.table if note else Table()
        self._last = self._end(note, at)
        if buffer.ended is not None:
            store_clock.not_before(buffer.ended.wall_ms)
        untold = powercut.untold(buffer.recall(powercut.AWAY))
        ends = [at for away in untold for at in (away.last, away.start)]
        self._table.prune(buffer.oldest - 1, {at.boot for at in ends})
        ended = None if note is None or self._last is None else self._last.mono_ms
        self._table.begin(clock.boot, buffer.high, ended)
        clock.on_refused = self._refused
        turn = clock.begin(self._table.past_ms(at.mono_ms), self._turned)
        self._table.turn(turn)
        self._safe = Table()
        self._changed.set()

    # -- what others ask ----------------------------------------------------

    def when(self, at: Instant) -> DatedTime | None:
        """When an instant of an untrusted clock was; None: it waits."""
        span = self._safe.span(at)
        new = self._table.span(at)
        if new is not None and new != span and not _same(new, span):
            return None  # not on disk yet
        if span is not None and span.how == WAITING:
            self._asked = True
        return date(span, at)

    def known_ms(self, at: Instant) -> int:
        """The same in UTC ms where it is known to be right, else 0."""
        dated = date(self._table.span(at), at)
        return 0 if dated is None or dated.clock == "unknown" else dated.t

    def used(self, at: Instant | None) -> None:
        """The newest record refers to this instant, perhaps of an earlier boot."""
        if at is not None and at.boot != self._clock.boot:
            self._table.used(at.boot, self._buffer.high)
            self._changed.set()

    def ended(self, last_poll: bytes | None) -> powercut.Before | None:
        """How and when the run before this one ended; None for a new store.

        Args:
            last_poll: What was noted under ``powercut.LAST_POLL``.
        """
        ended = self._buffer.ended
        if ended is None:
            return None
        last = self._last
        if ended.clean and last_poll and last is not None:
            early = max(0, ended.wall_ms - int(last_poll))
            last = msgspec.structs.replace(
                last, wall_ms=last.wall_ms - early, mono_ms=last.mono_ms - early
            )
        return powercut.Before("maintenance" if ended.clean else "power_off", last)

    @property
    def waiting(self) -> bool:
        """Whether what is recorded now waits for a trusted clock."""
        end = self._table.boots[-1].spans[-1].how
        return end in {WAITING, DOUBTED}

    @property
    def estimated(self) -> bool:
        """Whether what is recorded now is told with an estimated time."""
        return self._table.boots[-1].spans[-1].how == UNKNOWN

    @property
    def state(self) -> ClockWord:
        """In one word: is the time right, and if not, what becomes of records."""
        if self._clock.now().trusted:
            return "trusted"
        return "waiting" if self.waiting else "unknown"

    def report(self) -> dict[str, Any]:
        """How it stands, for ``ecogate clock``."""
        clock = self._clock
        left_s = None if self._wait_s is None else self._wait_s - self._waited_s
        return {
            "now_ms": clock.wall_ms(),
            "state": clock.state,
            "source": clock.source,
            "offset_ms": clock.offset_ms,
            "floor_ms": clock.floor_ms,
            "waiting": self.waiting,
            "estimated": self.estimated,
            "wait_left_s": None if left_s is None else round(left_s, 1),
        }

    # -- work ---------------------------------------------------------------

    async def run(self, sink: Callable[[Event], None]) -> None:
        """Make changes durable, then use them; until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            told, self._events = self._events, []
            for event in told:
                sink(event)
            if any(event.type == "clock_step" for event in told):
                self.on_step()
            table = msgspec.msgpack.encode(_Note(self._table, self._steady.offset))
            if table != self._buffer.recall(NOTE) or not self._safe.boots:
                self._buffer.remember(NOTE, table)
                await self._buffer.remembered()
                self._safe = msgspec.msgpack.decode(table, type=_Note).table
                self._asked = False
                self.on_dated()

    def look(
        self, passed_s: float, uptime_s: float, *, linked: Callable[[], bool]
    ) -> None:
        """Count how long records have waited, and decide when that is enough.

        Args:
            passed_s: Since the last look.
            uptime_s: Since the start.
            linked: A platform could take them now.
        """
        at = self._clock.now()  # asks for trust even where nothing is polled
        if self._table.waiting() or self.estimated:
            if not self._said:  # at once: whoever stands beside it waits for data
                self._said = True
                log.warning("%s", t("log.clock_waiting"), extra=CHANGE)
            if self._told is None and uptime_s >= TELL_S:
                self._told = events.clock_waiting(at)
                self._tell(self._told)
        elif self._said:
            self._said = False
            log.info("%s", t("log.clock_known"), extra=CHANGE)
            if self._told is not None:
                self._tell(events.clock_known(self._told, at))
                self._told = None
        if self._wait_s is None:
            return
        if self.estimated and not linked():
            # What nobody is told yet may still be dated rightly.
            self._table.wait_again(at.mono_ms)
            self._changed.set()
        elif self._asked and self._table.waiting() and linked():
            self._waited_s += passed_s
            if self._waited_s >= self._wait_s:
                self._table.give_up()
                self._changed.set()

    def _turned(self, turn: Turn) -> None:
        self._table.turn(turn)
        if turn.step_ms:
            wall = turn.mono_ms + turn.offset_ms
            at = Instant(wall, turn.mono_ms, self._clock.boot, turn.trusted)
            self._events.append(events.clock_step(turn.step_ms, at))
        self._changed.set()

    def _refused(self, refused: Refused) -> None:
        log.warning(
            "%s",
            t(
                "log.time_refused",
                source=refused.source,
                reason=t(f"reason.{refused.reason}"),
                said=events.utc_text(refused.wall_ms),
            ),
            extra=CHANGE,
        )
        # The clock is in the middle of a look: the instant is its own last word.
        boot = self._table.boots[-1]
        mono = self._clock.mono_ms()
        at = Instant(mono + boot.offset, mono, self._clock.boot, trusted=False)
        self._tell(events.time_refused(refused, at))

    def _tell(self, event: Event) -> None:
        self._events.append(event)
        self._changed.set()

    def _end(self, note: _Note | None, at: Instant) -> Instant | None:
        """The last instant of the run before."""
        ended = self._buffer.ended
        if ended is None:
            return None
        if note is None or not note.table.boots:
            # Of a release that kept no table: the wall clock's word.
            away = at.wall_ms - ended.wall_ms
            if away < 0:
                return None
            return msgspec.structs.replace(
                at, wall_ms=ended.wall_ms, mono_ms=at.mono_ms - away
            )
        boot = note.table.boots[-1]
        mono = max(ended.wall_ms - note.steady, boot.last)
        if boot.id == at.boot:
            mono = min(mono, at.mono_ms)
        end = boot.spans[-1]
        trusted = end.how == TRUSTED and end.use is not None
        return Instant(mono + boot.offset, mono, boot.id, trusted)


def _same(one: Span, other: Span | None) -> bool:
    """Whether two spans date alike: only where one begins differs."""
    right = {TRUSTED, CORRECTED}
    return (
        other is not None
        and one.use == other.use
        and one.how in right
        and other.how in right
    )


def _read(note: bytes | None) -> _Note | None:
    if note is None:
        return None
    try:
        return msgspec.msgpack.decode(note, type=_Note)
    except msgspec.MsgspecError as exc:
        log.error("what was known of earlier clocks cannot be read: %s", exc)  # noqa: TRY400
        return None

"""When an instant of an untrusted clock was, as far as anybody can know. Pure.

A table of boots, each a list of spans on its monotonic clock. An instant falls into the
last span that begins at or before it, and the span says how it is dated:

    use    t = mono + use; None: nobody knows yet, the record waits
    how    TRUSTED, CORRECTED (right by an anchor), UNKNOWN (an estimate between
           bounds), WAITING, DOUBTED (the clock jumped: ``fall`` is the offset before)

    boot 7c1e   [ WAITING ............ | TRUSTED ........ | CORRECTED ...... | TRUSTED
                  0                    ^ NTP at last      ^ NTP gone         ^ back
                  `- becomes CORRECTED, by the first anchor after

What is said is said: ``use`` is set once and never changed, so that a record sent again
has the same content for ever (docs/delivery.md, 4). That holds across restarts,
because the table is durable before it is used (``timekeeper.py``).

A boot that never saw a trusted clock lies between its neighbours: it began after the
last time known before it plus all uptime since, and ended before the next trusted boot
began. That is ``t_min`` and ``t_max``; the wall clock's own word is the estimate where
it lies between them.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import msgspec

from gateway.clock import DRIFT_PPM, HOLD_MS, MOST_DOUBT_MS, STEP_MS
from gateway.record import DatedTime
from gateway.release import RELEASED_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gateway.clock import Instant, Turn

TRUSTED: Final = 0
CORRECTED: Final = 1
UNKNOWN: Final = 2
WAITING: Final = 3
DOUBTED: Final = 4

MAX_BOOTS = 64
"""Boots whose records wait for a platform; of older ones only the clock's word is
left, marked ``unknown``."""
MAX_SPANS = 64
"""Real steps and long losses of one boot; what is before the oldest goes by it."""
_SAME_MS = 20
"""Offsets this close are one: nothing has stepped."""


class Span(msgspec.Struct, frozen=True, array_like=True):
    """How instants from ``start`` on are dated."""

    start: int
    how: int
    use: int | None = None
    ref: int | None = None
    """CORRECTED: the moment whose time was known; drift counts from it."""
    low: int | None = None
    high: int | None = None
    """UNKNOWN: bounds of ``use``. DOUBTED: of all offsets, where it jumped again."""
    fall: int | None = None
    """DOUBTED: the offset that was trusted before the jump."""


class Boot(msgspec.Struct, array_like=True):
    """One boot of the machine."""

    id: str
    spans: list[Span]
    offset: int
    """Wall clock minus monotonic clock, as read last."""
    last: int = 0
    """It was running then, at least: milliseconds since its start."""
    high: int = -1
    """The highest seq given out in it, known once it is over."""


class Table(msgspec.Struct, array_like=True):
    """All boots that stored records may be from, oldest first."""

    boots: list[Boot] = []
    base: int = RELEASED_MS
    """UTC ms that were past when the first of them began."""

    # -- asking -------------------------------------------------------------

    def span(self, at: Instant) -> Span | None:
        """The span an instant falls into; None: a boot that is not known here."""
        boot = self.boot(at.boot)
        if boot is None:
            return None
        place = bisect_right(boot.spans, at.mono_ms, key=lambda span: span.start)
        return boot.spans[max(place - 1, 0)]

    def boot(self, name: str) -> Boot | None:
        """The boot of this name."""
        # Asked about the newest nearly always.
        return next((b for b in reversed(self.boots) if b.id == name), None)

    def past_ms(self, mono_ms: int) -> int:
        """UTC ms that are past when the newest boot has run for ``mono_ms``."""
        low = self.base
        for boot in self.boots[:-1]:
            low = _began_after(boot, low) + boot.last
        return _began_after(self.boots[-1], low) + mono_ms if self.boots else low

    def waiting(self) -> bool:
        """Whether some of the newest boot's records cannot be dated yet."""
        return bool(self.boots) and self.boots[-1].spans[-1].how == WAITING

    # -- changing -----------------------------------------------------------

    def begin(self, boot: str, high: int, ended_mono: int | None) -> None:
        """A run begins.

        Args:
            boot: Of the machine.
            high: The highest seq given out by now.
            ended_mono: Where the run before ended, on its boot's monotonic clock.
        """
        if self.boots:
            before = self.boots[-1]
            before.high = high
            if ended_mono is not None:
                before.last = max(before.last, ended_mono)
            # No jump that was in doubt when the power went was ever proved.
            _settle_doubt(before, None)
        if not self.boots or self.boots[-1].id != boot:
            self.boots.append(Boot(boot, [Span(0, WAITING)], 0))
            while len(self.boots) > MAX_BOOTS:
                self._forget_first()

    def turn(self, turn: Turn) -> None:
        """The newest boot's clock took a turn."""
        boot = self.boots[-1]
        boot.last = max(boot.last, turn.mono_ms)
        was = boot.offset
        moved = abs(turn.offset_ms - was) >= STEP_MS
        boot.offset = turn.offset_ms
        if turn.trusted:
            _trusted(boot, turn)
            self._estimate(len(self.boots) - 1, boot.spans[0].use)
        elif turn.doubt:
            end = boot.spans[-1]
            if end.how == TRUSTED:
                _add(boot, Span(turn.mono_ms, DOUBTED, fall=_held(end, turn)))
            elif end.how == DOUBTED and end.fall is not None:
                seen = (end.fall, was, turn.offset_ms)
                low = min(*seen, end.fall if end.low is None else end.low)
                high = max(*seen, end.fall if end.high is None else end.high)
                boot.spans[-1] = msgspec.structs.replace(end, low=low, high=high)
        else:
            _untrusted(boot, turn, moved=moved)

    def give_up(self) -> None:
        """Date what waits in the newest boot by the best estimate, and what follows."""
        self._estimate(len(self.boots), None)

    def wait_again(self, mono_ms: int) -> None:
        """What follows waits again for a trusted clock, as far as nothing is said."""
        boot = self.boots[-1]
        if boot.spans[-1].how == UNKNOWN:
            _add(boot, Span(mono_ms, WAITING))

    def used(self, boot: str, seq: int) -> None:
        """A record of a later boot refers to this one, too.

        Args:
            boot: Its name.
            seq: The record's.
        """
        found = self.boot(boot)
        if found is not None and 0 <= found.high < seq:
            found.high = seq

    def prune(self, floor: int, keep: Collection[str] = ()) -> None:
        """Forget boots of which every record is resolved.

        Args:
            floor: No seq up to here is stored: parked and new targets want them, too.
            keep: Boots that records still to come will refer to.
        """
        while len(self.boots) > 1 and 0 <= self.boots[0].high <= floor:
            if self.boots[0].id in keep:
                return
            self._forget_first()

    def _forget_first(self) -> None:
        boot = self.boots.pop(0)
        self.base = _began_after(boot, self.base) + boot.last

    # -- boots between others -----------------------------------------------

    def _estimate(self, count: int, before: int | None) -> None:
        """Date what waits in the first boots, in their order.

        Args:
            count: So many boots.
            before: The boot after them began then, UTC ms, if that is known.
        """
        highs: list[int | None] = []
        for boot in reversed(self.boots[:count]):
            if before is not None:
                before -= boot.last
            highs.append(before)
            use = boot.spans[0].use
            if use is not None and boot.spans[0].how != UNKNOWN:
                before = use
        low = said = self.base
        for boot, high in zip(self.boots[:count], reversed(highs), strict=True):
            if boot.spans[-1].how == WAITING:
                # No boot is told to begin before the end of the one before it.
                said = _estimate(boot, low, max(low, said), high) + boot.last
            low = _began_after(boot, low) + boot.last


def date(span: Span | None, at: Instant) -> DatedTime | None:
    """An instant's date by its span; None: not known yet.

    Args:
        span: From ``Table.span``; None: the boot is forgotten, and what its clock
            said is all there is.
        at: An instant whose clock was not trusted.
    """
    if span is None:
        return DatedTime(max(at.wall_ms, RELEASED_MS), "unknown")
    if span.use is None:
        return None
    t = at.mono_ms + span.use
    if span.how == UNKNOWN:
        low = None if span.low is None else at.mono_ms + span.low
        high = None if span.high is None else at.mono_ms + span.high
        return DatedTime(t, "unknown", low, high)
    away = 0 if span.ref is None else abs(at.mono_ms - span.ref)
    if away <= HOLD_MS:
        return DatedTime(t, "corrected")
    drift = away * DRIFT_PPM // 1_000_000
    return DatedTime(t, "corrected", t - drift, t + drift)


def _trusted(boot: Boot, turn: Turn) -> None:
    """The offset is known from here on, and so is what waited for it."""
    _settle_doubt(boot, turn.offset_ms, turn.mono_ms)
    for number, span in enumerate(boot.spans):
        if span.use is None:
            boot.spans[number] = Span(
                span.start, CORRECTED, turn.offset_ms, turn.mono_ms
            )
    end = boot.spans[-1]
    if end.use is not None and abs(end.use - turn.offset_ms) <= _SAME_MS:
        if end.how == TRUSTED:
            return
        last = boot.spans[-2] if len(boot.spans) > 1 else None
        short = end.ref == end.start and turn.mono_ms - end.start <= HOLD_MS
        if last is not None and last.how == TRUSTED and last.use == end.use and short:
            # It was gone for a while and nothing has moved: all dates stay as they
            # are without this span, and a clock that flaps does not fill the table.
            del boot.spans[-1]
            return
    _add(boot, Span(turn.mono_ms, TRUSTED, turn.offset_ms))


def _untrusted(boot: Boot, turn: Turn, *, moved: bool) -> None:
    """The offset is not known any more: the last known one holds on."""
    end = boot.spans[-1]
    if end.how == TRUSTED:
        use = _held(end, turn)
        _add(boot, Span(turn.mono_ms, CORRECTED, use, turn.mono_ms))
    elif end.how == DOUBTED:
        _settle_doubt(boot, None)
    elif end.how == UNKNOWN and moved:
        # An estimate by the wall clock, which says something else now.
        _add(boot, Span(turn.mono_ms, WAITING))


def _settle_doubt(boot: Boot, offset: int | None, mono_ms: int = 0) -> None:
    """Which side of a jump was right: the one that is trusted now, else the old one.

    Of many jumps in a row none is known to be right: an estimate among all of them.
    """
    end = boot.spans[-1]
    if end.how != DOUBTED or end.fall is None:
        return
    back = offset is None or abs(offset - end.fall) < STEP_MS
    use = end.fall if back or offset is None else offset
    boot.spans[-1] = Span(end.start, CORRECTED, use, end.start)
    tired = not back and mono_ms - end.start >= MOST_DOUBT_MS
    if tired and end.low is not None and end.high is not None:
        low, high = min(end.low, use), max(end.high, use)
        boot.spans[-1] = Span(end.start, UNKNOWN, use, None, low, high)


def _held(end: Span, turn: Turn) -> int:
    """The offset trusted last; the span's own where nothing has moved since."""
    held = end.use if turn.held_ms is None else turn.held_ms
    if held is None or end.use is None:
        return turn.offset_ms
    return end.use if abs(held - end.use) <= _SAME_MS else held


def _began_after(boot: Boot, low: int) -> int:
    """UTC ms that were past when a boot began, if ``low`` was."""
    end = boot.spans[-1]
    if end.how in {TRUSTED, CORRECTED} and end.use is not None:
        return end.use  # the latest trusted word counts, not the highest
    if end.how == DOUBTED and end.fall is not None:
        return end.fall
    return low


def _estimate(boot: Boot, low: int, lowest: int, high: int | None) -> int:
    """Date what waits in one boot.

    Args:
        boot: Its last span waits.
        low: It began after this, UTC ms.
        lowest: Not to be told to begin before this.
        high: It began before this, UTC ms, if that is known.

    Returns:
        Its start by this estimate.
    """
    if high is not None and high < low:
        high = None  # a clock among these was not as right as it said
    use = max(lowest, boot.offset)
    if high is not None:
        use = min(use, high)
    for number, span in enumerate(boot.spans):
        if span.use is None:
            boot.spans[number] = Span(span.start, UNKNOWN, use, None, low, high)
    _join(boot)
    return use


def _join(boot: Boot) -> None:
    """Spans that say the same are one."""
    boot.spans[:] = _joined(boot.spans)


def _joined(spans: list[Span]) -> Iterator[Span]:
    said: tuple[object, ...] = ()
    for span in spans:
        says = (span.how, span.use, span.ref, span.low, span.high, span.fall)
        if says != said:
            yield span
        said = says


def _add(boot: Boot, span: Span) -> None:
    if span.start <= boot.spans[-1].start and len(boot.spans) > 1:
        # Two turns within a millisecond: no instant lies between them.
        boot.spans[-1] = span
        return
    boot.spans.append(span)
    del boot.spans[:-MAX_SPANS]

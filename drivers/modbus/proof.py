"""Which shape the next request to a unit takes, so that its answer proves itself.

Pure; the clock is passed in. One :class:`UnitProof` a unit, older than any connection.

An RTU answer carries unit, function, byte count and data, but no number and no address:
two requests are told apart by **shape** (function, byte count) alone. Over TCP the
transaction id helps, but a serial-to-Ethernet gateway may put a late RTU answer under a
new id, so the same rules hold there. A request never takes a shape that

* a **ghost** holds: a request that timed out, whose answer may still come;
* was answered within the last W seconds, W = 2 x the time-out in force: a repeated
  answer is not taken for the next one; nor, within W of any answer, one that the last
  three requests had: what a buffer gives out besides looks like one of them;
* one of the two requests before it had, where ghosts leave it three sizes; one of the
  five, where they leave it six: what a device's or an adapter's buffers repeat is
  rarely older. Of several, it is the smallest not used within a quarter of a second,
  else the one used longest ago.

The shape is the span, padded by as little as it takes inside the room the planner gave
and the device serves (``room.py``). When nothing is free, ``choose`` says until when.

What no master can detect: a frame of exactly the open request's shape (same unit,
function, byte count, right checksum; over TCP also its id) that arrives between the
request and the true answer. Nor, for the same reason, an answer that comes later than a
ghost lives.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from drivers.modbus.room import Room
from drivers.modbus.wire import MAX_BITS, MAX_REGISTERS, READ_FUNCTION, data_bytes

if TYPE_CHECKING:
    from drivers.modbus.transaction import Span

WINDOW_TIMES_TIMEOUT: Final = 2.0
_APART = 5
_NEAR = 3
_TURN_S = 0.25
_LAST_BIT_FUNCTION = 2
_MOST_ROOMS = 512
_SPACE = 65536
_MUDDLES = 2


class Shape(msgspec.Struct, frozen=True, gc=False):
    """What is asked for, and how much data that must bring."""

    function: int
    start: int
    count: int
    size: int
    """Data bytes of the answer."""
    before: int
    after: int
    """How far it was padded."""


class Hold(msgspec.Struct, frozen=True, gc=False):
    """No shape is free before this loop time."""

    until: float
    ghost: bool = False
    """Only ghosts hold the span's shapes; else a window ends it soon."""


class Outlook(NamedTuple):
    """How a span stands that might be asked for next."""

    wait_s: float
    """Until a size is free; 0: now."""
    repeats: bool
    """Its size was asked for just before: only time would tell."""
    rigid: bool = False
    """It has no other size."""


class _Ghost(NamedTuple):
    sent_at: float
    until: float
    span: Span | None
    shape: Shape | None


class UnitProof:
    """What was asked of one unit lately, and what may still come back."""

    __slots__ = (
        "_busy",
        "_excepted",
        "_ghosts",
        "_muddled",
        "_recent",
        "_rooms",
        "_used",
        "distrust",
    )

    def __init__(self) -> None:
        self._busy: dict[int, float] = {}
        self._ghosts: dict[int, _Ghost] = {}
        self._used: dict[int, float] = {}
        self._recent: deque[int] = deque(maxlen=_APART)
        self._rooms: dict[Span, Room] = {}
        self._excepted: dict[int, tuple[int, float]] = {}
        self._muddled: dict[Span, int] = {}
        self.distrust = False
        """The next answer is thrown away (one-size devices after a time-out)."""

    # -- before a request -----------------------------------------------------

    def choose(self, span: Span, now: float, *, bare: bool = False) -> Shape | Hold:
        """The smallest shape that holds the span and proves its answer.

        Args:
            span: What is wanted, and the room around it.
            now: Loop time.
            bare: Without padding, to learn whether the span itself is refused.
        """
        function = READ_FUNCTION[span.table]
        if self._muddled and self._muddled.get(span, 0) >= _MUDDLES:
            ends = self._haunted_until(function, now)
            if ends:
                return Hold(ends, ghost=True)
        count, bits = span.count, function <= _LAST_BIT_FUNCTION
        before = after = 0
        if not bare:
            room = self._rooms.get(span) or self._new_room(span)
            before, after = room.limits(span.room_before, span.room_after, now)
            before = min(before, span.start)
            after = min(after, _SPACE - span.start - count)
        most = min(count + before + after, MAX_BITS if bits else MAX_REGISTERS)
        busy, recent, used = self._busy, self._recent, self._used
        fresh = now - _TURN_S
        wide = count
        while True:
            size = (wide + 7) // 8 if bits else 2 * wide
            key = function << 9 | size
            if (
                busy.get(key, 0.0) <= now
                and used.get(key, 0.0) <= fresh
                and key not in recent
            ):
                break
            # Only every eighth bit changes the byte count of a bit table.
            wide = 8 * size + 1 if bits else wide + 1
            if wide > most:
                second = self._second_choice(function, count, most, now)
                if isinstance(second, Hold):
                    return second
                wide = second
                break
        padding = wide - count
        behind = min(padding, after)
        ahead = padding - behind
        size = data_bytes(function, wide)
        return Shape(function, span.start - ahead, wide, size, ahead, behind)

    def _second_choice(
        self, function: int, count: int, most: int, now: float
    ) -> int | Hold:
        """Every size was used a moment ago: the one longest ago, or wait.

        The last five sizes (fewer, where there are fewer) are barred as long as
        another is only a window away: windows shrink when a time-out is learned, and
        the order must not. A ghost may hold a size for long: those are not waited for.
        """
        bits = function <= _LAST_BIT_FUNCTION
        free: dict[int, int] = {}
        soon: dict[int, float] = {}
        ghosts_end = 0.0
        wide = count
        while wide <= most:
            size = (wide + 7) // 8 if bits else 2 * wide
            key = function << 9 | size
            until = self._busy.get(key, 0.0)
            if until <= now:
                free[key] = wide
            elif key in self._ghosts:
                ghosts_end = min(ghosts_end or until, until)
            else:
                soon[key] = until
            wide = 8 * size + 1 if bits else wide + 1
        order = dict.fromkeys(reversed(self._recent))  # the newest of each size
        usable = [key for key in reversed(order) if key in free or key in soon]
        spare = len(free) + len(soon) - 1
        barred = usable[-spare:] if spare > 0 else []
        open_now = [key for key in free if key not in barred]
        if open_now:
            return free[min(open_now, key=lambda key: self._used.get(key, 0.0))]
        waits = [until for key, until in soon.items() if key not in barred]
        return Hold(min(waits)) if waits else Hold(ghosts_end, ghost=True)

    def outlook(self, span: Span, now: float) -> Outlook:
        """What asking for this span now would mean, with nothing done about it."""
        shape = self.choose(span, now)
        room = self._rooms.get(span)
        rigid = room is not None and room.limits(
            span.room_before, span.room_after, now
        ) == (0, 0)
        if isinstance(shape, Hold):
            repeats = rigid and self.bare_repeats(span)
            return Outlook(shape.until - now, repeats, rigid)
        key = shape.function << 9 | shape.size
        return Outlook(0.0, key in (*self._recent,)[1 - _NEAR :], rigid)

    def bare_repeats(self, span: Span) -> bool:
        """Whether the span without padding has the shape of one of the last two."""
        function = READ_FUNCTION[span.table]
        key = function << 9 | data_bytes(function, span.count)
        return key in (*self._recent,)[1 - _NEAR :]

    def write_free(self, function: int, address: int, count: int, now: float) -> float:
        """Until when the echo of an earlier write of this kind may come; 0 = free."""
        until = self._busy.get(_write_key(function, address, count), 0.0)
        return until if until > now else 0.0

    def sent(self, shape: Shape, now: float) -> None:
        """This request goes out now."""
        key = shape.function << 9 | shape.size
        self._recent.append(key)
        self._used[key] = now
        if key in self._ghosts:
            del self._ghosts[key]

    # -- after it -------------------------------------------------------------

    def answered(self, span: Span, shape: Shape, now: float, window_s: float) -> None:
        """The proved answer came."""
        self._busy[shape.function << 9 | shape.size] = now + window_s
        self._repeatable(now + window_s)
        self._muddled.pop(span, None)
        room = self._rooms.get(span)
        if room is not None:
            room.answered(shape.before, shape.after, now)

    def muddled(self, span: Span) -> None:
        """An exception came that may be an earlier request's, and nothing better.

        That leaves a ghost, which casts doubt on the next exception, and so on for
        ever. After the second time the span waits until no ghost of its function lives:
        then an exception is believed.
        """
        if len(self._muddled) >= _MOST_ROOMS:
            self._muddled.clear()
        self._muddled[span] = self._muddled.get(span, 0) + 1

    def silent(
        self, span: Span, shape: Shape, sent_at: float, life_s: float, now: float
    ) -> None:
        """No proved answer came in time (or the port went away): a ghost is left."""
        key = shape.function << 9 | shape.size
        until = sent_at + life_s
        self._busy[key] = max(until, self._busy.get(key, 0.0))
        self._ghosts[key] = _Ghost(sent_at, until, span, shape)
        room = self._rooms.get(span)
        if room is not None:
            room.silent(shape.before, shape.after, now)

    def refused(self, span: Span, shape: Shape, now: float) -> None:
        """Exception 2 or 3: learn the room's edge, or that the span itself is it."""
        room = self._rooms.get(span) or self._new_room(span)
        if shape.count > span.count:
            room.refused(shape.before, shape.after, now)
        else:
            room.forget()

    def excepted(self, function: int, code: int, until: float) -> None:
        """An exception was accepted; until then its repeat could come."""
        self._excepted[function] = code, until
        self._repeatable(until)

    def _repeatable(self, until: float) -> None:
        """After an answer a buffer may yet give out the one before it, or its like."""
        busy = self._busy
        for key in (*self._recent,)[-_NEAR:]:
            if busy.get(key, 0.0) < until:
                busy[key] = until

    def clear(self, span: Span) -> None:
        """An exception to this span was believed: nothing about it is muddled."""
        self._muddled.pop(span, None)

    def write_silent(
        self, function: int, address: int, count: int, sent_at: float, life_s: float
    ) -> None:
        """A write was not confirmed in time."""
        key, until = _write_key(function, address, count), sent_at + life_s
        self._busy[key] = until
        self._ghosts[key] = _Ghost(sent_at, until, None, None)

    # -- what else came ---------------------------------------------------------

    def late(
        self, function: int, size: int, now: float, window_s: float
    ) -> float | None:
        """A frame that does not answer the open request: a ghost's answer?

        Returns:
            Seconds since the ghost's request, or None when no ghost has this shape.
            The ghost is gone then, and a repeat of its answer is held off for a window.
        """
        key = function << 9 | size
        ghost = self._ghosts.pop(key, None)
        if ghost is None:
            return None
        self._busy[key] = now + window_s
        if ghost.span is not None and ghost.shape is not None:
            room = self._rooms.get(ghost.span)
            if room is not None:
                room.answered(ghost.shape.before, ghost.shape.after, now)
        return now - ghost.sent_at

    def known(self, function: int, size: int) -> bool:
        """Whether this shape was ever answered: then such a frame is a repeat."""
        return function << 9 | size in self._busy

    def doubtful(
        self, function: int, code: int, now: float, numbered: bool = False
    ) -> bool:
        """Whether an exception could belong to an earlier request.

        An exception carries no size: while a ghost of its function lives, or the same
        one was accepted within the window, it proves nothing by itself. Where it has
        our request's number it is no repeat; a gateway that hands late answers over
        under new numbers leaves a ghost first.
        """
        return self.haunted(function, now) or (
            not numbered
            and self._excepted.get(function, (0, 0.0))[0] == code
            and self._excepted[function][1] > now
        )

    def haunted(self, function: int, now: float) -> bool:
        """Whether a live ghost has this function."""
        return self._haunted_until(function, now) > 0

    def _haunted_until(self, function: int, now: float) -> float:
        """When the last live ghost of this function is gone; 0: there is none."""
        return max(
            (
                ghost.until
                for key, ghost in self._ghosts.items()
                if ghost.until > now and key >> 9 & 0xFF == function
            ),
            default=0.0,
        )

    def ghosts(self, now: float) -> int:
        """How many live."""
        return sum(ghost.until > now for ghost in self._ghosts.values())

    def _new_room(self, span: Span) -> Room:
        if len(self._rooms) >= _MOST_ROOMS:  # plans change; old spans never come back
            self._rooms.clear()
        room = self._rooms[span] = Room()
        return room


def _write_key(function: int, address: int, count: int) -> int:
    """Above all keys of reads; the low 17 bits of those are function and size."""
    return (address << 16 | count) << 20 | function << 9

"""Bytes to messages, in one pass: bounded memory, bounded work, whatever comes.

A :class:`Framer` is older than any request: what it holds of a message that began
before a request left is no answer to it, and each message says when its first byte
came. What cannot be a message (longer than its limit, without its start) is dropped
and the next sign sought; no byte is looked at more than a fixed number of times.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from drivers.ascii.checks import Framed

if TYPE_CHECKING:
    from drivers.profiles.dialogue import Frame

SILENT_S: Final = 0.02
"""Within a message bytes follow each other faster than this, mostly."""
ABANDONED_S: Final = 1.0
"""A message whose next byte does not come in this time was never finished."""
_NEARLY: Final = 0.9
"""Of a gap: timers and clocks are not that exact."""
_NOISE: Final = bytes(range(0x20)) + bytes(range(0x80, 0x100))
_IDLE_NOISE: Final = bytes(
    (*range(0x0B), 0x0C, 0x80, 0xC0, 0xE0, 0xF0, 0xF8, 0xFC, 0xFE, 0xFF)
)
"""What a line that changes hands looks like. Other noise in front of a message may be
its first characters, damaged: one bit of a digit, or its parity taken for a bit."""
_FEWEST: Final = 512
_ONE_IN: Final = 128
"""Signs looked at in one piece of data: so many, and one for so many bytes. A piece of
nothing but signs is noise, and what is left of it is dropped."""


class Message(NamedTuple):
    """What stood between two signs."""

    framed: Framed
    began: float
    """Loop time of its first byte."""
    torn: bool = False
    """Its front may be missing: the stream was joined in the middle, or something
    before it was dropped."""

    @property
    def body(self) -> bytes:
        """Without start and end."""
        return self.framed.body


class Framer:
    """Cuts one stream into messages of one kind of frame."""

    __slots__ = ("_began", "_frame", "_held", "_last", "_over", "_torn", "dropped")

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._held = b""
        self._began = 0.0
        self._last = -inf
        self._over = False
        """In the middle of a line that is too long."""
        self._torn = True
        self.dropped = 0
        """Messages that were too long or never finished."""

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self._held)

    def reset(self) -> None:
        """Forget what is held: the connection ended, or stood still for too long.

        What comes next may begin in the middle of a message.
        """
        self._held, self._over, self._torn, self._last = b"", False, True, -inf

    def split(self, now: float, prompts: bytes = b"") -> None:
        """A question leaves: what is unfinished and has fallen silent ends here.

        Else it would stand in front of the answer, and spoil it. The message after it
        is called torn: it could be the rest of what was unfinished. A prompt has no
        rest.

        Args:
            now: Loop time.
            prompts: Characters that wait for the question.
        """
        if not self._held.strip(prompts):
            self._held = b""
            self._torn = self._torn and now - self._last <= ABANDONED_S
        elif now - self._last >= SILENT_S:
            self.dropped += 1
            self._held = b""
            self._torn = now - self._last <= ABANDONED_S

    def feed(self, data: bytes, now: float) -> list[Message]:
        """Take what came; returns the messages that are complete."""
        if self._held and now - self._last > ABANDONED_S and not self._frame.gap_s:
            self.dropped += 1
            self.reset()
        frame, found = self._frame, []
        if frame.gap_s and not frame.ends:
            found = self.silent(now)
            if not self._held:
                self._began = now
            self._hold(self._held + data)
        elif frame.size:
            found = self._counted(self._held + data, now)
        elif frame.start:
            found = self._signed(self._held + data, now)
        else:
            found = self._lines(self._held + data, now)
        self._last = now
        return found

    def silent(self, now: float) -> list[Message]:
        """The message that silence has ended by now, where silence ends messages."""
        gap_s = self._frame.gap_s
        if not gap_s or not self._held or now - self._last < _NEARLY * gap_s:
            return []
        body, self._held = self._held.strip(b"\r\n"), b""
        if self._over or not body:
            self._over = self._torn = False
            return []
        torn, self._torn = self._torn, False
        return [Message(Framed(b"", body, b"", b""), self._began, torn)]

    def _hold(self, data: bytes) -> None:
        """Keep what a gap will end; too much of it is none."""
        if len(data) > self._frame.limit:
            self.dropped += not self._over
            self._over, data = True, data[-1:]
        self._held = data

    # -- lines ------------------------------------------------------------------

    def _lines(self, data: bytes, now: float) -> list[Message]:
        found: list[Message] = []
        ends, limit = self._frame.ends, self._frame.limit
        old, at, signs = len(self._held), 0, _budget(data)
        ahead = {end: data.find(end) for end in ends}
        while True:
            end, place = _first(ahead)
            if place < 0 or signs < 0:
                break
            signs -= 1
            line = data[at:place]
            if line:
                body = self._without_noise(line)
                if self._over or len(body) > limit:
                    self.dropped += not self._over
                elif body:
                    began = self._began if at < old else now
                    framed = Framed(b"", body, end, b"")
                    found.append(Message(framed, began, self._torn))
            self._over = self._torn = False
            at = place + len(end)
            for each, where in ahead.items():
                if 0 <= where < at:
                    ahead[each] = data.find(each, at)
        rest = data[at:]
        if signs < 0:
            rest, self._over = b"", True
        if len(rest) > limit:
            self.dropped += not self._over
            self._over = True
        if self._over:
            longest = max(len(end) for end in ends)
            rest = rest[len(rest) - longest + 1 :] if longest > 1 else b""
        else:
            # Noise in front is no part of a line: it must not date it.
            rest = rest if _may_end(rest, ends) else self._without_noise(rest)
        if rest and (at >= old or not old):
            self._began = now
        self._held = rest
        return found

    def _without_noise(self, line: bytes) -> bytes:
        """The line from its first character on."""
        body = line.lstrip(_NOISE)
        if line[: len(line) - len(body)].strip(_IDLE_NOISE):
            self._torn = True
        return body

    # -- start and end signs ------------------------------------------------------

    def _signed(self, data: bytes, now: float) -> list[Message]:
        found: list[Message] = []
        frame = self._frame
        start, limit = frame.start, frame.limit
        old, at, signs = len(self._held), 0, _budget(data)
        ahead = {end: data.find(end) for end in frame.ends}
        rest = -1
        while signs >= 0:
            end, place = _first(ahead)
            if place < 0:
                break
            signs -= 1
            # The nearest start is the message's: an unfinished one stood before it.
            first = data.rfind(start, max(at, place - limit), place)
            behind = place + len(end)
            if first >= 0:
                if len(data) - behind < frame.after:
                    rest = first
                    break
                framed = Framed(
                    start,
                    data[first + len(start) : place],
                    end,
                    data[behind : behind + frame.after],
                )
                found.append(Message(framed, self._began if first < old else now))
                behind += frame.after
            at = behind
            for each, where in ahead.items():
                if 0 <= where < at:
                    ahead[each] = data.find(each, at)
        if rest < 0:
            rest = data.rfind(start, max(at, len(data) - limit)) if signs >= 0 else -1
        self._keep(data, rest, old, now)
        return found

    # -- counted ------------------------------------------------------------------

    def _counted(self, data: bytes, now: float) -> list[Message]:
        found: list[Message] = []
        frame = self._frame
        start, size = frame.start, frame.size
        old, at, signs = len(self._held), 0, _budget(data)
        rest = -1
        while signs >= 0:
            first = data.find(start, at)
            if first < 0:
                break
            if len(data) - first < size:
                rest = first
                break
            signs -= 1
            whole = data[first : first + size]
            end = _end_of(whole, frame.ends)
            if end is None:
                at = first + 1
                continue
            body = whole[len(start) : size - len(end)]
            framed = Framed(start, body, end, b"")
            found.append(Message(framed, self._began if first < old else now))
            at = first + size
        self._keep(data, rest, old, now)
        return found

    def _keep(self, data: bytes, rest: int, old: int, now: float) -> None:
        """Hold what may be the beginning of a message."""
        if rest < 0:
            self._held = b""
            return
        if rest >= old:
            self._began = now
        self._held = data[rest:]


def _budget(data: bytes) -> int:
    return _FEWEST + len(data) // _ONE_IN


def _first(ahead: dict[bytes, int]) -> tuple[bytes, int]:
    """The end sign that comes first, the longer of two at one place; (_, -1): none."""
    best, place = b"", -1
    for end, where in ahead.items():
        if where >= 0 and (
            place < 0 or where < place or (where == place and len(end) > len(best))
        ):
            best, place = end, where
    return best, place


def _may_end(rest: bytes, ends: tuple[bytes, ...]) -> bool:
    """Whether the rest could be the first part of an end sign."""
    return any(
        rest == end[:size] for end in ends for size in range(1, len(end)) if rest
    )


def _end_of(whole: bytes, ends: tuple[bytes, ...]) -> bytes | None:
    if not ends:
        return b""
    return next((end for end in ends if whole.endswith(end)), None)

"""Which answers could belong to an earlier question. Pure; the clock is passed in.

An answer proves which question it belongs to as far as the instrument makes it: by an
echo of the command, by its own name, by its form. What it cannot prove is doubted:

* a question that **timed out** (or whose connection broke) may still be answered: until
  that answer has come, or can no longer come, nothing that looks like it is believed,
  and nothing that expects to look like it is asked;
* an answer that was **taken** may be repeated by a buffer: for a moment nothing that
  looks like it is believed.

"Looks like it" is judged by the message itself: what the open question accepts is in
doubt when an earlier question would have accepted it as well. So an echo, an address or
a column more in the answer is all the proof there is, and all that is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

    from drivers.ascii.expect import Expect
    from drivers.ascii.framing import Message

_MOST: Final = 256
"""More than this many: the oldest of the taken ones goes. A lost one never does, and
there is at most one of each ask."""


class Doubt(NamedTuple):
    """An earlier question."""

    expect: Expect
    who: Hashable
    sent_at: float
    until: float
    reason: str
    """Why it was not answered; empty: it was."""

    @property
    def lost(self) -> bool:
        """Whether its answer is still out."""
        return bool(self.reason)


class Doubts:
    """The earlier questions of one line."""

    def __init__(self) -> None:
        self._doubts: list[Doubt] = []
        self._missed: list[tuple[object, ...]] = []

    def expire(self, now: float) -> None:
        """Forget what can hardly come any more."""
        for doubt in self._doubts:
            face = doubt.expect.face
            if doubt.lost and doubt.until <= now and face not in self._missed:
                self._missed.append(face)
                del self._missed[:-_MOST]
        self._doubts = [doubt for doubt in self._doubts if doubt.until > now]

    def missed(self, expect: Expect) -> bool:
        """Whether an answer that looks like this was given up, and has not come.

        It may come all the same, out of a network that stood still: then the answer to
        the next question comes behind it.
        """
        return expect.face in self._missed

    def found(self, expect: Expect) -> None:
        """An answer came that looks like this."""
        if expect.face in self._missed:
            self._missed.remove(expect.face)

    def held(self, expect: Expect, now: float) -> Doubt | None:
        """What forbids asking this now: lost ones first, the longest of each."""
        alike = [
            doubt
            for doubt in self._doubts
            if doubt.until > now and doubt.expect.face == expect.face
        ]
        return max(alike, key=lambda doubt: (doubt.lost, doubt.until), default=None)

    def claims(self, message: Message, now: float) -> Doubt | None:
        """An earlier question that this message could answer as well."""
        return next(
            (
                doubt
                for doubt in self._doubts
                if doubt.until > now and doubt.expect.accepts(message)
            ),
            None,
        )

    def lost(self, doubt: Doubt) -> None:
        """A question was not answered in time."""
        self._doubts.append(doubt)
        self._few()

    def taken(self, doubt: Doubt) -> None:
        """A question was answered; the answer may come again."""
        self._doubts = [
            other
            for other in self._doubts
            if other.lost or other.expect.face != doubt.expect.face
        ]
        self._doubts.append(doubt)
        self._few()

    def arrived(self, message: Message, now: float, again_s: float) -> Doubt | None:
        """Whose late answer this is, if any: it is awaited no longer.

        Args:
            message: One that answers no open question.
            now: Loop time.
            again_s: For so long it may be repeated.
        """
        # What lost its front is of no use, but it came.
        whole = message._replace(torn=False)
        for index, doubt in enumerate(self._doubts):
            if doubt.lost and doubt.until > now and doubt.expect.accepts(whole):
                until = now + again_s
                self._doubts[index] = doubt._replace(until=until, reason="")
                return doubt
        return None

    def count(self, now: float) -> int:
        """How many answers are out."""
        return sum(doubt.lost and doubt.until > now for doubt in self._doubts)

    def _few(self) -> None:
        if len(self._doubts) > _MOST:
            taken = next((each for each in self._doubts if not each.lost), None)
            if taken is not None:
                self._doubts.remove(taken)

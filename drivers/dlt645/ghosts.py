"""Answers that may still come, and what they must not be taken for. Pure.

A DL/T 645 answer names its meter and its item, but not its question: the late answer to
an earlier question for the same item looks like the answer to the next. So a question
that met no answer stays a *ghost*, and its item is not asked of that meter again until
the late answer came (it is recognised, dropped and counted, and its lateness learned)
or can no longer come. What other items' answers do meanwhile costs nothing: they are
told apart by what they carry.

An answer may also come twice. The same item is therefore not asked again within
``SPACING_S`` of the last word about it; and an answer that is a recent one again, byte
for byte and soon after it, is only believed once no other came in the time that this
meter needs (``again``).

A ghost that was given up unheard may come all the same, out of a network that stood
still. So the first answer after it is only believed once no other came behind it in the
time that this meter needs (``missed``).

An error answer names no item at all: while a meter has any ghost, its error answers
prove nothing.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from drivers.dlt645.frame import matches
from drivers.patience import ghost_s

SPACING_S = 0.5
TIMES_REPEATED = 2.0
"""Time-outs within which a repetition of an answer is looked for."""
_FADE = 0.999
_MOST_KEPT = 256
_MOST_SAID = 8
"""Answers to one question within the time of a repetition: it is asked every 0.5 s."""


class Key(NamedTuple):
    """What an answer can be recognised by."""

    meter: str
    """As it was asked: twelve digits, or a shortened address."""
    function: int
    """D4 to D0 of the control code."""
    what: bytes
    """Identifier, and sequence number where there is one, as sent."""


class _Ghost(NamedTuple):
    asked_at: float
    until: float


class Ghosts:
    """The ghosts of one line; time is passed in."""

    def __init__(self) -> None:
        self._ghosts: dict[Key, _Ghost] = {}
        self._words: dict[Key, float] = {}
        self._largest: dict[str, float] = {}
        self._said: dict[Key, deque[tuple[bytes, float]]] = {}
        self._missed: dict[Key, None] = {}

    def lost(
        self, key: Key, asked_at: float, waited_s: float, max_reply_s: float
    ) -> None:
        """A question met no answer within this wait."""
        life_s = ghost_s(self._largest.get(key.meter, 0.0), waited_s, max_reply_s)
        self._ghosts[key] = _Ghost(asked_at, asked_at + life_s)

    def answered(self, key: Key, now: float, took_s: float, raw: bytes = b"") -> None:
        """A question was answered in time, by this frame."""
        largest = self._largest.get(key.meter, 0.0)
        self._largest[key.meter] = max(took_s, largest * _FADE)
        self._word(key, now)
        self._missed.pop(key, None)
        said = self._said.setdefault(key, deque(maxlen=_MOST_SAID))
        said.append((raw, now))

    def again(self, key: Key, raw: bytes, now: float, timeout_s: float) -> bool:
        """Whether this frame may be a repetition of a recent answer to this."""
        return any(
            before == raw and now - at < TIMES_REPEATED * timeout_s
            for before, at in self._said.get(key, ())
        )

    def came(self, key: Key, now: float) -> None:
        """Answers came, and which of them is whose cannot be told."""
        self._missed.pop(key, None)
        self._word(key, now)

    def missed(self, key: Key) -> bool:
        """Whether an earlier question for this was given up without its answer."""
        return key in self._missed

    def heard(self, address: str, function: int, data: bytes, now: float) -> Key | None:
        """Whose ghost an unasked answer is, if any; it is laid to rest.

        Args:
            address: Of the meter that sent it.
            function: D4 to D0 of its control code.
            data: Its data, which begins with what it answers.
            now: Loop time.
        """
        for key, ghost in self._ghosts.items():
            if self._fits(key, address, function, data):
                del self._ghosts[key]
                largest = self._largest.get(key.meter, 0.0)
                late_s = now - ghost.asked_at
                self._largest[key.meter] = max(largest, late_s)
                self._word(key, now)
                return key
        for key in self._words:
            if self._fits(key, address, function, data):
                self._words[key] = now
                break
        return None

    def free_at(self, key: Key, now: float) -> float:
        """When this may be asked so that only its own answer can answer it."""
        for other, ghost in list(self._ghosts.items()):
            if ghost.until <= now:
                del self._ghosts[other]
                self._missed[other] = None
                while len(self._missed) > _MOST_KEPT:
                    del self._missed[next(iter(self._missed))]
            elif other[1:] == key[1:] and _overlap(other.meter, key.meter):
                return ghost.until
        word = self._words.get(key)
        return now if word is None else max(now, word + SPACING_S)

    def largest_s(self, meter: str) -> float:
        """The largest reply time seen of a meter, late ones included; 0: none."""
        return self._largest.get(meter, 0.0)

    def haunts(self, meter: str, now: float) -> bool:
        """Whether any answer of this meter is still out."""
        return any(
            _overlap(key.meter, meter) and ghost.until > now
            for key, ghost in self._ghosts.items()
        )

    def _word(self, key: Key, now: float) -> None:
        if len(self._words) >= _MOST_KEPT:
            self._words = {
                k: at for k, at in self._words.items() if at + SPACING_S > now
            }
        self._words[key] = now

    @staticmethod
    def _fits(key: Key, address: str, function: int, data: bytes) -> bool:
        return (
            key.function == function
            and matches(key.meter, address)
            and _carries(data, key)
        )


def _carries(data: bytes, key: Key) -> bool:
    """Whether an answer's data is about this question.

    A following frame has the identifier first and its sequence number last.
    """
    di, seq = key.what[:4], key.what[4:]
    return data.startswith(di) and (not seq or data[-1:] == seq)


def _overlap(one: str, two: str) -> bool:
    """Whether some meter answers to both addresses."""
    return all(a == b or "A" in (a, b) for a, b in zip(one, two, strict=True))

"""What a UART sends, and what another makes of it that may be set otherwise.

A byte becomes levels in time: a start bit (0), the data bits, lowest first, perhaps a
parity bit, one or two stop bits (1); between bytes the line rests at 1. A receiver
waits for a falling edge, looks at the middle of each bit by its own clock, and knows
nothing but what it sees there. So another speed gives other bytes, more or fewer of
them, and framing errors, as on a wire.

Sources: the data sheet of National's PC16550D (start bit checked at its middle, bits
sampled there, parity, framing error and break indications); termios(3) for what a Linux
port hands on of a character with an error.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

NO_EDGE = math.inf


class Settings(NamedTuple):
    """How a UART is set."""

    baud: int = 9600
    bits: int = 8
    parity: str = "N"
    stop: int = 1

    @property
    def bit_s(self) -> float:
        """Seconds of one bit."""
        return 1 / self.baud

    @property
    def char_s(self) -> float:
        """Seconds of one character, start and stop bits included."""
        return (1 + self.bits + (self.parity != "N") + self.stop) / self.baud

    def __str__(self) -> str:
        return f"{self.baud} {self.bits}{self.parity}{self.stop}"


def settings(baud: int, framing: str) -> Settings:
    """Settings as people write them: 9600 and ``8N1``.

    Raises:
        ValueError: The framing is none.
    """
    bits, parity, stop = tuple(framing) if len(framing) == 3 else ("", "", "")  # noqa: PLR2004
    if bits not in "78" or parity not in "NEO" or stop not in "12" or not bits:
        raise ValueError(f"framing {framing!r}: expected such as 8N1, 8E1, 7E1, 8N2")
    return Settings(baud, int(bits), parity, int(stop))


class Wave(NamedTuple):
    """What one talker drives: the line rests at 1 before and after."""

    start: float
    end: float
    edges: tuple[tuple[float, int], ...]
    """Times at which the level changes, and to what; the level before is 1."""

    def inverted(self) -> Wave:
        """The same through a pair whose wires are swapped: wrong while driven."""
        edges = [(at, 1 - level) for at, level in self.edges]
        if not edges or edges[0][0] > self.start:
            edges.insert(0, (self.start, 0))
        else:  # it began with a start bit, which looks like rest now
            del edges[0]
        level = edges[-1][1] if edges else 1
        if level == 0 and self.end < NO_EDGE:
            edges.append((self.end, 1))
        return Wave(self.start, self.end, tuple(edges))


def wave(
    data: bytes,
    how: Settings,
    start: float,
    *,
    ring: float = 0.0,
    rng: random.Random | None = None,
) -> Wave:
    """Bytes one after the other, from this moment on.

    Args:
        data: What is sent.
        how: The sender's settings.
        start: Of the first start bit.
        ring: How likely an edge rings on a line without termination.
        rng: Decides which; needed with ``ring``.
    """
    bit, edges = how.bit_s, list[tuple[float, int]]()
    level, number = 1, 0
    for byte in data:
        for new in _levels(byte, how):
            if new != level:
                at = start + number * bit
                edges.append((at, new))
                if ring and rng is not None and rng.random() < ring:
                    # The reflection undoes the change for a part of the bit.
                    back = at + bit * rng.uniform(0.05, 0.3)
                    over = at + bit * rng.uniform(0.3, 0.8)
                    edges += [(back, level), (over, new)]
                level = new
            number += 1
    return Wave(start, start + number * bit, tuple(edges))


def _levels(byte: int, how: Settings) -> list[int]:
    data = [byte >> i & 1 for i in range(how.bits)]
    parity = [] if how.parity == "N" else [sum(data) & 1 ^ (how.parity == "O")]
    return [0, *data, *parity, *[1] * how.stop]


class Signal:
    """The level of a pair of wires over time: 0 where any talker says 0."""

    def __init__(self, waves: Iterable[Wave]) -> None:
        changes: list[tuple[float, int]] = []
        for one in waves:
            changes += [(at, 1 if level == 0 else -1) for at, level in one.edges]
        changes.sort()
        self._times: list[float] = []
        self._levels: list[int] = []
        low, level = 0, 1
        for at, change in changes:
            low += change
            if self._times and self._times[-1] == at:
                self._times.pop()
                self._levels.pop()
                level = self._levels[-1] if self._levels else 1
            new = 0 if low > 0 else 1
            if new != level:
                self._times.append(at)
                self._levels.append(new)
                level = new

    def level(self, at: float) -> int:
        """The level at a moment."""
        index = bisect_right(self._times, at)
        return self._levels[index - 1] if index else 1

    def fall(self, since: float) -> float:
        """When the line falls next, not before ``since``; ``NO_EDGE``: it does not."""
        index = bisect_right(self._times, since)
        if index and self._times[index - 1] == since:
            index -= 1
        while index < len(self._times):
            if self._levels[index] == 0:
                return self._times[index]
            index += 1
        return NO_EDGE

    def inverse(self) -> Signal:
        """The same with 0 and 1 exchanged, at rest as well: a biased pair, swapped."""
        result = Signal(())
        result._times = [-math.inf, *self._times]
        result._levels = [0, *(1 - level for level in self._levels)]
        return result

    def masked(self, windows: Sequence[tuple[float, float]]) -> Signal:
        """The same for somebody who is deaf in these windows: at rest there."""
        result = Signal(())
        points = sorted({*self._times, *(at for window in windows for at in window)})
        level = 1
        for at in points:
            deaf = any(begin <= at < end for begin, end in windows)
            new = 1 if deaf else self.level(at)
            if new != level:
                result._times.append(at)
                result._levels.append(new)
                level = new
        return result


class Char(NamedTuple):
    """One character as a receiver saw it."""

    start: float
    end: float
    byte: int
    error: str = ""
    """``parity``, ``framing``, ``break``, or nothing."""


class Heard(NamedTuple):
    """What a receiver made of a stretch of time."""

    chars: list[Char]
    since: float
    """Where to go on listening."""
    wake: float
    """When a character that has begun will be complete; ``NO_EDGE``: none has."""


def receive(
    signal: Signal, how: Settings, since: float, until: float, *, both_stops: bool
) -> Heard:
    """Read characters off a line.

    Args:
        signal: The line.
        how: The receiver's settings.
        since: Where it went on listening.
        until: Now; what is complete only later is left for the next time.
        both_stops: Whether the second of two stop bits is looked at; most do not.
    """
    chars: list[Char] = []
    bit = how.bit_s
    tail = how.bits + (how.parity != "N")
    last = tail + (how.stop if both_stops else 1)
    while True:
        edge = signal.fall(since)
        if edge > until:
            return Heard(chars, max(since, until), NO_EDGE)
        done = edge + (last + 0.5) * bit
        if done > until:
            return Heard(chars, edge, done)
        if signal.level(edge + 0.5 * bit):  # a glitch: no start bit
            since = edge + 0.5 * bit
            continue
        seen = [signal.level(edge + (i + 1.5) * bit) for i in range(last)]
        byte = sum(level << i for i, level in enumerate(seen[: how.bits]))
        error = ""
        if not all(seen[tail:]):
            error = "framing" if any(seen) else "break"
        elif how.parity != "N" and sum(seen[:tail]) & 1 != (how.parity == "O"):
            error = "parity"
        chars.append(Char(edge, done, byte, error))
        # After a framing error the line is low: only its next fall is a start.
        since = done


def as_tty(chars: Iterable[Char], how: Settings) -> bytes:
    """What a Linux port hands on, its input checking on where there is parity.

    With INPCK and without PARMRK a character with an error is read as 0, and so is a
    break; without INPCK the errors are not looked at (termios(3)).
    """
    checked = how.parity != "N"
    return bytes(
        0 if c.error == "break" or (c.error and checked) else c.byte for c in chars
    )

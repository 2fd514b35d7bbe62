"""A line with serial instruments on it, and what can happen to what they say."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulators.analyzer_kinds import Instrument, Reply


class AsciiFault(StrEnum):
    """What is done to one reply."""

    LATE = "late"
    """Arrives ``late_factor`` times the time-out in force after the question."""
    DUPLICATE = "duplicate"
    """Arrives in time, and again up to 1.5 time-outs later, but within a second."""
    NEIGHBOUR = "neighbour"
    """Is held until something else is asked on the line, and sent before that reply."""
    FOREIGN = "foreign"
    """Before it arrives, what another instrument says to another question."""
    UNSOLICITED = "unsolicited"
    """Before or after it, a line that nobody asked for."""
    BANNER = "banner"
    """Power fails for a moment: the instrument's banner instead of it."""
    TRUNCATED = "truncated"
    """Only its first bytes arrive."""
    GARBAGE = "garbage"
    """Noise of a line arrives before it, or instead of it."""
    WRONG_CHECK = "wrong-check"
    """Its check is wrong, where it has one; else it is cut short."""
    INVALID = "invalid"
    """Has the instrument's mark for "no value" in it."""
    STALE_RECONNECT = "stale-reconnect"
    """Is swallowed, the connection breaks, and it arrives on the next one."""
    ECHO = "echo"
    """The question comes back first."""
    SILENT = "silent"
    """Never arrives."""
    SLOW = "slow"
    """Arrives in small lumps."""


class Piece(NamedTuple):
    """Bytes that leave so long after the question."""

    delay_s: float
    data: bytes


class Mischief:
    """Decides the fate of replies; holds the randomness, does no I/O."""

    def __init__(
        self,
        kinds: Sequence[AsciiFault] = (),
        *,
        share: float = 0.3,
        seed: int = 0,
        timeout_s: Callable[[], float] = lambda: 0.5,
        late_factor: float = 1.1,
        turnaround_s: tuple[float, float] = (0.005, 0.05),
    ) -> None:
        self.share = share if kinds else 0.0
        self.met: Counter[str] = Counter()
        """How often each fault was dealt; the empty word counts healthy replies."""
        self.close = False
        """The connection is to break after this reply."""
        self.on_reconnect: list[bytes] = []
        self._kinds = list(kinds)
        self._random = random.Random(seed)
        self._timeout_s = timeout_s
        self._late = late_factor
        self._turnaround = turnaround_s
        self._held: tuple[bytes, bytes] | None = None

    def choose(self) -> AsciiFault | None:
        """What befalls the next reply."""
        met = self._random.random() < self.share
        return self._random.choice(self._kinds) if met else None

    def pieces(
        self,
        fault: AsciiFault | None,
        reply: Reply,
        instrument: Instrument,
        others: Sequence[bytes],
    ) -> list[Piece]:
        """What leaves the line, and when.

        Args:
            fault: What was chosen.
            reply: What the instrument says.
            instrument: Who says it.
            others: What others on the line would say to other questions.
        """
        self.met[fault or ""] += 1
        after = self._random.uniform(*self._turnaround)
        ahead = after * self._random.random()
        pieces: list[Piece] = []
        if self._held is not None and self._held[0] != reply.request:
            pieces.append(Piece(ahead, self._held[1]))
            self._held = None
        data = reply.data
        if fault is AsciiFault.LATE:
            return [*pieces, Piece(self._late * self._timeout_s(), data)]
        if fault is AsciiFault.NEIGHBOUR:
            self._held = (reply.request, data)
            return pieces
        if fault is AsciiFault.STALE_RECONNECT:
            self.close = True
            self.on_reconnect.append(data)
            return pieces
        if fault is AsciiFault.SILENT:
            return pieces
        if fault is AsciiFault.SLOW:
            lumps = [data[at : at + 3] for at in range(0, len(data), 3)]
            return pieces + [
                Piece(after + 0.016 * number, lump) for number, lump in enumerate(lumps)
            ]
        return pieces + self._spoiled(fault, reply, instrument, others, after, ahead)

    def _spoiled(  # noqa: PLR0911 one for each fault
        self,
        fault: AsciiFault | None,
        reply: Reply,
        instrument: Instrument,
        others: Sequence[bytes],
        after: float,
        ahead: float,
    ) -> list[Piece]:
        data, whole = reply.data, Piece(after, reply.data)
        toss = self._random.random() < 0.5  # noqa: PLR2004 heads or tails
        match fault:
            case AsciiFault.DUPLICATE:
                later = min(0.95, self._random.uniform(0, 1.5) * self._timeout_s())
                return [whole, Piece(after + later, data)]
            case AsciiFault.FOREIGN if others:
                return [Piece(ahead, self._random.choice(others)), whole]
            case AsciiFault.UNSOLICITED | AsciiFault.FOREIGN:
                line = Piece(ahead if toss else after + 0.01, instrument.beside())
                return [line, whole] if toss else [whole, line]
            case AsciiFault.BANNER:
                return [Piece(after, instrument.banner or b"\r\nREADY\r\n")]
            case AsciiFault.TRUNCATED | AsciiFault.WRONG_CHECK:
                return [Piece(after, data[: self._random.randrange(1, len(data) - 1)])]
            case AsciiFault.GARBAGE:
                noise = self._random.randbytes(self._random.randrange(1, 40))
                return [Piece(after, noise + data if toss else noise)]
            case AsciiFault.ECHO:
                return [Piece(0.0, reply.request), whole]
            case _:
                return [whole]


class AnalyzerLine:
    """Instruments on one line."""

    def __init__(
        self, instruments: Sequence[Instrument], mischief: Mischief | None = None
    ) -> None:
        self.instruments = list(instruments)
        self.mischief = mischief or Mischief()
        self.questions = 0
        self.on_close: Callable[[], object] = lambda: None
        self._said: dict[int, dict[bytes, bytes]] = {}

    def heard(self, data: bytes) -> list[Piece]:
        """Bytes from the gateway; what leaves the line, and when."""
        out: list[Piece] = []
        for number, instrument in enumerate(self.instruments):
            fault = self.mischief.choose()
            before = instrument.invalid
            instrument.invalid = before or fault is AsciiFault.INVALID
            instrument.spoil = fault is AsciiFault.WRONG_CHECK
            replies = instrument.heard(data)
            if not replies:
                instrument.invalid, instrument.spoil = before, False
                continue
            for reply in replies:
                if fault is AsciiFault.WRONG_CHECK and not instrument.spoil:
                    fault_now: AsciiFault | None = None  # the check itself is wrong
                    self.mischief.met[AsciiFault.WRONG_CHECK] += 1
                    self.mischief.met[""] -= 1
                else:
                    fault_now = fault
                self.questions += 1
                others = [
                    said
                    for other, them in self._said.items()
                    for said in them.values()
                    if other != number and _head(said) != _head(reply.data)
                ]
                out += self.mischief.pieces(fault_now, reply, instrument, others)
                self._said.setdefault(number, {})[reply.request] = reply.data
            instrument.spoil = False
        return out


def _head(said: bytes) -> bytes:
    """How an answer begins: what cannot be told from the right one is no fault."""
    return said.replace(b",", b" ").split(b" ")[0]


class AnalyzerServer(asyncio.Protocol):
    """One connection, or one opening of a serial line."""

    def __init__(self, line: AnalyzerLine) -> None:
        self._line = line
        self._transport: asyncio.Transport | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Those that speak by themselves begin to."""
        self._transport = cast("asyncio.Transport", transport)
        waiting, self._line.mischief.on_reconnect = self._line.mischief.on_reconnect, []
        for data in waiting:
            self._later(0.001, data)
        for instrument in self._line.instruments:
            if instrument.period_s:
                self._speak(instrument)

    def data_received(self, data: bytes) -> None:
        """Each instrument hears it."""
        for piece in self._line.heard(data):
            self._later(piece.delay_s, piece.data)
        if self._line.mischief.close:
            self._line.mischief.close = False
            loop = asyncio.get_running_loop()
            self._timers.append(loop.call_later(0.01, self._break))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody listens any more."""
        del exc
        self._transport = None
        for timer in self._timers:
            timer.cancel()

    def _break(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _later(self, delay_s: float, data: bytes) -> None:
        self._timers = [timer for timer in self._timers if not timer.cancelled()][-64:]
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(delay_s, self._send, data))

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _speak(self, instrument: Instrument) -> None:
        loop = asyncio.get_running_loop()

        def say() -> None:
            if self._transport is None:
                return
            mischief = self._line.mischief
            fault = mischief.choose()
            instrument.invalid |= fault is AsciiFault.INVALID
            instrument.spoil = fault is AsciiFault.WRONG_CHECK
            data = instrument.says()
            instrument.invalid = instrument.spoil = False
            mischief.met[fault or ""] += 1
            if fault is AsciiFault.TRUNCATED:
                data = data[: len(data) // 2]
            elif fault is AsciiFault.BANNER:
                data = instrument.banner + data
            elif fault is AsciiFault.GARBAGE:
                data = b"\xff\x00\x81\x00" + data
            elif fault is AsciiFault.UNSOLICITED:
                data = instrument.beside() + data
            if fault is not AsciiFault.SILENT:
                self._send(data)
            self._timers.append(loop.call_later(instrument.period_s, say))

        self._timers.append(loop.call_later(min(0.05, instrument.period_s), say))

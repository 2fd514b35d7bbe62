"""From bytes to epochs that may be believed: the whole way of one NMEA source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.gnss.assembler import Assembler
from drivers.gnss.decode import decode
from drivers.gnss.epoch import judge
from drivers.gnss.sentence import KNOWN, Framer
from drivers.gnss.witness import Witnesses

if TYPE_CHECKING:
    from drivers.gnss.clockcheck import ClockCheck
    from drivers.gnss.epoch import Epoch, Gathered

_WITHOUT_RMC = 10
"""Epochs without an RMC until it is clear that the receiver sends none."""


class NmeaReader:
    """Reads one receiver. Nothing here waits, and nothing grows."""

    def __init__(self, clock: ClockCheck | None = None) -> None:
        """Begin.

        Args:
            clock: Holds what is read against the loop's time; None: nothing does, as
                when a log is read.
        """
        self.framer = Framer()
        self.malformed = 0
        """Sentences with a right checksum whose fields are not as their type's."""
        self.other = 0
        """Sentences of types that are not read, makers' own among them."""
        self._assembler = Assembler()
        self._witnesses = Witnesses()
        self._without_rmc = 0
        self._clock = clock

    @property
    def waiting(self) -> bool:
        """Whether silence would complete an epoch."""
        return self._assembler.waiting

    @property
    def stragglers(self) -> int:
        """Sentences that came too late for their epoch."""
        return self._assembler.stragglers

    def feed(self, data: bytes, now: float = 0.0) -> list[Epoch]:
        """Take bytes as they come; the epochs that they complete.

        Args:
            data: Any number of them.
            now: Loop time.
        """
        epochs: list[Epoch] = []
        for sentence in self.framer.feed(data, now):
            report = decode(sentence)
            if report is not None:
                for gathered in self._assembler.add(sentence, report):
                    epochs += self._judge(gathered)
            elif sentence.type in KNOWN:
                self.malformed += 1
            else:
                self.other += 1
        return epochs

    def idle(self) -> list[Epoch]:
        """The line is silent: an epoch has ended."""
        return [e for g in self._assembler.idle() for e in self._judge(g)]

    def end(self) -> list[Epoch]:
        """Nothing follows: what waited for a second witness is told as it is."""
        return [*self.idle(), *self._timed(self._witnesses.end())]

    def _judge(self, gathered: Gathered) -> list[Epoch]:
        self._without_rmc = 0 if gathered.rmc else self._without_rmc + 1
        if not gathered.rmc and self._without_rmc < _WITHOUT_RMC:
            return []
        epoch = judge(gathered, datum=self._assembler.datum)
        if epoch is None:
            return []
        return self._timed(self._witnesses.hear(epoch))

    def _timed(self, epochs: list[Epoch]) -> list[Epoch]:
        return epochs if self._clock is None else [*map(self._clock.judge, epochs)]

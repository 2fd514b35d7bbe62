"""Where one epoch ends and the next begins.

An epoch ends when a sentence tells another time; when the sentence came that has been
the last of every epoch so far; or when the line has been silent (``idle``), which the
port notices. What comes late for an epoch that was closed is dropped and counted, and
the end is no longer guessed at.

A receiver that has just started knows no time, or tells one that stands still. What it
says then belongs to no epoch; that it has no position is heard all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.gnss.decode import Dtm, Gga, Gll, Gns, Gsa, Gst, Gsv, Rmc, Vtg, Zda
from drivers.gnss.epoch import Gathered
from drivers.gnss.sky import Sky

if TYPE_CHECKING:
    from drivers.gnss.decode import Report
    from drivers.gnss.sentence import Sentence

MOST_SENTENCES = 120
"""Of one epoch: five constellations with three signals each come to about 60."""
_LEARNED = 3
"""Epochs in a row that must have ended alike."""
_SURE = 2
"""Epochs in a row that must have begun with satellites, before those that come first
are taken for the next epoch's."""

_APART_S = 1.5
"""So long after an epoch, a word without a time is none of its late sentences."""

Key = tuple[str, str, str]


class Assembler:
    """Gathers sentences into epochs."""

    def __init__(self) -> None:
        self.stragglers = 0
        """Sentences that came after their epoch had been closed."""
        self.datum = ""
        self._open: Gathered | None = None
        self._addresses: list[str] = []
        """Of the sentences of the open epoch."""
        self._last: tuple[Sentence, Report] | None = None
        self._timeless: Gathered | None = None
        """Said without a time: that there is no position."""
        self._closed_ms: int | None = None
        self._closed_s = -_APART_S
        self._end: Key | None = None
        self._ended_alike = 0
        self._mistakes = 0
        self._early = False
        """The last epoch was closed on a guess."""
        self._sky_first = 0

    @property
    def waiting(self) -> bool:
        """Whether an epoch is open that silence would close."""
        return self._timed or self._timeless is not None

    @property
    def _timed(self) -> bool:
        return self._open is not None and self._open.time_ms is not None

    def add(self, sentence: Sentence, report: Report) -> list[Gathered]:
        """Take a sentence; the epochs that it ends."""
        if isinstance(report, Dtm):
            self.datum = report.datum
            return []
        ended: list[Gathered] = []
        time_ms = None
        if isinstance(report, Rmc | Gga | Gns | Gll | Zda | Gst):
            time_ms = report.time_ms
            if time_ms is None:
                self._denies(sentence, report)
                return []
        if time_ms is not None and time_ms == self._closed_ms and not self._timed:
            if not self._denies(sentence, report):
                self._late()
            return []
        current = self._open
        if current is not None and _other_time(current, time_ms):
            ended.append(self._close(current))
            current = None
        if current is None:
            if time_ms is None and self._early:
                self._mistakes += 1  # the end was not the end
            self._early = False
            current = self._open = Gathered(sentence.came_s, Sky())
            self._addresses = []
        if time_ms is not None and current.time_ms is None:
            self._begin(current, time_ms, sentence.came_s)
        if current.sentences < MOST_SENTENCES:
            _put(current, sentence, report)
            self._addresses.append(sentence.talker + sentence.type)
        self._last = (sentence, report)
        if self._sure and current.time_ms is not None and self._is_end():
            ended.append(self._close(current, early=True))
        return ended

    def idle(self) -> list[Gathered]:
        """The line is silent: what is open is complete."""
        timeless, self._timeless = self._timeless, None
        current = self._open
        if current is not None and current.time_ms is not None:
            return [self._close(current)]
        if timeless is None:
            return []
        if current is not None:
            timeless.sky, self._open = current.sky, None
        return [timeless]

    def _denies(self, sentence: Sentence, report: Report) -> bool:
        """Take a word without a time, if it says that there is no position."""
        denied = (isinstance(report, Rmc) and not report.valid) or (
            isinstance(report, Gga) and report.quality == 0
        )
        apart = sentence.came_s - self._closed_s > _APART_S
        if not (denied and apart) or self._timed:
            return False
        if self._timeless is None:
            self._timeless = Gathered(sentence.came_s, Sky())
        if self._timeless.sentences < MOST_SENTENCES:
            _put(self._timeless, sentence, report)
        return True

    @property
    def _sure(self) -> bool:
        return self._ended_alike >= _LEARNED and self._mistakes < _SURE

    def _begin(self, current: Gathered, time_ms: int, came_s: float) -> None:
        """The first sentence with a time: whose are the satellites before it?"""
        current.time_ms = time_ms
        if not current.sentences:
            self._sky_first = 0
        elif self._sky_first < _SURE:
            self._sky_first += 1
            current.came_s = came_s
            current.sky = Sky()
            current.vtg = None
            current.lines = {}

    def _close(self, current: Gathered, *, early: bool = False) -> Gathered:
        self._open = self._timeless = None
        self._early = early
        self._closed_s = current.came_s
        self._closed_ms = current.time_ms
        if not early:
            last = self._key()
            if last == self._end:
                self._ended_alike += 1
            else:
                self._end, self._ended_alike = last, 1
        return current

    def _late(self) -> None:
        self.stragglers += 1
        if self._early:
            self._mistakes += 1
        self._ended_alike = 0

    def _is_end(self) -> bool:
        """Whether the last sentence is the one that every epoch ended with."""
        assert self._last is not None  # noqa: S101 - one was added
        assert self._end is not None  # noqa: S101 - it was learned
        sentence, _ = self._last
        return sentence.type == self._end[1] and self._key() == self._end

    def _key(self) -> Key:
        """Which of an epoch's sentences the last one is."""
        assert self._last is not None  # noqa: S101 - one was added
        sentence, report = self._last
        if isinstance(report, Gsv):
            last = "last" if report.number == report.total else "not last"
            return (sentence.talker, "GSV", f"{report.signal} {last}")
        turn = self._addresses.count(sentence.talker + sentence.type)
        return (sentence.talker, sentence.type, str(turn))


def _other_time(current: Gathered, time_ms: int | None) -> bool:
    return None not in (time_ms, current.time_ms) and time_ms != current.time_ms


def _put(current: Gathered, sentence: Sentence, report: Report) -> None:
    current.sentences += 1
    current.lines[sentence.type] = sentence.line
    match report:
        case Rmc():
            current.rmc.append(report)
        case Gga():
            current.gga.append(report)
        case Gns():
            current.gns.append(report)
        case Gll():
            current.gll.append(report)
        case Zda():
            current.zda.append(report)
        case Gst():
            current.gst = report
        case Vtg():
            current.vtg = report
        case Gsa():
            current.sky.add_used(sentence.talker, report)
        case Gsv():
            current.sky.add_in_view(sentence.talker, report)
        case Dtm():
            pass

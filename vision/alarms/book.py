"""The open alarms of one camera: raised, updated, cleared, and never two of one place.

    (nothing) --confirmed--> raised --material change, at most every N s--> updated
        raised, updated --clear_s below the lower threshold--> cleared
        cleared --confirmed at its place within cooldown_s--> raised again, same id

An alarm's place is what it covers now and covered first, and two cells around it. Dark
and light smoke at one place are one alarm, of the label that was confirmed first or,
in one frame, stood higher.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from vision.alarms.grid import dilate
from vision.messages import LABELS, Label, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.alarms.regions import Region

AROUND = 2
"""Cells: smoke drifts by so much between frames."""
UPDATE_S = 10.0
"""Between two updates of one alarm: a person reads no faster."""
RISEN = 0.1
"""Of score: a material change."""
GROWN = 1.5
"""Times the cells: a material change."""
MOST_OPEN = 4
"""Of one label: a further patch belongs to the nearest, which is told anew."""
CLEAR_FRAMES = 3
"""Judged frames without it: no one frame ends an alarm, however rarely they come."""
RETELL_FRAMES = 5
"""One more than it must stand in: no one frame tells of an alarm."""
UNSEEN_S = 1800.0
"""A camera that is gone, or a night that is not judged: an alarm that nobody could see
for so long is closed, and said to be."""
SMOKE: frozenset[Label] = frozenset({"dark_smoke", "light_smoke"})
_SAME = 0.5
"""Share of a region's cells under an alarm of another label to be the same thing."""


class Alarm(msgspec.Struct):
    """One alarm; the masks are kept apart when it is stored."""

    id: str
    label: Label
    began_ms: int
    score: float
    peak: float
    cells: int
    threshold: float
    seen_s: float
    """Monotonic clock when it last stood above the lower threshold."""
    told_s: float
    told_peak: float
    told_cells: int
    cleared_s: float | None = None
    unseen_s: float = 0.0
    """So long nothing could be seen, since it was seen last."""
    misses: int = 0
    """Judged frames since it stood last."""
    retell: int = 0
    """A process before this one told of it, and the gateway waits for a word of this:
    at 1 it is due, above it must stand in so many frames more; 0: all is told."""
    now: list[int] = []
    """Flat indices of the cells it covers now."""
    first: list[int] = []

    @property
    def open(self) -> bool:
        """Raised and not cleared."""
        return self.cleared_s is None


class Book:
    """All alarms of one camera that are open or may be raised again.

    Args:
        prefix: Of their ids; unique for this start of the process.
        rows: Of the grid.
        columns: Of the grid.
    """

    def __init__(self, prefix: str, rows: int, columns: int) -> None:
        self._prefix, self._shape = prefix, (rows, columns)
        self._count = 0
        self.alarms: list[Alarm] = []

    @property
    def open(self) -> list[Alarm]:
        """Those that are raised."""
        return [alarm for alarm in self.alarms if alarm.open]

    def onto(self, rows: int, columns: int) -> Book:
        """The same alarms on another grid; ids go on, none is given twice."""
        book = Book(self._prefix, rows, columns)
        book._count, book.alarms = self._count, self.alarms
        for alarm in self.alarms:
            alarm.now = onto(alarm.now, self._shape, book._shape)
            alarm.first = onto(alarm.first, self._shape, book._shape)
            alarm.cells = alarm.told_cells = len(alarm.now)
        return book

    def place(self, alarm: Alarm) -> NDArray[np.bool_]:
        """(rows, columns): where the alarm is."""
        mask = np.zeros(self._shape[0] * self._shape[1], np.bool_)
        mask[alarm.now] = True
        mask[alarm.first] = True
        return dilate(mask.reshape(self._shape), AROUND)

    def covered(self) -> NDArray[np.bool_]:
        """(labels, rows, columns): the places of the open alarms."""
        cells = np.zeros((len(LABELS), *self._shape), np.bool_)
        for alarm in self.open:
            cells[LABELS.index(alarm.label)] |= self.place(alarm)
        return cells

    def known(
        self, label: Label, region: Region, mono_s: float, threshold: float
    ) -> bool:
        """Whether a confirmed region belongs to an alarm that is open."""
        family = SMOKE if label in SMOKE else frozenset({label})
        for alarm in self.open:
            under = int((self.place(alarm) & region.mask).sum())
            if alarm.label == label and under:
                return True
            if under < _SAME * region.cells:
                continue
            if alarm.label in family:
                alarm.seen_s = mono_s
                return True
            if alarm.score / alarm.threshold >= region.score / threshold:
                return True
        return self._joined(label, region)

    def _joined(self, label: Label, region: Region) -> bool:
        """Whether there are so many alarms that the nearest one tells of this, too."""
        ours = [alarm for alarm in self.open if alarm.label == label]
        if len(ours) < MOST_OPEN:
            return False
        here = _middle(region.mask)
        nearest = min(
            ours,
            key=lambda alarm: float(np.hypot(*(_middle(self.place(alarm)) - here))),
        )
        cells = {int(i) for i in np.flatnonzero(region.mask)}
        nearest.first = sorted(cells.union(nearest.first))
        nearest.now = sorted(cells.union(nearest.now))
        nearest.cells, nearest.told_cells = len(nearest.now), 0
        return True

    def confirm(
        self,
        label: Label,
        region: Region,
        began_ms: int,
        mono_s: float,
        threshold: float,
    ) -> Alarm:
        """The alarm to raise for a region that is not ``known``: new, or an old one."""
        cells = [int(i) for i in np.flatnonzero(region.mask)]
        for alarm in self.alarms:  # not open: those were asked above
            if alarm.open or alarm.label != label:
                continue
            if (self.place(alarm) & region.mask).any():
                alarm.cleared_s = None
                break
        else:
            self._count += 1
            alarm = Alarm(
                id=f"{self._prefix}-{self._count}",
                label=label,
                began_ms=began_ms,
                score=region.score,
                peak=region.score,
                cells=region.cells,
                threshold=threshold,
                seen_s=mono_s,
                told_s=mono_s,
                told_peak=region.score,
                told_cells=region.cells,
            )
            self.alarms.append(alarm)
        alarm.threshold, alarm.first = threshold, cells
        self.see(alarm, region.mask, region.score, mono_s)
        self.tell(alarm, mono_s)
        return alarm

    def see(
        self, alarm: Alarm, mask: NDArray[np.bool_], score: float, mono_s: float
    ) -> None:
        """The alarm still stands, there and so high."""
        alarm.seen_s, alarm.unseen_s = mono_s, 0.0
        alarm.misses = 0
        alarm.retell = max(1, alarm.retell - 1) if alarm.retell else 0
        alarm.score, alarm.peak = score, max(alarm.peak, score)
        alarm.now = [int(i) for i in np.flatnonzero(mask)]
        alarm.cells = len(alarm.now)

    def changed(self, alarm: Alarm, mono_s: float) -> bool:
        """Whether an update is due: a material change, and long enough ago."""
        if alarm.retell:
            return alarm.retell == 1
        if mono_s - alarm.told_s < UPDATE_S:
            return False
        return (
            alarm.peak >= alarm.told_peak + RISEN
            or alarm.cells >= GROWN * alarm.told_cells
        )

    def tell(self, alarm: Alarm, mono_s: float) -> None:
        """What is known of the alarm is being told."""
        alarm.retell = 0
        alarm.told_s, alarm.told_peak = mono_s, alarm.peak
        alarm.told_cells = max(alarm.cells, alarm.told_cells if alarm.open else 0)

    def clear(self, rules: Mapping[Label, Rule], mono_s: float) -> list[Alarm]:
        """Alarms not seen for their time; they are cleared with this call."""
        gone = [
            alarm
            for alarm in self.open
            if mono_s - alarm.seen_s >= rules.get(alarm.label, Rule()).clear_s
            and alarm.misses >= CLEAR_FRAMES
        ]
        for alarm in gone:
            alarm.cleared_s, alarm.score = mono_s, 0.0
        self.alarms = [
            alarm
            for alarm in self.alarms
            if alarm.cleared_s is None
            or mono_s - alarm.cleared_s < rules.get(alarm.label, Rule()).cooldown_s
        ]
        return gone

    def wait(self, seconds: float, *, unseen: bool = False) -> None:
        """So long nothing can be said: that is no clearing.

        Args:
            seconds: So long.
            unseen: Nothing was seen at all, for a fault or for the night.
        """
        for alarm in self.open:
            alarm.seen_s += seconds
            alarm.unseen_s += seconds if unseen else 0.0

    def give_up(self, mono_s: float) -> list[Alarm]:
        """Alarms that nobody could see for ``UNSEEN_S``; they are cleared."""
        gone = [alarm for alarm in self.open if alarm.unseen_s >= UNSEEN_S]
        for alarm in gone:
            alarm.cleared_s, alarm.score = mono_s, 0.0
        return gone

    def restore(self, alarms: list[Alarm], mono_s: float, gone_s: float) -> None:
        """Take over stored alarms, whose clocks count from their storing.

        Args:
            alarms: As stored.
            mono_s: The monotonic clock now.
            gone_s: Seconds since they were stored.
        """
        size = self._shape[0] * self._shape[1]
        for alarm in alarms:
            if any(not 0 <= cell < size for cell in (*alarm.now, *alarm.first)):
                continue
            alarm.seen_s = alarm.told_s = mono_s
            alarm.retell, alarm.misses = RETELL_FRAMES, 0
            if alarm.cleared_s is not None:
                alarm.cleared_s += mono_s - gone_s
            self.alarms.append(alarm)


def _middle(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(np.argwhere(mask).mean(axis=0), np.float64)


def onto(cells: list[int], old: tuple[int, int], new: tuple[int, int]) -> list[int]:
    """Flat indices on one grid as those of another that covers the same picture."""
    mask = np.zeros(old, np.bool_)
    mask.flat[cells] = True
    rows, columns = new
    from_row = (2 * np.arange(rows) + 1) * old[0] // (2 * rows)
    from_column = (2 * np.arange(columns) + 1) * old[1] // (2 * columns)
    found = mask[np.ix_(from_row, from_column)]
    # What is smaller than a cell of the new grid must not fall between two.
    row, column = np.nonzero(mask)
    to_row = (2 * row + 1) * rows // (2 * old[0])
    found[to_row, (2 * column + 1) * columns // (2 * old[1])] = True
    return [int(i) for i in np.flatnonzero(found)]

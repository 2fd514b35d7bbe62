"""What has come in for one device and was not taken yet: the newest of each command.

A measurement is taken once by each reader: points of another period are answered from
it as well. A look takes nothing: what a person sees is still there for the next slot.
One that tells the same again is none; one that is older than what came before was sent
again, or is history, and no answer to what is now. Only a clock that was set back makes
older times new: that is believed when nothing newer came for longer than two periods,
and never of a time that was heard already. (QN does not help: a frame that is sent
again keeps the QN it had.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from drivers.hj212.stats import InstrumentTally

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from drivers.hj212.measurement import Measurement

TOGETHER_S = 10.0
"""Frames of one DataTime that bring different factors belong together for so long."""
_PERIOD_S = {2051: 1800.0, 2061: 3600.0, 2031: 86_400.0, 2041: 86_400.0}
_USUAL_PERIOD_S = 300.0
"""The longest usual time between two measurements of a command, and of any other."""


_MISSED = 2.5
"""An instrument that lets so many of its own intervals pass has fallen silent."""
_GIVEN_UP = 10
"""So many intervals of a command, while others come: it is sent no more."""
_TIMES = 64
"""Times of each command that are known to have been heard."""


class _Tray:
    """What one reader has not taken yet."""

    def __init__(self, wanted: Collection[int]) -> None:
        self.wanted = frozenset(wanted)
        self.unused: dict[int, Measurement] = {}


class Inbox:
    """Filled by the port, emptied by the device it is for."""

    def __init__(
        self,
        address: str | None,
        fields: Collection[str],
        *readers: Collection[int],
    ) -> None:
        """Set it up.

        Args:
            address: The MN it is for; None: of whoever speaks alone.
            fields: Names of fields beside the standard's that are asked for.
            readers: Of each: the commands whose values it asks for.
        """
        self.address = address
        self.fields = frozenset(fields)
        self.tally = InstrumentTally()
        self.changed = asyncio.Event()
        """Something came, or the port is gone."""
        self._trays = [_Tray(wanted) for wanted in readers]
        self._latest: dict[int, Measurement] = {}
        self._since: dict[int, float] = {}
        """Loop time of the last measurement that was newer than the one before."""
        self._times: dict[int, deque[datetime]] = {}
        self._intervals: dict[int, float] = {}
        """Seconds between the last two times of each command."""

    def offer(self, new: Measurement) -> None:
        """Take in what came; the port's side."""
        cn, tally = new.cn, self.tally
        trays = [tray for tray in self._trays if cn in tray.wanted]
        if not trays:
            tally.unwanted += 1
            return
        if new.rf or self._is_history(new):
            tally.history += 1
            return
        latest = self._latest.get(cn)
        if latest is not None:
            told = new.beside(latest)
            if told is None:
                tally.repeated += 1
                return
            new = told
        joined = [_put(tray.unused, new) for tray in trays]
        tally.superseded += not all(joined)
        if latest is not None and new.data_time != latest.data_time:
            self._note_interval(new)
        # All that was told of one time: no part of it is new when it comes again.
        self._latest[cn] = (latest and latest.and_also(new)) or new
        self._since[cn] = new.arrived_s
        times = self._times.setdefault(cn, deque(maxlen=_TIMES))
        if new.data_time not in times:
            times.append(new.data_time)
        self.changed.set()

    def speaks(self, now: float) -> bool:
        """Whether the instrument goes on as it used to, whatever it sends.

        Args:
            now: Loop time.
        """
        if not self._intervals:
            return False
        silent_s = now - max(self._since.values())
        return silent_s <= _MISSED * min(self._intervals.values())

    def has(self, wanted: Collection[int], readers: Collection[int] = (0,)) -> bool:
        """Whether something unused is here for each of these commands."""
        return self._found(readers).keys() >= set(wanted)

    def look(
        self, wanted: Collection[int], readers: Collection[int] = (0,)
    ) -> dict[int, Measurement]:
        """The newest of each of these commands; it stays."""
        found = self._found(readers)
        return {cn: found[cn] for cn in wanted if cn in found}

    def take(
        self, wanted: Collection[int], readers: Collection[int] = (0,)
    ) -> dict[int, Measurement]:
        """The newest of each of these commands; these readers get it no more."""
        taken = self.look(wanted, readers)
        for cn in taken:
            for reader in readers:
                self._trays[reader].unused.pop(cn, None)
        self.tally.taken += len(taken)
        return taken

    def drop(self) -> None:
        """Forget what was not taken: nobody can say whose it is, or what is now."""
        for tray in self._trays:
            tray.unused.clear()

    def _found(self, readers: Collection[int]) -> dict[int, Measurement]:
        """What these readers have not taken."""
        found: dict[int, Measurement] = {}
        for reader in readers:
            for cn, unused in self._trays[reader].unused.items():
                if cn not in found or unused.arrived_s > found[cn].arrived_s:
                    found[cn] = unused
        return found

    def _note_interval(self, new: Measurement) -> None:
        for cn, interval_s in tuple(self._intervals.items()):
            if new.arrived_s - self._since[cn] > _GIVEN_UP * interval_s:
                del self._intervals[cn]
        self._intervals[new.cn] = new.arrived_s - self._since[new.cn]

    def _is_history(self, new: Measurement) -> bool:
        latest = self._latest.get(new.cn)
        if latest is None or new.data_time >= latest.data_time:
            return False
        if new.data_time in self._times[new.cn]:
            return True
        patience_s = 2 * _PERIOD_S.get(new.cn, _USUAL_PERIOD_S)
        return new.arrived_s - self._since[new.cn] < patience_s


def _put(unused: dict[int, Measurement], new: Measurement) -> bool:
    """Put it there; False: it overtook one that was not taken."""
    before = unused.get(new.cn)
    joined = None
    if before is not None and new.arrived_s - before.arrived_s <= TOGETHER_S:
        joined = before.and_also(new)
    unused[new.cn] = joined or new
    return before is None or joined is not None

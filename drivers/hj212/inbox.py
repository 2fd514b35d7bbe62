"""What has come in for one device and was not taken yet: the newest of each command.

A measurement is taken once. One that tells the same again is none; one that is older
than what came before was sent again, or is history, and no answer to what is now. Only
a clock that was set back makes older times new: that is believed when nothing newer
came for longer than two periods, and never of a time that was heard already. (QN does
not help: a frame that is sent again keeps the QN it had.)
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


_TIMES = 64
"""Times of each command that are known to have been heard."""


class Inbox:
    """Filled by the port, emptied by the device it is for."""

    def __init__(
        self, address: str | None, wanted: Collection[int], fields: Collection[str]
    ) -> None:
        """Set it up.

        Args:
            address: The MN it is for; None: of whoever speaks alone.
            wanted: Commands whose values are asked for.
            fields: Names of fields beside the standard's that are asked for.
        """
        self.address = address
        self.fields = frozenset(fields)
        self.tally = InstrumentTally()
        self.changed = asyncio.Event()
        """Something came, or the port is gone."""
        self._wanted = frozenset(wanted)
        self._unused: dict[int, Measurement] = {}
        self._latest: dict[int, Measurement] = {}
        self._since: dict[int, float] = {}
        """Loop time of the last measurement that was newer than the one before."""
        self._times: dict[int, deque[datetime]] = {}

    def offer(self, new: Measurement) -> None:
        """Take in what came; the port's side."""
        cn, tally = new.cn, self.tally
        if cn not in self._wanted:
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
        unused = self._unused.get(cn)
        joined = None
        if unused is not None:
            if new.arrived_s - unused.arrived_s <= TOGETHER_S:
                joined = unused.and_also(new)
            if joined is None:
                tally.superseded += 1
        self._unused[cn] = joined or new
        # All that was told of one time: no part of it is new when it comes again.
        self._latest[cn] = (latest and latest.and_also(new)) or new
        self._since[cn] = new.arrived_s
        times = self._times.setdefault(cn, deque(maxlen=_TIMES))
        if new.data_time not in times:
            times.append(new.data_time)
        self.changed.set()

    def has(self, wanted: Collection[int]) -> bool:
        """Whether something unused is here for each of these commands."""
        return self._unused.keys() >= set(wanted)

    def take(self, wanted: Collection[int]) -> dict[int, Measurement]:
        """The newest of each of these commands; it will not be given again."""
        taken = {cn: self._unused.pop(cn) for cn in wanted if cn in self._unused}
        self.tally.taken += len(taken)
        return taken

    def drop(self) -> None:
        """Forget what was not taken: nobody can say whose it is."""
        self._unused.clear()

    def _is_history(self, new: Measurement) -> bool:
        latest = self._latest.get(new.cn)
        if latest is None or new.data_time >= latest.data_time:
            return False
        if new.data_time in self._times[new.cn]:
            return True
        patience_s = 2 * _PERIOD_S.get(new.cn, _USUAL_PERIOD_S)
        return new.arrived_s - self._since[new.cn] < patience_s

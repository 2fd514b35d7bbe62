"""What one platform does not want, and telling it what it therefore will not get."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

import msgspec

from buffer import Intervals
from gateway.record import RecordError, kind_of
from gateway.uplink.lanes import MEDIA, PICTURES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buffer import PriorityClass
    from gateway.uplink.source import Entry, Runs

RUNS_A_MESSAGE = 200
_MOST_RUNS = 10_000
"""Not told beyond that: it is the oldest that stays untold."""
_PICTURES_UNWANTED: dict[str, frozenset[PriorityClass]] = {
    "all": frozenset(),
    "alarms": MEDIA,
    "none": PICTURES,
}


class Filter:
    """Devices by name or pattern, kinds by name, pictures; losses always pass."""

    def __init__(
        self,
        devices: Iterable[str] = (),
        kinds: Iterable[str] = (),
        media: Literal["all", "alarms", "none"] = "all",
    ) -> None:
        """Want all where nothing is named."""
        self._unwanted = _PICTURES_UNWANTED[media]
        self._patterns = tuple(devices)
        self._kinds = frozenset(kinds)
        self._known: dict[str, bool] = {"": True}
        self.active = bool(self._patterns or self._kinds or self._unwanted)

    def wants(self, entry: Entry) -> bool:
        """Whether this record is to travel; what has no device is everybody's."""
        if entry.cls in self._unwanted:
            return False
        if self._kinds:
            try:
                kind = kind_of(entry.data)
            except RecordError:
                return True  # it is said when it is to be sent
            if kind != "lost" and kind not in self._kinds:
                return False
        if not self._patterns:
            return True
        wanted = self._known.get(entry.subject)
        if wanted is None:
            wanted = any(fnmatchcase(entry.subject, p) for p in self._patterns)
            self._known[entry.subject] = wanted
        return wanted


class Skipped:
    """Seqs filtered out that the platform was not told of yet."""

    def __init__(self) -> None:
        self.count = 0
        self._untold = Intervals()

    def __bool__(self) -> bool:
        return bool(self._untold)

    def add(self, runs: Runs) -> None:
        """These were filtered out."""
        for first, last in runs:
            self.count += last - first + 1
        self.give_back(runs)

    def take(self) -> Runs:
        """The oldest, as many as one message tells; they count as told."""
        runs: Runs = ()
        for run in self._untold.pairs():
            runs += (run,)
            if len(runs) == RUNS_A_MESSAGE:
                break
        for first, last in runs:
            self._untold.remove(first, last)
        return runs

    def give_back(self, runs: Runs) -> None:
        """These are to be told: new, or the message that told them did not arrive."""
        for first, last in runs:
            self._untold.add(first, last)
        edges = self._untold.edges
        del edges[: max(0, len(edges) - 2 * _MOST_RUNS)]


def words(runs: Runs) -> bytes:
    """``,"skipped":[[a,b],…]`` or nothing."""
    return b',"skipped":' + msgspec.json.encode(runs) if runs else b""

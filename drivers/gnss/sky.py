"""Satellites of one epoch: which are used (GSA) and which are in view (GSV).

A satellite counts once, however many signals, talkers or sentences name it. A list in
several sentences counts when all of them came, in order; else nobody knows how long it
would have been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.gnss.talkers import SYSTEMS, TALKERS, constellation

if TYPE_CHECKING:
    from drivers.gnss.decode import Gsa, Gsv
    from drivers.profiles.gnss_points import Constellation

Counts = dict[str, int]
"""Satellites by constellation."""


class _List:
    """The sentences of one list of satellites, as far as they came."""

    def __init__(self, total: int, in_view: int) -> None:
        self.total = total
        self.in_view = in_view
        self.came = 0
        self.numbers: list[int] = []


class Sky:
    """Gathers the satellites of one epoch."""

    def __init__(self) -> None:
        self.dimension: int | None = None
        self.pdop: float | None = None
        self.hdop: float | None = None
        self.vdop: float | None = None
        self._used: dict[Constellation, set[int]] | None = None
        self._lists: dict[tuple[str, str, str], _List] = {}

    def add_used(self, talker: str, said: Gsa) -> None:
        """Take a GSA."""
        used = self._used if self._used is not None else {}
        self._used = used
        whole = SYSTEMS.get(said.system)
        if whole is not None and whole != "gps":
            used.setdefault(whole, set()).update(said.numbers)
        else:
            for number in said.numbers:
                name = constellation(talker, said.system, number)
                used.setdefault(name, set()).add(number)
        if said.dimension is not None:
            self.dimension = max(self.dimension or 0, said.dimension)
        self.pdop, self.hdop, self.vdop = said.pdop, said.hdop, said.vdop

    def add_in_view(self, talker: str, said: Gsv) -> None:
        """Take a GSV; one that does not follow the last of its list spoils the list."""
        key = (talker, said.signal, said.system)
        if said.number == 1:
            self._lists[key] = _List(said.total, said.in_view)
        seen = self._lists.setdefault(key, _List(said.total, said.in_view))
        if (said.total, said.in_view, said.number) == (
            seen.total,
            seen.in_view,
            seen.came + 1,
        ):
            seen.came += 1
            seen.numbers += said.numbers
        else:
            seen.came = -1  # no next one will follow it

    def used(self) -> Counts | None:
        """Satellites used, by constellation; None where no sentence told."""
        if self._used is None:
            return None
        return {name: len(numbers) for name, numbers in self._used.items()}

    def in_view(self) -> Counts | None:
        """Satellites in view, by constellation; None where no complete list came."""
        if not self._lists:
            return None
        found: dict[Constellation, set[int]] = {}
        unnamed: Counts = {}
        for (talker, _, system), seen in self._lists.items():
            if seen.came != seen.total:
                return None
            named = SYSTEMS.get(system) or TALKERS.get(talker)
            if named is not None:
                found.setdefault(named, set())
            for number in seen.numbers:
                found.setdefault(constellation(talker, system, number), set()).add(
                    number
                )
            # Some lists leave numbers out: what is missing is in view all the same.
            rest = seen.in_view - len(seen.numbers)
            whose = named or "other"
            if rest > 0:
                unnamed[whose] = max(unnamed.get(whose, 0), rest)
        counts: Counts = {name: len(numbers) for name, numbers in found.items()}
        for name, rest in unnamed.items():
            counts[name] = counts.get(name, 0) + rest
        return counts

"""What a platform holds: values by (MN, CN, DataTime, factor), and how each came."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from simulators.hj212_platform_account import seconds, stamp
from simulators.hj212_tables import FACILITIES, REALTIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INSTANTS = {REALTIME, FACILITIES}
"""Commands without periods: only the newest are kept."""


class Count(NamedTuple):
    """How one factor of one period came."""

    first: int = 0
    duplicate: int = 0
    """Again, with the same content."""
    changed: int = 0
    """Again, with other content; the newest is kept."""
    rf: int = 0
    """Of all these, marked RF=1."""


class Kept:
    """One period of one device."""

    __slots__ = ("again", "at_s", "changed", "items", "rf")

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s
        """When the first of it came, UTC seconds."""
        self.items: dict[str, str] = {}
        """By factor, as it stood in CP: ``a21026-Avg=5.1,a21026-Flag=N``."""
        self.again: dict[str, int] = {}
        self.changed: dict[str, list[str]] = {}
        """What stood there before, by factor."""
        self.rf: dict[str, int] = {}

    def count(self, factor: str) -> Count:
        """How it came."""
        return Count(
            int(factor in self.items),
            self.again.get(factor, 0),
            len(self.changed.get(factor, ())),
            self.rf.get(factor, 0),
        )


class Held:
    """Everything that devices sent by themselves.

    Args:
        realtime: So many real-time sets are kept of a device; all are counted.
    """

    def __init__(self, realtime: int = 3000) -> None:
        self._kept: dict[tuple[str, int], dict[str, Kept]] = {}
        self._realtime = realtime
        self.sets: Counter[tuple[str, int]] = Counter()
        """Different DataTimes that came, by (MN, CN)."""

    def take(
        self,
        mn: str,
        cn: int,
        data_time: str,
        items: dict[str, str],
        *,
        rf: bool = False,
        at_s: float = 0.0,
    ) -> list[str]:
        """Keep what one frame holds; returns factors that came with other content."""
        periods = self._kept.setdefault((mn, cn), {})
        kept = periods.get(data_time)
        if kept is None:
            kept = periods[data_time] = Kept(at_s)
            self.sets[mn, cn] += 1
            if cn in _INSTANTS and len(periods) > self._realtime:
                del periods[next(iter(periods))]
        changed = []
        for factor, text in items.items():
            before = kept.items.get(factor)
            if before == text:
                kept.again[factor] = kept.again.get(factor, 0) + 1
            elif before is not None:
                kept.changed.setdefault(factor, []).append(before)
                changed.append(factor)
            kept.items[factor] = text
            if rf:
                kept.rf[factor] = kept.rf.get(factor, 0) + 1
        return changed

    def periods(self, mn: str, cn: int) -> dict[str, Kept]:
        """By DataTime, as they came."""
        return self._kept.get((mn, cn), {})

    def series(self) -> list[tuple[str, int]]:
        """Every (MN, CN) of which something is held."""
        return list(self._kept)

    def count(self, mn: str, cn: int, data_time: str, factor: str) -> Count:
        """How one value came; all zero: it never did."""
        kept = self.periods(mn, cn).get(data_time)
        return kept.count(factor) if kept else Count()

    def values(self, mn: str, cn: int, data_time: str) -> dict[str, dict[str, str]]:
        """``{"a21026": {"Avg": "5.1", "Flag": "N"}}`` of one period; empty: none."""
        kept = self.periods(mn, cn).get(data_time)
        return (
            {factor: fields(text) for factor, text in kept.items.items()}
            if kept
            else {}
        )

    def missing(self, mn: str, cn: int, length_s: int) -> list[str]:
        """DataTimes between the first and the last held that never came."""
        held = self.periods(mn, cn)
        times = sorted(held)
        return (
            [
                label
                for label in labels(times[0], times[-1], length_s)
                if label not in held
            ]
            if times
            else []
        )

    def faulty(
        self,
        mn: str,
        cn: int,
        begin: str,
        end: str,
        length_s: int,
        factors: Iterable[str] | None = None,
    ) -> list[str]:
        """What keeps it from holding each period of begin..end (labels) exactly once.

        Empty: every one is held, with each of ``factors``, none twice, none changed.
        """
        held = self.periods(mn, cn)
        wanted = set(labels(begin, end, length_s))
        wrong = [f"{label}: missing" for label in sorted(wanted - held.keys())]
        for label in sorted(held):
            if not begin <= label <= end:
                continue
            if label not in wanted:
                wrong.append(f"{label}: no such period")
                continue
            kept = held[label]
            names = set(factors) if factors is not None else set(kept.items)
            wrong += [
                f"{label} {name}: missing" for name in sorted(names - set(kept.items))
            ]
            wrong += [
                f"{label} {name}: {kept.count(name)}"
                for name in kept.items
                if kept.count(name)[:3] != (1, 0, 0)
            ]
        return wrong

    def again(self, mn: str, cn: int) -> Count:
        """All counts of a series together."""
        counts = [
            kept.count(factor)
            for kept in self.periods(mn, cn).values()
            for factor in kept.items
        ]
        return (
            Count(*(sum(column) for column in zip(*counts, strict=True)))
            if (counts)
            else Count()
        )


def fields(text: str) -> dict[str, str]:
    """A kept item by the names behind its factor."""
    pairs = (pair.partition("=") for pair in text.split(","))
    return {name.rpartition("-")[2]: value for name, _, value in pairs}


def labels(begin: str, end: str, length_s: int) -> Iterator[str]:
    """DataTimes from begin to end, both included.

    Raises:
        ValueError: One of them is no time of 14 digits.
    """
    first, last = seconds(begin), seconds(end)
    if first is None or last is None:
        raise ValueError(f"expected times of 14 digits, got {begin!r} and {end!r}")
    for at in range(first, last + 1, length_s):
        yield stamp(at)

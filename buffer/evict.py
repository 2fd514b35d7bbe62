"""Which segments go when room is needed: the lowest class, its oldest first."""

from __future__ import annotations

from typing import NamedTuple


class Candidate(NamedTuple):
    """What the choice needs to know of a segment."""

    name: str
    cls: int
    first: int
    bytes: int
    closed: bool


def choose(candidates: list[Candidate], excess: int, *, closed_only: bool) -> list[str]:
    """Names of the segments to remove so that ``excess`` bytes come free.

    Args:
        candidates: All segments with records.
        excess: Bytes over the bound; nothing is chosen when not positive.
        closed_only: Leave the segments being written alone.

    Returns:
        Lowest class first (the highest number), oldest first; segments being written
        only when all closed ones of every class would not do.
    """
    ranked = sorted(candidates, key=lambda c: (not c.closed, -c.cls, c.first))
    chosen = []
    for candidate in ranked:
        if excess <= 0:
            break
        if closed_only and not candidate.closed:
            break
        chosen.append(candidate.name)
        excess -= candidate.bytes
    return chosen

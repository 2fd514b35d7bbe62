"""How slots and losses that span time fall to the hours: a rule for both ends.

A gap says from when to when and how many slots, a loss how many records. The k-th of n
(from 0) lies at ``t + floor(k * (until - t) / n)``. For slots on a grid that is where
they were due; for anything else it is a fair share. Gateway and platform can work it
out from the record alone and come to the same whole numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR_MS = 3_600_000
HOURS_KEPT = 72
"""Rows of the ledger older than this are only in the records of their days."""


def by_hour(t_ms: int, until_ms: int, count: int) -> Iterator[tuple[int, int]]:
    """(hour since 1970 UTC, how many of ``count`` lie in it), ascending, none empty.

    Args:
        t_ms: Where the first lies, UTC ms.
        until_ms: The end; not after ``t_ms`` means that all lie there.
        count: How many to spread.
    """
    length = max(0, until_ms - t_ms)
    hour, done = t_ms // HOUR_MS, 0
    while done < count:
        before = (hour + 1) * HOUR_MS - t_ms
        # floor(k * length / count) >= before  <=>  k >= ceil(before * count / length)
        upto = count if length <= before else min(count, -(-before * count // length))
        if upto > done:
            yield hour, upto - done
        hour, done = hour + 1, upto

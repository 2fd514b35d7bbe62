"""What the runs show."""

from __future__ import annotations

import msgspec


class LoadRow(msgspec.Struct, frozen=True, kw_only=True, tag="load"):
    """What a load costs, and how fresh its values are."""

    peer: str
    size: str
    window_s: float
    values_due: int
    values: int
    cpu_s_per_1000: float
    fresh_p50_ms: float
    fresh_p99_ms: float
    pss_mib: float
    start_s: float
    """From exec to the first value at the subscriber."""
    judged: int
    wrong: int


class OutageRow(msgspec.Struct, frozen=True, kw_only=True, tag="outage"):
    """What became of the values while the broker was away."""

    peer: str
    size: str
    away_s: float
    asked: int
    """Counter values (every third value is one) handed out while it was away."""
    arrived: int
    """Of these, how many came, at any time."""
    around: int
    """The same, handed out from 5 s before the kill to 30 s after the return."""
    around_arrived: int
    lost_s: float
    """Of these, what did not come, as seconds of all values."""
    repeats: int
    """Counter values that came more than once, in the whole run."""
    first_after_s: float | None
    """From the broker's return to the first value; None: none came."""
    subscriber_back_s: float


class LateRow(msgspec.Struct, frozen=True, kw_only=True, tag="late"):
    """What was said about a line whose replies are late now and then."""

    peer: str
    window_s: float
    timeout_s: float
    requests: int
    late: int
    values: int
    due: int
    """Identity values that a line without faults would bring in this time."""
    judged: int
    """Identity values that arrived as good."""
    wrong: int
    """Of these, how many are another register's."""


Row = LoadRow | OutageRow | LateRow

"""For people: three tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers.rows import LateRow, LoadRow, OutageRow, Row

if TYPE_CHECKING:
    from collections.abc import Sequence


def text(rows: Sequence[Row]) -> str:
    """All tables that have lines, as Markdown."""
    loads = [row for row in rows if isinstance(row, LoadRow)]
    outages = [row for row in rows if isinstance(row, OutageRow)]
    lates = [row for row in rows if isinstance(row, LateRow)]
    parts = []
    if loads:
        head = [
            *("values each second", "gateway", "CPU s per 1,000 values"),
            *("freshness p50", "p99", "PSS", "first value", "arrived"),
        ]
        parts.append(_table(head, [_load(row) for row in loads]))
    if outages:
        head = [
            *("broker killed", "gateway", "of the values of the outage, arrived"),
            *("lost in all", "came twice", "first value after the return"),
        ]
        parts.append(_table(head, [_outage(row) for row in outages]))
    if lates:
        head = ["late replies", "gateway", "due", "shown as good", "wrong", "right"]
        parts.append(_table(head, [_late(row) for row in lates]))
    return "\n\n".join(parts)


def _load(row: LoadRow) -> list[str]:
    return [
        row.size,
        row.peer,
        f"{row.cpu_s_per_1000:.4f}",
        f"{row.fresh_p50_ms:.0f} ms",
        f"{row.fresh_p99_ms:.0f} ms",
        f"{row.pss_mib:.0f} MiB",
        f"{row.start_s:.1f} s",
        f"{row.values / row.values_due:.1%}",
    ]


def _outage(row: OutageRow) -> list[str]:
    after = "none" if row.first_after_s is None else f"{row.first_after_s:.1f} s"
    return [
        f"{row.away_s:.0f} s at {row.size}",
        row.peer,
        f"{row.arrived / row.asked:.1%}" if row.asked else "-",
        f"{row.lost_s:.1f} s of values",
        f"{row.repeats}",
        after,
    ]


def _late(row: LateRow) -> list[str]:
    share = f" ({row.wrong / row.judged:.0%})" if row.judged else ""
    return [
        f"{row.late} of {row.requests}",
        row.peer,
        f"{row.due}",
        f"{row.judged}",
        f"{row.wrong}{share}",
        f"{row.judged - row.wrong}",
    ]


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, *lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    out = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    out.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(out)

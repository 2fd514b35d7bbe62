"""The validity report as CSV: one line for each factor and hour, or factor and day."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, TextIO
from zoneinfo import ZoneInfo

from gateway.report.calendar import local

if TYPE_CHECKING:
    from fractions import Fraction

    from gateway.report.count import Counts
    from gateway.report.validity import Report

COLUMNS = (
    "station", "target", "counted", "factor", "code", "since", "until", "expected",
    "acquired", "valid", "sent", "proved", "valid_proved", "stopped",
    "transmission_rate", "validity_rate", "effective_rate",
)  # fmt: skip


def write(report: Report, out: TextIO) -> None:
    """Write the lines; a factor's last one is its total."""
    zone = ZoneInfo(report.timezone)
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(COLUMNS)
    for factor in report.factors:
        whole = report.since_ms, report.until_ms, factor.total
        parts = [(p.since_ms, p.until_ms, p.counts) for p in factor.parts]
        for since, until, counts in (*parts, whole):
            lines.writerow(
                (
                    report.station,
                    report.target or "",
                    report.kind,
                    factor.name,
                    factor.code or "",
                    local(since, zone).isoformat(),
                    local(until, zone).isoformat(),
                    *_numbers(counts),
                )
            )


def _numbers(counts: Counts) -> tuple[str, ...]:
    names = ("expected", "acquired", "valid", "sent", "proved", "valid_proved")
    found = [str(getattr(counts, name)) for name in (*names, "stopped")]
    rates = counts.transmission, counts.validity, counts.effective
    return (*found, *map(_rate, rates))


def _rate(share: Fraction | None) -> str:
    return "" if share is None else f"{float(share):.6f}"

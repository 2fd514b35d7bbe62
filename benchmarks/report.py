"""Medians, limits, the printed table and the JSON."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks import sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from benchmarks.run import Row

_MERGED = (
    "cpu_s_per_1000",
    "core_share",
    "fresh_p50_ms",
    "fresh_p99_ms",
    "pss_mib",
    "rss_mib",
    "start_s",
    "disk_bytes_per_value",
)


def medians(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One line for each size, engine and purpose.

    The median of the runs; worst values where one bad run must show.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.size, row.engine, row.purpose), []).append(row)
    merged = []
    for (size, engine, purpose), same in groups.items():
        line: dict[str, Any] = {
            "size": size,
            "engine": engine,
            "purpose": purpose,
            "runs": len(same),
        }
        for name in _MERGED:
            line[name] = statistics.median(getattr(row, name) for row in same)
        devices = [
            row.device_bytes_per_value
            for row in same
            if row.device_bytes_per_value is not None
        ]
        line["device_bytes_per_value"] = statistics.median(devices) if devices else None
        line["delivered"] = round(
            min(row.values / row.values_due if row.values_due else 0 for row in same), 4
        )
        for name in ("drift_ms", "wrong", "duplicates"):
            line[name] = max(getattr(row, name) for row in same)
        merged.append(line)
    return merged


def verdicts(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each stated limit with what came; our own engine only."""
    found = []
    for line in lines:
        if line["engine"] != "own":
            continue
        size = line["size"]
        if line["purpose"] == "disk":
            found += _held(
                size, line, "disk_bytes_per_value", sizes.DISK_LIMITS.get(size)
            )
            continue
        found += _held(size, line, "cpu_s_per_1000", sizes.CPU_LIMITS.get(size))
        found += _held(size, line, "core_share", sizes.SHARE_LIMITS.get(size))
        found += _held(size, line, "fresh_p50_ms", sizes.FRESH_P50_MS)
        found += _held(size, line, "fresh_p99_ms", sizes.FRESH_P99_MS)
        found += _held(size, line, "wrong", 0)
        if size == "10 x 50":
            found += _held(size, line, "pss_mib", sizes.PSS_LIMIT_MIB)
        if size == "1 x 10":
            found += _held(size, line, "start_s", sizes.START_LIMIT_S)
    return found


def _held(
    size: str, line: dict[str, Any], name: str, limit: float | None
) -> list[dict[str, Any]]:
    if limit is None:
        return []
    came = line[name]
    return [
        {"size": size, "what": name, "limit": limit, "came": came, "met": came <= limit}
    ]


def save(
    path: Path,
    about: dict[str, Any],
    rows: Sequence[Row],
    lines: Sequence[dict[str, Any]],
) -> None:
    """Write everything as JSON."""
    content = {
        "about": about,
        "medians": lines,
        "limits": verdicts(lines),
        "runs": [msgspec.to_builtins(row) for row in rows],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


_COLUMNS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("load /s", lambda x: x["size"]),
    ("engine", lambda x: x["engine"]),
    ("cpu s/1000", lambda x: f"{x['cpu_s_per_1000']:.4f}"),
    ("core", lambda x: f"{x['core_share']:.1%}"),
    ("fresh p50", lambda x: f"{x['fresh_p50_ms']:.1f} ms"),
    ("p99", lambda x: f"{x['fresh_p99_ms']:.1f} ms"),
    ("PSS", lambda x: f"{x['pss_mib']:.1f} MiB"),
    ("start", lambda x: f"{x['start_s']:.2f} s"),
    ("disk/value", lambda x: f"{x['disk_bytes_per_value']:.0f} B"),
    ("arrived", lambda x: f"{x['delivered']:.1%}"),
    ("wrong", lambda x: str(x["wrong"])),
    ("drift", lambda x: f"{x['drift_ms']:.0f} ms"),
)


def table(lines: Iterable[dict[str, Any]]) -> str:
    """For people: one line a size and engine."""
    rows = [[title for title, _ in _COLUMNS]]
    rows += [[show(line) for _, show in _COLUMNS] for line in lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def limits_text(found: Iterable[dict[str, Any]]) -> str:
    """For people: each limit, met or missed and by how much."""
    out = []
    for item in found:
        if item["met"]:
            mark = "met"
        elif item["limit"]:
            mark = f"MISSED, {item['came'] / item['limit']:.2f} times the limit"
        else:
            mark = "MISSED"
        out.append(
            f"{item['size']:>9}  {item['what']:<22} {item['came']:>9.4g}"
            f" of {item['limit']:<6g} {mark}"
        )
    return "\n".join(out)

"""A platform's own counts of what arrived, by the rules of ``docs/mqtt.md``.

Written from the document, not from the gateway: it shares no code with the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

HOUR = 3_600_000


class Counts(NamedTuple):
    """Of one device in one hour."""

    records: int = 0
    value: int = 0
    bad: int = 0
    gap: int = 0


def audit(messages, metas):
    """(hour, device) -> Counts; the hour is None for what has ``clock``.

    Args:
        messages: Bodies of ``data`` and ``event``, repeats included.
        metas: Meta id -> content.
    """
    found = defaultdict(lambda: [0, 0, 0, 0])
    records, gaps = {}, {}
    for body in messages:
        for record in body["records"]:
            records[record["seq"]] = (record, body["meta"])
    for seq in sorted(records):
        record, meta = records[seq]
        device = record.get("device", "")
        ends = record.get("until"), record.get("noted"), record["t"]
        if record["kind"] in {"lost", "ledger"}:
            ends = record["noted"], None, None
        if record["kind"] == "scan":
            ends = record["t"], None, None
        moment = next(end for end in ends if end is not None)
        hour = None if "clock" in record else moment // HOUR
        row = found[hour, device]
        row[0] += 1
        if record["kind"] == "scan":
            row[1] += sum("." not in name for name in record["values"])
            row[2] += sum(
                "." not in name and name not in record["values"]
                for name in record.get("q", ())
            )
        elif record["kind"] == "gap":
            # The same beginning names it: the last telling counts.
            gaps[device, tuple(record["points"]), record["t"]] = record, meta
    for (device, points, t), (record, meta) in gaps.items():
        width = len(points)
        if points == ("*",):
            width = sum(p["device"] == device for p in metas[meta]["points"])
        slots, length = record["slots"], record["until"] - t
        for k in range(slots):
            hour = None if "clock" in record else (t + k * length // slots) // HOUR
            found[hour, device][3] += width
    return {key: Counts(*row) for key, row in found.items()}


def kept(lines):
    """The ledger's rows in the same form, from ``Bookkeeper.lines``."""
    found = {}
    for line in lines:
        hour = None if line.t is None else line.t // HOUR
        counts = Counts(line.records, line.value, line.bad, line.gap)
        if any(counts):
            found[hour, line.device] = counts
    return found

"""One record per device and local day, of the ledger's rows.

A regulator's day is the site's: it is made of the UTC hours that begin on that date in
the site's time zone, and the record says from when to when that is. It is told a
quarter of an hour after midnight, when open gaps have been stated once more; days that
ended while the gateway was off at the next start. A day whose sums changed since, say
by a backlog that was delivered, is told again with the next day's: the last telling
counts. Nothing is told while nobody knows what time it is.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from gateway.clock import Instant
from gateway.ledger import FATES, UNDATED, DeliveryLedger
from gateway.record import DayLedger
from gateway.spread import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

SETTLED_MS = 15 * 60_000
"""Open gaps are stated again every ten minutes: by then the day's last slots are in."""
_WHENEVER = Instant(0, 0, "00000000", trusted=True)


def day_of(hour: int, zone: ZoneInfo) -> str:
    """The local date, ISO, on which a UTC hour begins."""
    moment = datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC)
    return moment.astimezone(zone).date().isoformat()


def tell_days(
    ledger: DeliveryLedger, told: dict[str, int], tz: str, now: Instant
) -> Iterator[DayLedger]:
    """The records of all days that are over and not told as they stand.

    Args:
        ledger: The rows; those no trusted clock dated are told and dropped.
        told: Day -> checksum of what was told; brought up to date.
        tz: The site's time zone, IANA.
        now: Of a trusted clock; with another, nothing is told.
    """
    if not now.trusted:
        return
    zone = ZoneInfo(tz)
    today = day_of((now.wall_ms - SETTLED_MS) // HOUR_MS, zone)
    days: defaultdict[str, set[int]] = defaultdict(set)
    for hour in ledger.hours() - {UNDATED}:
        days[day_of(hour, zone)].add(hour)
    for day in sorted(day for day in days if day < today):
        records = list(_records(ledger, days[day], day, tz, now))
        bare = [msgspec.structs.replace(one, at=_WHENEVER) for one in records]
        total = zlib.crc32(msgspec.msgpack.encode(bare))
        if told.get(day) != total:
            told[day] = total
            yield from records
    undated = list(_records(ledger, {UNDATED}, "", tz, now))
    ledger.forget({UNDATED})
    yield from undated
    for day in [day for day in told if day not in days]:
        del told[day]


def _records(
    ledger: DeliveryLedger, hours: Collection[int], day: str, tz: str, now: Instant
) -> Iterator[DayLedger]:
    """One for each device that has a row in these hours."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 6)
    targets: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
    for (device, hour), row in ledger.rows.items():
        if hour in hours:
            sums[device] = _add(sums[device], msgspec.structs.astuple(row))
    for target, book in ledger.books.items():
        for (device, hour), counts in book.items():
            if hour in hours:
                before = targets[device].get(target, [0] * len(FATES))
                targets[device][target] = _add(before, counts)
    first, last = _span(day, ZoneInfo(tz)) if day else (now.wall_ms, now.wall_ms)
    for device in sorted({*sums, *targets}):
        records, value, bad, gap, lost, unsure = sums[device]
        yield DayLedger(
            device=device,
            day=day,
            tz=tz,
            t_ms=first,
            until_ms=last,
            scheduled=value + bad + gap,
            value=value,
            bad=bad,
            gap=gap,
            records=records,
            lost=lost,
            unsure=unsure,
            targets={
                name: {f: n for f, n in zip(FATES, counts, strict=True) if n}
                for name, counts in sorted(targets[device].items())
            },
            incomplete=not ledger.incomplete.isdisjoint(hours),
            at=now,
        )


def _span(day: str, zone: ZoneInfo) -> tuple[int, int]:
    """The UTC hours of a local day: beginning and end, UTC ms."""
    date = datetime.fromisoformat(day).replace(tzinfo=zone)
    ends = (date, datetime.combine(date + timedelta(days=1), time(), zone))
    first, last = (-(-int(end.timestamp() * 1000) // HOUR_MS) for end in ends)
    return first * HOUR_MS, last * HOUR_MS


def _add(one: Collection[int], other: Collection[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]

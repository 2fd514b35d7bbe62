"""Keeps the ledger: loads it, saves it, tells each day, shows it to whoever asks."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from gateway.ledger import FATES, UNDATED, DeliveryLedger
from gateway.ledger_days import day_of, tell_days
from gateway.ledger_notes import LedgerNotes
from gateway.spread import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from buffer import Buffer
    from gateway.clock import Clock
    from gateway.config.model import Site
    from gateway.record import Record

SAVE_S = 600.0
"""How much of the counts a kill costs: hours it touches are marked incomplete."""


FIRST_S = 60.0
"""From the start to the first look at the days."""


class HourLine(msgspec.Struct, kw_only=True):
    """One device in one hour, for people and programs."""

    t: int | None
    """Where the hour begins, UTC ms; None: no trusted clock dated it."""
    device: str
    """Empty: the gateway's own records."""
    scheduled: int
    """Point-slots: ``value + bad + gap``."""
    value: int
    bad: int
    gap: int
    records: int
    lost: int
    unsure: int
    targets: dict[str, dict[str, int]]
    """Target -> sent, proved, refused, filtered."""
    incomplete: bool


class Bookkeeper:
    """One gateway's ledger and its loop."""

    def __init__(self, buffer: Buffer, clock: Clock, *, tz: str) -> None:
        """Go on where the run before ended.

        Args:
            buffer: Where the notes are.
            clock: Says when a day is over.
            tz: The site's time zone, IANA.
        """
        self.ledger = DeliveryLedger()
        self._clock = clock
        self._tz = tz
        self._notes = LedgerNotes(
            self.ledger,
            remember=partial(buffer.remember, lazily=True),
            recall=buffer.recall,
        )
        ended = buffer.ended
        now_ms = clock.wall_ms()
        self._notes.load(now_ms, ended_ms=None if ended is None else ended.wall_ms)
        # Durable soon: a kill from here on must not look like that clean stop.
        self._notes.save_head(now_ms, buffer.remember)

    def adopt(self, meta: str, site: Site) -> None:
        """The site as it is from now on; see ``DeliveryLedger.adopt``."""
        self.ledger.adopt(meta, site)
        self._tz = site.info.timezone

    async def run(self, sink: Callable[[Record], None]) -> None:
        """Save and tell days until cancelled.

        Args:
            sink: Stores a record.
        """
        # The time away is to be in the books before days that ended in it are told.
        await asyncio.sleep(FIRST_S)
        while True:
            now = self._clock.now()
            if now.trusted:
                for day in tell_days(self.ledger, self._notes.told, self._tz, now):
                    sink(day)
                self.ledger.prune(now.wall_ms, self._told)
            await asyncio.sleep(SAVE_S)
            self._notes.save(self._clock.wall_ms())

    def close(self) -> None:
        """Note everything: the gateway stops clean, nothing is counted any more."""
        self._notes.save(self._clock.wall_ms(), clean=True)

    def lines(self, hours: int) -> list[HourLine]:
        """Every row of the last hours, this one included, by hour and device.

        Args:
            hours: How many; what no trusted clock dated is always among them.
        """
        ledger = self.ledger
        first = self._clock.wall_ms() // HOUR_MS - hours
        return [
            self._line(device, hour)
            for hour in sorted(ledger.hours())
            if hour == UNDATED or hour > first
            for device in ledger.devices(hour)
        ]

    def _line(self, device: str, hour: int) -> HourLine:
        ledger = self.ledger
        row = ledger.row(device, hour)
        return HourLine(
            t=None if hour == UNDATED else hour * HOUR_MS,
            device=device,
            scheduled=row.scheduled,
            value=row.value,
            bad=row.bad,
            gap=row.gap,
            records=row.records,
            lost=row.lost,
            unsure=row.unsure,
            targets={
                name: dict(zip(FATES, book[device, hour], strict=True))
                for name, book in sorted(ledger.books.items())
                if (device, hour) in book
            },
            incomplete=hour in ledger.incomplete,
        )

    def _told(self, hour: int) -> bool:
        return day_of(hour, ZoneInfo(self._tz)) in self._notes.told

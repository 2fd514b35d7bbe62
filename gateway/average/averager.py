"""Between the judge and the recorder: makes minutes, hours and days of what passes.

    worker --> judge --> Averager.before(devices, keep) --> keep (store)
                            |  readings and gaps, by station and slot
                            `- the clock says that a minute is over (and its grace)
                               --> history, durable --> recorder, as any record

A bus that feeds no station gets ``keep`` itself back: it costs nothing. Only readings
of a trusted clock count; what is dated later counts then, as a new revision where its
minute was told. A period that was told never changes: there is a new revision, and it
says why.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from buffer import DiskTroubleError
from gateway.average.board import Board
from gateway.average.book import Book, Feed
from gateway.average.finish import finish
from gateway.average.note import Saved, packed, restore, save, unpacked
from gateway.average.past import LONGER, Longer, Past, Stored, longer
from gateway.average.telling import Teller
from gateway.periods import periods
from gateway.record import Gap, Scan
from gateway.schedule import Place, phase_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from gateway.aggregate import Period, PeriodKind
    from gateway.average.book import Declared
    from gateway.average.calendar import Bounds
    from gateway.average.past import Found, History
    from gateway.clock import Instant
    from gateway.config.model import Bus, Device, Site
    from gateway.record import DatedTime, Record

KEEP_S = 10.0
"""So often what is open is noted in the store."""
MOST_WAITING = 10_000
"""Scans of an untrusted clock that are kept until they are dated; the oldest go."""
_HOLD_MS = 10_000
"""So long after the clock is trusted what came before is waited for."""
_LONGEST_AWAY_MS = 62 * 86_400_000


class Averager:
    """The stations of the site in force."""

    def __init__(
        self,
        history: History,
        record: Callable[[Period, str], None],
        *,
        meta: Callable[[], str],
        now: Callable[[], Instant],
        when: Callable[[Instant], DatedTime | None],
        remember: Callable[[bytes], None],
        remembered: Callable[[], Awaitable[None]],
        recalled: bytes | None,
        declared: Declared = lambda _device, _at: None,
        board: Board | None = None,
    ) -> None:
        """Begin with what earlier runs left open.

        Args:
            history: Takes every period before anybody is told.
            record: Takes every period after that, and the version it is read with.
            meta: The version in force.
            now: The clock.
            when: Dates an instant of an untrusted clock, once that is known.
            remember: Keeps the note.
            remembered: Waits until it is durable.
            recalled: The note that was kept last.
            declared: Maintenance windows: what an operator declared of a device for an
                instant.
            board: Shows the newest values.
        """
        self.board = board or Board()
        self._history = history
        self._teller = Teller(history, record, now())
        self._meta = meta
        self._now = now
        self._when = when
        self._remember = remember
        self._remembered = remembered
        self._declared = declared
        self._saved = unpacked(recalled)
        self._again = self._saved is not None and not self._saved.clean
        self._restored = dict(self._saved.stations) if self._saved else {}
        self._books: dict[str, Book] = {}
        self._pasts: dict[str, Past] = {}
        self._longer: dict[str, dict[str, int]] = {}
        """By station: the first hour and day that are not over."""
        self._feeds: dict[str, tuple[Device, Bus, dict[tuple[str, str], Feed]]] = {}
        self._touched: dict[str, dict[int, str]] = {}
        """By station: minutes told again whose hours could not be worked out yet."""
        self._waiting: list[Scan] = []
        self._trusted_ms: int | None = None
        self._again_ms: int | None = None
        self._changed = asyncio.Event()
        self.dropped = 0
        """Readings that came too late for any period."""

    # -- the site ------------------------------------------------------------

    def adopt(self, site: Site) -> None:
        """Go over to another site: what is unchanged in it goes on."""
        self._feeds = {
            device.name: self._feed(site, device) for device in site.devices.values()
        }
        feeds: dict[tuple[str, str], Feed] = {}
        for _, _, mine in self._feeds.values():
            feeds |= mine
        zone = site.info.timezone
        before, self._books = self._books, {}
        for name, station in site.stations.items():
            old = before.pop(name, None)
            book = Book(station, zone, feeds, self._declared)
            same = old is not None and old.station == station
            if old is not None and same and old.like(book):
                book = old
            elif old is not None:
                restore(book, save(old, self._longer[name]))
            elif name in self._restored:
                known = self._restored.pop(name)
                self._longer[name] = dict(known.longer)
                restore(book, known)
            else:
                # Without any note we were killed; with one it is new, or is again.
                book.fresh = self._saved is not None
            if book.began is None:
                book.began = self._now() if old is None else old.began
            book.meta = self._meta()
            self._books[name] = book
            self._longer.setdefault(name, {})
            if name not in self._pasts:
                self._pasts[name] = Past(name, self._history)
            self.board.post(name, book.live)
        for name in before:
            self.board.post(name, None)
            del self._pasts[name], self._longer[name]
            self._touched.pop(name, None)
        self._changed.set()
        if self._books and self._saved is None:
            self.keep()  # from here on a kill is known to have been one

    def before(
        self, devices: Iterable[Device], keep: Callable[[Record], None]
    ) -> Callable[[Record], None]:
        """What judged records of these devices go to, instead of ``keep``."""
        fed: dict[str, list[Book]] = {}
        for device in devices:
            for book in self._books.values():
                if device.name in book.by_device:
                    fed.setdefault(device.name, []).append(book)
        if not fed:
            return keep

        def averaged(record: Record) -> None:
            keep(record)
            if type(record) is Scan:
                books = fed.get(record.device)
                if books is None:
                    return
                if not record.at.trusted:
                    self._wait(record)
                    return
                for book in books:
                    book.take(record)
            elif type(record) is Gap:
                for book in fed.get(record.device, ()):
                    book.gap(record)

        return averaged

    def _feed(
        self, site: Site, device: Device
    ) -> tuple[Device, Bus, dict[tuple[str, str], Feed]]:
        """The grids of a device's points, as its worker lays them."""
        bus = site.buses[device.bus]
        known = self._feeds.get(device.name)
        if known is not None and known[:2] == (device, bus):
            return known  # the worker keeps its grid, whatever its neighbours do
        turns = [d.name for d in site.devices.values() if d.bus == device.bus]
        number = list(site.buses).index(device.bus)
        place = Place(
            site.gateway, number, len(site.buses), turns.index(device.name), len(turns)
        )
        found = {}
        for every_s, points, _ in periods(device):
            phase_ms = round(1000 * phase_s(every_s, place))
            for point in points:
                key = device.name, point.name
                every_ms = round(1000 * every_s)
                found[key] = Feed(*key, every_ms, phase_ms, point.counter)
        return device, bus, found

    # -- time ----------------------------------------------------------------

    async def run(self) -> None:
        """Tell what is over, and note what is open; until cancelled."""
        while True:
            if self._again:
                with contextlib.suppress(DiskTroubleError):  # with the next tick then
                    await self._tell_again()
            if not self._books:
                self._changed.clear()
                await self._changed.wait()
            await self.tick()
            self.keep()
            await asyncio.sleep(self._pause_s())

    def dated(self) -> None:
        """More instants can be dated than before."""
        waiting, self._waiting = self._waiting, []
        for scan in waiting:
            dated = self._when(scan.at)
            if dated is None:
                self._waiting.append(scan)
            elif dated.clock == "corrected":
                for book in self._books.values():
                    if scan.device in book.by_device:
                        book.take_at(scan, dated.t, "clock")
            else:
                self.dropped += 1

    async def tick(self) -> None:
        """Work out and tell everything that is over by now."""
        now = self._now()
        if not now.trusted:
            self._trusted_ms = None
            return
        if self._trusted_ms is None:
            self._trusted_ms = now.mono_ms
        if self._waiting:
            self.dated()
            if self._waiting and now.mono_ms < self._trusted_ms + _HOLD_MS:
                return
        for name in list(self._books):
            await self._over(name, now, self._teller.out)
            await self._tell(now)

    def keep(self, *, clean: bool = False) -> None:
        """Note what is open."""
        if not self._books:
            return
        stations = {
            name: save(book, self._longer[name]) for name, book in self._books.items()
        }
        stations |= {n: s for n, s in self._restored.items() if n not in stations}
        self._saved = Saved(self._now(), clean, self._again_ms, stations)
        self._remember(packed(self._saved))

    def _keep_again(self, oldest_ms: int) -> None:
        """Note that old periods are about to be told.

        The rest of the note stays as it was: what is open now is without them, and
        after a kill before they are kept they must be found in it.
        """
        self._again_ms = oldest_ms
        if self._saved is None:
            self.keep()
            return
        self._saved = msgspec.structs.replace(
            self._saved, clean=False, again_ms=oldest_ms
        )
        self._remember(packed(self._saved))

    def health(self) -> dict[str, int]:
        """What is in no average, since the start; empty without stations.

        ``dropped``: readings too late for any period; ``refused``: periods in whose
        place the history has others; ``waiting``: scans whose time is not known yet.
        """
        if not self._books:
            return {}
        return {
            "dropped": self.dropped,
            "refused": self._teller.refused,
            "waiting": len(self._waiting),
        }

    async def close(self) -> None:
        """The gateway stops: what was worked out is told, what is open is noted."""
        if self._teller.out:
            await self._tell(self._now())
        self.keep(clean=True)

    def _pause_s(self) -> float:
        now = self._now()
        if not now.trusted:
            return 1.0
        nearest = 1.0 if self._again else KEEP_S
        for book in self._books.values():
            if book.next_ms is not None:
                end_ms = book.next_ms + book.calendar.minute_ms + book.grace_ms
                nearest = min(nearest, (end_ms - now.wall_ms) / 1000)
        return max(nearest, 1.0 if self._waiting else 0.05)

    def _wait(self, scan: Scan) -> None:
        self._waiting.append(scan)
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[: MOST_WAITING // 10]
            self.dropped += MOST_WAITING // 10

    # -- periods -------------------------------------------------------------

    async def _over(self, name: str, now: Instant, out: list[Stored]) -> None:
        """What is over of a station by now, in order of time."""
        book, past = self._books[name], self._pasts[name]
        due = book.over_by(now.wall_ms, _began_ms(book, now))
        for kind in LONGER:
            first = book.calendar.of(kind, book.next_ms or now.wall_ms)
            pointers = self._longer[name]
            pointers[kind] = min(pointers.get(kind, first.start_ms), first.start_ms)
        for start in due:
            rev = await past.rev("minute", start)
            if self._books.get(name) is not book:
                return  # a reload meanwhile: another book goes on from here
            found = book.close(start)
            bounds = book.calendar.of("minute", start)
            if rev is None:
                past.told("minute", start, found, 0)
                out.append(self._told(book, "minute", bounds, found, now))
                for kind in LONGER:
                    # By a clock that was ahead they were over already, and told.
                    longer_ms = book.calendar.of(kind, start).start_ms
                    if await past.rev(kind, longer_ms) is not None:
                        book.again[kind].setdefault(longer_ms, "clock")
            else:
                book.disown(start, found, await past.found("minute", start))
        touched = self._touched.pop(name, {})
        touched |= await self._late(book, past, now, out)
        try:
            for kind in LONGER:
                touched = await self._longer_over(book, past, kind, touched, now, out)
        except DiskTroubleError as exc:
            # What is longer waits: a part of it may be kept, and cannot be read now.
            self._touched[name] = touched
            self._teller.trouble(exc)
        book.forget(now.wall_ms)
        past.forget(now.wall_ms)

    async def _late(
        self, book: Book, past: Past, now: Instant, out: list[Stored]
    ) -> dict[int, str]:
        """Minutes that are worked out again: their starts, and why."""
        touched: dict[int, str] = {}
        length_ms = book.calendar.minute_ms + book.grace_ms
        for start in sorted(book.late):
            if start + length_ms > now.wall_ms:
                continue  # the clock was set back into it: it is not over yet
            rev = await past.rev("minute", start)
            if self._books.get(book.station.name) is not book:
                break
            why = book.late.pop(start)
            minute = book.minutes[start]
            if rev is not None and not minute.known:
                # Told by an earlier run, whose slots nobody knows any more.
                self.dropped += sum(map(len, minute.slots))
                del book.minutes[start]
                continue
            found = book.close(start)
            rev = 0 if rev is None else rev + 1
            past.told("minute", start, found, rev)
            bounds = book.calendar.of("minute", start)
            out.append(self._told(book, "minute", bounds, found, now, rev, why))
            touched[start] = why
        return touched

    async def _longer_over(
        self,
        book: Book,
        past: Past,
        kind: Longer,
        touched: dict[int, str],
        now: Instant,
        out: list[Stored],
    ) -> dict[int, str]:
        """Hours or days: those that are over, and those whose parts changed."""
        told: dict[int, str] = {}
        again, pointers = book.again[kind], self._longer.get(book.station.name)
        if book.next_ms is None or pointers is None:
            return told
        first = max(pointers[kind], now.wall_ms - _LONGEST_AWAY_MS)
        bounds = book.calendar.of(kind, first)
        for start, why in sorted(touched.items()):
            old = book.calendar.of(kind, start)
            if old.start_ms < bounds.start_ms:
                again.setdefault(old.start_ms, why)
        for start in sorted(again):
            old = book.calendar.of(kind, start)
            if old.end_ms + book.grace_ms > now.wall_ms:
                continue  # the clock was set back into it
            why = again.pop(start)
            if any(since >= old.end_ms for since in book.since_ms.values()):
                continue  # a factor is another one now: it would be told as missing
            told[start] = why
            await self._work_out(book, past, kind, old, now, out, why)
        began_ms = _began_ms(book, now)
        while (
            bounds.end_ms <= book.next_ms
            and bounds.end_ms + book.grace_ms <= now.wall_ms
        ):
            await past.load(kind, bounds, _began_ms(book, now))
            if bounds.end_ms > began_ms or past.parts(kind, bounds):
                await self._work_out(book, past, kind, bounds, now, out)
            bounds = book.calendar.of(kind, bounds.end_ms)
        pointers[kind] = bounds.start_ms
        return told

    async def _work_out(
        self,
        book: Book,
        past: Past,
        kind: Longer,
        bounds: Bounds,
        now: Instant,
        out: list[Stored],
        why: str = "",
    ) -> None:
        rev = await past.rev(kind, bounds.start_ms)
        if rev is not None and not why:
            return  # an earlier run told it
        await past.load(kind, bounds, _began_ms(book, now))
        found = longer(book, kind, bounds, past)
        rev = 0 if rev is None else rev + 1
        past.told(kind, bounds.start_ms, found, rev)
        out.append(self._told(book, kind, bounds, found, now, rev, why))

    def _told(
        self,
        book: Book,
        kind: PeriodKind,
        bounds: Bounds,
        found: Found,
        now: Instant,
        rev: int = 0,
        why: str = "",
    ) -> Stored:
        reason = why if rev else ""
        told = finish(book.station, kind, bounds, found, now, rev=rev, reason=reason)
        return Stored(told, book.meta)

    # -- told ----------------------------------------------------------------

    async def _tell(self, now: Instant) -> None:
        teller = self._teller
        if not teller.out:
            return
        oldest_ms = teller.from_long_ago(now)
        if oldest_ms is not None:
            self._keep_again(oldest_ms)
            await self._remembered()
        await teller.tell()
        self._again_ms = None

    async def _tell_again(self) -> None:
        if self._again and self._saved is not None:
            await self._teller.tell_again(self._saved)
        self._again = False


def _began_ms(book: Book, now: Instant) -> int:
    """When this run took a station up, by the clock as it is now."""
    began = book.began or now
    return now.wall_ms - (now.mono_ms - began.mono_ms)

"""From records to stored bytes: the one place that appends what was observed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from buffer import PriorityClass
from gateway.aggregate import Period
from gateway.fold import EventFold
from gateway.ledger import DeliveryLedger
from gateway.media import OF_ALARMS, Media
from gateway.record import (
    DayLedger,
    Event,
    Gap,
    Record,
    Scan,
    Track,
    encode,
    to_wire,
)
from gateway.supervisor import Fatal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from buffer import Buffer
    from gateway.clock import Instant
    from gateway.meta import MetaStore

OPEN_GAPS = "open_gaps"
"""The note in the store that lists gaps told as open: a kill leaves them so."""

_WATCH_LIMIT = 1000
"""Records a slow watcher may lag behind; beyond, it misses some."""


class Recorder:
    """Encodes, stores and shows records."""

    def __init__(
        self,
        buffer: Buffer,
        metas: MetaStore,
        ledger: DeliveryLedger | None = None,
    ) -> None:
        self._append = buffer.append
        self._remember = buffer.remember
        self._open: dict[tuple[str, tuple[str, ...]], Gap] = {}
        self._metas = metas
        self._ledger = ledger or DeliveryLedger()
        self._fatal = Fatal("buffer")
        self._events = EventFold(self._store)
        self.on_event: Callable[[], None] = lambda: None
        """Called with every event: something about the gateway has changed."""
        self.known_ms: Callable[[Instant], int] = lambda _at: 0
        """UTC ms of an instant of an untrusted clock, as far as known now; else 0."""
        self.on_stored: Callable[[Record, bytes, int], None] = lambda *_: None
        """Called with every record, its stored form and its time, UTC ms or 0."""
        self._watchers: set[asyncio.Queue[tuple[str | None, bytes]]] = set()

    def __call__(self, record: Record) -> None:
        """Store one record; a bug of the buffer ends the process."""
        if isinstance(record, Event):
            self._event(record)
        else:
            self._store(record)

    def under(self, meta: str) -> Callable[[Record], None]:
        """The same for what is observed of devices as this version describes them.

        What was asked before a reload is read with the description it was asked
        under, however late the answer comes. Events always go by the newest.
        """

        def keep(record: Record) -> None:
            if isinstance(record, Event):
                self._event(record)
            else:
                self._store(record, meta)

        return keep

    def flush(self) -> None:
        """Store what a storm of events held back."""
        self._events.flush()

    def _event(self, event: Event) -> None:
        self._events(event)
        self.on_event()

    def _store(self, record: Record, meta: str | None = None) -> None:
        meta = meta or self._metas.current
        data = encode(record, meta)
        if type(record) is Scan:
            cls, subject, at = PriorityClass.LIVE, record.device, record.at
        elif isinstance(record, Gap):
            # Dearer than scans: what says why values are missing outlives them.
            cls, subject, at = PriorityClass.AGGREGATE, record.device, record.until
            self._note(record)
        elif isinstance(record, Event):
            cls, subject = PriorityClass.EVENT, record.device or ""
            at = record.until or record.at
        elif isinstance(record, Track):
            cls, subject, at = PriorityClass.AGGREGATE, record.device, record.until
        elif isinstance(record, Period):
            cls, subject, at = PriorityClass.AGGREGATE, record.station, record.at
        elif isinstance(record, Media):
            alarm = record.role in OF_ALARMS
            cls = PriorityClass.EVIDENCE if alarm else PriorityClass.MEDIA
            subject, at = record.camera, record.at
        elif isinstance(record, DayLedger):
            cls, subject, at = PriorityClass.AGGREGATE, record.device, record.at
        else:
            cls, subject, at = PriorityClass.EVENT, "", record.at
        t_ms = at.wall_ms if at.trusted else self.known_ms(at)
        with self._fatal:
            seq = self._append(data, cls=cls, subject=subject, t_ms=t_ms)
        self._ledger.stored(record, t_ms, subject, meta)
        self.on_stored(record, data, t_ms)
        if meta != self._metas.current:
            self._metas.used(meta, seq)
        if self._watchers:
            self._show(record, to_wire(seq, data))

    async def watch(self, devices: list[str] | None = None) -> AsyncGenerator[bytes]:
        """Records as they come, as wire JSON; of these devices only, if any named."""
        queue: asyncio.Queue[tuple[str | None, bytes]] = asyncio.Queue(_WATCH_LIMIT)
        self._watchers.add(queue)
        try:
            while True:
                device, wire = await queue.get()
                if not devices or device in devices:
                    yield wire
        finally:
            self._watchers.discard(queue)

    def _note(self, gap: Gap) -> None:
        """Remember which gaps are open, when that changes."""
        key = (gap.device, gap.points)
        if gap.open == (key in self._open):
            return
        if gap.open:
            self._open[key] = gap
        elif self._open.pop(key, None) is None:
            return
        with self._fatal:
            self._remember(OPEN_GAPS, msgspec.json.encode(list(self._open.values())))

    def _show(self, record: Record, wire: bytes) -> None:
        device: str | None = None
        for name in ("device", "station", "camera"):
            device = device or getattr(record, name, None)
        for queue in self._watchers:
            if not queue.full():
                queue.put_nowait((device, wire))

"""The buffer as the gateway sees it: the event loop's half.

Here live the newest records, the cursors and the timers; everything that blocks is in
`buffer.store` and runs in one thread of its own, one job at a time. A job gets
snapshots and gives back what became of them, so neither half waits for a lock.

    append -> tail + pending --0.7 s, events 20 ms--> Store.commit -> durable
    peek   <- tail                                    Store, Reader -> read
    resolve -> cursor --rides with the next commit--> stamp or control file

A seq is handed out only at or below the durable ceiling (`buffer.mark`), so that none
is ever used for two records.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from buffer import ring
from buffer.cursor import Cursor, resolved_by_all
from buffer.errors import BufferClosedError, kind_of
from buffer.losses import unsure_up_to
from buffer.model import Backlog, Entry, Limits, Loss, PriorityClass, Stats
from buffer.ondisk import OnDisk
from buffer.pace import Pace
from buffer.pending import Pending
from buffer.reader import Got, Owing, Reader
from buffer.recover import open_store
from buffer.store import Done, Work
from buffer.supply import Supply
from buffer.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from buffer.intervals import Intervals
    from buffer.losses import Draft
    from buffer.recover import Opened

_T = TypeVar("_T")

_RETRY_S = 1.0
_SETTLE_S = 5.0
_RESTED_S = 0.95
_AT_ONCE_S = 0.01
"""After a commit this long ago the next record waits only for its own burst."""
"""Without records to carry them, moved cursors are stored after this long."""


class Buffer:
    """A durable, bounded log of opaque records with a cursor per target."""

    def __init__(
        self,
        opened: Opened,
        limits: Limits,
        executor: ThreadPoolExecutor,
        wall_ms: Callable[[], int],
    ) -> None:
        """Use `open`."""
        self._loop = asyncio.get_running_loop()
        self._store = opened.store
        self._reader = Reader(opened.store)
        self._limits = limits
        self._executor = executor
        self._wall_ms = wall_ms
        self.ended = opened.ended
        """The end of the run before this one; None for a new store."""
        self.store = opened.store.id
        """Eight hex digits naming this store; a new store has a new one."""
        self.failed: asyncio.Future[None] = self._loop.create_future()
        """Gets the exception that ended the buffer: a bug, never disk trouble."""
        self._cursors = opened.cursors
        self._parked = opened.parked
        self._high = opened.high
        self._tail = Tail(opened.high + 1)
        self._on_disk = OnDisk(opened.store.present())
        self._supply = Supply(self._cursors, self._tail, self._on_disk)
        self._handed = 0
        """The newest seq given to any target."""
        self._pending = Pending()
        self._pace = Pace(opened.high, self._loop.time())
        self._losses = {loss.id: loss for loss in opened.store.ledger.open()}
        self._dropped: list[Draft] = []
        self._notes: dict[str, bytes | None] = {}
        self._ceiling = opened.store.ceiling
        self._due = self._commit_ms = 0.0
        self._began = -_RESTED_S
        """When the last commit began, loop time."""
        self._timer: asyncio.TimerHandle | None = None
        self._settle_timer: asyncio.TimerHandle | None = None
        self._beat_timer: asyncio.TimerHandle | None = None
        self._job: asyncio.Future[Done] | None = None
        self._save = False
        self._waiters: list[asyncio.Future[None]] = []
        self._on_append: list[Callable[[], None]] = []
        self._on_loss: list[Callable[[], None]] = []
        self._trouble: str | None = None
        self._appended_bytes = 0
        self._closed = False
        self._beat_timer = self._loop.call_later(limits.heartbeat_s, self._beat)

    @classmethod
    async def open(
        cls,
        folder: Path,
        limits: Limits,
        targets: Iterable[str],
        *,
        wall_ms: Callable[[], int],
        boot: str,
    ) -> Buffer:
        """Lock and open a store, making it when new; never fails because of content.

        Args:
            folder: The store's own folder.
            limits: Its bounds.
            targets: Names of all configured targets. A new one is owed what is stored.
            wall_ms: UTC milliseconds now.
            boot: Names the running boot of the machine.

        Raises:
            BufferLockedError: Another process has the folder.
            BufferTooNewError: A newer release wrote it; nothing was touched.
            OSError: The folder cannot be made or listed.
        """
        executor = ThreadPoolExecutor(1, thread_name_prefix="buffer")
        names = list(targets)
        try:
            opened = await asyncio.get_running_loop().run_in_executor(
                executor,
                lambda: open_store(folder, limits, names, wall_ms=wall_ms(), boot=boot),
            )
        except BaseException:
            executor.shutdown(wait=False)
            raise
        return cls(opened, limits, executor, wall_ms)

    # -- records in ----------------------------------------------------------------

    def append(
        self,
        data: bytes,
        *,
        cls: PriorityClass,
        subject: str,
        t_ms: int,
        settles: int | None = None,
    ) -> int:
        """Take a record; it is durable within the group commit's time.

        Args:
            data: The record, opaque.
            cls: What it is worth when room is short.
            subject: What its loss would be counted by.
            t_ms: Acquisition time, UTC ms.
            settles: Id of the loss this record states; settled together with it.

        Returns:
            Its seq.

        Raises:
            BufferClosedError: After `close`.
        """
        if self._closed:
            raise BufferClosedError("append after close")
        seq = self._high = self._high + 1
        entry = Entry(seq, cls, t_ms, subject, data)
        self._tail.append(entry)
        now = self._loop.time()
        self._pending.add(entry, settles, now)
        self._appended_bytes += len(data)
        if self._pending.size > self._limits.ring_bytes:
            self._shed()
        readable = self._ceiling is None or seq <= self._ceiling
        if seq > self._pace.soon:
            # The bound of what a crash can cost is always ahead of what is appended.
            self._pace.passed(seq)
            self._store.hint(seq, self._pace.soon, self._wall_ms())
        if self._trouble is None:
            if self._pace.hurry or not readable:
                self._commit_by(now)
            elif cls is PriorityClass.EVENT:
                self._commit_by(now + self._limits.event_s)
            elif self._timer is None:
                # What comes rarely is written at once: a second wake-up would cost
                # more than the commit, and it would save none.
                rested = now - self._began >= _RESTED_S
                self._commit_by(now + (_AT_ONCE_S if rested else self._limits.commit_s))
        if readable:
            for callback in tuple(self._on_append):
                callback()
        return seq

    async def flush(self) -> None:
        """Wait until all that was appended is durable, or the disk refused it.

        Raises:
            Exception: The bug that ended the buffer.
        """
        target = self._high
        while self._durable() < target:
            await self._committed_once()
            if self._trouble is not None:
                return

    def on_append(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` whenever more can be read; returns how to stop that."""
        self._on_append.append(callback)
        return lambda: self._on_append.remove(callback)

    # -- records out ---------------------------------------------------------------

    def peek(
        self,
        target: str,
        after: int,
        max_records: int,
        max_bytes: int,
        *,
        upto: int | None = None,
        classes: AbstractSet[PriorityClass] | None = None,
        skip: Intervals | None = None,
    ) -> list[Entry] | None:
        """Entries ``target`` is owed in ``after < seq <= upto``, oldest first.

        Args:
            target: Whose.
            after: Where this reader is.
            max_records: At most so many.
            max_bytes: At most so many bytes of data, but always one entry.
            upto: Highest seq wanted; the newest there is when left out.
            classes: Of these classes only; of all when left out.
            skip: Not these, although they are not resolved.

        Returns:
            As many as fit, always at least one if there is any; ``None`` when the
            next one is on disk and `read` must be used.
        """
        found = self._supply.in_memory(
            target,
            after,
            self._readable(upto),
            max_records=max_records,
            max_bytes=max_bytes,
            classes=classes,
            skip=skip,
        )
        return found and self._hand(found)

    async def read(
        self,
        target: str,
        after: int,
        max_records: int,
        max_bytes: int,
        *,
        upto: int | None = None,
        classes: AbstractSet[PriorityClass] | None = None,
        skip: Intervals | None = None,
    ) -> list[Entry]:
        """The same from disk and memory together.

        Raises:
            DiskTroubleError: A file cannot be opened now; try again later.
        """
        while True:
            found = self.peek(
                target,
                after,
                max_records,
                max_bytes,
                upto=upto,
                classes=classes,
                skip=skip,
            )
            if found is not None:
                return found
            wanted = self._supply.on_disk(
                target,
                after,
                self._readable(upto),
                max_records=max_records,
                classes=classes,
                skip=skip,
            )
            got = await self._read(wanted, max_records, max_bytes, classes)
            cursor = self._cursors[target]
            entries = [e for e in got.entries if not cursor.is_resolved(e.seq)]
            if entries:
                return self._hand(entries)
            if got.entries:
                after = got.entries[-1].seq
            elif not got.lost:
                return []

    async def _read(
        self,
        wanted: list[tuple[int, int]],
        max_records: int,
        max_bytes: int,
        classes: AbstractSet[PriorityClass] | None,
    ) -> Got:
        read = partial(self._reader.read, wanted, max_records, max_bytes, classes)
        got = await self._run(read)
        if got is None:
            # Something is not there: whose loss it is has to be known.
            owing = Owing(self._copies(), self._handed)
            got = await self._run(partial(read, owing)) or Got()
        if got.lost:
            self._save = True
            self._commit_by(self._loop.time())
            self._take_losses(got.losses, got.lost)
        return got

    def resolve(self, target: str, first: int, last: int) -> None:
        """Count ``first..last`` as proved by ``target``; stored by the next commit."""
        self._cursors[target].resolve(first, min(last, self._high))
        if self._timer is None and self._settle_timer is None and not self._closed:
            self._settle_timer = self._loop.call_later(_SETTLE_S, self._settle)

    def resolve_runs(self, target: str, runs: Iterable[tuple[int, int]]) -> None:
        """The same for several inclusive runs."""
        for first, last in runs:
            self.resolve(target, first, last)

    def floor(self, target: str) -> int:
        """All seqs up to here are resolved for ``target``."""
        return self._cursors[target].floor

    @property
    def high(self) -> int:
        """The newest seq given out."""
        return self._high

    def backlog(
        self,
        target: str,
        *,
        upto: int | None = None,
        above: int = 0,
        classes: AbstractSet[PriorityClass] | None = None,
    ) -> Backlog:
        """What ``target`` is still owed in ``above < seq <= upto`` of ``classes``.

        The age of a record on disk may lag a commit.
        """
        upto = self._high if upto is None else min(upto, self._high)
        return self._supply.backlog(target, above, upto, classes)

    # -- losses --------------------------------------------------------------------

    def losses(self) -> list[Loss]:
        """Losses no record states yet; state each by `append` with ``settles``."""
        stated = set(self._pending.settles.values())
        return [
            loss for _, loss in sorted(self._losses.items()) if loss.id not in stated
        ]

    def on_loss(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` when there is a new loss; returns how to stop that."""
        self._on_loss.append(callback)
        return lambda: self._on_loss.remove(callback)

    # -- notes, targets, state -----------------------------------------------------

    def remember(self, key: str, value: bytes | None, *, lazily: bool = False) -> None:
        """Keep a few bytes under ``key`` beside the records; ``None`` forgets it.

        Args:
            key: Its name.
            value: What to keep.
            lazily: Nothing is hastened: it is stored with the next heartbeat.
        """
        self._notes[key] = value
        if lazily:
            return
        self._save = True
        self._commit_by(self._loop.time() + self._limits.commit_s)

    async def remembered(self) -> None:
        """Wait until all that was remembered is durable, or the disk refused it.

        Raises:
            Exception: The bug that ended the buffer.
        """
        if self._job is not None:
            await self._committed_once()  # it may carry some of them
        while self._notes and self._trouble is None:
            self._save = True
            await self._committed_once()

    def recall(self, key: str) -> bytes | None:
        """What was remembered under ``key``."""
        if key in self._notes:
            return self._notes[key]
        return self._store.notes.get(key)

    def retarget(self, targets: Iterable[str]) -> None:
        """Change the set of targets: a removed one is parked, a new one added.

        A target parked less than `Limits.park_s` ago goes on where it was; a new one
        is owed what is stored.
        """
        names = set(targets)
        edge = self._tail.first - 1
        stored = self._store.stored()
        for name in names:
            if name not in self._cursors:
                cursor = self._cursors[name] = Cursor()
                for first, last in stored.gaps(1, edge):
                    cursor.resolve(first, last)
                for seq in range(edge + 1, self._high + 1):
                    if self._tail.get(seq) is None and seq not in stored:
                        cursor.resolve(seq, seq)
            self._parked.pop(name, None)
        for name in self._cursors.keys() - names:
            self._parked.setdefault(name, self._wall_ms())
        self._save = True
        self._commit_by(self._loop.time() + self._limits.commit_s)

    def stats(self) -> Stats:
        """The state now; cheap."""
        figures = self._store.figures
        active = {n: c for n, c in self._cursors.items() if n not in self._parked}
        return Stats(
            store=self.store,
            high=self._high,
            durable=self._durable(),
            pending=len(self._pending),
            bytes=figures.bytes,
            segments=figures.segments,
            floors={name: cursor.floor for name, cursor in active.items()},
            backlog={name: cursor.owed(self._high) for name, cursor in active.items()},
            losses=len(self.losses()),
            damaged_files=figures.damaged_files,
            degraded="disk" if self._trouble is not None else None,
            trouble=self._trouble,
            commits=figures.commits,
            bytes_appended=self._appended_bytes,
            bytes_stored=figures.bytes_stored,
            commit_ms=self._commit_ms,
        )

    # -- the end -------------------------------------------------------------------

    async def close(self) -> None:
        """Write all that is pending, note the exact end, let go; may be called twice.

        Raises:
            Exception: The bug that ended the buffer.
        """
        if self._closed:
            return
        try:
            await self.flush()
            while self._job is not None:
                await self._committed_once()
        except asyncio.CancelledError:
            self._let_go()  # not waited for: the disk may answer no more
            raise
        except BaseException:
            await self._let_go()
            raise
        self._closed = True
        self._stop_timers()
        clean = self._durable() >= self._high and not self._dropped
        work = self._work({})
        try:
            await self._run(lambda: self._store.close(work, clean=clean))
            self.failed.set_result(None)
        finally:
            self._executor.shutdown(wait=False)

    def _let_go(self) -> asyncio.Future[None]:
        """Close the files as they are, once the store's thread is free."""
        self._closed = True
        self._stop_timers()
        released = self._loop.run_in_executor(self._executor, self._store.release)
        self._executor.shutdown(wait=False)
        return released

    def abandon(self) -> None:
        """Drop everything not durable, as a crash would; for tests."""
        self._closed = True
        self._stop_timers()
        self._executor.shutdown(wait=True)
        self._store.release()
        if not self.failed.done():
            self.failed.set_result(None)

    # -- committing ----------------------------------------------------------------

    def _commit_by(self, due: float) -> None:
        """Begin a commit at ``due`` (loop time) at the latest."""
        if self._timer is not None:
            if due >= self._due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._commit)

    def _commit(self) -> None:
        """Hand everything pending to the store, unless a job is under way."""
        self._stop_timer()
        if self._job is not None or self._closed:
            return  # what is pending is picked up when the job ends
        if self._settle_timer is not None:
            self._settle_timer.cancel()
            self._settle_timer = None
        self._began = now = self._loop.time()
        groups = self._pending.begin(now - 2 * self._limits.ring_s)
        self._pace.begin(self._high, now)
        work = self._work(groups)
        self._dropped, self._notes, self._save = [], {}, False
        job = self._job = self._loop.run_in_executor(
            self._executor, self._store.commit, work
        )
        job.add_done_callback(lambda done: self._committed(done, work, now))

    def _work(self, groups: dict[PriorityClass, list[Entry]]) -> Work:
        """Snapshots of all a job may need."""
        self._supply.ask_for_oldest()
        return Work(
            groups=sorted(groups.items()),
            cursors=self._copies(),
            high=self._high,
            soon=self._pace.soon,
            bound=self._pace.bound(self._high),
            ceiling=self._pace.ceiling(self._high, self._ceiling or 0),
            wall_ms=self._wall_ms(),
            settles=dict(self._pending.settles),
            dropped=self._dropped,
            notes=self._notes,
            parked=dict(self._parked),
            save=self._save,
            times_of=self._supply.asked(),
            handed=self._handed,
        )

    def _committed(self, job: asyncio.Future[Done], work: Work, began: float) -> None:
        """Take in what became of a commit, on the loop."""
        self._job = None
        if job.cancelled():
            return
        exc = job.exception()
        if exc is not None:
            self._fail(exc)
            return
        done = job.result()
        self._commit_ms = (self._loop.time() - began) * 1000
        for cls, n in done.durable:
            self._on_disk.add(cls, work.entries(cls)[:n])
        for loss_id in self._pending.end(done.durable):
            self._losses.pop(loss_id, None)
        if not done.accepted:
            self._dropped = work.dropped + self._dropped
        self._notes = work.notes | self._notes
        self._supply.told(done.times)
        was_hidden = self._ceiling is not None and self._high > self._ceiling
        self._ceiling = self._store.ceiling
        self._take_losses(done.losses, done.lost)
        self._take_trouble(done.trouble)
        self._trim()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if was_hidden:
            for callback in tuple(self._on_append):
                callback()

    def _take_trouble(self, trouble: str | None) -> None:
        recovered = self._trouble is not None and trouble is None
        self._trouble = trouble
        if self._closed:
            return
        now = self._loop.time()
        if trouble is not None:
            self._shed()
            self._commit_by(now + _RETRY_S)
        elif recovered:
            # What was dropped meanwhile and every cursor it moved: written out now.
            self._save = True
            self._commit_by(now)
        elif self._pending or self._save:
            urgent = self._pending.has_events() or self._pace.hurry
            wait = 0.0 if urgent else self._limits.commit_s
            self._commit_by(max(now, self._pending.since + wait))

    def _trim(self) -> None:
        floor = min((cursor.floor for cursor in self._cursors.values()), default=0)
        self._on_disk.forget(floor)
        self._tail.trim(
            self._limits.tail_bytes, durable=self._durable(), wanted=floor + 1
        )

    def _shed(self) -> None:
        """Keep the ring: drop what is too old or too much, and count it."""
        had, lost = self._pending.shed(
            older_than=self._loop.time() - self._limits.ring_s,
            ring_bytes=self._limits.ring_bytes,
            resolved=resolved_by_all(self._cursors.values()),
        )
        for entry in (*had, *lost):
            self._tail.drop(entry.seq)
        for entry in lost:
            for cursor in self._cursors.values():
                cursor.resolve(entry.seq, entry.seq)
        known = max(len(self._dropped) - 1, 0)
        ring.tally(self._dropped, lost)
        self._dropped[known:] = unsure_up_to(self._handed, self._dropped[known:])

    def _take_losses(self, losses: list[Loss], lost: Intervals) -> None:
        if lost:
            for cursor in self._cursors.values():
                cursor.resolve_all(lost)
        if losses:
            self._losses |= {loss.id: loss for loss in losses}
            for callback in tuple(self._on_loss):
                callback()

    # -- small things --------------------------------------------------------------

    def _copies(self) -> dict[str, Cursor]:
        return {name: cursor.copy() for name, cursor in self._cursors.items()}

    def _durable(self) -> int:
        """All seqs up to here are on disk or need not be."""
        first = self._pending.first()
        return self._high if first is None else first - 1

    def _readable(self, upto: int | None) -> int:
        """The newest seq that may be given to anyone, at most ``upto``."""
        end = self._high if upto is None else min(self._high, upto)
        return end if self._ceiling is None else min(end, self._ceiling)

    def _hand(self, entries: list[Entry]) -> list[Entry]:
        self._handed = max(self._handed, entries[-1].seq)
        return entries

    async def _committed_once(self) -> None:
        """Wait for the end of a commit, beginning one if none is under way."""
        if self.failed.done():
            self.failed.result()
            raise BufferClosedError("flush after close")
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        self._commit()
        await waiter

    async def _run(self, job: Callable[[], _T]) -> _T:
        try:
            return await self._loop.run_in_executor(self._executor, job)
        except Exception as exc:
            if kind_of(exc) == "bug":
                self._fail(exc)
            raise

    def _fail(self, exc: BaseException) -> None:
        self._stop_timers()
        if not self.failed.done():
            self.failed.set_exception(exc)
            self.failed.exception()  # whoever flushes or closes meets it, too
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(exc)

    def _settle(self) -> None:
        self._settle_timer = None
        self._save = True
        self._commit()

    def _beat(self) -> None:
        self._save = True
        for name, since in list(self._parked.items()):
            if self._wall_ms() - since > self._limits.park_s * 1000:
                del self._parked[name], self._cursors[name]
        if self._job is None and self._trouble is None:
            self._commit()
        self._beat_timer = self._loop.call_later(self._limits.heartbeat_s, self._beat)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_timers(self) -> None:
        self._stop_timer()
        for timer in (self._settle_timer, self._beat_timer):
            if timer is not None:
                timer.cancel()
        self._settle_timer = self._beat_timer = None

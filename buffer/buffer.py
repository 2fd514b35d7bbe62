"""The buffer as the gateway sees it: the event loop's half.

Its parts: `buffer.memory` (newest records and cursors), `buffer.supply` (what a target
is owed), `buffer.committer` (when something is written). Everything that blocks is in
`buffer.store` and runs in one thread of its own, one job at a time. A job gets
snapshots and gives back what became of them, so neither half waits for a lock.

    append -> tail + pending --Committer--> Store.commit -> durable
    peek   <- tail                          Store, Reader -> read
    resolve -> cursor --rides with the next commit--> stamp or control file

Write avoidance (ADR 0006). What is stored of a seq, by what was known of it when it was
due, 0.7 s after its append (events 20 ms):

    row  not proved by some target, parked ones too     written
    row  proved by every target                         dropped: no write, no fsync
    row  no target at all                               written
    row  settles a loss                                 written
    row  `Limits.write_through`                         written
    row  every target's cursor is in too many pieces    written, until it is not

And what a seq that is not on disk means to whoever opens the store next:

    row  listed as absent, or at or below a floor       proved by all, or stated lost
    row  at or below the durable high-water, else       damaged
    row  above it, after a clean stop                   never used
    row  above it, after an unclean stop                unknown: one loss, not certain,
                                                        of at most what was at risk

A seq is handed out only at or below the durable ceiling (`buffer.mark`), so that none
is ever used for two records.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from buffer.committer import Committer
from buffer.errors import BufferClosedError, kind_of
from buffer.memory import Memory
from buffer.model import Backlog, Entry, Limits, Loss, PriorityClass, Stats
from buffer.reader import Got, Owing, Reader
from buffer.recover import open_store
from buffer.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from buffer.intervals import Intervals
    from buffer.recover import Opened

_T = TypeVar("_T")

CLOSE_TRIES = 3
"""At the end there is no later commit that could take what one refused."""


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
        self._executor = executor
        self.ended = opened.ended
        """The end of the run before this one; None for a new store."""
        self.store = opened.store.id
        """Eight hex digits naming this store; a new store has a new one."""
        self.failed: asyncio.Future[None] = self._loop.create_future()
        """Gets the exception that ended the buffer: a bug, never disk trouble."""
        self._memory = memory = Memory(opened, limits)
        self._supply = Supply(memory.cursors, memory.tail, memory.on_disk)
        self._committer = Committer(
            memory,
            self._supply,
            opened.store,
            limits,
            loop=self._loop,
            executor=executor,
            wall_ms=wall_ms,
            on_losses=lambda _losses: _call(self._on_loss),
            on_readable=lambda: _call(self._on_append),
            on_bug=self._fail,
        )
        self._on_append: list[Callable[[], None]] = []
        self._on_loss: list[Callable[[], None]] = []
        self._appended_bytes = 0
        self._jobs: list[float] = []
        """When the reads under way were asked for, loop time."""
        self._closed = False

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
            OSError, DiskTroubleError: The disk refuses; it may be asked again.
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
        memory = self._memory
        seq = memory.high = memory.high + 1
        entry = Entry(seq, cls, t_ms, subject, data)
        memory.tail.append(entry)
        now = self._loop.time()
        memory.pending.add(entry, settles, now)
        self._appended_bytes += len(data)
        self._committer.appended(entry, now)
        if memory.ceiling is None or seq <= memory.ceiling:
            _call(self._on_append)
        return seq

    async def flush(self) -> None:
        """Wait until all that was appended is durable or proved by every target.

        Returns early when the disk refuses.

        Raises:
            Exception: The bug that ended the buffer.
        """
        target = self._memory.high
        while self._memory.durable() < target:
            self._check()
            await self._committer.settled()
            if self._committer.trouble is not None:
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
            cursor = self._memory.cursors[target]
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
            owing = Owing(self._memory.copies(), self._memory.given.copy())
            got = await self._run(partial(read, owing)) or Got()
        if got.lost:
            self._committer.save_soon()
            self._committer.take_losses(got.losses, got.lost)
        return got

    def resolve(self, target: str, first: int, last: int) -> None:
        """Count ``first..last`` as proved by ``target``."""
        memory = self._memory
        last = min(last, memory.high)
        memory.cursors[target].resolve(first, last)
        self._committer.resolved(first, last)

    def resolve_runs(self, target: str, runs: Iterable[tuple[int, int]]) -> None:
        """The same for several inclusive runs."""
        for first, last in runs:
            self.resolve(target, first, last)

    def floor(self, target: str) -> int:
        """All seqs up to here are resolved for ``target``."""
        return self._memory.cursors[target].floor

    @property
    def high(self) -> int:
        """The newest seq given out."""
        return self._memory.high

    @property
    def oldest(self) -> int:
        """No record below this seq can still be asked for, by whatever target."""
        stored, pending = self._store.stored(), self._memory.pending.first()
        found = [] if pending is None else [pending]
        return min(found + stored.edges[:1], default=self.high + 1)

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
        high = self._memory.high
        upto = high if upto is None else min(upto, high)
        return self._supply.backlog(target, above, upto, classes)

    # -- losses --------------------------------------------------------------------

    def losses(self) -> list[Loss]:
        """Losses no record states yet; state each by `append` with ``settles``."""
        stated = set(self._memory.pending.settles.values())
        known = sorted(self._memory.losses.items())
        return [loss for _, loss in known if loss.id not in stated]

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
        self._committer.remember(key, value, lazily=lazily)

    async def remembered(self) -> None:
        """Wait until all that was remembered is durable, or the disk refused it.

        Raises:
            Exception: The bug that ended the buffer.
        """
        self._check()
        await self._committer.remembered()

    def recall(self, key: str) -> bytes | None:
        """What was remembered under ``key``."""
        return self._committer.recall(key)

    def retarget(self, targets: Iterable[str]) -> None:
        """Change the set of targets: a removed one is parked, a new one added.

        A target parked for less than `Limits.park_s`, counted while the store is open,
        goes on where it was; a new one is owed what is stored.
        """
        self._memory.retarget(set(targets), self._store.present())
        self._committer.save_soon()

    def stats(self) -> Stats:
        """The state now; cheap."""
        figures, memory = self._store.figures, self._memory
        active = {n: c for n, c in memory.cursors.items() if n not in memory.parked}
        trouble = self._committer.trouble
        return Stats(
            store=self.store,
            high=memory.high,
            durable=memory.durable(),
            pending=len(memory.pending),
            avoided=memory.avoided_records,
            bytes=figures.bytes,
            segments=figures.segments,
            floors={name: cursor.floor for name, cursor in active.items()},
            backlog={name: cursor.owed(memory.high) for name, cursor in active.items()},
            losses=len(self.losses()),
            damaged_files=figures.damaged_files,
            degraded="disk" if trouble is not None else None,
            trouble=trouble,
            commits=figures.commits,
            bytes_appended=self._appended_bytes,
            bytes_stored=figures.bytes_stored,
            commit_ms=self._committer.commit_ms,
            working_ms=self._working_ms(),
        )

    # -- the end -------------------------------------------------------------------

    async def close(self) -> None:
        """Write all that is owed, note the exact end, let go; may be called twice.

        Raises:
            Exception: The bug that ended the buffer.
        """
        if self._closed:
            return
        try:
            for _ in range(CLOSE_TRIES):
                await self.flush()
                if self._committer.trouble is None:
                    break
            while self._committer.busy:
                await self._committer.settled()
        except asyncio.CancelledError:
            self._let_go()  # not waited for: the disk may answer no more
            raise
        except BaseException:
            await self._let_go()
            raise
        self._end()
        memory = self._memory
        clean = memory.durable() >= memory.high and not memory.dropped
        work = self._committer.work({})
        try:
            await self._run(lambda: self._store.close(work, clean=clean))
            self.failed.set_result(None)
        finally:
            self._executor.shutdown(wait=False)

    def _let_go(self) -> asyncio.Future[None]:
        """Close the files as they are, once the store's thread is free."""
        self._end()
        released = self._loop.run_in_executor(self._executor, self._store.release)
        self._executor.shutdown(wait=False)
        return released

    def abandon(self) -> None:
        """Drop everything not durable, as a crash would; for tests."""
        self._end()
        self._executor.shutdown(wait=True)
        self._store.release()
        if not self.failed.done():
            self.failed.set_result(None)

    def _end(self) -> None:
        self._closed = True
        self._committer.stop()

    # -- small things --------------------------------------------------------------

    def _readable(self, upto: int | None) -> int:
        """The newest seq that may be given to anyone, at most ``upto``."""
        end = self._memory.readable()
        return end if upto is None else min(end, upto)

    def _hand(self, entries: list[Entry]) -> list[Entry]:
        self._memory.give(entries[0].seq, entries[-1].seq)
        return entries

    def _check(self) -> None:
        if self.failed.done():
            self.failed.result()
            raise BufferClosedError("flush after close")

    async def _run(self, job: Callable[[], _T]) -> _T:
        began = self._loop.time()
        self._jobs.append(began)
        try:
            return await self._loop.run_in_executor(self._executor, job)
        except Exception as exc:
            if kind_of(exc) == "bug":
                self._fail(exc)
            raise
        finally:
            self._jobs.remove(began)

    def _working_ms(self) -> float:
        """For how long the oldest job, a commit or a read, has been with the disk."""
        read_s = self._loop.time() - min(self._jobs) if self._jobs else 0.0
        return max(self._committer.working_ms(), read_s * 1000)

    def _fail(self, exc: BaseException) -> None:
        self._committer.stop()
        if not self.failed.done():
            self.failed.set_exception(exc)
            self.failed.exception()  # whoever flushes or closes meets it, too
        self._committer.wake(exc)


def _call(callbacks: list[Callable[[], None]]) -> None:
    for callback in tuple(callbacks):
        callback()

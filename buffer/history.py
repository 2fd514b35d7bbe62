"""Minutes, hours, days and events of a year, in a folder and a quota of their own.

    put --> durable when it returns (`buffer.shelf`: entries, later compressed blocks)
    read, revs, walk <-- by subject, kind and time
    mark --> kept in memory, written some seconds later; fates <-- both together

The event loop's half: everything that blocks is in `buffer.archive` and runs in one
thread of its own, one job at a time. A long read is many small jobs, so that a `put`
never waits for a year of minutes.

A disk that takes nothing: `put` raises, and keeps what it was given in memory (bounded)
to try again every second; what is read meanwhile has it. Marks are written after the
fact: a kill loses the last of them, and then a record counts as less proved than it is.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import msgspec

from buffer import history_block
from buffer.archive import Archive, Damage, Due, Fates, Kept, Room
from buffer.errors import BufferClosedError, DiskTroubleError
from buffer.history_block import Cut, Revision, uncut
from buffer.shelf import SPANS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from pathlib import Path

_T = TypeVar("_T")

Fate = Literal["sent", "written", "proved"]
"""Given to the connection; all of it written there; confirmed by the platform."""
_FATES: tuple[Fate, ...] = get_args(Fate)
_LEVEL = {fate: level for level, fate in enumerate(_FATES, start=1)}

MB = 1_000_000
MARKS_S = 5.0
"""The longest that a mark is in memory only."""
RETRY_S = 1.0
WAITING_BYTES = 16 * MB
"""Of records that the disk did not take; beyond, the oldest are lost and counted."""


class HistoryStats(msgspec.Struct, frozen=True):
    """The history's state for status and health."""

    bytes: int
    max_bytes: int
    oldest: dict[str, int]
    """Kind -> UTC ms at which its oldest file begins."""
    evicted: int
    """Files given up for want of room, since open."""
    damages: list[Damage]
    """Files set aside since open."""
    waiting: int
    """Records that the disk has not taken yet."""
    dropped: int
    """Records lost while it took none."""
    trouble: str | None


class History:
    """The long memory of one gateway."""

    def __init__(
        self, archive: Archive, executor: ThreadPoolExecutor, room: Room, cut: Cut
    ) -> None:
        """Use `open`."""
        self._loop = asyncio.get_running_loop()
        self._archive = archive
        self._executor = executor
        self._packer = ThreadPoolExecutor(1, thread_name_prefix="history-pack")
        self._cut = cut
        self._marks: Fates = {}
        self._writing: Fates = {}
        self._waiting: dict[tuple[str, str, int, int], Kept] = {}
        self._dropped = 0
        self._trouble: str | None = None
        self._marks_timer: asyncio.TimerHandle | None = None
        self._retry_timer: asyncio.TimerHandle | None = None
        self._packing = False
        self._at_rest: asyncio.Future[None] | None = None
        self._closed = False
        self._room = room
        self.on_damage: Callable[[Damage], None] = lambda _damage: None
        """Called when a file was set aside."""
        self._told = 0

    @classmethod
    async def open(
        cls, folder: Path, max_bytes: int, *, keep_free: int = 0, cut: Cut = uncut
    ) -> History:
        """Open a history, making it when new; never fails because of content.

        Args:
            folder: Its own.
            max_bytes: The most its files may take together.
            keep_free: Bytes of the file system left to others: below, old minutes go.
            cut: How records are cut, so that blocks of them take less room.

        Raises:
            BufferLockedError: Another process has the folder.
            BufferTooNewError: A newer release wrote it; nothing was touched.
            OSError: The disk refuses; it may be asked again.
        """
        return await cls._opened(partial(Archive, folder, max_bytes, keep_free), cut)

    @classmethod
    async def look(cls, folder: Path) -> History:
        """Open a history only to read it: nothing is locked, made or put right.

        Only where nobody else has it open; see ``buffer.lock.holder``.

        Raises:
            FileNotFoundError: There is none.
        """
        make = partial(Archive, folder, 1 << 62, 0, look_only=True)
        return await cls._opened(make, uncut)

    @classmethod
    async def _opened(cls, make: Callable[[], Archive], cut: Cut) -> History:
        executor = ThreadPoolExecutor(1, thread_name_prefix="history")
        loop = asyncio.get_running_loop()
        try:
            archive = await loop.run_in_executor(executor, make)
            room = await loop.run_in_executor(executor, archive.room)
        except BaseException:
            executor.shutdown(wait=False)
            raise
        return cls(archive, executor, room, cut)

    # -- records in ----------------------------------------------------------

    async def put(self, entries: Iterable[Kept]) -> list[Kept]:
        """Keep records; durable when this returns.

        The same record again changes nothing. A record is never replaced: what is
        worked out again needs a revision of its own.

        Returns:
            Those refused: another record has their subject, kind, time and revision.

        Raises:
            DiskTroubleError: The disk refuses; they are kept in memory and tried again.
            BufferClosedError: After `close`.
        """
        mine = list(entries)
        self._check()
        refused = []
        for entry in mine:
            if entry.kind not in SPANS:
                known = ", ".join(SPANS)
                raise ValueError(f"kind: expected one of {known}, got {entry.kind!r}")
            if self._waiting.setdefault(_key(entry), entry) != entry:
                refused.append(entry)
        try:
            refused += [entry for entry in await self._store() if entry in mine]
        finally:
            self._bound_waiting()
        self._pack_soon()
        return refused

    async def _store(self) -> list[Kept]:
        batch = list(self._waiting.values())
        try:
            refused = await self._run(partial(self._archive.put, batch))
        except DiskTroubleError as exc:
            self._trouble = str(exc)
            self._retry_soon()
            raise
        self._trouble = None
        for entry in batch:
            self._waiting.pop(_key(entry), None)
        return refused

    def _bound_waiting(self) -> None:
        size = sum(len(e.data) for e in self._waiting.values())
        for key in list(self._waiting):
            if size <= WAITING_BYTES:
                return
            size -= len(self._waiting.pop(key).data)
            self._dropped += 1

    # -- records out ---------------------------------------------------------

    async def read(
        self, subject: str, kind: str, since_ms: int, until_ms: int
    ) -> list[Revision]:
        """Records in ``since_ms <= t < until_ms``, the latest revision of each.

        Returns:
            ``(t_ms, rev, data)``, ascending by time. A year of minutes is much: see
            `walk`.

        Raises:
            DiskTroubleError: A file cannot be read now.
        """
        return _latest(await self.revs(subject, kind, since_ms, until_ms))

    async def revs(
        self, subject: str, kind: str, since_ms: int, until_ms: int
    ) -> list[Revision]:
        """The same with all revisions, ascending by time and revision."""
        found: list[Revision] = []
        async for part in self._parts(subject, kind, since_ms, until_ms):
            found += part
        return found

    async def walk(
        self, subject: str, kind: str, since_ms: int, until_ms: int
    ) -> AsyncGenerator[list[Revision]]:
        """As `read`, some hundred records at a time: for what would not fit memory."""
        async for part in self._parts(subject, kind, since_ms, until_ms):
            yield _latest(part)

    async def _parts(
        self, subject: str, kind: str, since_ms: int, until_ms: int
    ) -> AsyncGenerator[list[Revision]]:
        waiting = [
            Revision(e.t_ms, e.rev, e.data)
            for e in self._waiting.values()
            if (e.subject, e.kind) == (subject, kind) and since_ms <= e.t_ms < until_ms
        ]
        archive = self._archive
        async for low, high in self._windows(subject, kind, since_ms, until_ms):
            found = await self._run(partial(archive.read, subject, kind, low, high))
            mine = [r for r in waiting if low <= r.t_ms < high]
            if mine:
                waiting = [r for r in waiting if not low <= r.t_ms < high]
                found = sorted({(r.t_ms, r.rev): r for r in (*mine, *found)}.values())
            yield found
        if waiting:
            yield sorted(waiting)

    async def _windows(
        self, subject: str, kind: str, since_ms: int, until_ms: int
    ) -> AsyncGenerator[tuple[int, int]]:
        """What is good for one job each: not even a look into a year of files is."""
        archive = self._archive
        for low, high in await self._run(
            partial(archive.files, kind, since_ms, until_ms)
        ):
            for window in await self._run(
                partial(archive.windows, subject, kind, low, high)
            ):
                yield window

    async def span(self, subject: str, kind: str) -> tuple[int, int] | None:
        """Times of the first and the last record; None: there is none."""
        return await self._run(partial(self._archive.span, subject, kind))

    # -- fates ---------------------------------------------------------------

    def mark(
        self, target: str, subject: str, kind: str, t_ms: int, rev: int, fate: Fate
    ) -> None:
        """Note what became of a record; cheap, durable some seconds later.

        A fate only rises: what is proved stays so.
        """
        key = target, subject, kind, t_ms, rev
        level = _LEVEL[fate]
        if level > self._marks.get(key, 0):
            self._marks[key] = level
        if self._marks_timer is None and not self._closed:
            self._marks_timer = self._loop.call_later(MARKS_S, self._write_marks)

    async def fates(
        self, target: str, subject: str, kind: str, since_ms: int, until_ms: int
    ) -> list[tuple[int, int, Fate]]:
        """What became of records: ``(t_ms, rev, fate)``, ascending; of none is none."""
        archive = self._archive
        found: dict[tuple[int, int], int] = {}
        for low, high in await self._run(
            partial(archive.files, kind, since_ms, until_ms)
        ):
            found |= await self._run(
                partial(archive.fates, target, subject, kind, low, high)
            )
        for marks in (self._writing, self._marks):
            for (whose, what, which, t, rev), level in marks.items():
                same = (whose, what, which) == (target, subject, kind)
                if same and since_ms <= t < until_ms:
                    found[t, rev] = max(level, found.get((t, rev), 0))
        return [(t, rev, _FATES[found[t, rev] - 1]) for t, rev in sorted(found)]

    async def flush(self) -> None:
        """Make what was marked durable, and try again what the disk refused.

        Raises:
            DiskTroubleError: The disk refuses.
        """
        self._check()
        if self._waiting:
            await self._store()
        await self._flush_marks()

    async def _flush_marks(self) -> None:
        while self._marks:
            marks = self._take_marks()
            try:
                await self._run(partial(self._archive.raise_fates, marks))
            except DiskTroubleError:
                self._give_back(marks)
                raise
            finally:
                self._writing = {}

    def _take_marks(self) -> Fates:
        if self._marks_timer is not None:
            self._marks_timer.cancel()
            self._marks_timer = None
        self._writing, self._marks = self._marks, {}
        return self._writing

    def _give_back(self, marks: Fates) -> None:
        for key, level in marks.items():
            self._marks[key] = max(level, self._marks.get(key, 0))

    # -- by itself -----------------------------------------------------------

    def _write_marks(self) -> None:
        self._marks_timer = None
        if self._writing:  # the write before has not ended
            self._marks_timer = self._loop.call_later(MARKS_S, self._write_marks)
            return
        marks = self._take_marks()
        job = self._submit(partial(self._archive.raise_fates, marks))
        job.add_done_callback(partial(self._marks_written, marks))

    def _marks_written(self, marks: Fates, job: asyncio.Future[None]) -> None:
        self._writing = {}
        if _failed(job) is not None:
            self._give_back(marks)
            if not self._closed and self._marks_timer is None:
                self._marks_timer = self._loop.call_later(MARKS_S, self._write_marks)
        self._after()

    def _retry_soon(self) -> None:
        if self._retry_timer is None and not self._closed:
            self._retry_timer = self._loop.call_later(RETRY_S, self._retry)

    def _retry(self) -> None:
        self._retry_timer = None
        batch = list(self._waiting.values())
        if batch:
            job = self._submit(partial(self._archive.put, batch))
            job.add_done_callback(partial(self._retried, batch))

    def _retried(self, batch: list[Kept], job: asyncio.Future[list[Kept]]) -> None:
        error = _failed(job)
        if error is None:
            self._trouble = None
            for entry in batch:
                self._waiting.pop(_key(entry), None)
        else:
            self._trouble = str(error)
            self._retry_soon()
        self._after()

    def _pack_soon(self) -> None:
        """Look for a block that is over; packing takes a second, in another thread."""
        if not self._packing and not self._closed:
            self._packing = True
            self._submit(self._archive.due).add_done_callback(self._found_due)

    def _found_due(self, job: asyncio.Future[Due | None]) -> None:
        due = None if _failed(job) is not None else job.result()
        self._after()
        if due is None or self._closed:
            self._rest()
            return
        work = partial(history_block.pack, due.start_ms, due.records, self._cut)
        packing = self._loop.run_in_executor(self._packer, work)
        packing.add_done_callback(partial(self._packed, due))

    def _packed(self, due: Due, job: asyncio.Future[bytes]) -> None:
        if self._closed or _failed(job) is not None:
            self._rest()
            return
        stored = self._submit(partial(self._archive.pack, due, job.result()))
        stored.add_done_callback(self._stored_block)

    def _stored_block(self, job: asyncio.Future[None]) -> None:
        self._packing = False
        error = _failed(job)
        self._after()
        if error is None:
            self._pack_soon()
        if not self._packing:
            self._rest()

    async def settled(self) -> None:
        """Wait until every block of time that is over is packed."""
        self._pack_soon()
        while self._packing and not self._closed:
            self._at_rest = self._at_rest or self._loop.create_future()
            await asyncio.shield(self._at_rest)

    def _rest(self) -> None:
        self._packing = False
        if self._at_rest is not None:
            self._at_rest.set_result(None)
            self._at_rest = None

    # -- the rest ------------------------------------------------------------

    def stats(self) -> HistoryStats:
        """Everything about it, now."""
        return HistoryStats(
            bytes=self._room.bytes,
            max_bytes=self._archive.max_bytes,
            oldest=self._room.oldest,
            evicted=self._room.evicted,
            damages=list(self._archive.damages),
            waiting=len(self._waiting),
            dropped=self._dropped,
            trouble=self._trouble,
        )

    async def close(self) -> None:
        """Write what waits and close; may be called twice.

        What the disk does not take now is lost with the process.
        """
        if self._closed:
            return
        try:
            await self.flush()
        except DiskTroubleError as exc:
            self._trouble = str(exc)
        self._closed = True
        for timer in (self._marks_timer, self._retry_timer):
            if timer is not None:
                timer.cancel()
        self._rest()
        await self._loop.run_in_executor(self._executor, self._archive.close)
        self._executor.shutdown(wait=False)
        self._packer.shutdown(wait=False)

    def _check(self) -> None:
        if self._closed:
            raise BufferClosedError("history used after close")

    async def _run(self, work: Callable[[], _T]) -> _T:
        self._check()
        try:
            return await self._submit(work)
        finally:
            self._after()

    def _submit(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        def job() -> _T:
            try:
                return work()
            finally:
                self._room = self._archive.room()

        return self._loop.run_in_executor(self._executor, job)

    def _after(self) -> None:
        """Tell of damage that came to light."""
        damages = self._archive.damages
        while self._told < len(damages):
            self._told += 1
            self.on_damage(damages[self._told - 1])


def _key(entry: Kept) -> tuple[str, str, int, int]:
    return entry.subject, entry.kind, entry.t_ms, entry.rev


def _latest(revisions: list[Revision]) -> list[Revision]:
    """The last of each time; they come ascending."""
    return list({r.t_ms: r for r in revisions}.values())


def _failed(job: asyncio.Future[_T]) -> BaseException | None:
    """Why a job failed because of the disk; a bug is raised into the loop.

    Raises:
        Exception: The bug.
    """
    if job.cancelled():
        return asyncio.CancelledError()
    error = job.exception()
    if error is not None and not isinstance(error, DiskTroubleError):
        raise error
    return error

"""The folder of the history: its files, their room, and what is damaged in it.

Blocking; `buffer.history` calls it from a thread of its own.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from buffer import files, history_rescue, salvage
from buffer.errors import DamagedError, DiskTroubleError, kind_of
from buffer.lock import FolderLock
from buffer.shelf import SPANS, Item, Shelf, read_name, start_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from buffer.history_block import Revision

_T = TypeVar("_T")
_OPEN_FILES = 6
_RECENT = 2
"""Files of a kind that a start looks into to see whether something is left to do."""
_SPARE_BYTES = 64 * 1024
_RANK = {kind: rank for rank, kind in enumerate(SPANS)}

Fates = dict[tuple[str, str, str, int, int], int]
"""(target, subject, kind, t, rev) -> level."""
Levels = dict[tuple[str, str, int], dict[tuple[int, int], int]]
"""(target, subject, block of time) -> (t, rev) -> level."""


class Kept(NamedTuple):
    """One record for the history; ``data`` and ``subject`` are opaque."""

    subject: str
    kind: str
    """``minute``, ``hour``, ``day`` or ``event``."""
    t_ms: int
    rev: int
    data: bytes


class Damage(msgspec.Struct, frozen=True):
    """A file that was set aside."""

    name: str
    kept: int
    """Rows that could still be read; their blocks hold many records."""
    error: str


class Due(NamedTuple):
    """A block of time that is over, and all that is known of it."""

    key: tuple[str, int]
    subject: str
    start_ms: int
    records: list[Revision]


class Room(NamedTuple):
    """How much there is, for the other thread."""

    bytes: int
    oldest: dict[str, int]
    """Kind -> start of its oldest file, UTC ms."""
    evicted: int
    """Files given up for want of room, since open."""


class Archive:
    """All files of one folder."""

    def __init__(
        self, folder: Path, max_bytes: int, keep_free: int, *, look_only: bool = False
    ) -> None:
        """Make the folder, lock it, and see what is there; no file is read yet.

        Args:
            folder: The history's own.
            max_bytes: Of the whole folder.
            keep_free: Bytes of the file system left to others.
            look_only: Nothing is made, locked or put right.

        Raises:
            BufferLockedError: Another process has the folder.
            BufferTooNewError: A newer release wrote it; nothing was touched.
            OSError: The disk refuses.
        """
        self.folder, self.max_bytes, self.keep_free = folder, max_bytes, keep_free
        self.damages: list[Damage] = []
        self.evicted = 0
        self._lock: FolderLock | None = None
        self._shelves: dict[tuple[str, int], Shelf] = {}
        self._newest: dict[tuple[str, str], int] = {}
        self._look_only = look_only
        self._aside = 0
        if not look_only:
            files.make_folder(folder)
            self._lock = FolderLock(folder)
        try:
            self._look()
        except BaseException:
            self.close()
            raise

    def _look(self) -> None:
        if not self._look_only:
            history_rescue.finish_interrupted(self.folder)
        names = {p.name.removesuffix("-wal") for p in self.folder.iterdir()}
        found = [key for name in names if (key := read_name(name)) is not None]
        look = self._look_only
        shelves = {k: Shelf(self.folder, *k, look_only=look) for k in sorted(found)}
        # One file alone may be a flipped bit; the buffer's own files are asked as well.
        files.refuse_newer([s.path for s in shelves.values()], vouched=True)
        self._shelves = shelves
        if not self._look_only:
            self._aside = salvage.trim(self.folder, self.max_bytes // 16)

    # -- records -------------------------------------------------------------

    def put(self, entries: Iterable[Kept]) -> list[Kept]:
        """Make records durable.

        Returns:
            Those refused: another record has their subject, kind, time and revision.

        Raises:
            DiskTroubleError: What was not taken by then was not taken.
        """
        groups: dict[tuple[str, int], list[Kept]] = {}
        for entry in entries:
            key = entry.kind, start_of(entry.kind, entry.t_ms)
            groups.setdefault(key, []).append(entry)
        refused: list[Kept] = []
        for key, group in groups.items():
            items = [(e.subject, e.t_ms, e.rev, e.data) for e in group]
            self._make_room(sum(len(e.data) for e in group))
            for subject, t, rev, data in self._put(key, items):
                refused.append(Kept(subject, key[0], t, rev, data))
        for entry in (e for group in groups.values() for e in group):
            whose = entry.subject, entry.kind
            self._newest[whose] = max(entry.t_ms, self._newest.get(whose, 0))
        return refused

    def _put(self, key: tuple[str, int], items: list[Item]) -> list[Item]:
        return self._on(key, lambda shelf: shelf.put(items), writes=True)

    def files(self, kind: str, since_ms: int, until_ms: int) -> list[tuple[int, int]]:
        """Stretches of time, one a file; no file is looked into."""
        shelves = (self._shelves[key] for key in self._of(kind, since_ms, until_ms))
        spans = [(shelf.start_ms, shelf.end_ms) for shelf in shelves]
        return [(max(a, since_ms), min(b, until_ms)) for a, b in spans]

    def windows(
        self, subject: str, kind: str, since_ms: int, until_ms: int
    ) -> list[tuple[int, int]]:
        """Stretches of time with something in them, each good for one `read`."""
        found = []
        for key in self._of(kind, since_ms, until_ms):
            starts = self._on(key, lambda s: s.windows(subject, since_ms, until_ms))
            found += [(s, s + SPANS[kind].block_ms) for s in starts]
        return [(max(a, since_ms), min(b, until_ms)) for a, b in found]

    def read(
        self, subject: str, kind: str, since_ms: int, until_ms: int
    ) -> list[Revision]:
        """Every revision in ``since_ms <= t < until_ms``, ascending."""
        found: list[Revision] = []
        for key in self._of(kind, since_ms, until_ms):
            found += self._on(key, lambda s: s.read(subject, since_ms, until_ms))
        return found

    def span(self, subject: str, kind: str) -> tuple[int, int] | None:
        """Times of the first and the last record."""
        keys = self._of(kind)
        first = self._first(keys, subject)
        last = self._first(reversed(keys), subject)
        return (first[0], last[1]) if first and last else None

    def _first(
        self, keys: Iterable[tuple[str, int]], subject: str
    ) -> tuple[int, int] | None:
        for key in keys:
            span = self._on(key, lambda s: s.span(subject))
            if span is not None:
                return span
        return None

    # -- fates ---------------------------------------------------------------

    def raise_fates(self, changes: Fates) -> None:
        """Take higher levels in; what has no record any more is forgotten.

        Raises:
            DiskTroubleError: Some of it is not durable.
        """
        by_shelf: dict[tuple[str, int], Levels] = {}
        for (target, subject, kind, t, rev), level in changes.items():
            key = kind, start_of(kind, t)
            shelf = self._shelves.get(key)
            if shelf is not None:
                block = target, subject, shelf.block_of(t)
                found = by_shelf.setdefault(key, {}).setdefault(block, {})
                found[t, rev] = level
        for key, levels in by_shelf.items():
            self._raise(key, levels)

    def _raise(self, key: tuple[str, int], levels: Levels) -> None:
        self._on(key, lambda shelf: shelf.raise_fates(levels), writes=True)

    def fates(
        self, target: str, subject: str, kind: str, since_ms: int, until_ms: int
    ) -> dict[tuple[int, int], int]:
        """What became of records: (t, rev) -> level."""
        found: dict[tuple[int, int], int] = {}
        for key in self._of(kind, since_ms, until_ms):

            def of(shelf: Shelf) -> dict[tuple[int, int], int]:
                starts = shelf.fate_windows(target, subject, since_ms, until_ms)
                levels: dict[tuple[int, int], int] = {}
                for start in starts:
                    levels |= shelf.fates(target, subject, start)
                return levels

            found |= self._on(key, of)
        return {k: v for k, v in found.items() if since_ms <= k[0] < until_ms}

    # -- upkeep --------------------------------------------------------------

    def due(self) -> Due | None:
        """One block of time that is over and to be packed; files are tidied by the way.

        A block is packed when records of a whole further block have come: late
        revisions are then mostly in.
        """
        for (subject, kind), newest in self._newest.items():
            before = newest - SPANS[kind].block_ms
            for back, key in enumerate(reversed(self._of(kind))):
                shelf = self._shelves[key]
                looked_into = back < _RECENT or shelf.is_known
                if shelf.settled or not looked_into:
                    continue
                due = self._due(shelf, subject, before)
                if due is not None:
                    return due
        return None

    def _due(self, shelf: Shelf, subject: str, before_ms: int) -> Due | None:
        key = shelf.kind, shelf.start_ms
        starts = self._on(key, lambda s: s.due(subject, before_ms))
        if starts:
            records = self._on(key, lambda s: s.gather(subject, starts[0]))
            return Due(key, subject, starts[0], records) if records else None
        if shelf.end_ms <= before_ms - SPANS[shelf.kind].block_ms:
            self._on(key, Shelf.tidy, writes=True)
        return None

    def pack(self, due: Due, body: bytes) -> None:
        """Store a block that was due."""
        if due.key in self._shelves:
            self._make_room(len(body))
        if due.key in self._shelves:
            self._on(
                due.key,
                lambda s: s.pack(due.subject, due.start_ms, due.records, body),
                writes=True,
            )

    def used(self) -> int:
        """Bytes of the folder, damaged files included."""
        return self._aside + sum(s.disk_bytes() for s in self._shelves.values())

    def room(self) -> Room:
        """What the folder takes and how far back it goes."""
        oldest: dict[str, int] = {}
        for kind, start in self._shelves:
            oldest[kind] = min(start, oldest.get(kind, start))
        return Room(self.used(), oldest, self.evicted)

    def close(self) -> None:
        """Close every file; may be called twice."""
        for shelf in self._shelves.values():
            shelf.release()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _make_room(self, incoming: int) -> None:
        """Give up the oldest minutes first, then hours, events and days."""
        # Moving a WAL into its file can add as many bytes again.
        growth = _SPARE_BYTES + 2 * incoming
        growth += sum(s.wal_bytes() for s in self._shelves.values() if s.is_open)
        over = self.used() + growth - self.max_bytes
        short = self.keep_free - _free(self.folder)
        for key in sorted(self._shelves, key=lambda k: (_RANK[k[0]], k[1])):
            if over <= 0 and short <= 0:
                return
            last = key == max(k for k in self._shelves if k[0] == key[0])
            if last and over <= 0:
                continue  # for others' sake we give up what is old, not what is new
            shelf = self._shelves[key]
            size = shelf.disk_bytes()
            shelf.forget()
            files.remove_database(shelf.path)
            files.sync_folder(self.folder)
            del self._shelves[key]
            self.evicted += 1
            over, short = over - size, short - size

    # -- files ---------------------------------------------------------------

    def _of(
        self, kind: str, since_ms: int | None = None, until_ms: int | None = None
    ) -> list[tuple[str, int]]:
        if kind not in SPANS:
            raise ValueError(f"kind: expected one of {', '.join(SPANS)}, got {kind!r}")
        return sorted(
            key
            for key, shelf in self._shelves.items()
            if key[0] == kind
            and (until_ms is None or shelf.start_ms < until_ms)
            and (since_ms is None or shelf.end_ms > since_ms)
        )

    def _on(
        self,
        key: tuple[str, int],
        work: Callable[[Shelf], _T],
        *,
        writes: bool = False,
    ) -> _T:
        """Do something with a file; what is damaged in it is set aside once."""
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = Shelf(self.folder, *key, look_only=self._look_only)
        try:
            found = self._try(shelf, work, writes=writes)
        except DamagedError as exc:
            self._set_aside(shelf, str(exc))
            try:
                found = self._try(shelf, work, writes=writes)
            except DamagedError as again:
                raise DiskTroubleError(f"damaged again: {again}") from again
        self._shelves.setdefault(key, shelf)
        return found

    def _try(self, shelf: Shelf, work: Callable[[Shelf], _T], *, writes: bool) -> _T:
        self._limit_open(shelf)
        try:
            return work(shelf)
        except (OSError, sqlite3.Error) as exc:
            shelf.forget()
            kind = kind_of(exc)
            code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
            # What SQLite cannot read is damage, whatever it calls it.
            if kind == "damage" or (code == sqlite3.SQLITE_IOERR and not writes):
                raise DamagedError(f"{shelf.path.name}: {exc}") from exc
            if kind in ("full", "disk"):
                raise DiskTroubleError(f"{shelf.path.name}: {exc}") from exc
            raise

    def _set_aside(self, shelf: Shelf, error: str) -> None:
        """Put a sound file in the place of a damaged one.

        Raises:
            DiskTroubleError: It cannot be done now.
        """
        if self._look_only:
            raise DiskTroubleError(error)
        try:
            kept = history_rescue.rescue(shelf)
            if not kept:
                shelf.restore({})
        except (OSError, sqlite3.Error) as exc:
            if kind_of(exc) == "bug":
                raise
            raise DiskTroubleError(f"{error}; {exc}") from exc
        self._aside = salvage.trim(self.folder, self.max_bytes // 16)
        self.damages.append(Damage(shelf.path.name, kept, error))

    def _limit_open(self, wanted: Shelf) -> None:
        held = [s for s in self._shelves.values() if s.is_open and s is not wanted]
        # The newest stay: they are written to.
        for shelf in sorted(held, key=lambda s: s.end_ms)[:-_OPEN_FILES]:
            shelf.release()


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize

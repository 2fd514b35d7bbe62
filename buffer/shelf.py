"""One file of the history: what one kind of record says of a few days.

    minute-20261121.sqlite     the UTC day it begins with; how long: `SPANS`
      entry(id INTEGER PRIMARY KEY, subject, t, rev, sum, body)      as they came
      block(id INTEGER PRIMARY KEY, subject, start, t_min, t_max, records, sum, body)
      fate(id INTEGER PRIMARY KEY, target, subject, start, sum, body)

A record comes in as an entry. When its block of time is over, all entries of the block
become one compressed row, in one transaction; a revision that comes later is an entry
again, until the block is packed anew. Where rows are is kept in memory, read and
checked once, so that no index on disk can lose one.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from buffer import files, history_block
from buffer.errors import DamagedError
from buffer.history_block import Revision, checksum, key_is_sound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WAL_PAGES = 1000


class Span(NamedTuple):
    """How the records of one kind are laid out in time."""

    shelf_ms: int
    """Of one file: what is given up at once when room is short, or is damaged."""
    block_ms: int
    """Of one compressed row."""


SPANS: dict[str, Span] = {
    "minute": Span(4 * DAY_MS, 8 * HOUR_MS),
    "hour": Span(96 * DAY_MS, 8 * DAY_MS),
    "event": Span(96 * DAY_MS, 8 * DAY_MS),
    "day": Span(960 * DAY_MS, 96 * DAY_MS),
}
"""In the order in which they are given up, the first first. Midnight in Beijing is
16:00 UTC: eight hours divide a civil day there into whole blocks."""

_SCHEMA = (
    """CREATE TABLE entry(
        id INTEGER PRIMARY KEY, subject TEXT, t INTEGER, rev INTEGER, sum INTEGER,
        body BLOB)""",
    """CREATE TABLE block(
        id INTEGER PRIMARY KEY, subject TEXT, start INTEGER, t_min INTEGER,
        t_max INTEGER, records INTEGER, sum INTEGER, body BLOB)""",
    """CREATE TABLE fate(
        id INTEGER PRIMARY KEY, target TEXT, subject TEXT, start INTEGER,
        sum INTEGER, body BLOB)""",
)

Item = tuple[str, int, int, bytes]
"""Subject, time, revision, data."""


class _Block(NamedTuple):
    id: int
    t_min: int
    t_max: int
    records: int


class _Catalogue:
    """Where the rows of one file are."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[tuple[int, int], int]] = {}
        self.blocks: dict[str, dict[int, _Block]] = {}
        self.fates: dict[tuple[str, str, int], int] = {}
        self.ids = 0

    def next_id(self) -> int:
        self.ids += 1
        return self.ids


class Shelf:
    """One file; opened when first needed, `release` closes it again."""

    def __init__(
        self, folder: Path, kind: str, start_ms: int, *, look_only: bool = False
    ) -> None:
        self.kind, self.start_ms = kind, start_ms
        self.end_ms = start_ms + SPANS[kind].shelf_ms
        self.path = folder / name_of(kind, start_ms)
        self._block_ms = SPANS[kind].block_ms
        self._db: sqlite3.Connection | None = None
        self._writable = False
        self._look_only = look_only
        self._known: _Catalogue | None = None
        self.settled = False
        """Everything is packed and the room given back; until something is put."""

    # -- records in ----------------------------------------------------------

    def put(self, items: Sequence[Item]) -> list[Item]:
        """Make records durable, all or none.

        Returns:
            Those that were not taken: another record has their time and revision.

        Raises:
            DamagedError, sqlite3.Error, OSError: Nothing was taken.
        """
        db, known = self._write(), self._catalogue()
        refused: list[Item] = []
        rows: dict[tuple[str, int, int], tuple[object, ...]] = {}
        fresh: dict[tuple[str, int, int], bytes] = {}
        for item in items:
            subject, t, rev, data = item
            key = subject, t, rev
            there = fresh.get(key)
            if there is None:
                there = self._find(subject, t, rev)
            if there is not None:
                if there != data:
                    refused.append(item)
                continue
            body = history_block.squeeze(data)
            rows[key] = (known.next_id(), *key, checksum(key, body), body)
            fresh[key] = data
        if rows:
            self.settled = False
            with _transaction(db):
                db.executemany("INSERT INTO entry VALUES(?,?,?,?,?,?)", rows.values())
            for (subject, t, rev), row in rows.items():
                assert isinstance(row[0], int)  # noqa: S101 - made above
                known.entries.setdefault(subject, {})[t, rev] = row[0]
        return refused

    def _find(self, subject: str, t: int, rev: int) -> bytes | None:
        known = self._catalogue()
        number = known.entries.get(subject, {}).get((t, rev))
        if number is not None:
            return self._entry(number, subject, t, rev).data
        block = known.blocks.get(subject, {}).get(self.block_of(t))
        if block is not None and block.t_min <= t <= block.t_max:
            for found in self._unpacked(subject, self.block_of(t)):
                if (found.t_ms, found.rev) == (t, rev):
                    return found.data
        return None

    # -- records out ---------------------------------------------------------

    def windows(self, subject: str, since_ms: int, until_ms: int) -> list[int]:
        """Starts of the blocks of time that hold something, ascending."""
        known = self._catalogue()
        starts = {self.block_of(t) for t, _ in known.entries.get(subject, ())}
        starts |= known.blocks.get(subject, {}).keys()
        return sorted(
            s for s in starts if s < until_ms and s + self._block_ms > since_ms
        )

    def read(self, subject: str, since_ms: int, until_ms: int) -> list[Revision]:
        """Every revision in ``since_ms <= t < until_ms``, ascending.

        Raises:
            DamagedError: Something of it is not what was written.
        """
        known = self._catalogue()
        found: list[Revision] = []
        for start, block in sorted(known.blocks.get(subject, {}).items()):
            if block.t_min < until_ms and block.t_max >= since_ms:
                found += self._unpacked(subject, start)
        keys = known.entries.get(subject, {})
        wanted = [key for key in keys if since_ms <= key[0] < until_ms]
        found += (self._entry(keys[key], subject, *key) for key in wanted)
        found.sort(key=_when)
        return [r for r in found if since_ms <= r.t_ms < until_ms]

    def span(self, subject: str) -> tuple[int, int] | None:
        """Times of the first and the last record of a subject."""
        known = self._catalogue()
        times = [t for t, _ in known.entries.get(subject, ())]
        for block in known.blocks.get(subject, {}).values():
            times += (block.t_min, block.t_max)
        return (min(times), max(times)) if times else None

    # -- blocks --------------------------------------------------------------

    def block_of(self, t_ms: int) -> int:
        """Where the block of time begins that holds this moment."""
        return t_ms - t_ms % self._block_ms

    def due(self, subject: str, before_ms: int) -> list[int]:
        """Blocks of time that ended at or before this and still have entries."""
        keys = self._catalogue().entries.get(subject, ())
        starts = {self.block_of(t) for t, _ in keys}
        return sorted(s for s in starts if s + self._block_ms <= before_ms)

    def gather(self, subject: str, start: int) -> list[Revision]:
        """All that is known of one block of time."""
        return self.read(subject, start, start + self._block_ms)

    def pack(
        self, subject: str, start: int, records: Sequence[Revision], body: bytes
    ) -> None:
        """Put one row in the place of what was gathered of one block of time.

        What came in since then stays as it is.
        """
        db, known = self._write(), self._catalogue()
        old = known.blocks.get(subject, {}).get(start)
        keys = known.entries.get(subject, {})
        gone = [(r.t_ms, r.rev) for r in records if (r.t_ms, r.rev) in keys]
        block = _Block(known.next_id(), records[0].t_ms, records[-1].t_ms, len(records))
        head = (subject, start, *block[1:])
        with _transaction(db):
            db.execute(
                "INSERT INTO block VALUES(?,?,?,?,?,?,?,?)",
                (block.id, *head, checksum(head, body), body),
            )
            if old is not None:
                db.execute("DELETE FROM block WHERE id=?", (old.id,))
            db.executemany(
                "DELETE FROM entry WHERE id=?", [(keys[key],) for key in gone]
            )
        for key in gone:
            del keys[key]
        known.blocks.setdefault(subject, {})[start] = block

    def tidy(self) -> bool:
        """Give back the room of what was packed: nothing more is expected to come.

        Returns:
            Whether anything was written.
        """
        db = self._read()
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        wasted = bool(free * 10 > pages)
        if wasted:
            self._write().execute("VACUUM")
        if self._writable:
            self._write().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.release()
        self.settled = True
        return wasted

    # -- fates ---------------------------------------------------------------

    def fates(
        self, target: str, subject: str, start: int
    ) -> dict[tuple[int, int], int]:
        """What became of the records of one block of time: (t, rev) -> level."""
        number = self._catalogue().fates.get((target, subject, start))
        if number is None:
            return {}
        row = self._row("SELECT sum, body FROM fate WHERE id=?", number)
        self._check(row, target, subject, start)
        return history_block.unpack_fates(row[1])

    def raise_fates(
        self, changes: Mapping[tuple[str, str, int], Mapping[tuple[int, int], int]]
    ) -> None:
        """Take higher levels in, by target, subject and block of time; durable."""
        db, known = self._write(), self._catalogue()
        rows: dict[tuple[str, str, int], tuple[object, ...]] = {}
        numbers: dict[tuple[str, str, int], int] = {}
        for key, levels in changes.items():
            now = self.fates(*key)
            for which, level in levels.items():
                now[which] = max(level, now.get(which, 0))
            body = history_block.pack_fates(now)
            numbers[key] = known.fates.get(key) or known.next_id()
            rows[key] = (numbers[key], *key, checksum(key, body), body)
        with _transaction(db):
            db.executemany(
                "INSERT OR REPLACE INTO fate VALUES(?,?,?,?,?,?)", rows.values()
            )
        known.fates |= numbers

    def fate_windows(
        self, target: str, subject: str, since_ms: int, until_ms: int
    ) -> list[int]:
        """Starts of the blocks of time of which some fate is known."""
        return sorted(
            start
            for whose, what, start in self._catalogue().fates
            if (whose, what) == (target, subject)
            and start < until_ms
            and start + self._block_ms > since_ms
        )

    # -- the file ------------------------------------------------------------

    def restore(self, rows: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        """Fill a new file with rows of another, by table, and close it."""
        db = self._write()
        with _transaction(db):
            for table, values in rows.items():
                for row in values:
                    marks = ",".join("?" * len(row))
                    db.execute(f"INSERT INTO {table} VALUES({marks})", row)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.forget()

    @property
    def is_known(self) -> bool:
        """Whether it was looked into since it was opened."""
        return self._known is not None

    @property
    def is_open(self) -> bool:
        """Whether it holds a file handle."""
        return self._db is not None

    def disk_bytes(self) -> int:
        """Bytes of the file and its WAL now."""
        return files.size_of(self.path) + self.wal_bytes()

    def wal_bytes(self) -> int:
        """Bytes of the WAL now."""
        return files.size_of(files.wal_of(self.path))

    def release(self) -> None:
        """Close the file handle; where rows are stays known."""
        files.close_quietly(self._db)
        self._db, self._writable = None, False

    def forget(self) -> None:
        """Close, and read again where rows are: the file was replaced."""
        self.release()
        self._known = None

    def _read(self) -> sqlite3.Connection:
        if self._db is None:
            if files.size_of(files.wal_of(self.path)):
                return self._copied() if self._look_only else self._write()
            try:
                self._db = files.open_readonly(self.path)
            except FileNotFoundError as exc:
                raise DamagedError(f"{self.path.name}: the file is gone") from exc
        return self._db

    def _copied(self) -> sqlite3.Connection:
        """A copy of what a killed run left, so that the file itself stays as it is."""
        with tempfile.TemporaryDirectory(prefix="ecogate-history-") as folder:
            copy = Path(folder) / self.path.name
            shutil.copyfile(self.path, copy)
            shutil.copyfile(files.wal_of(self.path), files.wal_of(copy))
            db = self._db = files.open_writable(copy, WAL_PAGES)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return db  # the file lives as long as it is open

    def _write(self) -> sqlite3.Connection:
        if self._db is not None and self._writable:
            return self._db
        self.release()
        db = files.open_writable(self.path, WAL_PAGES)
        try:
            if _unmade(db):
                with _transaction(db):
                    files.stamp(db)
                    for statement in _SCHEMA:
                        db.execute(statement)
                files.sync_folder(self.path.parent)
        except BaseException:
            files.close_quietly(db)
            raise
        self._db, self._writable = db, True
        return db

    def _catalogue(self) -> _Catalogue:
        if self._known is None:
            self._known = self._list(self._read())
        return self._known

    def _list(self, db: sqlite3.Connection) -> _Catalogue:
        known = _Catalogue()
        if _unmade(db):
            return known
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict not in (b"ok", "ok"):
            raise DamagedError(f"{self.path.name}: {verdict!r}")
        with _sound(self.path.name):
            made = db.execute("SELECT sql FROM sqlite_master").fetchall()
            if {sql.decode() for (sql,) in made} != set(_SCHEMA):
                raise DamagedError(f"{self.path.name}: its tables are not as made")
            for number, *key in self._keys(db, "entry", "subject, t, rev"):
                subject, t, rev = key
                known.entries.setdefault(subject, {})[t, rev] = number
            for number, subject, start, *rest in self._keys(
                db, "block", "subject, start, t_min, t_max, records"
            ):
                block = _Block(number, *rest)
                known.blocks.setdefault(subject, {})[start] = block
            for number, *key in self._keys(db, "fate", "target, subject, start"):
                target, subject, start = key
                known.fates[target, subject, start] = number
        numbers = [n for keys in known.entries.values() for n in keys.values()]
        numbers += (b.id for of in known.blocks.values() for b in of.values())
        known.ids = max((*numbers, *known.fates.values()), default=0)
        return known

    def _keys(self, db: sqlite3.Connection, table: str, key: str) -> Iterator[Any]:
        """Number and key of every row, checked."""
        for number, total, *found in db.execute(f"SELECT id, sum, {key} FROM {table}"):  # noqa: S608
            words = tuple(x.decode() if isinstance(x, bytes) else x for x in found)
            if not key_is_sound(words, total):
                raise DamagedError(f"{self.path.name}: {table} {number}: damaged key")
            yield number, *words

    def _entry(self, number: int, subject: str, t: int, rev: int) -> Revision:
        row = self._row("SELECT sum, body FROM entry WHERE id=?", number)
        self._check(row, subject, t, rev)
        return Revision(t, rev, history_block.unsqueeze(row[1]))

    def _unpacked(self, subject: str, start: int) -> list[Revision]:
        block = self._catalogue().blocks[subject][start]
        row = self._row("SELECT sum, body FROM block WHERE id=?", block.id)
        self._check(row, subject, start, *block[1:])
        return history_block.unpack(start, row[1])

    def _row(self, query: str, number: int) -> tuple[int, bytes]:
        row = self._read().execute(query, (number,)).fetchone()
        if row is None or not isinstance(row[1], bytes):
            raise DamagedError(f"{self.path.name}: row {number} is gone")
        return row[0], row[1]

    def _check(self, row: tuple[int, bytes], *key: object) -> None:
        if checksum(key, row[1]) != row[0]:
            raise DamagedError(f"{self.path.name}: {key}: fails its checksum")


def name_of(kind: str, start_ms: int) -> str:
    """The file name of a shelf."""
    day = datetime.fromtimestamp(start_ms / 1000, UTC)
    return f"{kind}-{day:%Y%m%d}.sqlite"


def start_of(kind: str, t_ms: int) -> int:
    """Where the shelf of a moment begins."""
    return t_ms - t_ms % SPANS[kind].shelf_ms


def read_name(name: str) -> tuple[str, int] | None:
    """Kind and start of a shelf by its file name; None: it is none of ours."""
    stem, dot, rest = name.partition(".")
    kind, dash, day = stem.partition("-")
    if not dot or not dash or rest != "sqlite" or kind not in SPANS:
        return None
    try:
        start = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    start_ms = int(start.timestamp() * 1000)
    return (kind, start_ms) if start_of(kind, start_ms) == start_ms else None


def _unmade(db: sqlite3.Connection) -> bool:
    """Whether a file is new, or a kill came before its tables.

    They come in one transaction with the application id.
    """
    (number,) = db.execute("PRAGMA application_id").fetchone()
    return not number and not db.execute("SELECT 1 FROM sqlite_master").fetchone()


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def _sound(name: str) -> Iterator[None]:
    """What cannot be made sense of is damage, whatever it looks like."""
    try:
        yield
    except (TypeError, ValueError, AttributeError) as exc:
        raise DamagedError(f"{name}: {exc}") from exc


def _when(revision: Revision) -> tuple[int, int]:
    return revision.t_ms, revision.rev

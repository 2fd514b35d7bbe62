"""One segment: a SQLite file holding batches of one priority class.

    live-0000000000001042.sqlite
      about(key, value)             store, class, made; after closing: summary
      batch(first INTEGER PRIMARY KEY, last, records, before, t_min,
            t_max, summary, control, sum, body)        see `buffer.batch`

Rows are only ever added, by one writer, and never changed: so a page that once held a
row holds it for good, which is what makes salvage by pages possible (`buffer.carve`).
A closed segment has no WAL and never changes again; it is removed whole.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from buffer import files
from buffer.batch import Row, head_is_intact, is_intact, row_from, runs_of
from buffer.errors import DamagedError, DiskTroubleError, kind_of
from buffer.intervals import Intervals
from buffer.model import PriorityClass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from buffer.model import Entry

_HEADS = "first,last,records,before,t_min,t_max,summary,control,sum,x''"
_ROWS = "first,last,records,before,t_min,t_max,summary,control,sum,body"
_FETCH_HEADS = 512
_FETCH_ROWS = 8
_SCHEMA = (
    "CREATE TABLE about(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    """CREATE TABLE batch(
        first INTEGER PRIMARY KEY, last INTEGER, records INTEGER, before INTEGER,
        t_min INTEGER, t_max INTEGER, summary TEXT, control BLOB, sum INTEGER,
        body BLOB)""",
)
_INSERT = "INSERT INTO batch VALUES(?,?,?,?,?,?,?,?,?,?)"


class SegmentInfo(msgspec.Struct, frozen=True):
    """What the catalogue keeps of a segment, enough to state its loss exactly."""

    name: str
    cls: int
    closed: bool
    present: list[int]
    """Edges of the seqs inside, see `buffer.intervals`."""
    count: int
    before: int
    t_min: int
    t_max: int
    bytes: int
    counts: dict[str, int]
    made_ms: int


class Segment:
    """One file of one class; open for writing until `seal` or `suspect`."""

    def __init__(
        self, folder: Path, name: str, cls: PriorityClass, before: int
    ) -> None:
        self.path = folder / name
        self.name = name
        self.cls = cls
        self.before = before
        self.present = Intervals()
        self.count = 0
        self.t_min = 0
        self.t_max = 0
        self.counts: dict[str, int] = {}
        self.made_ms = 0
        self.closed = False
        self.bytes = 0
        """Bytes on disk when closed; see `disk_bytes`."""
        self._file, self._wal = str(self.path), str(files.wal_of(self.path))
        self._db: sqlite3.Connection | None = None
        self._held: list[Row] | None = None

    # -- making and finding ------------------------------------------------------

    @classmethod
    def create(
        cls,
        folder: Path,
        kind: PriorityClass,
        *,
        name: str,
        before: int,
        made_ms: int,
        store: str,
        wal_pages: int,
    ) -> Segment:
        """Make an empty segment whose name is durable when this returns."""
        segment = cls(folder, name, kind, before)
        segment.made_ms = made_ms
        try:
            db = segment._db = files.open_writable(segment.path, wal_pages)
            db.execute("BEGIN IMMEDIATE")
            files.stamp(db)
            for statement in _SCHEMA:
                db.execute(statement)
            db.executemany(
                "INSERT INTO about VALUES(?,?)",
                [("store", store), ("class", kind.name), ("made_ms", made_ms)],
            )
            db.execute("COMMIT")
            files.sync_folder(folder)
        except BaseException:
            segment.release()
            with contextlib.suppress(OSError):
                files.remove_database(segment.path)
            raise
        return segment

    @classmethod
    def from_info(cls, folder: Path, info: SegmentInfo) -> Segment:
        """A catalogued segment; its file is not touched."""
        segment = cls(folder, info.name, PriorityClass(info.cls), info.before)
        segment.present = Intervals(info.present)
        segment.count, segment.counts = info.count, dict(info.counts)
        segment.t_min, segment.t_max = info.t_min, info.t_max
        segment.closed, segment.bytes = info.closed, info.bytes
        segment.made_ms = info.made_ms
        return segment

    def info(self) -> SegmentInfo:
        """This segment for the catalogue."""
        return SegmentInfo(
            self.name,
            int(self.cls),
            self.closed,
            list(self.present.edges),
            self.count,
            self.before,
            self.t_min,
            self.t_max,
            self.disk_bytes(),
            self.counts,
            self.made_ms,
        )

    @property
    def first(self) -> int:
        """Lowest seq inside; only of a segment with records."""
        return self.present.edges[0]

    @property
    def last(self) -> int:
        """Highest seq inside; only of a segment with records."""
        return self.present.edges[-1] - 1

    def disk_bytes(self) -> int:
        """Bytes of the file and its WAL now."""
        return (
            self.bytes if self.closed else files.size_of(self._file) + self.wal_bytes()
        )

    def wal_bytes(self) -> int:
        """Bytes of the WAL now."""
        return 0 if self.closed else files.size_of(self._wal)

    # -- writing -------------------------------------------------------------------

    def resume(self, wal_pages: int) -> None:
        """Open an existing file for writing, SQLite recovering its WAL."""
        if self._db is None:
            self._db = files.open_writable(self.path, wal_pages)

    def insert(self, rows: Sequence[Row]) -> None:
        """Commit rows; durable when this returns, and none of them when it raises.

        That holds unless the disk lies: after a failed fsync call `suspect`.
        """
        db = self._db
        if db is None:
            raise sqlite3.ProgrammingError(f"{self.name}: not open for writing")
        # The summary as text, so that ordinary tools show it as such.
        values = [(*row[:6], row.summary.decode(), *row[7:]) for row in rows]
        if len(rows) == 1:
            db.execute(_INSERT, values[0])
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(_INSERT, values)
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def count_in(self, row: Row, entries: Sequence[Entry] | None = None) -> None:
        """Take a committed row into the figures kept in memory."""
        runs = runs_of(entries) if entries else [(row.first, row.last)]
        for first, last in runs:
            self.present.add(first, last)
        self.t_min = min(self.t_min, row.t_min) if self.count else row.t_min
        self.t_max = max(self.t_max, row.t_max) if self.count else row.t_max
        self.count += row.records
        for subject, n in row.counts.items():
            self.counts[subject] = self.counts.get(subject, 0) + n

    def seal(self) -> None:
        """Close for good: footer, WAL moved into the file, name durable."""
        db = self._db
        if db is not None:
            summary = msgspec.json.encode(self.info())
            db.execute("INSERT OR REPLACE INTO about VALUES('summary',?)", (summary,))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.retire()
        files.sync_folder(self.path.parent)

    def retire(self) -> None:
        """Write no more to it; whatever is durable in it stays readable."""
        self.release()
        self.bytes = files.size_of(self._file) + files.size_of(self._wal)
        self.closed = True

    def release(self) -> None:
        """Close the file handle."""
        files.close_quietly(self._db)
        self._db = None

    def hold(self, rows: list[Row]) -> None:
        """Serve these rows from memory: the file is damaged and cannot be rewritten."""
        self.release()
        self._held = rows
        self.closed = True

    def rename(self, name: str) -> None:
        """Take another file name; the file must be closed."""
        self.path = self.path.rename(self.path.with_name(name))
        self._file, self._wal = str(self.path), str(files.wal_of(self.path))
        self.name = name

    # -- reading -------------------------------------------------------------------

    def heads(self, first: int, last: int) -> Iterator[Row]:
        """Heads of the rows touching ``first..last``; bodies empty, sums unchecked."""
        yield from self._walk(_HEADS, _FETCH_HEADS, first, last)

    def rows(self, first: int, last: int) -> Iterator[Row]:
        """Whole, checked rows touching ``first..last``, ascending.

        Raises:
            DamagedError: A row is not what was written; those before it were yielded.
            DiskTroubleError: The file cannot be opened now.
        """
        for row in self._walk(_ROWS, _FETCH_ROWS, first, last):
            if not is_intact(row):
                state = "body" if head_is_intact(row) else "head"
                raise DamagedError(f"{self.name}: batch {row.first}: damaged {state}")
            yield row

    def summary(self) -> SegmentInfo | None:
        """The footer of a closed segment, if it has one.

        Raises:
            DamagedError: The file is not what was written.
            DiskTroubleError: The file cannot be opened now.
        """
        with self._reading() as db:
            found = db.execute("SELECT value FROM about WHERE key='summary'").fetchone()
        if found is None:
            return None
        try:
            return msgspec.json.decode(found[0], type=SegmentInfo)
        except (msgspec.DecodeError, TypeError) as exc:
            raise DamagedError(f"{self.name}: summary: {exc}") from exc

    def is_blank(self) -> bool:
        """Whether not even its tables are stored."""
        self.release()
        if not files.size_of(self.path):
            # Opened, SQLite would throw away a WAL whose file is empty.
            return self.path.exists() and not files.size_of(self._wal)
        try:
            with contextlib.closing(files.open_writable(self.path, 1000)) as db:
                return not db.execute("SELECT name FROM sqlite_master").fetchall()
        except (OSError, sqlite3.Error, DamagedError):
            return False

    def _walk(self, columns: str, fetch: int, first: int, last: int) -> Iterator[Row]:
        if self._held is not None:
            yield from (r for r in self._held if r.last >= first and r.first <= last)
            return
        # Small complete fetches: an open cursor would pin the WAL.
        start = first
        bottom = "(SELECT coalesce(max(first), 0) FROM batch WHERE first <= ?)"
        while start <= last:
            with self._reading() as db:
                found = db.execute(
                    f"SELECT {columns} FROM batch WHERE first >= {bottom}"  # noqa: S608
                    " AND first <= ? ORDER BY first LIMIT ?",
                    (start, last, fetch),
                ).fetchall()
            for values in found:
                row = row_from(values)
                if row.last >= first:
                    yield row
            if len(found) < fetch:
                return
            start, bottom = row_from(found[-1]).first + 1, "?"

    def about(self) -> dict[str, object]:
        """The file's own words on itself: store, class, made_ms.

        Raises:
            DamagedError: The file is not what was written.
            DiskTroubleError: The file cannot be opened now.
        """
        with self._reading() as db:
            found = db.execute("SELECT key, value FROM about").fetchall()
        return {key.decode(): value for key, value in found if isinstance(key, bytes)}

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._db is None:
                if files.size_of(self._wal):
                    # Left by a crash or a failed close: its rows count.
                    self._db = files.open_writable(self.path, 1000)
                else:
                    self._db = files.open_readonly(self.path)
            yield self._db
        except FileNotFoundError as exc:
            raise DamagedError(f"{self.name}: the file is gone") from exc
        except OSError as exc:
            raise DiskTroubleError(f"{self.name}: {exc}") from exc
        except sqlite3.DatabaseError as exc:
            self.release()
            code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
            # What SQLite cannot read is damage, whatever it calls it; but a file it
            # cannot open (too many open files, no memory) may be sound.
            if kind_of(exc) == "disk" and code != sqlite3.SQLITE_IOERR:
                raise DiskTroubleError(f"{self.name}: {exc}") from exc
            raise DamagedError(f"{self.name}: {exc}") from exc


def free_name(folder: Path, cls: PriorityClass, first: int) -> str:
    """A file name no segment has: class, first seq, and a letter where taken."""
    stem = f"{cls.name.lower()}-{first:016d}"
    for suffix in ("", *(f".{n}" for n in range(1, 1000))):
        name = f"{stem}{suffix}.sqlite"
        if not (folder / name).exists():
            return name
    raise OSError(f"{folder}: a thousand segments begin at seq {first}")


def class_of(name: str) -> PriorityClass | None:
    """The class a file name says, or nothing when it is no segment's name."""
    stem, dash, rest = name.partition("-")
    if not dash or not rest.endswith(".sqlite") or not rest[:16].isdigit():
        return None
    try:
        return PriorityClass[stem.upper()]
    except KeyError:
        return None


def first_of(name: str) -> int:
    """The first seq a segment's name says."""
    return int(name.partition("-")[2][:16])

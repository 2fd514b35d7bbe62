"""Opening our SQLite files, and making names on disk durable.

Every connection sets its pragmas, reads them back and refuses to go on with others:

* ``page_size 1024``: a commit of one small record writes 1-3 kB instead of 4-12;
* ``locking_mode EXCLUSIVE`` before WAL: no shared-memory file, so no mapped page that
  a truncated file could turn into SIGBUS, and no second writer;
* ``synchronous FULL``: in WAL mode a commit is on the disk when it returns
  (https://www.sqlite.org/pragma.html#pragma_synchronous);
* ``wal_autocheckpoint`` bounded: a WAL that grows for ever opens slowly;
* ``mmap_size 0``: for the same reason as no shared memory.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from buffer.errors import BufferTooNewError, DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PAGE_BYTES = 1024
FORMAT_VERSION = 1
"""Raised when an older release could misread what this one writes."""
APPLICATION_ID = 0x45474231
"""``EGB1``, shown by file(1) and readable at offset 68 of each file."""

_CACHE_KIB = 256
_MAGIC = b"SQLite format 3\0"


def open_writable(path: Path, wal_pages: int) -> sqlite3.Connection:
    """Open or make one of our databases for writing, with proved pragmas.

    Raises:
        DamagedError: The file is not what we made.
        sqlite3.Error: As SQLite says.
    """
    # No waiting for a lock: nobody else has business here, and the folder is ours.
    db = sqlite3.connect(
        path,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=16,
    )
    try:
        db.text_factory = bytes
        for pragma in (
            f"page_size={PAGE_BYTES}",
            "locking_mode=EXCLUSIVE",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"wal_autocheckpoint={wal_pages}",
            f"journal_size_limit={2 * wal_pages * PAGE_BYTES}",
            "mmap_size=0",
            f"cache_size=-{_CACHE_KIB}",
            "temp_store=MEMORY",
        ):
            db.execute("PRAGMA " + pragma).fetchall()
        check_pragmas(db, wal_pages)
    except BaseException:
        close_quietly(db)
        raise
    return db


def check_pragmas(db: sqlite3.Connection, wal_pages: int) -> None:
    """Read back what durability rests on.

    Raises:
        DamagedError: One is not as asked for.
    """
    wanted: dict[str, object] = {
        "page_size": PAGE_BYTES,
        "locking_mode": b"exclusive",
        "journal_mode": b"wal",
        "synchronous": 2,
        "wal_autocheckpoint": wal_pages,
    }
    for name, value in wanted.items():
        (found,) = db.execute(f"PRAGMA {name}").fetchone()
        if found != value:
            raise DamagedError(f"pragma {name}: expected {value!r}, got {found!r}")


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open a closed segment: it changes no more, so neither lock nor WAL is needed.

    Raises:
        FileNotFoundError: There is no such file.
        sqlite3.Error: As SQLite says.
    """
    path.stat()  # so that a missing file is told from an unreadable one
    db = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro&immutable=1",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=8,
    )
    db.text_factory = bytes
    db.execute("PRAGMA mmap_size=0").fetchall()
    db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    return db


def close_quietly(db: sqlite3.Connection | None) -> None:
    """Close, whatever state the file is in."""
    if db is None:
        return
    try:
        db.close()
    except sqlite3.Error:
        return  # the last checkpoint failed: the WAL stays and is read on next open


def refuse_newer(paths: Iterable[Path], *, vouched: bool) -> None:
    """Look at files' headers, without opening them as databases.

    Args:
        paths: Databases of one store.
        vouched: The mark, whose checksum is right, says that this release wrote last.
            One header that says otherwise is then a flipped bit, not a release.

    Raises:
        BufferTooNewError: A newer release made them.
    """
    found = [(path, version) for path in paths if (version := _newer(path))]
    if len(found) > int(vouched):
        path, version = found[0]
        raise BufferTooNewError(str(path), version, FORMAT_VERSION)


def _newer(path: Path) -> int:
    """The version a header of ours says, where it is above this release's; else 0."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError:
        return 0
    ours = head[:16] == _MAGIC and head[68:72] == APPLICATION_ID.to_bytes(4, "big")
    version = int.from_bytes(head[60:64], "big")
    return version if ours and version > FORMAT_VERSION else 0


def stamp(db: sqlite3.Connection) -> None:
    """Write our application id and format version into a new file."""
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={FORMAT_VERSION}")


def sync_folder(folder: Path) -> None:
    """Make names created, renamed or removed in ``folder`` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Make a folder and what is missing above it, all with durable names.

    A folder whose own name is lost by a power cut takes with it whatever was durable
    inside.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def wal_of(path: Path) -> Path:
    """The write-ahead log beside a database."""
    return path.with_name(path.name + "-wal")


def size_of(path: Path | str) -> int:
    """Bytes of a file, 0 where there is none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - asked for several times a commit
    except FileNotFoundError:
        return 0


def remove_database(path: Path) -> None:
    """Remove a database with all SQLite keeps beside it."""
    # The main file first: a WAL alone is nothing, a database without its WAL is old.
    for victim in (path, wal_of(path), path.with_name(path.name + "-journal")):
        victim.unlink(missing_ok=True)

"""Control state: what the buffer knows beside the records.

It lives in two places (ADR 0002):

* the **control file** ``control.sqlite``: cursors, losses, catalogue of segments,
  notes. Written every 60 s, on close, before a segment is removed, when a loss arises;
* a **stamp** in every batch row: cursors and what the batch settles, so that a steady
  site pays one commit for both.

Both carry ``generation``, which only rises. On start the newest stamps are merged into
the control file's state; cursors only grow, so merging is a union. The truth table
stands in `buffer.recover`.

    item(key, value, sum)     state | segment:NAME | loss:ID | note:KEY
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from typing import TYPE_CHECKING

import msgspec

from buffer import files
from buffer.errors import DamagedError, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WAL_PAGES = 64
_LARGEST_STAMP = 512
"""More bytes of cursors than this ride along only with the control file."""


class State(msgspec.Struct, frozen=True):
    """The control file's scalar part."""

    generation: int
    store: str
    high: int
    next_loss: int
    wall_ms: int
    """Heartbeat: when this was written."""
    boot: str
    cursors: dict[str, list[int]]
    parked: dict[str, int]
    """Targets no longer configured: for how long this store was open since, ms."""
    soon: int = 0
    """As in `Stamp`."""
    water: int = 0
    """As in `Stamp`."""
    absent: list[int] = []
    """Steps of the seqs not on disk for a reason; see `buffer.absent`."""
    given: list[int] = []
    """Edges of what was given to any target and is not proved."""


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """Control state inside a batch row."""

    generation: int
    soon: int
    """``water`` and how many records can be at risk before the next commit."""
    cursors: dict[str, list[int]]
    settles: list[tuple[int, int]]
    """(loss id, seq of the record in this batch that states it)."""
    wall_ms: int = 0
    """Heartbeat: when the commit began."""
    water: int = 0
    """With this row durable, every seq up to here is stored or need not be; 0 in a
    store of an older release: all of it is stored."""
    absent: list[int] = []
    """As in `State`, but only what the control file does not say."""


_encode = msgspec.msgpack.Encoder().encode
_decode_stamp = msgspec.msgpack.Decoder(Stamp).decode
_decode_state = msgspec.msgpack.Decoder(State).decode


def encode_stamp(stamp: Stamp) -> bytes:
    """A stamp's bytes; long cursors are left to the control file."""
    raw = _encode(stamp)
    if len(raw) > _LARGEST_STAMP:
        raw = _encode(msgspec.structs.replace(stamp, cursors={}))
    return raw


def decode_stamp(raw: bytes) -> Stamp | None:
    """The stamp of a row whose checksum was right; nothing when it is no stamp."""
    try:
        return _decode_stamp(raw)
    except msgspec.DecodeError:
        return None


def decode_state(raw: bytes) -> State:
    """The control file's state.

    Raises:
        DamagedError: The bytes are no state.
    """
    try:
        return _decode_state(raw)
    except msgspec.DecodeError as exc:
        raise DamagedError(f"control state: {exc}") from exc


class ControlFile:
    """The items of ``control.sqlite``; opened when first needed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "control.sqlite"
        self._db: sqlite3.Connection | None = None
        self._bytes: int | None = None

    def load(self) -> dict[str, bytes]:
        """All items; none when there is no file.

        Raises:
            DamagedError: The file is not what was written.
            OSError: It cannot be opened now.
        """
        if not files.size_of(self.path):
            return {}
        try:
            verdict, rows = self._read()
        except sqlite3.DatabaseError as exc:
            self.close()
            code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
            if kind_of(exc) in {"disk", "full"} and code != sqlite3.SQLITE_IOERR:
                raise OSError(f"{self.path}: {exc}") from exc
            raise DamagedError(f"{self.path}: {exc}") from exc
        items = {}
        for key, value, total in rows:
            if not isinstance(value, bytes) or zlib.crc32(key + value) != total:
                raise DamagedError(f"{self.path}: item {key!r} fails its checksum")
            items[key.decode("utf-8", "replace")] = value
        if verdict != b"ok":
            raise DamagedError(f"{self.path}: {verdict!r}")
        return items

    def _read(self) -> tuple[bytes, list[tuple[bytes, object, int]]]:
        try:
            db = self._open()
            return _verdict_and_rows(db)
        except sqlite3.DatabaseError as exc:
            if files.size_of(files.wal_of(self.path)) or kind_of(exc) == "damage":
                raise
            # No room for a write-ahead log, and none is there: the file is complete.
            self.close()
            with contextlib.closing(files.open_readonly(self.path)) as db:
                return _verdict_and_rows(db)

    def save(self, changes: Mapping[str, bytes | None]) -> None:
        """Make changed items durable, all or none; ``None`` removes one.

        Raises:
            sqlite3.Error, OSError: The disk refused.
        """
        self._bytes = None
        try:
            db = self._open()
            db.execute("BEGIN IMMEDIATE")
            for key, value in changes.items():
                if value is None:
                    db.execute("DELETE FROM item WHERE key=?", (key,))
                else:
                    total = zlib.crc32(key.encode() + value)
                    db.execute(
                        "INSERT OR REPLACE INTO item VALUES(?,?,?)", (key, value, total)
                    )
            db.execute("COMMIT")
        except BaseException:
            # After a failed fsync nothing this connection believes is sure.
            if self._db is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            self.close()
            raise

    def disk_bytes(self) -> int:
        """Bytes of the file and its WAL."""
        if self._bytes is None:
            wal = files.wal_of(self.path)
            self._bytes = files.size_of(self.path) + files.size_of(wal)
        return self._bytes

    def close(self) -> None:
        """Close; may be called twice, opens again by itself."""
        files.close_quietly(self._db)
        self._db = None

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            fresh = not self.path.exists()
            db = files.open_writable(self.path, WAL_PAGES)
            try:
                if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                    db.execute("BEGIN IMMEDIATE")
                    files.stamp(db)
                    db.execute(
                        "CREATE TABLE item(key TEXT PRIMARY KEY, value BLOB,"
                        " sum INTEGER) WITHOUT ROWID"
                    )
                    db.execute("COMMIT")
                if fresh:
                    files.sync_folder(self.path.parent)
            except BaseException:
                files.close_quietly(db)
                raise
            self._db = db
        return self._db


def _verdict_and_rows(
    db: sqlite3.Connection,
) -> tuple[bytes, list[tuple[bytes, object, int]]]:
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    return verdict, db.execute("SELECT key, value, sum FROM item").fetchall()

"""Set a damaged file of the history aside, and keep what of it is sound.

    1  read every row that still can be read and whose checksum is right
    2  write them to NAME.rescue, closed and synced
    3  move the damaged file to damaged/
    4  rename NAME.rescue to NAME

A leftover NAME.rescue after a crash: with NAME gone it takes its place, with NAME still
there it is thrown away and all begins anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from buffer import files, salvage
from buffer.errors import DamagedError
from buffer.history_block import checksum
from buffer.shelf import Shelf, read_name

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".rescue"
_TABLES = {
    "entry": "id, subject, t, rev, sum, body",
    "block": "id, subject, start, t_min, t_max, records, sum, body",
    "fate": "id, target, subject, start, sum, body",
}


def finish_interrupted(folder: Path) -> None:
    """Complete or undo what a crash interrupted."""
    for copy in folder.glob("*" + SUFFIX):
        name = copy.name.removesuffix(SUFFIX)
        if read_name(name) is not None and not (folder / name).exists():
            copy.rename(folder / name)
            files.sync_folder(folder)
        else:
            files.remove_database(copy)
    for leftover in folder.glob("*" + SUFFIX + "-*"):
        leftover.unlink(missing_ok=True)


def rescue(shelf: Shelf) -> int:
    """Put a sound file in the place of a damaged one; none where nothing is left.

    Returns:
        How many rows could be kept.

    Raises:
        OSError, sqlite3.Error: No room for the copy; the damaged file stays.
    """
    shelf.forget()
    rows = _readable(shelf.path)
    kept = sum(map(len, rows.values()))
    copy = shelf.path.with_name(shelf.path.name + SUFFIX)
    files.remove_database(copy)
    if kept:
        try:
            _write(shelf, copy, rows)
        except BaseException:
            with contextlib.suppress(OSError):
                files.remove_database(copy)
            raise
    salvage.set_aside(shelf.path)
    if kept:
        copy.rename(shelf.path)
        files.sync_folder(shelf.path.parent)
    return kept


def _write(shelf: Shelf, copy: Path, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    fresh = Shelf(shelf.path.parent, shelf.kind, shelf.start_ms)
    fresh.path = copy
    fresh.restore(rows)


def _readable(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _TABLES}
    try:
        db = files.open_writable(path, 1000)
    except (sqlite3.Error, DamagedError):
        return found  # not even its first page can be read
    with contextlib.closing(db):
        for table, columns in _TABLES.items():
            for number in sorted(_numbers(db, table)):
                row = _row(db, table, columns, number)
                if row is not None:
                    found[table].append(row)
    return found


def _numbers(db: sqlite3.Connection, table: str) -> set[int]:
    """From both ends up to where it cannot be read."""
    found: set[int] = set()
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.Error):
            for (number,) in db.execute(
                f"SELECT id FROM {table} ORDER BY id {order}"  # noqa: S608 - ours
            ):
                found.add(number)
            break
    return found


def _row(
    db: sqlite3.Connection, table: str, columns: str, number: int
) -> tuple[Any, ...] | None:
    try:
        row = db.execute(
            f"SELECT {columns} FROM {table} WHERE id=?",  # noqa: S608 - ours
            (number,),
        ).fetchone()
    except sqlite3.Error:
        return None
    if row is None:
        return None
    try:
        key = tuple(x.decode() if isinstance(x, bytes) else x for x in row[1:-2])
        sound = isinstance(row[-1], bytes) and checksum(key, row[-1]) == row[-2]
    except UnicodeDecodeError:
        return None
    return (row[0], *key, *row[-2:]) if sound else None

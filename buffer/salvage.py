"""Set a damaged file aside, and give what it still held a sound file.

The order lets a crash at any point be finished on the next start:

    1  carve the damaged file (read only)
    2  write the sound rows to NAME.salvage, closed and synced
    3  rename the damaged file to damaged/
    4  rename NAME.salvage to NAME

A leftover NAME.salvage means step 3 or 4 is missing: with NAME gone it takes its
place, with NAME still there it is thrown away and all begins anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from buffer import files
from buffer.batch import unpack
from buffer.carve import carve
from buffer.errors import DamagedError, DiskTroubleError, kind_of
from buffer.segment import Segment, class_of

if TYPE_CHECKING:
    from pathlib import Path

    from buffer.batch import Row

FOLDER = "damaged"
SUFFIX = ".salvage"
_CHUNK = 256


class Salvaged(NamedTuple):
    """What became of a damaged segment."""

    segment: Segment | None
    """Its sound rows; nothing when there were none."""
    rows: list[Row]
    heads: list[Row]
    """Rows lost of which is known whose they were."""


def salvage(damaged: Segment, store: str) -> Salvaged:
    """Carve a segment, set it aside, and put a sound one in its place.

    Raises:
        DiskTroubleError: The file is there but cannot be opened.
    """
    damaged.release()
    try:
        carved = carve(damaged.path)
    except OSError as exc:
        raise DiskTroubleError(f"{damaged.name}: {exc}") from exc
    rows, heads = [], carved.heads
    for row in carved.rows:
        try:
            unpack(row, damaged.cls)
            rows.append(row)
        except DamagedError:
            heads.append(row)
    try:
        segment = _rewrite(damaged, rows, store) if rows else None
        set_aside(damaged.path)
        if segment is not None:
            segment.rename(damaged.name)
            files.sync_folder(damaged.path.parent)
    except (OSError, sqlite3.Error) as exc:
        if kind_of(exc) not in {"full", "disk"}:
            raise
        # No room for a sound copy: serve from memory, the next start tries again.
        segment = _fresh(damaged)
        _count(segment, rows)
        segment.hold(rows)
    return Salvaged(segment, rows, heads)


def finish_interrupted(folder: Path) -> None:
    """Complete or undo salvages a crash interrupted."""
    for copy in folder.glob("*" + SUFFIX):
        name = copy.name.removesuffix(SUFFIX)
        if class_of(name) is not None and not (folder / name).exists():
            copy.rename(folder / name)
            files.sync_folder(folder)
        else:
            files.remove_database(copy)
    for leftover in folder.glob("*" + SUFFIX + "-*"):
        leftover.unlink(missing_ok=True)


def set_aside(path: Path) -> None:
    """Move a database and its WAL to ``damaged/``, under a name of its own."""
    home = path.parent / FOLDER
    home.mkdir(exist_ok=True)
    name, n = path.name, 0
    while (home / name).exists() or files.wal_of(home / name).exists():
        n += 1
        name = f"{path.name}.{n}"
    # The WAL first: a crash in between leaves the file without it, still salvageable.
    for source, target in (
        (files.wal_of(path), files.wal_of(home / name)),
        (path, home / name),
    ):
        with contextlib.suppress(FileNotFoundError):
            source.rename(target)
    files.sync_folder(home)
    files.sync_folder(path.parent)


def trim(folder: Path, limit: int) -> int:
    """Keep the newest ``limit`` bytes of ``damaged/``; returns the bytes kept."""
    home = folder / FOLDER
    if not home.is_dir():
        return 0
    kept = 0
    found = [(p, p.stat()) for p in home.iterdir()]
    for path, status in sorted(found, key=lambda f: (-f[1].st_mtime, f[0].name)):
        if kept + status.st_size > limit:
            with contextlib.suppress(OSError):  # a disk that takes nothing: later
                path.unlink(missing_ok=True)
                continue
        kept += status.st_size
    return kept


def count_aside(folder: Path) -> int:
    """How many damaged files lie aside."""
    home = folder / FOLDER
    if not home.is_dir():
        return 0
    return sum(not path.name.endswith("-wal") for path in home.iterdir())


def _rewrite(damaged: Segment, rows: list[Row], store: str) -> Segment:
    name = damaged.name + SUFFIX
    folder = damaged.path.parent
    files.remove_database(folder / name)
    segment = Segment.create(
        folder,
        damaged.cls,
        name=name,
        before=rows[0].before,
        made_ms=damaged.made_ms or rows[0].t_min,
        store=store,
        wal_pages=1000,
    )
    try:
        for start in range(0, len(rows), _CHUNK):
            segment.insert(rows[start : start + _CHUNK])
        _count(segment, rows)
        segment.name = damaged.name  # as the footer shall say
        segment.seal()
    except BaseException:
        segment.release()
        with contextlib.suppress(OSError):
            files.remove_database(folder / name)
        raise
    return segment


def _fresh(damaged: Segment) -> Segment:
    segment = Segment(damaged.path.parent, damaged.name, damaged.cls, damaged.before)
    segment.made_ms = damaged.made_ms
    return segment


def _count(segment: Segment, rows: list[Row]) -> None:
    for row in rows:
        segment.count_in(row, None if row.consecutive else unpack(row, segment.cls))

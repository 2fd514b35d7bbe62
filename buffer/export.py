"""Stored records in forms that ordinary tools read: SQLite tables or JSON lines."""

from __future__ import annotations

import base64
from typing import IO, TYPE_CHECKING, Any

import msgspec

from buffer.inspect import entries, inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from buffer.model import Entry

    Render = Callable[[Entry], dict[str, Any]]
    """What a record says, as columns or JSON fields; the buffer cannot know."""

_BATCH = 500


def to_sqlite(folder: Path, out: Path, render: Render | None = None) -> int:
    """Write every intact record, cursors, segments and open losses as tables.

    Args:
        folder: The store; it may be in use.
        out: A file that must not exist yet.
        render: Adds columns; without it ``data`` holds the stored bytes.

    Returns:
        How many records were written.

    Raises:
        FileExistsError: ``out`` is there already.
        FileNotFoundError: There is no store.
    """
    # Half of this module's import time; only an export needs it.
    import sqlite_utils  # noqa: PLC0415

    if out.exists():
        raise FileExistsError(f"{out}: already there; name a new file")
    report = inspect(folder)
    database = sqlite_utils.Database(out)
    try:
        records = database.table("record", pk="seq")
        records.insert_all(
            _rows(entries(folder), render), batch_size=_BATCH, alter=True
        )
        _table(database, "segment", "name", report.segments)
        _table(database, "loss", "id", report.losses)
        targets = [
            {"target": name} | msgspec.to_builtins(target)
            for name, target in report.targets.items()
        ]
        if targets:
            database.table("target", pk="target").insert_all(targets)
        return records.count if records.exists() else 0
    finally:
        database.close()


def to_jsonl(folder: Path, out: IO[str], render: Render | None = None) -> int:
    """Write every intact record as a line of JSON; returns how many.

    Without ``render``, ``data`` is text where it is UTF-8, else base64 in ``data64``.
    """
    encoder = msgspec.json.Encoder()
    n = 0
    for entry in entries(folder):
        fields = _head(entry) | (render(entry) if render else _plain(entry.data))
        out.write(encoder.encode(fields).decode() + "\n")
        n += 1
    return n


def _rows(found: Iterable[Entry], render: Render | None) -> Iterator[dict[str, Any]]:
    for entry in found:
        yield _head(entry) | (render(entry) if render else {"data": entry.data})


def _head(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "class": entry.cls.name.lower(),
        "t": entry.t_ms,
        "subject": entry.subject,
    }


def _plain(data: bytes) -> dict[str, str]:
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data64": base64.b64encode(data).decode()}


def _table(database: Any, name: str, key: str, found: Iterable[Any]) -> None:  # noqa: ANN401
    rows = [msgspec.to_builtins(item) for item in found]
    if rows:
        database.table(name, pk=key).insert_all(rows)

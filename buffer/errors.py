"""Errors of the buffer, grouped by what the gateway does next.

StoreError
├── BufferLockedError     another process has the folder: stop that one first
├── BufferTooNewError     a newer release wrote the store: nothing was touched
├── BufferClosedError     used after close: a bug
├── DiskTroubleError      the disk refuses: kept in memory, tried again by itself
└── DamagedError          stored bytes are not what was written: set aside, go on
"""

from __future__ import annotations

import errno
import sqlite3
from typing import Literal

Kind = Literal["full", "disk", "damage", "bug"]

_FULL = {sqlite3.SQLITE_FULL}
_DISK = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


class StoreError(Exception):
    """Root of this package's errors."""


class BufferLockedError(StoreError):
    """Another process has the folder open."""

    def __init__(self, folder: str, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{folder}: in use by {who}; stop it first")
        self.pid = pid


class BufferTooNewError(StoreError):
    """The store was written by a newer release; nothing was touched."""

    def __init__(self, place: str, found: int, known: int) -> None:
        super().__init__(
            f"{place}: expected store version {known} or older, found {found}; "
            "install the newer release again or move the folder away"
        )
        self.found = found


class BufferClosedError(StoreError):
    """The buffer was used after it was closed."""


class DiskTroubleError(StoreError):
    """The disk took or gave nothing; what was to be written stays in memory."""


class DamagedError(StoreError):
    """Stored bytes are not what was written."""


_PASSING = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENXIO,
    errno.ENODEV,
    errno.EBUSY,
    errno.EAGAIN,
    errno.ESTALE,
    errno.ETIMEDOUT,
}


def may_pass(exc: BaseException) -> bool:
    """Whether what hindered the opening of a store may go away by itself.

    A folder that may not be used or is no folder does not: a person must act.
    """
    if isinstance(exc, OSError):
        # Without a number it is SQLite that was refused, by the disk below it.
        return exc.errno is None or exc.errno in _PASSING
    return isinstance(exc, DiskTroubleError)


def kind_of(exc: BaseException) -> Kind:  # noqa: PLR0911 - a table
    """What an error from a file or from SQLite calls for.

    ``full`` and ``disk`` are waited out (``full`` leaves the file sound), ``damage``
    sets the file aside, ``bug`` ends the process.

    Source: https://www.sqlite.org/rescode.html, primary result codes.
    """
    if isinstance(exc, DamagedError):
        return "damage"
    if isinstance(exc, DiskTroubleError):
        return "disk"
    if isinstance(exc, OSError):
        return "full" if exc.errno in {errno.ENOSPC, errno.EDQUOT} else "disk"
    if isinstance(exc, sqlite3.Error):
        code = getattr(exc, "sqlite_errorcode", None)
        primary = code & 0xFF if isinstance(code, int) else None
        if primary in _FULL:
            return "full"
        if primary in _DISK:
            return "disk"
        if primary in _DAMAGE:
            return "damage"
    return "bug"

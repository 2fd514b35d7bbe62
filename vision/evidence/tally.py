"""How many bytes an evidence folder holds, as all who write to it count them.

Groups of cameras are processes of their own and share the folder and its bound, so the
count is a number in a file that is read and written under its lock. Who holds the lock
writes a picture meanwhile: no two find the same room.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TALLY = ".tally"
PATIENCE_S = 2.0
"""One that stands still with the lock in its hand must not blind the others."""
_POLL_S = 0.01


class Tally:
    """The count of one folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / TALLY
        self.bytes: int | None = None
        """Good while held; None: somebody has to look."""

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """With the count of all, which nobody else changes meanwhile."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:  # nor can a picture be written here
            yield
            return
        try:
            _lock(handle)
            self.bytes = _number(os.pread(handle, 32, 0))
            yield
            with contextlib.suppress(OSError):
                kept = b"" if self.bytes is None else b"%d" % self.bytes
                os.ftruncate(handle, os.pwrite(handle, kept, 0))
        finally:
            os.close(handle)


def _lock(handle: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return
            time.sleep(_POLL_S)
        except OSError:
            return  # a file system without locks
        else:
            return


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None

"""One process per folder, and the refusal says which one has it."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from buffer.errors import BufferLockedError

if TYPE_CHECKING:
    from pathlib import Path


class FolderLock:
    """An flock(2) on ``folder/lock``; the kernel lets go of it when we die."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            BufferLockedError: Another process has it.
            OSError: The file can neither be opened nor made.
        """
        self._fd: int | None = os.open(
            folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640
        )
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            pid = _pid_in(self._fd)
            self.release()
            if isinstance(exc, BlockingIOError):
                raise BufferLockedError(str(folder), pid) from None
            raise
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            return  # a full disk: the lock holds all the same, only the pid is missing

    def release(self) -> None:
        """Let others in; may be called twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def holder(folder: Path) -> int | None:
    """Pid of the process that has the folder open; 0 when its pid is not known."""
    try:
        fd = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(fd) or 0
    else:
        return None
    finally:
        os.close(fd)


def _pid_in(fd: int) -> int | None:
    try:
        return int(os.pread(fd, 32, 0))
    except (OSError, ValueError):
        return None

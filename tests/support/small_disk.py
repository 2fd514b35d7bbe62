"""A file system of a stated size that can be filled to the last byte."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class SmallDisk:
    """A tmpfs of some megabytes; needs the right to mount one.

    Args:
        folder: Where to mount it; made.
        size: Its bytes.
        inodes: The most files, folders included.
    """

    def __init__(self, folder: Path, size: int, inodes: int | None = None) -> None:
        self.folder = folder
        options = f"size={size}" + (f",nr_inodes={inodes}" if inodes else "")
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"may not mount here: {done.stderr.decode().strip()[-200:]}")

    def __enter__(self) -> SmallDisk:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=False)

    @property
    def free(self) -> int:
        """Bytes free now."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def used_by(self, name: str) -> int:
        """Bytes of all files below a folder of it, as the disk counts them."""
        total = 0
        for path in (self.folder / name).rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_blocks * 512
        return total

    def fill(self, leave: int = 0) -> None:
        """Somebody else takes all that is free but ``leave`` bytes."""
        with (self.folder / "ballast").open("ab", buffering=0) as file:
            while (room := self.free - leave) > 0:
                try:
                    file.write(bytes(min(room, 1 << 20)))
                except OSError:
                    return

    def fill_names(self) -> None:
        """Somebody else takes every file name the disk has room for."""
        (self.folder / "names").mkdir(exist_ok=True)
        for n in range(1_000_000):
            try:
                (self.folder / "names" / str(n)).touch()
            except OSError:
                return

    def clear(self) -> None:
        """Somebody else tidies up."""
        (self.folder / "ballast").unlink(missing_ok=True)
        for path in (self.folder / "names").glob("*"):
            path.unlink()

    def set_readonly(self, readonly: bool) -> bool:
        """Remount it; whether that was allowed: not while a file is written."""
        word = "ro" if readonly else "rw"
        done = subprocess.run(
            ["mount", "-o", f"remount,{word}", str(self.folder)],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

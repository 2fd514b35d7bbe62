"""The evidence folder: files that are whole or not there, and room for the next.

    <folder>/<camera>/<local day>/<event>-<n>.jpg
                                 /_heartbeat-<day>-<n>.jpg
                                 /_snapshot-<id>-<n>.jpg

A file is written beside its name, flushed, and renamed. The oldest go when they are too
old or the folder is too large, pictures of no alarm first. What a gateway still has to
deliver is in its buffer, byte for byte, so no file is waited for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vision.evidence.notes import sync
from vision.evidence.tally import Tally
from vision.said import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vision.messages import Evidence

LOOK_S = 600.0
"""The folder is read this often; in between, what is written is counted."""
_OURS = re.compile(r"[^.].*\.(jpg|mp4)\Z")
_HALF = re.compile(r"\.tmp-.*")
_HALF_OLD_S = 3600.0
_CLOCK_SET_S = 1_704_067_200.0
"""2024: a file from before it was written under a clock that nobody had set."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._~-]")
_LONGEST_NAME = 120
_DAYS_BACK = 3
"""An alarm that is raised anew has pictures of today or of the day before."""


class Kept(NamedTuple):
    """One file of the folder."""

    of_alarm: bool
    mtime_s: float
    size: int
    path: Path


def file_name(event: str, n: int, ending: str) -> str:
    """What a picture of an event is called; no path can be hidden in it."""
    safe = _UNSAFE.sub("_", event)[:_LONGEST_NAME].lstrip(".") or "_"
    return f"{safe}-{n}.{ending}"


class Shelf:
    """One evidence folder; several processes write to it and keep to its one bound."""

    def __init__(self, evidence: Evidence, *, notes: bool = False) -> None:
        """Prepare; nothing is read or written yet.

        Args:
            evidence: The folder and its bounds.
            notes: Whether a gateway is to be told of every picture, if need be later.
        """
        self.folder = Path(evidence.folder)
        self.notes = notes
        self._most = evidence.max_bytes
        self._keep_s = evidence.keep_s
        self._tally = Tally(self.folder)
        self._looked_s = 0.0
        self.trouble: Trouble | None = None
        """Why the last file could not be written."""

    def put(self, place: str, data: bytes, now_s: float) -> bool:
        """Write one file, durable when this returns.

        Args:
            place: Below the folder.
            data: Its content.
            now_s: UTC seconds.

        Returns:
            Whether it is there; else ``trouble`` says why.
        """
        return self.adopt(place, lambda path: path.write_bytes(data), len(data), now_s)

    def adopt(
        self,
        place: str,
        write: Callable[[Path], object],
        size: int,
        now_s: float,
    ) -> bool:
        """The same of what ``write`` makes of a path with the same ending.

        Args:
            place: Below the folder.
            write: Called with a path; makes a file there.
            size: About so many bytes.
            now_s: UTC seconds.
        """
        with self._tally.held():
            self.make_room(size, now_s)
            found = self._write(place, write, size)
            if found and self._tally.bytes is not None:
                self._tally.bytes += found
                self.make_room(0, now_s)  # it is larger than was thought
        return found > 0

    def _write(self, place: str, write: Callable[[Path], object], size: int) -> int:
        """Bytes of the file that is there now; 0: none is."""
        for last in (False, True):
            path = self.folder / place
            half = path.with_name(f".tmp-{secrets.token_hex(6)}{path.suffix}")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write(half)
                sync(half)
                found = half.stat().st_size
                half.replace(path)
                sync(path.parent)
            except OSError as exc:
                with contextlib.suppress(OSError):
                    half.unlink(missing_ok=True)
                full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
                why = {"path": str(path), "error": exc.strerror or str(exc)}
                self.trouble = Trouble("vision.unkept.file", why)
                if full and not last and self._free(2 * size):
                    continue
                return 0
            self.trouble = None
            return found
        return 0

    def make_room(self, size: int, now_s: float) -> None:
        """Remove what is too old, and as much more as ``size`` bytes need."""
        late = not 0 <= now_s - self._looked_s < LOOK_S
        held = self._tally.bytes
        if not late and held is not None and held + size <= self._most:
            return
        found = sorted(self.kept())
        self._looked_s = now_s
        total = sum(one.size for one in found)
        # The clock may have been wrong by years when it was asked, or a file written.
        newest = max((one.mtime_s for one in found), default=now_s)
        oldest = min(now_s, newest) - self._keep_s
        for one in found:
            aged = _CLOCK_SET_S < one.mtime_s < oldest
            if (aged or total + size > self._most) and _remove(one.path):
                total -= one.size
        self._tally.bytes = total

    def highest(self, camera: str, event: str) -> int:
        """The highest number of a picture of an event, by a process before; 0: none."""
        ours, numbers = file_name(event, 0, "").removesuffix("-0."), [0]
        newest = sorted(_folders(self.folder / camera), reverse=True)[:_DAYS_BACK]
        for day in newest:
            with contextlib.suppress(OSError):
                for path in day.iterdir():
                    stem, _, n = path.stem.rpartition("-")
                    if stem == ours and n.isascii() and n.isdigit():
                        numbers.append(int(n))
        return max(numbers)

    def kept(self) -> Iterator[Kept]:
        """Every picture there is; what cannot be read is passed by."""
        for camera in _folders(self.folder):
            for day in _folders(camera):
                yield from _files(day)

    def _free(self, size: int) -> bool:
        """Remove the least dear files of this many bytes; whether there were any."""
        freed = 0
        for one in sorted(self.kept()):
            if freed >= size:
                break
            if _remove(one.path):
                freed += one.size
        self._tally.bytes = None
        return freed > 0


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            return [
                Path(entry.path)
                for entry in found
                if entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def _files(day: Path) -> Iterator[Kept]:
    empty = True
    with contextlib.suppress(OSError), os.scandir(day) as found:
        for entry in found:
            empty = False
            with contextlib.suppress(OSError):
                if not entry.is_file(follow_symlinks=False):
                    continue
                about = entry.stat(follow_symlinks=False)
                if _HALF.match(entry.name):
                    _remove_half(Path(entry.path), about.st_mtime)
                elif _OURS.match(entry.name):
                    of_alarm = not entry.name.startswith("_")
                    yield Kept(
                        of_alarm, about.st_mtime, about.st_size, Path(entry.path)
                    )
    if empty:
        with contextlib.suppress(OSError):
            day.rmdir()


def _remove_half(path: Path, mtime_s: float) -> None:
    """What a kill left half written; another process may be at a younger one."""
    if abs(time.time() - mtime_s) > _HALF_OLD_S:
        _remove(path)


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return True  # another process removed it
    except OSError:
        return False
    return True

"""Pictures on disk of which nobody was told: what a death left between the two.

The vision process notes a picture before the file has its name; the note goes when the
picture is durable in the buffer. What has a note when no process of its camera runs was
never stored: it is told now. Which notes are only waiting to go is kept in the buffer,
right behind the records of their pictures, so that a gateway that dies before they are
gone tells none twice. What its alarm was is in the process' own list of alarms.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gateway.uplink.daemon import DaemonExecutor
from vision.messages import ALARMS_FOLDER, UNTOLD_FOLDER, Picture, Sight, note_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

STORED = "pictures"
"""Of the buffer's notes: the names of ours whose pictures are stored."""
READ_S = 5.0
NEWEST_BYTES = 200_000
"""Of a list of alarms: some hundred of the last."""
_READ_ONLY = msgspec.json.Decoder(Picture)
_SIGHT = msgspec.json.Decoder(Sight)
_DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError)
"""What a power failure leaves: cut off, or bytes in it that are no text."""


class Note(NamedTuple):
    """One of them."""

    name: str
    """Relative to the evidence folder."""
    camera: str
    picture: Picture | None
    """None: cut off by a power failure, before its file had a name."""


class Untold:
    """The notes of one evidence folder."""

    def __init__(
        self,
        folder: Path,
        high: Callable[[], int],
        durable: Callable[[], int],
        remember: Callable[[bytes, bool], None],
        recalled: bytes | None,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            folder: Of evidence.
            high: The newest seq of the buffer.
            durable: Up to which seq all of it is safe.
            remember: Keeps bytes in the buffer, never sooner than the records before;
                true: it may be much later.
            recalled: What was kept last.
        """
        self._folder = folder
        self._high, self._durable = high, durable
        self._remember = remember
        self._stored = dict.fromkeys(_names(recalled), 0)
        """Note -> with this seq its picture is safe."""
        self._files = DaemonExecutor()

    async def notes(self) -> list[Note]:
        """What is noted and not in the buffer; nothing where the folder hangs."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(READ_S):
                found = await loop.run_in_executor(self._files, _read, self._folder)
        except TimeoutError:
            return []
        return [note for note in found if note.name not in self._stored]

    async def sights(self, camera: str, ids: Collection[str]) -> list[Sight]:
        """The last that a process told of each of these alarms, oldest first."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(READ_S):
                return await loop.run_in_executor(
                    self._files, _sights, self._folder, camera, ids
                )
        except TimeoutError:
            return []

    def stored(self, picture: Picture) -> None:
        """It is in the buffer: its note may go once that is durable."""
        self._stored[note_of(picture)] = self._high()
        self._keep()

    def settle(self) -> asyncio.Future[list[str]] | None:
        """Remove the notes of what is safe; who wants may wait for it."""
        if not self._stored:
            return None
        durable = self._durable()
        return self.remove(name for name, seq in self._stored.items() if seq <= durable)

    def remove(self, files: Iterable[str]) -> asyncio.Future[list[str]] | None:
        """Remove notes and files; nobody has to wait for it."""
        due = list(files)
        if not due:
            return None
        # Until they are gone, and if they cannot be removed, nobody tells of them.
        self._stored.update(dict.fromkeys(due, sys.maxsize))
        gone = asyncio.get_running_loop().run_in_executor(
            self._files, _remove, self._folder, due
        )
        gone.add_done_callback(self._forget)
        return gone

    def _forget(self, gone: asyncio.Future[list[str]]) -> None:
        if not gone.cancelled():
            for name in gone.result():
                self._stored.pop(name, None)
            self._keep(lazily=True)  # that one is gone nobody must know

    def _keep(self, *, lazily: bool = False) -> None:
        # A picture's own file may be made anew under its name: it is not ours to tell.
        names = [name for name in self._stored if name.startswith(UNTOLD_FOLDER)]
        self._remember(msgspec.json.encode(names), lazily)


def _names(kept: bytes | None) -> list[str]:
    with contextlib.suppress(*_DAMAGED):
        return msgspec.json.decode(kept or b"[]", type=list[str])
    return []


def _read(folder: Path) -> list[Note]:
    found = []
    with contextlib.suppress(OSError):
        for path in sorted((folder / UNTOLD_FOLDER).glob("*.json")):
            name, camera = f"{UNTOLD_FOLDER}/{path.name}", path.name.partition("~")[0]
            picture = None
            with contextlib.suppress(OSError, *_DAMAGED):
                picture = _READ_ONLY.decode(path.read_bytes())
            # One that names another file, or another camera, is none of ours.
            if picture and (
                (note_of(picture), picture.camera) != (name, camera)
                or ".." in picture.file.split("/")
            ):
                picture = None
            found.append(Note(name, camera, picture))
    return found


def _sights(folder: Path, camera: str, ids: Collection[str]) -> list[Sight]:
    found: dict[str, Sight] = {}
    path = folder / ALARMS_FOLDER / f"{camera}.jsonl"
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - NEWEST_BYTES))
        for line in file.read(NEWEST_BYTES).splitlines():
            # What an operator said of an alarm stands there, too, and lines cut off.
            with contextlib.suppress(*_DAMAGED):
                sight = _SIGHT.decode(line)
                if sight.id in ids and sight.camera == camera:
                    found[sight.id] = sight
    return sorted(found.values(), key=lambda sight: sight.t_ms)


def _remove(folder: Path, files: Iterable[str]) -> list[str]:
    gone = []
    for file in files:
        with contextlib.suppress(OSError):
            (folder / file).unlink(missing_ok=True)
            gone.append(file)
    return gone

"""Notes of pictures that the gateway is yet to be told of; see ``UNTOLD_FOLDER``."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

from vision.messages import note_of

if TYPE_CHECKING:
    from pathlib import Path

    from vision.messages import Picture


def note(folder: Path, picture: Picture) -> None:
    """Write the note of a picture, durable when this returns.

    One that a power failure cut off belongs to a file that never got its name.

    Raises:
        OSError: It could not be written.
    """
    path = folder / note_of(picture)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(picture))
    sync(path)
    sync(path.parent)


def forget(folder: Path, picture: Picture) -> None:
    """There is no such picture after all."""
    with contextlib.suppress(OSError):
        (folder / note_of(picture)).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

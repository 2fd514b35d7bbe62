"""Pictures joined from the parts they travel in, and proved to be whole.

A part names its picture by gateway, store, event and number, and the whole by its size
and SHA-256. Parts come in any order, and more than once; a picture is whole once.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.payloads import Media

_ENDINGS = {"image/jpeg": "jpg", "video/mp4": "mp4"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._~-]")

Key = tuple[str, str, str, int]


@dataclass
class Picture:
    """One picture, as far as its parts came."""

    first: Media
    parts: dict[int, bytes] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether no part is missing."""
        return len(self.parts) == self.first.parts

    def data(self) -> bytes:
        """All of it, joined."""
        return b"".join(self.parts[part] for part in sorted(self.parts))


class Pictures:
    """Joins parts.

    Args:
        folder: Where whole pictures are written; None: only counted.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._open: dict[Key, Picture] = {}
        self.whole: dict[Key, Media] = {}
        """What every picture says of itself that is whole and right."""

    @property
    def open(self) -> int:
        """Pictures of which some parts came and others did not."""
        return len(self._open)

    def take(self, part: Media, data: bytes) -> Picture | None:
        """A part that had not come before.

        Returns:
            The picture, if this was its last part.

        Raises:
            ValueError: It does not fit the picture, or what was joined is not it.
        """
        key = (part.gw, part.store, part.event, part.n)
        if key in self.whole:
            raise ValueError(f"{part.event}/{part.n}: part {part.part} of a whole one")
        picture = self._open.setdefault(key, Picture(part))
        first = picture.first
        same = (first.sha256, first.bytes, first.parts) == (
            part.sha256,
            part.bytes,
            part.parts,
        )
        if not same or not 1 <= part.part <= part.parts or part.part in picture.parts:
            raise ValueError(f"{part.event}/{part.n}: part {part.part} is not of it")
        picture.parts[part.part] = data
        if not picture.complete:
            return None
        del self._open[key]
        whole = picture.data()
        if len(whole) != part.bytes:
            raise ValueError(
                f"{part.event}/{part.n}: expected {part.bytes} bytes, got {len(whole)}"
            )
        found = hashlib.sha256(whole).hexdigest()
        if found != part.sha256:
            raise ValueError(
                f"{part.event}/{part.n}: expected {part.sha256}, got {found}"
            )
        self.whole[key] = part
        if self._folder is not None:
            self._write(part, whole)
        return picture

    def _write(self, part: Media, whole: bytes) -> None:
        assert self._folder is not None  # noqa: S101 - for mypy
        folder = (
            self._folder / _UNSAFE.sub("_", part.gw) / _UNSAFE.sub("_", part.camera)
        )
        folder.mkdir(parents=True, exist_ok=True)
        ending = _ENDINGS.get(part.type, "bin")
        name = f"{_UNSAFE.sub('_', part.event)}-{part.n}-{part.role}.{ending}"
        (folder / name.lstrip(".")).write_bytes(whole)

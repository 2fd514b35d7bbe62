r"""The mark: which seqs may be in use, in three fixed pages that never need new space.

    offset 0     slot A  \  written in turn, each with fsync: a torn write
    offset 4096  slot B  /  leaves the other one
    offset 8192  hint       written before rows are, without fsync

A slot says: this store, this run, clean or running, ``high`` (exact when clean, else
what this run found on disk or stored since, at least) and
``ceiling``: no seq above it was ever handed out. After an unclean stop the next seq is
taken from above the ceiling, so no seq is used twice even where the disk lost what it
had acknowledged. Because slots are overwritten in place, the ceiling rises on a full
disk too.

The hint bounds how many records an unclean stop cost: it survives the death of the
process (the page cache does), and is only trusted within the same boot.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from buffer.errors import BufferTooNewError
from buffer.files import FORMAT_VERSION, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 4096
_MAGIC = b"ecogate-mark"
# magic, format version, payload length, crc of version and payload
_FRAME = struct.Struct("<12sHHI")


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """What one fsynced slot says."""

    generation: int
    run: int
    """Generation of the first slot of the same run."""
    store: str
    clean: bool
    high: int
    ceiling: int
    boot: str
    wall_ms: int


class Hint(msgspec.Struct, frozen=True, array_like=True):
    """How far run ``run`` had come."""

    store: str
    run: int
    boot: str
    high: int
    """Up to here all was durable or needed not be."""
    soon: int
    """``high`` and how many records could be at risk beyond it."""
    wall_ms: int


_T = TypeVar("_T", Slot, Hint)


class Mark:
    """The mark file of one store folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "mark"
        self._fd: int | None = None
        self._at = 0
        self.run = 0
        """Generation of this run's first slot; 0 before it is written."""
        self.slot: Slot | None = None
        """The newest valid slot."""
        self.hint: Hint | None = None
        """The hint as found when the file was read."""

    def load(self) -> None:
        """Read what is there; anything unreadable counts as absent.

        Raises:
            BufferTooNewError: A newer release wrote it.
        """
        try:
            raw = self._path.read_bytes()
        except OSError:
            return
        found: list[tuple[int, Slot]] = []
        for at in (0, 1):
            slot = _parse(raw[at * _BLOCK : (at + 1) * _BLOCK], Slot, self._path)
            if slot is not None:
                found.append((at, slot))
        if found:
            at, self.slot = max(found, key=lambda pair: pair[1].generation)
            self._at = 1 - at
        self.hint = _parse(raw[2 * _BLOCK :], Hint, self._path)

    def write(
        self,
        *,
        store: str,
        clean: bool,
        high: int,
        ceiling: int,
        boot: str,
        wall_ms: int,
    ) -> None:
        """Make a new slot durable.

        Raises:
            OSError: It may or may not have reached the disk.
        """
        generation = (self.slot.generation if self.slot else 0) + 1
        run = self.run or generation
        slot = Slot(generation, run, store, clean, high, ceiling, boot, wall_ms)
        fd = self._file()
        os.pwrite(fd, _frame(slot), self._at * _BLOCK)
        os.fsync(fd)
        self._at = 1 - self._at
        self.slot, self.run = slot, run

    def write_hint(self, hint: Hint) -> None:
        """Leave a hint in the page cache."""
        os.pwrite(self._file(), _frame(hint), 2 * _BLOCK)

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _file(self) -> int:
        if self._fd is None:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                if os.fstat(fd).st_size < 3 * _BLOCK:
                    os.posix_fallocate(fd, 0, 3 * _BLOCK)
                    os.fsync(fd)
                    sync_folder(self._path.parent)
            except OSError:
                os.close(fd)
                raise
            self._fd = fd
        return self._fd


def _frame(what: Slot | Hint, version: int = FORMAT_VERSION) -> bytes:
    payload = msgspec.msgpack.encode(what)
    total = _checksum(payload, version)
    return _FRAME.pack(_MAGIC, version, len(payload), total) + payload


def _parse(raw: bytes, kind: type[_T], path: Path) -> _T | None:
    if len(raw) < _FRAME.size:
        return None
    magic, version, length, crc = _FRAME.unpack_from(raw)
    payload = raw[_FRAME.size : _FRAME.size + length]
    # The version is part of what is checked: a flipped bit there is no newer release.
    if magic != _MAGIC or _checksum(payload, version) != crc:
        return None
    if version > FORMAT_VERSION:
        raise BufferTooNewError(str(path), version, FORMAT_VERSION)
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except msgspec.DecodeError:
        return None


def _checksum(payload: bytes, version: int) -> int:
    """Of version 1, written before this was so, the payload's alone."""
    return zlib.crc32(payload, 0 if version == 1 else version)

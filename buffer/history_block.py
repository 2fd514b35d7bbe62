"""Many records of one subject as one compressed block, and how a block is checked.

    zstd of   msgpack [time steps, revisions, lengths]      then the records' bytes
              ^ preceded by its own length, u32 big endian

Times are milliseconds, each as the step from the one before, the first from the block's
start. The bytes of a record are joined as they are and come back as they were.
"""

from __future__ import annotations

import struct
import threading
import zlib
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import zstandard

from buffer.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL = 12
"""Packed once and kept for a year; reading takes the same time at any level."""
_ROW_LEVEL = 3
_LARGEST = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_ZSTD = b"\x28\xb5\x2f\xfd"
_PLAIN = b"\0"
_FATE = struct.Struct(">qIB")


class Revision(NamedTuple):
    """One record of a subject and kind."""

    t_ms: int
    """The start of what it speaks of, UTC ms."""
    rev: int
    data: bytes


class _Codec(threading.local):
    """Contexts are costly to make and belong to one thread each."""

    def __init__(self) -> None:
        self.pack = zstandard.ZstdCompressor(level=LEVEL).compress
        self.small = zstandard.ZstdCompressor(level=_ROW_LEVEL).compress
        self.unpack = zstandard.ZstdDecompressor().decompress


_codec = _Codec()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[int], list[int], list[int]]).decode


def pack(start_ms: int, records: Sequence[Revision]) -> bytes:
    """One block of these records (ascending by time and revision)."""
    steps, before = [], start_ms
    for record in records:
        steps.append(record.t_ms - before)
        before = record.t_ms
    head = _encode(
        (steps, [r.rev for r in records], [len(r.data) for r in records]),
    )
    parts = (_LENGTH.pack(len(head)), head, *(r.data for r in records))
    return _codec.pack(b"".join(parts))


def unpack(start_ms: int, body: bytes) -> list[Revision]:
    """The records of a block whose checksum was right.

    Raises:
        DamagedError: It is no block.
    """
    raw = _inflate(body)
    try:
        (size,) = _LENGTH.unpack_from(raw)
        at = _LENGTH.size + size
        steps, revs, lengths = _decode(raw[_LENGTH.size : at])
    except (struct.error, msgspec.MsgspecError) as exc:
        raise DamagedError(f"block of {start_ms}: {exc}") from exc
    if not len(steps) == len(revs) == len(lengths) or at + sum(lengths) != len(raw):
        raise DamagedError(f"block of {start_ms}: its parts do not fit together")
    ends = accumulate(lengths, initial=at)
    times = accumulate(steps, initial=start_ms)
    next(times)
    return [
        Revision(t, rev, raw[end : end + size])
        for t, rev, size, end in zip(times, revs, lengths, ends, strict=False)
    ]


def squeeze(data: bytes) -> bytes:
    """A single record for the disk, compressed where that helps."""
    small = _codec.small(data)
    return small if len(small) <= len(data) else _PLAIN + data


def unsqueeze(body: bytes) -> bytes:
    """A single record as it was.

    Raises:
        DamagedError: It is none.
    """
    return _inflate(body) if body[:4] == _ZSTD else body[1:]


def pack_fates(fates: dict[tuple[int, int], int]) -> bytes:
    """What became of the records of a block: (time, revision) -> level."""
    rows = b"".join(_FATE.pack(*key, fates[key]) for key in sorted(fates))
    return _codec.small(rows)


def unpack_fates(body: bytes) -> dict[tuple[int, int], int]:
    """The same back.

    Raises:
        DamagedError: It is none.
    """
    raw = _inflate(body)
    if len(raw) % _FATE.size:
        raise DamagedError("fates: cut off")
    return {(t, rev): level for t, rev, level in _FATE.iter_unpack(raw)}


def checksum(key: tuple[object, ...], body: bytes) -> int:
    """Of a row: 31 bits CRC-32 of its key << 32 | CRC-32 of its bytes.

    So that a row can be told to be sound where it stands without reading its bytes.
    """
    return (zlib.crc32(repr(key).encode()) & 0x7FFFFFFF) << 32 | zlib.crc32(body)


def key_is_sound(key: tuple[object, ...], total: int) -> bool:
    """Whether a row is about what it says."""
    return zlib.crc32(repr(key).encode()) & 0x7FFFFFFF == total >> 32


def _inflate(body: bytes) -> bytes:
    try:
        return _codec.unpack(body, max_output_size=_LARGEST)
    except zstandard.ZstdError as exc:
        raise DamagedError(f"compressed bytes: {exc}") from exc

"""Many records of one subject as one compressed block, and how a block is checked.

    zstd of   u32 length of the head, big endian
              head: msgpack [time steps, revisions, lengths column by column]
              columns, one after the other

Times are milliseconds, each as the step from the one before, the first from the block's
start. A record is cut into parts (by whoever knows what it is made of; uncut it is one
part); the k-th parts of all records are one column, so that like stands beside like: a
seventh less than record after record. Joined again, a record has the bytes it had.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec
import zstandard

from buffer.errors import DamagedError

_ROW_LEVEL = 3
_LARGEST = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_ZSTD = b"\x28\xb5\x2f\xfd"
_PLAIN = b"\0"
_FATE = struct.Struct(">qIB")

Cut = Callable[[bytes], Sequence[bytes]]
"""Cuts a record into parts that joined are the record."""


class Revision(NamedTuple):
    """One record of a subject and kind."""

    t_ms: int
    """The start of what it speaks of, UTC ms."""
    rev: int
    data: bytes


class _Codec(threading.local):
    """Contexts are costly to make and belong to one thread each."""

    def __init__(self) -> None:
        self.small = zstandard.ZstdCompressor(level=_ROW_LEVEL).compress
        self.unpack = zstandard.ZstdDecompressor().decompress
        self._pack: zstandard.ZstdCompressor | None = None

    def pack(self, raw: bytes) -> bytes:
        if self._pack is None:
            # As small as level 18 makes it, in 3 MB of memory instead of 35.
            strong = zstandard.ZstdCompressionParameters(
                window_log=18,
                chain_log=18,
                hash_log=17,
                search_log=7,
                min_match=3,
                target_length=64,
                strategy=zstandard.STRATEGY_BTULTRA,
            )
            self._pack = zstandard.ZstdCompressor(compression_params=strong)
        return self._pack.compress(raw)


_codec = _Codec()
_encode = msgspec.msgpack.Encoder().encode
_Head = tuple[list[int], list[int], list[list[int]]]
_decode = msgspec.msgpack.Decoder(_Head).decode


def pack(start_ms: int, records: Sequence[Revision], cut: Cut) -> bytes:
    """One block of these records (ascending by time and revision)."""
    steps, before = [], start_ms
    for record in records:
        steps.append(record.t_ms - before)
        before = record.t_ms
    rows = [cut(record.data) for record in records]
    width = max(map(len, rows))
    columns = [[row[k] if k < len(row) else b"" for row in rows] for k in range(width)]
    lengths = [list(map(len, column)) for column in columns]
    head = _encode((steps, [r.rev for r in records], lengths))
    body = (b"".join(column) for column in columns)
    return _codec.pack(b"".join((_LENGTH.pack(len(head)), head, *body)))


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
    columns: list[list[bytes]] = []
    for sizes in lengths:
        ends = list(accumulate(sizes, initial=at))
        columns.append([raw[low:high] for low, high in pairwise(ends)])
        at = ends[-1]
    times = list(accumulate(steps, initial=start_ms))[1:]
    data = map(b"".join, zip(*columns, strict=True))
    return [Revision(*row) for row in zip(times, revs, data, strict=True)]


def uncut(data: bytes) -> Sequence[bytes]:
    """A record as one part."""
    return (data,)


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

"""One batch of records as one row: packed, compressed, checked.

A row holds records of one priority class, ascending by seq. Its head stands in columns
that ordinary tools can read, its body is

    msgpack [subjects, seq steps | nil, time steps, subject numbers, data]

(steps from the row's ``first`` and ``t_min``; nil = consecutive), compressed by zstd
unless that made it grow, or is a waste of time, as it is with pictures: a body begins
with 0x95 (plain) or 0x28 (zstd).
``sum`` = 31 bits CRC-32 of the head << 32 | CRC-32 of the body, so that a row with a
damaged body still says which seqs and whose records it held.
"""

from __future__ import annotations

import struct
import threading
import zlib
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec
import zstandard

from buffer.errors import DamagedError
from buffer.model import BULKY, Entry, PriorityClass

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW_BYTES = 256 * 1024
"""A larger group becomes several rows: bounds memory and what one flip costs."""

_LEVEL = 3
_LARGEST_BODY = 64 * 1024 * 1024
_HEAD = struct.Struct("<qqqqqq")
_PLAIN = 0x95

_Body = tuple[list[str], list[int] | None, list[int], list[int], list[bytes]]


class _Codec(threading.local):
    """Contexts are costly to make and belong to one thread each."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_codec = _Codec()
_encode = msgspec.msgpack.Encoder().encode
_decode_body = msgspec.msgpack.Decoder(_Body).decode
_summary_encode = msgspec.json.Encoder().encode
_summary_decode = msgspec.json.Decoder(dict[str, int]).decode


class Row(NamedTuple):
    """One batch in the order of the table's columns."""

    first: int
    last: int
    records: int
    before: int
    """Records of this class ever stored before this row."""
    t_min: int
    t_max: int
    summary: bytes
    """JSON object: records by subject."""
    control: bytes | None
    """Control state that became durable with this row; see `buffer.control`."""
    sum: int
    body: bytes

    @property
    def counts(self) -> dict[str, int]:
        """Records by subject."""
        return _summary_decode(self.summary)

    @property
    def consecutive(self) -> bool:
        """Whether the row holds every seq from first to last."""
        return self.records == self.last - self.first + 1


def pack(entries: Sequence[Entry], before: int, control: bytes | None) -> Row:
    """One row from ``entries`` (not empty, one class, ascending by seq)."""
    first, last = entries[0].seq, entries[-1].seq
    count = len(entries)
    numbers: dict[str, int] = {}
    tally: dict[str, int] = {}
    times, whose, data = [], [], []
    for entry in entries:
        subject = entry.subject
        whose.append(numbers.setdefault(subject, len(numbers)))
        tally[subject] = tally.get(subject, 0) + 1
        times.append(entry.t_ms)
        data.append(entry.data)
    t_min, t_max = min(times), max(times)
    steps = None if count == last - first + 1 else [e.seq - first for e in entries]
    plain = _encode((list(numbers), steps, [t - t_min for t in times], whose, data))
    body = plain
    if entries[0].cls not in BULKY:
        packed = _codec.compress(plain)
        body = packed if len(packed) < len(plain) else plain
    head = Row(
        first,
        last,
        count,
        before,
        t_min,
        t_max,
        _summary_encode(tally),
        control,
        0,
        b"",
    )
    return head._replace(sum=_checksum(head, zlib.crc32(body)), body=body)


def split(entries: Sequence[Entry]) -> list[Sequence[Entry]]:
    """Cut a group into pieces of about `ROW_BYTES`."""
    pieces, start, size = [], 0, 0
    for at, entry in enumerate(entries):
        if size and size + len(entry.data) > ROW_BYTES:
            pieces.append(entries[start:at])
            start, size = at, 0
        size += len(entry.data)
    pieces.append(entries[start:])
    return pieces


def unpack(row: Row, cls: PriorityClass) -> list[Entry]:
    """The records of a checked row.

    Raises:
        DamagedError: The body does not hold what the head says.
    """
    try:
        plain = row.body
        if plain[:1] != bytes((_PLAIN,)):
            plain = _codec.decompress(plain, max_output_size=_LARGEST_BODY)
        subjects, steps, times, whose, data = _decode_body(plain)
        if not len(times) == len(whose) == len(data) == row.records:
            raise DamagedError(f"batch {row.first}: expected {row.records} records")
        seqs = range(row.records) if steps is None else steps
        return [
            Entry(row.first + step, cls, row.t_min + t, subjects[who], blob)
            for step, t, who, blob in zip(seqs, times, whose, data, strict=True)
        ]
    except (zstandard.ZstdError, msgspec.DecodeError, IndexError, ValueError) as exc:
        raise DamagedError(f"batch {row.first}: {exc}") from exc


def head_is_intact(row: Row) -> bool:
    """Whether everything but the body is what was written."""
    return row.sum >> 32 == _checksum(row, 0) >> 32


def is_intact(row: Row) -> bool:
    """Whether the whole row is what was written."""
    return row.sum == _checksum(row, zlib.crc32(row.body))


def row_from(values: Sequence[object]) -> Row:
    """A row from untrusted column values.

    Raises:
        DamagedError: A column has a type no row of ours has.
    """
    for at, value in enumerate(values):
        wanted = bytes if at in {6, 7, 9} else int
        if not isinstance(value, wanted) and not (at == 7 and value is None):  # noqa: PLR2004
            raise DamagedError(
                f"column {at}: expected {wanted.__name__}, got {value!r}"
            )
    return Row(
        *cast("tuple[int, int, int, int, int, int, bytes, bytes, int, bytes]", values)
    )


def runs_of(entries: Sequence[Entry]) -> list[tuple[int, int]]:
    """Inclusive runs of consecutive seqs."""
    first, last = entries[0].seq, entries[-1].seq
    if last - first + 1 == len(entries):
        return [(first, last)]
    runs, start, previous = [], first, first
    for entry in entries[1:]:
        if entry.seq != previous + 1:
            runs.append((start, previous))
            start = entry.seq
        previous = entry.seq
    runs.append((start, previous))
    return runs


def _checksum(row: Row, body_crc: int) -> int:
    crc = zlib.crc32(_HEAD.pack(*row[:6]))
    crc = zlib.crc32(row.summary, crc)
    crc = zlib.crc32(row.control or b"", crc)
    return (crc & 0x7FFFFFFF) << 32 | body_crc

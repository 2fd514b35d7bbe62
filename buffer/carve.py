"""Batches out of a damaged file, page by page, without SQLite's help.

SQLite refuses a file whose first page or one inner page is hit, though all but one row
may be sound. Rows here are only ever added and carry their own checksums, so every
page image that ever held a row can be used: pages of the main file and of every frame
in the WAL, valid or stale, in any order. A row is believed when its checksum is right.

    leaf page   0x0d, freeblock u16, cells u16, content u16, fragments u8, pointers
    cell        payload length, rowid, payload (first part), [overflow page u32]
    payload     header size, serial types, values (all but the rowid column)
    overflow    next page u32, 1020 bytes of payload
    WAL         32-byte header, then frames: page u32, 20 bytes, the page

Source: https://www.sqlite.org/fileformat2.html, sections 1.5, 1.6, 2.1, 4.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from buffer import files
from buffer.batch import Row, head_is_intact, is_intact, row_from
from buffer.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAGE = files.PAGE_BYTES
_WAL_HEADER, _FRAME_HEADER = 32, 24
_LEAF = 0x0D
_LARGEST_PAYLOAD = 64 * 1024 * 1024
_COLUMNS = 10
# Payload that stays in a leaf cell: U = 1024, X = U-35, M = (U-12)*32/255-23.
_MAX_LOCAL = _PAGE - 35
_MIN_LOCAL = (_PAGE - 12) * 32 // 255 - 23
_INT_BYTES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
# How our record header begins: its size, NULL for the rowid column, five integers.
_SIGNATURE = re.compile(rb"[\x0b-\x18]\x00[\x01-\x06\x08\x09]{5}")
_FURTHEST_BACK = 14


class Carved(NamedTuple):
    """What a damaged file still held."""

    rows: list[Row]
    """Whole rows, ascending by first seq, each once."""
    heads: list[Row]
    """Rows of which only the head is intact: who and how many, not what."""


class _Pages:
    """Every image of every page, newest first."""

    def __init__(self, main: bytes, wal: bytes) -> None:
        self.images: list[bytes] = []
        self.by_number: dict[int, list[bytes]] = {}
        step = _FRAME_HEADER + _PAGE
        for at in reversed(range(_WAL_HEADER, len(wal), step)):
            number = int.from_bytes(wal[at : at + 4], "big")
            self._add(number, wal[at + _FRAME_HEADER : at + step])
        for at in range(0, len(main), _PAGE):
            self._add(at // _PAGE + 1, main[at : at + _PAGE])

    def _add(self, number: int, image: bytes) -> None:
        if image:
            image = image.ljust(_PAGE, b"\0")  # cut off within a page
            self.images.append(image)
            self.by_number.setdefault(number, []).append(image)


def carve(path: Path) -> Carved:
    """All that can be proved of a segment file and its WAL.

    Raises:
        OSError: The file is there but cannot be opened.
    """
    # The WAL first: what SQLite moves from it to the file meanwhile is then seen twice
    # rather than not at all, so that a file being written can be carved, too.
    wal = _read(files.wal_of(path))
    pages = _Pages(_read(path), wal)
    whole: dict[int, Row] = {}
    heads: dict[int, Row] = {}
    for image in pages.images:
        for at in _cells(image):
            for oldest in (False, True):
                row = _row_at(image, at, pages, oldest=oldest)
                if row is None:
                    break
                if row.first in whole:
                    break
                if is_intact(row):
                    whole[row.first] = row
                    break
                if head_is_intact(row):
                    heads[row.first] = row
    return Carved(
        [whole[first] for first in sorted(whole)],
        [heads[first] for first in sorted(heads) if first not in whole],
    )


def _read(path: Path) -> bytes:
    """The file's bytes; blocks the disk cannot give read as zeros."""
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return b""
    with file:
        size, pieces = files.size_of(path), []
        at = 0
        while at < size:
            file.seek(at)
            want = min(64 * _PAGE, size - at)
            try:
                piece = file.read(want) or b""
            except OSError:
                piece = b""
            pieces.append(piece.ljust(want, b"\0"))
            at += want
    return b"".join(pieces)


def _cells(image: bytes) -> Iterator[int]:
    """Offsets where a cell of ours may begin."""
    known: set[int] = set()
    if image[0] == _LEAF:
        count = int.from_bytes(image[3:5], "big")
        pointers = image[8 : 8 + 2 * min(count, _PAGE // 4)]
        for i in range(0, len(pointers) - 1, 2):
            at = int.from_bytes(pointers[i : i + 2], "big")
            if 8 <= at < _PAGE:  # noqa: PLR2004 - past the page's own header
                known.add(at)
    yield from known
    # Where page header or pointers are hit, the shape of our records still shows.
    for match in _SIGNATURE.finditer(image):
        places = range(match.start() - 2, match.start() - _FURTHEST_BACK, -1)
        if known.isdisjoint(places):
            yield from (at for at in places if at >= 0)


def _row_at(image: bytes, at: int, pages: _Pages, *, oldest: bool) -> Row | None:
    """The row whose cell begins at ``at``, if there is any sense in it."""
    try:
        length, at = _varint(image, at)
        rowid, at = _varint(image, at)
        if not 0 < length <= _LARGEST_PAYLOAD:
            return None
        payload = _payload(image, at, length, pages, oldest=oldest)
        return _record(rowid, payload)
    except (IndexError, DamagedError):
        return None


def _payload(
    image: bytes, at: int, length: int, pages: _Pages, *, oldest: bool
) -> bytes:
    if length <= _MAX_LOCAL:
        return image[at : at + length]
    local = _MIN_LOCAL + (length - _MIN_LOCAL) % (_PAGE - 4)
    if local > _MAX_LOCAL:
        local = _MIN_LOCAL
    parts = [image[at : at + local]]
    number = int.from_bytes(image[at + local : at + local + 4], "big")
    missing = length - local
    while missing > 0:
        found = pages.by_number.get(number)
        if found is None:
            # The head may still be sound; the body's checksum will tell.
            parts.append(bytes(missing))
            break
        page = found[-1 if oldest else 0]
        parts.append(page[4 : 4 + min(missing, _PAGE - 4)])
        missing -= _PAGE - 4
        number = int.from_bytes(page[:4], "big")
    return b"".join(parts)


def _record(rowid: int, payload: bytes) -> Row:
    header_size, at = _varint(payload, 0)
    kinds = []
    while at < header_size:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if len(kinds) != _COLUMNS or at != header_size or kinds[0] != 0:
        raise DamagedError("not a row of ours")
    values: list[object] = [rowid]
    for kind in kinds[1:]:
        if kind >= 12:  # noqa: PLR2004 - 12, 14, ... blobs; 13, 15, ... texts
            size = (kind - 12) // 2
            values.append(payload[at : at + size])
        elif kind in _INT_BYTES:
            size = _INT_BYTES[kind]
            raw = int.from_bytes(payload[at : at + size], "big", signed=True)
            values.append(None if kind == 0 else raw + (kind == 9))  # noqa: PLR2004
        else:
            raise DamagedError("not a row of ours")
        at += size
    return row_from(values)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004
            return value, at
    return value << 8 | data[at], at + 1

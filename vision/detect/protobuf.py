"""The wire format of Protocol Buffers, read without trust: fields of a message.

A model is looked at before onnxruntime opens files that it names, so this reads the
little we must know by ourselves: no copies, a bound on how many fields are read and on
how much text, for bytes that are no UTF-8 take a processor a second for 8 MB.

Source: Protocol Buffers documentation, "Encoding": a field is a varint
``number << 3 | wire type``; wire types 0 varint, 1 eight bytes, 2 length and bytes,
5 four bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FIELDS = 250_000
"""Of one file. A network of a hundred layers has some ten thousand."""
LONGEST_TEXT = 64_000
"""Bytes of one text."""
MOST_TEXT = 2_000_000
"""Bytes of all texts of one file that are read."""
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_LONGEST_VARINT = 10


class WireError(ValueError):
    """These bytes are no message; ``at`` is where that showed."""

    def __init__(self, at: int) -> None:
        super().__init__(f"byte {at}: expected a field of a message")
        self.at = at


class TextError(WireError):
    """More text than a model has; ``size`` bytes of it."""

    def __init__(self, at: int, size: int) -> None:
        super().__init__(at)
        self.size = size


class Field(NamedTuple):
    """One field: a number, or where its bytes lie."""

    number: int
    value: int
    """Of a varint; of the others where the bytes begin."""
    end: int
    """Behind the bytes; 0: it was a varint."""


class Reader:
    """Fields of messages within one file.

    Args:
        data: The whole file.
        most: Fields that are read before it is given up.
    """

    def __init__(self, data: bytes, most: int = MOST_FIELDS) -> None:
        self.data = data
        self._left = most
        self._text_left = MOST_TEXT

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message that lies in ``data[start:end]``.

        Raises:
            WireError: Not a message, or too many fields.
        """
        at = start
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise WireError(at)
            tag, after = self.varint(at, end)
            number, kind = tag >> 3, tag & 7
            if number == 0:
                raise WireError(at)
            if kind == _VARINT:
                value, at = self.varint(after, end)
                yield Field(number, value, 0)
                continue
            size, begin = self._size(kind, after, end)
            at = begin + size
            if at > end:
                raise WireError(begin)
            yield Field(number, begin, at)

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """A number of 7 bits a byte, lowest first, and where the next byte is."""
        value = 0
        for index in range(_LONGEST_VARINT):
            if at + index >= end:
                raise WireError(at)
            byte = self.data[at + index]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follow
                return value & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
        raise WireError(at)

    def text(self, field: Field) -> str:
        """The bytes of a field as text; what is no UTF-8 is shown as such.

        Raises:
            TextError: Too long, or one too many.
        """
        size = field.end - field.value
        self._text_left -= size
        if size > LONGEST_TEXT or self._text_left < 0:
            raise TextError(field.value, max(size, MOST_TEXT - self._text_left))
        return self.data[field.value : field.end].decode("utf-8", "backslashreplace")

    def numbers(self, field: Field) -> Iterator[int]:
        """The signed numbers of a field that is repeated or packed."""
        if not field.end:
            yield signed(field.value)
            return
        at = field.value
        while at < field.end:
            self._left -= 1
            if self._left < 0:
                raise WireError(at)
            value, at = self.varint(at, field.end)
            yield signed(value)

    def _size(self, kind: int, at: int, end: int) -> tuple[int, int]:
        if kind == _BYTES:
            return self.varint(at, end)
        if kind == _EIGHT:
            return 8, at
        if kind == _FOUR:
            return 4, at
        raise WireError(at)


def signed(value: int) -> int:
    """A varint as int64."""
    return value - (1 << 64) if value >> 63 else value

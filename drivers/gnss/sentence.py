r"""NMEA 0183 sentences among bytes that may be anything.

    $ GN RMC , 055234.200 , A , ... * 11 CR LF
      |  |     fields             |
      |  type                     XOR of all between $ and *, two hex digits
      talker

Found wherever they stand: between the frames of a binary protocol, after noise, with
LF, CR or CR CR LF at the end. Without a checksum there is no sentence. What is allowed
beyond the standard is a list: up to ``LONGEST`` characters instead of 82 (receivers
with many digits), small hex digits, any end of line.

An XOR notices every single byte that is changed or lost inside a sentence, but not one
that turns a letter into ``$`` or ``$`` into ``!``: so the address has to have its form,
``!`` begins encapsulated data only, and what begins in the middle of another sentence
must be of a known type.

Source: NMEA 0183 4.11, 5.3 (the form of sentences), 6.1 (characters), table 1 (reserved
characters).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

LONGEST = 200
"""Characters between ``$`` and the checksum; the standard has 77. A receiver with all
its digits comes to about 110; lists of a maker's own may be longer and are not read."""
KNOWN = frozenset(
    ("RMC", "GGA", "GNS", "GLL", "VTG", "ZDA", "GSA", "GSV", "GST", "DTM")
)
"""Types that are decoded."""

# Reserved characters end a sentence's claim to be one: $ * ! \ ~ and DEL. A caret
# stands for a code of its own in texts.
_TEXT = rb'[ "#%-)+-\[\]-}]'
_LINE = re.compile(
    rb"([$!])(" + _TEXT + rb"{1,%d})(?:\*([0-9A-Fa-f]{2}))?[\r\n]" % LONGEST
)
_ADDRESS = re.compile(rb"(?:([A-Z]{2})([A-Z0-9]{3})|P([A-Z0-9]{2,14}))")
_OPENED = re.compile(rb"[$!](" + _TEXT + rb"*)\Z")
_ENCAPSULATED = frozenset(("VDM", "VDO"))
_LOW_1024 = (1 << 1024) - 1
_ENDS = re.compile(rb"[\r\n]")


class Sentence(NamedTuple):
    """One sentence with a right checksum and an address of the right form."""

    talker: str
    """Two letters; ``P`` of a maker's own."""
    type: str
    """Three characters; a maker's code and type of its own sentences."""
    fields: bytes
    """What stands between the address and ``*``, commas included."""
    came_s: float
    """Loop time when its first byte was there."""
    line: bytes
    """From ``$`` to the checksum."""


class Framer:
    """Finds sentences in what comes; keeps at most one unfinished one."""

    def __init__(self) -> None:
        self.good = 0
        self.bad_checksum = 0
        self.no_checksum = 0
        self.refused = 0
        """With a right checksum, but of a form or at a place where none can be."""
        self.skipped = 0
        """Bytes that belong to no sentence, ends of lines left out."""
        self._rest = b""
        self._rest_came = 0.0

    def feed(self, data: bytes, now: float = 0.0) -> list[Sentence]:
        """Take bytes as they come.

        Args:
            data: Any number of them.
            now: Loop time.

        Returns:
            The sentences that they complete.
        """
        came = self._rest_came if self._rest else now
        fresh_from = len(self._rest)
        data = self._rest + data if self._rest else data
        found: list[Sentence] = []
        at = 0
        for match in _LINE.finditer(data):
            start, end = match.span()
            before = data[at:start]
            at = end
            when = came if start < fresh_from else now
            sentence = self._judge(match, before, when)
            if sentence is not None:
                found.append(sentence)
            if before and before != b"\n":
                self.skipped += len(before.translate(None, b"\r\n"))
        self._keep(data, at, fresh_from, came, now)
        return found

    def _judge(
        self, match: re.Match[bytes], before: bytes, when: float
    ) -> Sentence | None:
        opener, body, digits = match.groups()
        if digits is None:
            self.no_checksum += 1
            return None
        if checksum(body) != int(digits, 16):
            self.bad_checksum += 1
            return None
        address, comma, fields = body.partition(b",")
        names = _names(address) if comma else None
        if names is None or not _may_stand(opener, names, before):
            self.refused += 1
            return None
        self.good += 1
        return Sentence(*names, fields, when, match.group()[:-1])

    def _keep(
        self, data: bytes, at: int, fresh_from: int, came: float, now: float
    ) -> None:
        """Keep what may become a sentence: from the last opener, not ended yet."""
        tail = data[at:]
        start = max(tail.rfind(b"$"), tail.rfind(b"!"))
        keep = b""
        if (
            start >= 0
            and len(tail) - start <= LONGEST + 4
            and not _ENDS.search(tail, start)
        ):
            # The one that it interrupts comes along: it may spoil it.
            opened = _opened(tail[:start])
            keep = tail[start - len(opened) - 1 if opened is not None else start :]
        self.skipped += len(tail[: len(tail) - len(keep)].translate(None, b"\r\n"))
        self._rest = keep
        self._rest_came = came if len(data) - len(keep) < fresh_from else now


def checksum(body: bytes) -> int:
    """The XOR of all bytes: of halves of one long number, folded again and again."""
    number = int.from_bytes(body, "little")
    if len(body) > 128:  # noqa: PLR2004 - each fold halves what is left
        while number >> 1024:
            number = (number >> 1024) ^ (number & _LOW_1024)
    number ^= number >> 512
    number ^= number >> 256
    number ^= number >> 128
    number ^= number >> 64
    number ^= number >> 32
    number ^= number >> 16
    return (number ^ number >> 8) & 0xFF


@lru_cache(maxsize=256)
def _names(address: bytes) -> tuple[str, str] | None:
    """Talker and type; None where it is no address."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    talker, kind, own = match.groups()
    return (talker.decode(), kind.decode()) if talker else ("P", own.decode())


def _may_stand(opener: bytes, names: tuple[str, str], before: bytes) -> bool:
    """Whether such a sentence may begin with this character at this place."""
    talker, kind = names
    encapsulated = kind in _ENCAPSULATED and talker != "P"
    if (opener == b"!") != encapsulated:
        return False
    if not before or before == b"\n":
        return True
    cut = _opened(before)
    # Inside another one: where that had only said who it is, one of the two openers is
    # false, and nothing tells which.
    return not cut or (b"," in cut and kind in KNOWN and talker != "P")


def _opened(before: bytes) -> bytes | None:
    """What a sentence had said that was still open here; None: there was none."""
    opened = _OPENED.search(before, max(0, len(before) - LONGEST - 1))
    return opened[1] if opened else None

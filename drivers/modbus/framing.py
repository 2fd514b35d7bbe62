"""RTU and ASCII frames side by side: what a bus without numbers asks of either.

::

    RTU    unit | function data... | crc lo hi                      8 bits a byte
    ASCII  ':' | hex of unit, function, data..., lrc | CR LF        two characters

Source: MODBUS over Serial Line V1.02, 2.5.1 (RTU) and 2.5.2 (ASCII).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drivers.modbus import ascii as text
from drivers.modbus.wire import find_rtu, rtu_frame, walk_rtu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivers.modbus.wire import Heard

    Bytes = bytes | bytearray


class Framing(NamedTuple):
    """How PDUs travel where no number goes with them."""

    name: str
    frame: Callable[[int, bytes], bytes]
    """Unit and PDU, dressed."""
    head: Callable[[bytes], bytes]
    """How a frame begins whose content (unit, function...) begins so."""
    per_byte: int
    """Characters of one byte of content."""
    around: int
    """Characters of a frame beside its PDU."""
    check_bytes: int
    """Bytes of the checksum, in the content."""
    content: Callable[[bytes], bytes]
    """Unit, PDU and checksum of a frame that was found."""
    find: Callable[[Bytes, bytes, int, int], int]
    """Buffer, head, length, since: where such a frame is, its check right; or -1."""
    walk: Callable[[Bytes], Iterator[Heard]]
    """Every complete answer with a right check, in any noise."""
    longest: int
    """Characters of the longest frame."""
    folds: bool = False
    """Small letters mean the same as capital ones."""

    def length(self, pdu_bytes: int) -> int:
        """Characters of a frame with a PDU of this size."""
        return self.around + self.per_byte * pdu_bytes


RTU = Framing(
    "rtu",
    frame=rtu_frame,
    head=bytes,
    per_byte=1,
    around=3,
    check_bytes=2,
    content=bytes,
    find=find_rtu,
    walk=walk_rtu,
    longest=256,
)
ASCII = Framing(
    "ascii",
    frame=text.ascii_frame,
    head=text.ascii_head,
    per_byte=2,
    around=7,
    check_bytes=1,
    content=text.content,
    find=text.find_ascii,
    walk=text.walk_ascii,
    longest=text.LONGEST,
    folds=True,
)

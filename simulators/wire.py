"""Modbus on the wire, the server's side, written a second time on purpose.

The gateway has its own codec; a simulator that shared it would repeat its mistakes and
agree with them. So this one is written from the standards alone:

* MODBUS Application Protocol Specification V1.1b3: 4.3 (MBAP is in the TCP guide),
  6.1 to 6.6, 6.11, 6.12 (functions 1 to 6, 15, 16), 7 (exception replies);
* MODBUS over Serial Line V1.02: 2.5.1 (RTU frame), 6.2 (CRC generation);
* MODBUS Messaging on TCP/IP Implementation Guide V1.0b: 3.1.3 (MBAP header).
"""

from __future__ import annotations

from dataclasses import dataclass

READS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
"""Function code of a read -> register table."""
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
WRITES = {
    WRITE_COIL: "coil",
    WRITE_REGISTER: "holding",
    WRITE_COILS: "coil",
    WRITE_REGISTERS: "holding",
}
BIT_TABLES = frozenset({"coil", "discrete"})

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3

_MBAP_BYTES = 7
_RTU_SHORT = 8
"""Requests of functions 1 to 6: unit, function, four bytes, CRC."""
_MAX_PDU = 253
_MIN_PDU = 5
"""Function, address and count or value."""
_WRITE_HEAD = 6
"""Of functions 15 and 16, before the data: function, address, count, bytes."""
_MIN_RTU = 4
"""Unit, function, CRC."""
_COUNT_LIMITS = {1: 2000, 2: 2000, 3: 125, 4: 125, 15: 1968, 16: 123}


@dataclass(frozen=True, slots=True)
class Request:
    """One complete request."""

    unit: int
    function: int
    address: int
    count: int
    """Registers or bits."""
    values: tuple[int, ...] = ()
    """What a write carries; bits are 0 or 1."""
    transaction: int = 0
    """Modbus TCP only."""
    raw: bytes = b""
    """The frame as received."""


class RefusedError(Exception):
    """The device answers with an exception reply."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


def crc16(data: bytes) -> int:
    """The RTU checksum: polynomial A001, start FFFF (Serial Line V1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC = _crc_table()


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    """Unit, PDU and checksum, low byte first."""
    body = bytes((unit,)) + pdu
    return body + crc16(body).to_bytes(2, "little")


def tcp_frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """MBAP header and PDU."""
    return b"%b\0\0%b%c%b" % (
        transaction.to_bytes(2, "big"),
        (len(pdu) + 1).to_bytes(2, "big"),
        unit,
        pdu,
    )


def exception_pdu(function: int, code: int) -> bytes:
    """Function with its top bit set, and the code."""
    return bytes((function | 0x80, code))


def parse_request(
    unit: int, pdu: bytes, *, transaction: int = 0, raw: bytes = b""
) -> Request:
    """Read a request PDU.

    Raises:
        RefusedError: Function not known (1), or counts that do not fit (3).
    """
    function = pdu[0]
    if function not in READS and function not in WRITES:
        raise RefusedError(ILLEGAL_FUNCTION)
    if len(pdu) < _MIN_PDU:
        raise RefusedError(ILLEGAL_VALUE)
    address, second = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
    count = second
    values: tuple[int, ...] = ()
    if function == WRITE_COIL:
        if second not in {0x0000, 0xFF00}:
            raise RefusedError(ILLEGAL_VALUE)
        count, values = 1, (second >> 15,)
    elif function == WRITE_REGISTER:
        count, values = 1, (second,)
    elif function in WRITES:
        values = _written(function, count, pdu)
    if not 1 <= count <= _COUNT_LIMITS.get(function, 1):
        raise RefusedError(ILLEGAL_VALUE)
    return Request(unit, function, address, count, values, transaction, raw)


def _written(function: int, count: int, pdu: bytes) -> tuple[int, ...]:
    data = pdu[_WRITE_HEAD:]
    wanted = 2 * count if function == WRITE_REGISTERS else -(-count // 8)
    if len(pdu) < _WRITE_HEAD or pdu[5] != wanted or len(data) != wanted:
        raise RefusedError(ILLEGAL_VALUE)
    if function == WRITE_REGISTERS:
        return tuple(
            int.from_bytes(data[i : i + 2], "big") for i in range(0, wanted, 2)
        )
    return tuple(data[i // 8] >> (i % 8) & 1 for i in range(count))


def read_pdu(function: int, data: bytes) -> bytes:
    """The good answer to a read."""
    return bytes((function, len(data))) + data


def write_pdu(request: Request) -> bytes:
    """The good answer to a write: an echo of its head."""
    if request.function == WRITE_COIL:
        tail = b"\xff\0" if request.values[0] else b"\0\0"
    elif request.function == WRITE_REGISTER:
        tail = request.values[0].to_bytes(2, "big")
    else:
        tail = request.count.to_bytes(2, "big")
    return bytes((request.function,)) + request.address.to_bytes(2, "big") + tail


def pack_bits(bits: list[int]) -> bytes:
    """Bits as function 1 and 2 send them: the first in the lowest bit."""
    out = bytearray(-(-len(bits) // 8))
    for i, bit in enumerate(bits):
        out[i // 8] |= bit << (i % 8)
    return bytes(out)


class RtuSplitter:
    """Cuts a stream of request bytes into frames; drops what is none.

    A frame is found by its length (known from the function) and its checksum; a byte
    that starts no frame is dropped alone, so that noise costs no request.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.dropped = 0
        """Bytes that belonged to no frame."""

    def forget(self) -> None:
        """A silence ended: what was incomplete stays so."""
        self.dropped += len(self._buffer)
        self._buffer.clear()

    @property
    def waiting(self) -> int:
        """Bytes of an incomplete frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[tuple[int, bytes, bytes]]:
        """More bytes; returns (unit, PDU, frame) for each whole frame."""
        self._buffer += data
        found = []
        while len(self._buffer) >= _MIN_RTU:
            size = self._size()
            if size is None:
                break
            frame = bytes(self._buffer[:size])
            if size and crc16(frame) == 0:
                found.append((frame[0], frame[1:-2], frame))
                del self._buffer[:size]
            else:
                del self._buffer[0]
                self.dropped += 1
        return found

    def _size(self) -> int | None:
        """Bytes of the frame at the front; 0: none starts here; None: more needed."""
        function = self._buffer[1]
        if function in READS or function in {WRITE_COIL, WRITE_REGISTER}:
            size = _RTU_SHORT
        elif function in WRITES:
            if len(self._buffer) <= _WRITE_HEAD:
                return None
            size = _WRITE_HEAD + 3 + self._buffer[_WRITE_HEAD]
        else:
            return self._unknown_size()
        return size if len(self._buffer) >= size else None

    def _unknown_size(self) -> int:
        """A function we do not know: the frame is what came, if its checksum fits."""
        return len(self._buffer) if crc16(bytes(self._buffer)) == 0 else 0


class TcpSplitter:
    """Cuts a stream of bytes into Modbus TCP frames."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[int, int, bytes, bytes]]:
        """More bytes; returns (transaction, unit, PDU, frame) for each whole frame.

        Raises:
            ValueError: The stream is not Modbus TCP; the connection must be closed.
        """
        buffer = self._buffer + data if self._buffer else data
        found = []
        at = 0
        while len(buffer) - at >= _MBAP_BYTES + 1:
            protocol = buffer[at + 2 : at + 4]
            length = int.from_bytes(buffer[at + 4 : at + 6], "big")
            if protocol != b"\0\0" or not 1 < length <= _MAX_PDU + 1:
                raise ValueError(f"not a Modbus TCP header: {buffer[at : at + 7]!r}")
            end = at + 6 + length
            if len(buffer) < end:
                break
            frame = buffer[at:end]
            found.append((int.from_bytes(frame[:2], "big"), frame[6], frame[7:], frame))
            at = end
        self._buffer = buffer[at:]
        return found

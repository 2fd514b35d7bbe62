"""The simulators' own codec against the examples printed in the standards."""

from __future__ import annotations

import pytest

from simulators.units import Holey, MapUnit, answer
from simulators.wire import (
    RefusedError,
    RtuSplitter,
    TcpSplitter,
    crc16,
    parse_request,
    rtu_frame,
    tcp_frame,
)


def test_the_checksum_is_that_of_the_serial_line_standard() -> None:
    # MODBUS over Serial Line V1.02, 6.2.2: the message 02 07 has the CRC 41 12.
    assert crc16(bytes.fromhex("0207")).to_bytes(2, "little").hex() == "4112"


def _unit() -> MapUnit:
    # MODBUS Application Protocol V1.1b3, 6.1 and 6.3: coils 20 to 38, registers 108 on.
    coils = "1011001111010110101"
    words = {("coil", 19 + i): int(bit) for i, bit in enumerate(coils)}
    words |= {("coil", 172): 0}
    words |= {("holding", 107): 0x022B, ("holding", 108): 0, ("holding", 109): 0x64}
    words |= {("holding", 1): 0, ("holding", 2): 0}
    return MapUnit(17, words)


@pytest.mark.parametrize(
    ("request_hex", "reply_hex"),
    [
        ("0100130013", "0103cd6b05"),
        ("03006b0003", "0306022b00000064"),
        ("0500acff00", "0500acff00"),
        ("0600010003", "0600010003"),
        ("100001000204000a0102", "1000010002"),
        ("03006b0004", "8302"),
        ("0200000001", "8202"),
    ],
)
def test_printed_examples(request_hex: str, reply_hex: str) -> None:
    request = parse_request(17, bytes.fromhex(request_hex))

    assert answer(_unit(), request).hex() == reply_hex


@pytest.mark.parametrize(
    ("request_hex", "code"),
    [
        ("2b0e0100", 1),
        ("0300000000", 3),
        ("030000007e", 3),
        ("05000000ff", 3),
        ("1000010002030001", 3),
        ("03", 3),
    ],
)
def test_what_no_device_accepts(request_hex: str, code: int) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_request(1, bytes.fromhex(request_hex))

    assert caught.value.code == code


def test_rtu_frames_are_found_between_noise_and_across_pieces() -> None:
    first = rtu_frame(1, bytes.fromhex("0300000002"))
    second = rtu_frame(2, bytes.fromhex("100001000102abcd"))
    stream = b"\x00\xff" + first + b"\x55" + second
    splitter = RtuSplitter()
    found = []
    for i in range(len(stream)):
        found += splitter.feed(stream[i : i + 1])

    assert [frame for _, _, frame in found] == [first, second]
    assert splitter.dropped == 3


def test_tcp_frames_are_cut_and_foreign_protocols_refused() -> None:
    frames = [tcp_frame(i, 1, bytes.fromhex("0300000002")) for i in range(3)]
    splitter = TcpSplitter()
    stream = b"".join(frames)
    found = splitter.feed(stream[:17]) + splitter.feed(stream[17:])

    assert [transaction for transaction, _, _, _ in found] == [0, 1, 2]
    with pytest.raises(ValueError, match="not a Modbus TCP header"):
        splitter.feed(b"GET / HTTP/1.1\r\n")


def test_a_hole_refuses_the_whole_read() -> None:
    unit = Holey(MapUnit(1, {("holding", a): a for a in range(10)}), {4})

    good = answer(unit, parse_request(1, bytes.fromhex("0300000004")))
    bad = answer(unit, parse_request(1, bytes.fromhex("0300000005")))

    assert (good[0], bad.hex()) == (3, "8302")

"""Check characters against manuals' examples, and against every single changed bit."""

import pytest

from drivers.ascii.checks import Framed, complement, covered, crc3, nmea, sum16, xor
from drivers.profiles.dialogue import Check
from simulators.analyzer_kinds import vaisala_crc

CRC = Check(kind="crc3")


@pytest.mark.parametrize(
    "text",
    [
        b"0r1,Sn=0.1M,Sm=0.1M,Sx=0.1MGOG",
        b"0r2,Ta=22.7C,Ua=55.5P,Pa=1004.7H@Fn",
        b"0r3,Rc=0.00M,Rd=0s,Ri=0.0MIlm",
        b"0r5,Th=25.0C,Vh=10.6#,Vs=10.8V,Vr=3.369VO]T",
        b"0tX,Use chksum GoeIU~",
    ],
)
def test_vaisala_s_examples(text):
    assert covered(CRC, Framed(b"", text, b"\r\n", b"")) == text[:-3]
    assert vaisala_crc(text[:-3]) == crc3(text[:-3])


@pytest.mark.parametrize(
    "command", [b"0r1Goe", b"0r2Gje", b"0r3Kid", b"0r5Kcd", b"0rBVT"]
)
def test_vaisala_s_commands(command):
    assert crc3(command[:-3]) == command[-3:]


def test_gill_s_default_line():
    framed = Framed(b"\x02", b"Q,229,002.74,M,00,", b"\x03", b"16")
    assert covered(Check(kind="xor"), framed) == framed.body


def test_yaohua_s_check_stands_in_front_of_the_end():
    framed = Framed(b"\x02", b"+00200021B", b"\x03", b"")
    assert covered(Check(kind="xor"), framed) == b"+0020002"


def test_nmea():
    held = Framed(b"$", b"WIMWV,282,R,0.1,M,A*37", b"\r\n", b"")
    printed_wrong = Framed(b"$", b"IIMWV,120,R,002.10,M,00*5D", b"\r\n", b"")
    assert covered(Check(kind="nmea"), held) == b"WIMWV,282,R,0.1,M,A"
    assert covered(Check(kind="nmea"), printed_wrong) is None
    assert nmea(b"$--WIQ,XDR") == b"*2D"


def test_toledo_s_complement():
    framed = Framed(b"\x02", b";9 012345000800", b"\r", b"")
    tail = complement(b"\x02;9 012345000800\r")
    assert covered(Check(kind="complement"), framed._replace(tail=tail)) == framed.body
    assert covered(Check(kind="complement"), framed._replace(tail=b"\x00")) is None


def test_a_sum_behind_its_mark():
    check = Check(kind="sum16", mark=b"\nsum ")
    body = b"so2 1.2 ppb"
    framed = Framed(b"", body + b"\nsum " + sum16(body).lower(), b"\r", b"")
    assert covered(check, framed) == body
    assert covered(check, framed._replace(body=body)) is None


@pytest.mark.parametrize("kind", ["xor", "sum8", "sum16", "crc3"])
def test_a_changed_bit_is_found(kind):
    made = {"xor": xor, "crc3": crc3, "sum16": sum16}.get(kind)
    body = b"0r1,Sm=0.1M"
    said = made(body) if made else b"%02X" % (sum(body) & 255)
    whole = body + said
    for at in range(len(whole)):
        for bit in range(8):
            spoiled = bytearray(whole)
            spoiled[at] ^= 1 << bit
            held = covered(Check(kind=kind), Framed(b"", bytes(spoiled), b"", b""))
            # The digits' letters may be small: bit 5 of A to F.
            assert held is None or (kind != "crc3" and at >= len(body))


def test_too_short_for_its_check():
    for kind in ("xor", "xor_all", "sum8", "sum16", "complement", "crc3", "nmea"):
        assert covered(Check(kind=kind), Framed(b"", b"", b"", b"")) is None

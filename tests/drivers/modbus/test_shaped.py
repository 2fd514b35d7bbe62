"""BCD digits, texts and times: read as written, or BAD; never guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import PointError
from drivers.modbus.decode import decoder
from drivers.modbus.write import encode
from drivers.profiles.layouts import layout_of
from drivers.profiles.model import ModbusPoint
from simulators.profiled import laid_out, to_words
from simulators.shaped import BCD_DIGITS, text_bytes, time_bytes

ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
CHINA = ZoneInfo("Asia/Shanghai")


def read(hexed, zone=CHINA, **fields):
    """What one point makes of these registers: its value, or the reason."""
    data = bytes.fromhex(hexed)
    if fields["type"] in {"text", "datetime"}:
        fields.setdefault("length", len(data) // 2)
    point = ModbusPoint(name="p", table="holding", address=0, **fields)
    values, flaws = {}, {}
    decoder([point], 0, zone).decode(data, 0, values, flaws)
    assert len(values) + len(flaws) == 1
    return values["p"] if values else flaws["p"].reason


# -- BCD ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hexed", "fields", "expected"),
    [
        ("1234", {"type": "bcd16"}, 1234),
        ("0000", {"type": "bcd16"}, 0),
        ("9999", {"type": "bcd16"}, 9999),
        ("12345678", {"type": "bcd32"}, 12345678),
        ("56781234", {"type": "bcd32", "word_order": "CDAB"}, 12345678),
        ("34127856", {"type": "bcd32", "word_order": "BADC"}, 12345678),
        ("78563412", {"type": "bcd32", "word_order": "DCBA"}, 12345678),
        ("0012345678901234", {"type": "bcd64"}, 12345678901234),
        ("9999999999999999", {"type": "bcd64"}, 9999999999999999),
        ("0230", {"type": "bcd16", "scale": Fraction(1, 10)}, 23.0),
        ("0100", {"type": "bcd16", "offset": Fraction(-40)}, 60),
        ("123A", {"type": "bcd16"}, "bad_bcd"),
        ("F000", {"type": "bcd16"}, "bad_bcd"),
        ("1E34", {"type": "bcd16"}, "bad_bcd"),
        ("FFFFFFFF", {"type": "bcd32"}, "bad_bcd"),
        ("FFFF", {"type": "bcd16", "not_available": (0xFFFF,)}, "not_available"),
        ("9999", {"type": "bcd16", "not_available": (0x9999,)}, "not_available"),
    ],
)  # fmt: skip
def test_decimal_digits_are_a_number_or_none(hexed, fields, expected):
    found = read(hexed, **fields)

    assert found == expected
    assert type(found) is type(expected)


@given(
    st.data(),
    st.sampled_from(sorted(BCD_DIGITS)),
    st.sampled_from(ORDERS),
)
def test_bcd_comes_out_as_another_encoder_put_it_in_and_goes_back(data, kind, order):
    number = data.draw(st.integers(0, 10 ** BCD_DIGITS[kind] - 1))
    words = to_words(number, kind, order)
    hexed = "".join(f"{word:04x}" for word in words)

    assert read(hexed, type=kind, word_order=order) == number

    point = ModbusPoint(
        name="p", table="holding", address=0, type=kind, word_order=order,
        writable=True, write_min=0, write_max=1e16,
    )  # fmt: skip
    assert encode(point, number) == words


@given(st.integers(0, 0xFFFF))
def test_of_all_codes_those_with_ten_digits_alone_are_numbers(code):
    found = read(f"{code:04x}", type="bcd16")

    assert (found == "bad_bcd") == any(d in "abcdef" for d in f"{code:04x}")


@pytest.mark.parametrize("value", [10_000, -1, 0.5])
def test_a_bcd_setpoint_that_does_not_fit_is_refused(value):
    point = ModbusPoint(
        name="p", table="holding", address=0, type="bcd16",
        writable=True, write_min=-5, write_max=20_000,
    )  # fmt: skip
    with pytest.raises(PointError) as refused:
        encode(point, value)

    assert refused.value.reason == "not_representable"


# -- texts ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "layout", "encoding", "expected"),
    [
        (b"SN-20251", "high_low", "ascii", "SN-20251"),
        (b"SN-202\0\0", "high_low", "ascii", "SN-202"),
        (b"SN-202  ", "high_low", "ascii", "SN-202"),
        (b"A B \0   ", "high_low", "ascii", "A B"),
        (b"NS2-2025", "low_high", "ascii", "SN-20252"),
        (b"\0S\0N\0-\0" + b"7", "low", "ascii", "SN-7"),
        (b"\0S\0N\0\0\0\0", "low", "ascii", "SN"),
        (b"S\0N\0", "low", "ascii", "bad_text"),
        (b"\0\0\0\0", "high_low", "ascii", ""),
        (b"A\0BC", "high_low", "ascii", "bad_text"),
        (b"A\x07BC", "high_low", "ascii", "bad_text"),
        (b"\xff\xff\xff\xff", "high_low", "ascii", "bad_text"),
        ("烟尘仪".encode() + b"\0", "high_low", "utf-8", "烟尘仪"),
        ("烟尘仪".encode()[:4], "high_low", "utf-8", "bad_text"),
        ("烟尘仪".encode("gbk"), "high_low", "gbk", "烟尘仪"),
        ("一号\u3000机\u3000".encode("gbk"), "high_low", "gbk", "一号\u3000机"),
        ("烟尘仪".encode("gbk"), "high_low", "ascii", "bad_text"),
        (b"\xff\xff", "high_low", "gbk", "bad_text"),
    ],
)
def test_texts_are_read_as_laid_out_or_are_none(data, layout, encoding, expected):
    found = read(data.hex(), type="text", layout=layout, encoding=encoding)

    assert found == expected


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    st.sampled_from(["high_low", "low_high", "low"]),
)
def test_a_text_comes_out_as_another_encoder_put_it_in(text, layout):
    point = ModbusPoint(
        name="p", table="holding", address=0, type="text", length=20, layout=layout
    )
    data = text_bytes(text, point)
    values, flaws = {}, {}
    decoder([point], 0).decode(data, 0, values, flaws)

    assert (values, flaws) == ({"p": text}, {})


# -- times ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "hexed", "expected"),
    [
        ("words:YMDhms", "07ea 000b 0016 0008 0005 003b", "2026-11-22T08:05:59+08:00"),
        ("words:YMDhms", "001a 000b 0016 0008 0005 003b", "2026-11-22T08:05:59+08:00"),
        ("words:smhDMY", "003b 0005 0008 0016 000b 07ea", "2026-11-22T08:05:59+08:00"),
        ("words:YMDWhm", "07ea 000b 0016 0007 0008 0005", "2026-11-22T08:05:00+08:00"),
        ("bytes:YMDhms", "1a0b 1608 053b", "2026-11-22T08:05:59+08:00"),
        ("bytes:YYMDhmsx", "07ea 0b16 0805 3bff", "2026-11-22T08:05:59+08:00"),
        ("bcd:YMDhms", "2611 2208 0559", "2026-11-22T08:05:59+08:00"),
        ("bcd:YYMDhmsW", "2026 1122 0805 5907", "2026-11-22T08:05:59+08:00"),
        ("unix32", "6920 fd00", "2025-11-22T08:00:00+08:00"),
        ("unix64", "0000 0000 6920 fd00", "2025-11-22T08:00:00+08:00"),
        ("unix64ms", "0000 019a a8dc 487b", "2025-11-22T08:00:00.123+08:00"),
        # What is no date, or no digit, is nothing.
        ("words:YMDhms", "0000 0000 0000 0000 0000 0000", "bad_time"),
        ("words:YMDhms", "07ea 000d 0016 0008 0005 003b", "bad_time"),
        ("words:YMDhms", "07e9 0002 001d 0008 0005 003b", "bad_time"),
        ("words:YMDhms", "ffff ffff ffff ffff ffff ffff", "bad_time"),
        ("bytes:YMDhms", "1a0b 1618 0500", "bad_time"),
        ("bytes:YMDhms", "7e0b 1608 0500", "bad_time"),  # 126 years since 1900
        ("bcd:YMDhms", "2611 2208 056A", "bad_time"),
        ("bcd:YMDhms", "ffff ffff ffff", "bad_time"),
        ("unix32", "0000 0000", "bad_time"),
        ("unix32", "ffff ffff", "bad_time"),
        ("unix64", "ffff ffff ffff fffe", "bad_time"),
    ],
)
def test_times_are_iso_texts_with_their_offset_or_are_none(layout, hexed, expected):
    assert read(hexed, type="datetime", layout=layout) == expected


def test_the_order_of_bytes_holds_for_times_too():
    fields = {"type": "datetime", "layout": "bcd:YMDhms"}

    assert read("1126 0822 5905", word_order="BADC", **fields).startswith("2026-11-22")
    assert read("0559 2208 2611", word_order="CDAB", **fields).startswith("2026-11-22")
    assert read("5905 0822 1126", word_order="DCBA", **fields).startswith("2026-11-22")


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        # Europe/Berlin: 02:30 is not on 29 March 2026, and is twice on 25 October.
        ("1a03 1d02 1e00", "bad_time"),
        ("1a0a 1902 1e00", "bad_time"),
        ("1a0a 1904 1e00", "2026-10-25T04:30:00+01:00"),
    ],
)
def test_an_hour_that_a_zone_has_twice_or_never_is_none(hour, expected):
    zone = ZoneInfo("Europe/Berlin")

    assert read(hour, zone, type="datetime", layout="bytes:YMDhms") == expected


@given(
    st.integers(946_684_800 + 86_400, 4_102_444_800 - 86_400),
    st.sampled_from(
        ["words:YMDhms", "bytes:smhDMY", "bcd:YYMDhmsx", "bytes:YYMDWhms", "unix32"]
    ),
    st.sampled_from(ORDERS),
)
def test_a_time_comes_out_as_another_encoder_put_it_in(utc_s, layout, order):
    words = laid_out(time_bytes(utc_s, layout), order)
    hexed = "".join(f"{word:04x}" for word in words)

    said = read(hexed, type="datetime", layout=layout, word_order=order)

    moment = datetime.fromisoformat(said)
    assert moment.astimezone(UTC).timestamp() == utc_s


@pytest.mark.parametrize(
    "wrong",
    [
        "", "words", "words:", "words:YMD", "words:YYMDhms", "bytes:YMDhm",
        "bcd:YxYMDhms", "bcd:YMDhmss", "bytes:YYYYMDhm", "unix", "unix32:",
        "WORDS:YMDhms", "bcd:yMDhms",
    ],
)  # fmt: skip
def test_a_layout_that_says_too_little_or_too_much_is_none(wrong):
    assert layout_of(wrong) is None


# -- together ----------------------------------------------------------------------


def test_numbers_beside_texts_and_times_keep_their_places():
    points = [
        ModbusPoint(name="a", table="holding", address=0, type="uint16"),
        ModbusPoint(name="s", table="holding", address=1, type="text", length=2,
                    layout="low_high"),
        ModbusPoint(name="f", table="holding", address=3, type="float32",
                    word_order="CDAB"),
        ModbusPoint(name="t", table="holding", address=5, type="datetime", length=3,
                    layout="bcd:YMDhms"),
        ModbusPoint(name="b", table="holding", address=9, type="bcd16"),
    ]  # fmt: skip
    data = bytes.fromhex("0007 4241 4443 0000 4248 2611 2208 0559 0000 0042")
    values, flaws = {}, {}

    reader = decoder(points, 0, CHINA)
    reader.decode(data, 0, values, flaws)

    assert flaws == {}
    assert values == {
        "a": 7, "s": "ABCD", "f": 50.0, "t": "2026-11-22T08:05:59+08:00", "b": 42,
    }  # fmt: skip
    assert reader.raw(data, 0)["s"] == b"BADC"

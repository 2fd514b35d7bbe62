"""Data segments: each known deviation is taken and named, all else is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.hj212 import fields
from drivers.hj212.commands import DATA
from drivers.hj212.deviations import Deviation, Refusal
from drivers.hj212.segment import SegmentError, parse
from drivers.profiles.hj212_points import COMMANDS, FIELDS

HEAD = (
    "QN=20160801085857223;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
)
BODY = "DataTime=20160801085857;w01018-Rtd=2.3,w01018-Flag=N"
GOOD = f"{HEAD}CP=&&{BODY}&&"


def read(text):
    segment, noted = parse(text.encode())
    return segment, set(noted)


def test_a_segment_of_the_standard_has_no_deviation():
    segment, noted = read(GOOD)

    assert noted == set()
    assert (segment.qn, segment.st, segment.cn) == ("20160801085857223", "32", 2011)
    assert (segment.pw, segment.mn) == ("123456", "010000A8900016F000169DC0")
    assert (segment.flag, segment.version, segment.wants_answer) == (5, 2017, True)
    assert (segment.pnum, segment.pno, segment.rf) == (None, None, False)
    assert segment.items == (
        (("DataTime", "20160801085857"),),
        (("w01018-Rtd", "2.3"), ("w01018-Flag", "N")),
    )
    assert segment.get("w01018-Rtd") == "2.3"
    assert segment.get("w01018-Avg") is None


@pytest.mark.parametrize(
    ("flag", "version", "answer"),
    [
        (0, 2005, False),
        (1, 2005, True),
        (4, 2017, False),
        (5, 2017, True),
        (8, 2025, False),
        (9, 2025, True),
    ],
)
def test_flag_says_the_version_and_whether_an_answer_is_wanted(flag, version, answer):
    segment, _ = read(GOOD.replace("Flag=5", f"Flag={flag}"))

    assert (segment.version, segment.wants_answer) == (version, answer)


def test_packets_and_a_late_frame():
    split = GOOD.replace("Flag=5;", "Flag=11;PNUM=2;PNO=1;RF=1;")

    segment, noted = read(split)

    assert (segment.pnum, segment.pno, segment.rf) == (2, 1, True)
    assert noted == set()


DEVIATING = {
    "no_qn": GOOD.partition(";")[2],
    "no_flag": GOOD.replace("Flag=5;", ""),
    "flag_upper_case": GOOD.replace("Flag=5", "FLAG=5"),
    "flag_without_numbers": GOOD.replace("Flag=5", "Flag=7"),
    "st_three_digits": GOOD.replace("ST=32", "ST=101"),
    "pw_form": GOOD.replace("123456", "BF470F88957588DE902D1A52"),
    "mn_form": GOOD.replace("010000A8900016F000169DC0", "JLYP01_AIR01_0001"),
    "mn_empty": GOOD.replace("010000A8900016F000169DC0", ""),
    "numbers_after_qn": GOOD.replace("ST=32", "PNUM=2;PNO=1;ST=32").replace("=5", "=7"),
    "comma_between_fields": GOOD.replace(";ST", ",ST"),
    "semicolon_comma": GOOD.replace(";MN", ";,MN"),
    "no_semicolon_before_cp": GOOD.replace(";CP", "CP"),
    "trailing_semicolon": GOOD.replace("=N&&", "=N;&&"),
    "comma_between_items": GOOD.replace("57;w", "57,w"),
    "item_split": GOOD.replace(",w01018-F", ";w01018-F"),
    "blanks": GOOD.replace(";w", "; w"),
    "time_with_milliseconds": GOOD.replace("857;w", "857000;w"),
    "td_for_rtd": GOOD.replace("-Rtd", "-td"),
    "ctime_case": GOOD.replace(BODY, "CTime=2"),
    "long_segment": GOOD.replace(
        "=N&&", "=N" + "".join(f";a{i:05d}-Rtd=1.5" for i in range(60)) + "&&"
    ),
}
OF_FRAMES = {
    Deviation.LOWER_CASE_CRC,
    Deviation.NO_TAIL,
    Deviation.PRINTED_TAIL,
    Deviation.LENGTH_IN_CHARACTERS,
}


@pytest.mark.parametrize("name", DEVIATING)
def test_a_known_deviation_is_taken_and_named(name):
    segment, noted = read(DEVIATING[name])

    assert noted == {Deviation(name)}
    if name != "ctime_case":
        assert segment.get("w01018-Rtd") == "2.3"


def test_every_known_deviation_has_its_example():
    assert {Deviation(name) for name in DEVIATING} | OF_FRAMES == set(Deviation)


REFUSED = [
    ("text", GOOD.replace("2.3", "2.3\x00")),
    ("text", GOOD.replace("2.3", "2\u00b23")),
    ("text", GOOD.replace("2.3", "2.3\n")),
    ("grammar", GOOD.replace("CP=&&", "CP=&")),
    ("grammar", GOOD[:-1]),
    ("grammar", GOOD + ";"),
    ("grammar", GOOD.replace("ST=32;", "")),
    ("grammar", GOOD.replace("MN=010000A8900016F000169DC0;", "")),
    ("grammar", GOOD.replace("Flag=5;", "Flag=5;XX=1;")),
    ("grammar", GOOD.replace("ST=32;CN=2011", "CN=2011;ST=32")),
    ("grammar", GOOD.replace("Rtd=2.3", "Rtd")),
    ("grammar", GOOD.replace("Rtd=2.3", "Rtd=2.3&")),
    ("grammar", GOOD.replace("=N&&", "=N,&&")),
    ("grammar", GOOD.replace("=N&&", "=N;;&&")),
    ("time", GOOD.replace(";w", "|w")),
    ("grammar", GOOD.replace("=N&&", "=N;i11001-Info=//open&&")),
    ("qn", GOOD.replace("20160801085857223", "2016080108585722")),
    ("qn", GOOD.replace("20160801085857223", "20161301085857223")),
    ("st", GOOD.replace("ST=32", "ST=3")),
    ("command", GOOD.replace("2011", "2019")),
    ("command", GOOD.replace("2011", "9999")),
    ("mn", GOOD.replace("010000A8", "010000 8")),
    ("flag", GOOD.replace("Flag=5", "Flag=12")),
    ("flag", GOOD.replace("Flag=5", "Flag=x")),
    ("packet_numbers", GOOD.replace("Flag=5;", "Flag=5;PNUM=2;PNO=1;")),
    ("packet_numbers", GOOD.replace("Flag=5;", "Flag=7;PNUM=2;PNO=3;")),
    ("packet_numbers", GOOD.replace("Flag=5;", "Flag=7;PNUM=2;PNO=0;")),
    ("packet_numbers", GOOD.replace("Flag=5;", "Flag=7;PNUM=2;")),
    ("rf", GOOD.replace("Flag=5;", "Flag=5;RF=0;")),
    ("field", GOOD.replace("-Rtd", "-Rtx")),
    ("field", GOOD.replace("-Flag", "-flag")),
    ("field", GOOD.replace("DataTime", "Datatime")),
    ("field", GOOD.replace("-Rtd", "")),
    ("duplicate", GOOD.replace("=N&&", "=N;w01018-Rtd=2.4&&")),
    ("duplicate", GOOD.replace("ST=32", "ST=32;ST=32")),
    ("value", GOOD.replace("2.3", "")),
    ("value", GOOD.replace("2.3", "2.3.1")),
    ("value", GOOD.replace("2.3", "2e3")),
    ("value", GOOD.replace("2.3", "--")),
    ("value", GOOD.replace("2.3", "NaN")),
    ("value", GOOD.replace("2.3", "+2.3")),
    ("value", GOOD.replace("2.3", " 2.3")),
    ("value", GOOD.replace("2.3", "2.3 ")),
    ("value", GOOD.replace("Flag=N", "Flag=")),
    ("value", GOOD.replace("Flag=N", "Flag=N!")),
    ("time", GOOD.replace("=20160801085857;", "=2016080108585;")),
    ("time", GOOD.replace("=20160801085857;", "=20160230085857;")),
    ("time", GOOD.replace("=20160801085857;", "=20160801245857;")),
    ("pw", GOOD.replace("123456", "12 456")),
]


@pytest.mark.parametrize(("cause", "text"), REFUSED)
def test_anything_else_is_refused_by_its_cause(cause, text):
    with pytest.raises(SegmentError) as caught:
        parse(text.encode())

    assert caught.value.cause is Refusal(cause)
    assert "expected" in str(caught.value)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(SegmentError) as caught:
        parse(GOOD.encode().replace(b"2.3", b"\xff\xfe"))

    assert caught.value.cause is Refusal.TEXT


def test_every_cause_of_refusal_has_its_example():
    of_frames = {Refusal.LENGTH, Refusal.CRC, Refusal.CUT_SHORT, Refusal.NO_DATA_TIME}

    assert {Refusal(cause) for cause, _ in REFUSED} | of_frames == set(Refusal)


def test_a_text_may_hold_what_separates_items():
    log = "//2016;清洗,管路=1 & 2//"
    segment, noted = read(GOOD.replace("=N&&", f"=N;i11001-Info={log}&&"))

    assert segment.get("i11001-Info") == log
    assert noted == set()


def test_a_field_that_a_point_asks_for_is_known():
    text = GOOD.replace("=N&&", "=N,w01018-Std=50&&").encode()

    with pytest.raises(SegmentError):
        parse(text)
    segment, _ = parse(text, {"Std"})

    assert segment.get("w01018-Std") == "50"


def test_a_working_condition_is_a_word():
    segment, _ = read(GOOD.replace("=N&&", "=N;p99101-Rtd=St&&"))

    assert segment.get("p99101-Rtd") == "St"
    with pytest.raises(SegmentError):
        read(GOOD.replace("2.3", "St"))


def test_profiles_and_codec_know_the_same_names():
    assert set(FIELDS) == fields.OF_FACTOR
    assert set(COMMANDS) == DATA


@given(st.text(max_size=300))
def test_text_of_any_kind_is_read_or_refused(text):
    for whole in (text, f"{HEAD}CP=&&{text}&&", GOOD.replace("2.3", text)):
        try:
            segment, _ = parse(whole.encode("utf-8", "surrogatepass"))
        except SegmentError:
            continue
        assert segment.cn in (2011,)


ALPHABET = "QN=;,&#0129.-ARtdFlagMSTCPDe /\u6e05"


@given(st.text(ALPHABET, max_size=200))
def test_what_looks_like_a_segment_is_read_or_refused(text):
    with contextlib.suppress(SegmentError):
        parse(f"{HEAD}CP=&&{text}&&".encode())

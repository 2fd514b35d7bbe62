"""A measurement becomes values, flaws, marks and times of what was asked."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from drivers.errors import PointError, ProfileError
from drivers.hj212.device import Hj212Device
from drivers.hj212.flags import FLAGS
from drivers.hj212.measurement import measured
from drivers.hj212.segment import parse
from drivers.profiles.hj212_points import Hj212Point
from drivers.values import Flaw, Quality
from gateway.texts import known
from gateway.texts.field import worded

HEAD = "QN=20240601080001000;ST=31;CN={cn};PW=1;MN=A;Flag={flag};"
UTC_MS = 1_717_200_000_000  # 2024-06-01 08:00:00 in China


def frame(body, *, cn=2011, flag=4):
    text = f"{HEAD.format(cn=cn, flag=flag)}CP=&&DataTime=20240601080000;{body}&&"
    segment, _ = parse(text.encode())
    return {cn: measured(segment, 0.0)}


class Line:
    """A port that holds what is given to it."""

    name = "line-1"

    def __init__(self, found=None, trouble=""):
        self.found = found or {}
        self._trouble = trouble

    def subscribe(self, inbox):
        self.inbox = inbox

    async def exchange(self, inbox, wanted, timeout_s, readers, *, look):
        del inbox, timeout_s, readers, look
        return {cn: self.found[cn] for cn in wanted if cn in self.found}

    def trouble(self, address):
        del address
        return self._trouble

    def heard(self):
        return ["line-1: no frames came"]


def point(name="so2", factor="a21026", **more):
    return Hj212Point(name=name, factor=factor, unit="mg/m3", **more)


async def scan(line, *points, zone="Asia/Shanghai", **options):
    device = Hj212Device("cems", "A", line, points, timeout_s=2.0, zone=ZoneInfo(zone))
    return await device.scan([p.name for p in points], **options)


async def test_a_value_with_its_mark_time_and_age():
    line = Line(frame("a21026-Rtd=12.30,a21026-Flag=N,a21026-EFlag=A1"))

    answer = await scan(line, point(), want_raw=True)

    assert answer.values == {"so2": 12.3}
    assert answer.flaws == {}
    assert answer.answered
    assert answer.flags == {"so2": "N/A1"}
    assert answer.sampled == {"so2": UTC_MS}
    assert answer.age_ms is not None
    assert answer.age_ms["so2"] > 0
    assert answer.raw == {"so2": b"a21026-Rtd=12.30,a21026-Flag=N,a21026-EFlag=A1"}


async def test_a_sample_has_a_time_of_its_own():
    line = Line(frame("w01018-SampleTime=20240601060000,w01018-Rtd=31;a1-Rtd=1"))

    answer = await scan(line, point("cod", "w01018"), point("other", "a1"))

    assert answer.sampled == {"cod": UTC_MS - 7_200_000, "other": UTC_MS}
    assert answer.values == {"cod": 31, "other": 1}
    assert answer.flags is None


async def test_times_are_those_of_the_site():
    answer = await scan(Line(frame("a21026-Rtd=1")), point(), zone="Asia/Urumqi")

    assert answer.sampled is not None
    at = datetime.fromtimestamp(answer.sampled["so2"] / 1000, UTC)
    assert at == datetime(2024, 6, 1, 2, tzinfo=UTC)


MARKS = [
    (version << 2, mark, flaw)
    for version, year in ((0, 2005), (1, 2017), (2, 2025))
    for mark, flaw in FLAGS[year].items()
]


@pytest.mark.parametrize(("flag", "mark", "flaw"), MARKS)
async def test_each_mark_has_its_quality(flag, mark, flaw):
    line = Line(frame(f"a21026-Rtd=5.5,a21026-Flag={mark}", flag=flag))

    answer = await scan(line, point())

    assert answer.flags == {"so2": mark}
    assert answer.flaws == ({} if flaw is None else {"so2": flaw})
    bad = flaw is not None and flaw.quality is Quality.BAD
    assert answer.values == ({} if bad else {"so2": 5.5})
    assert flaw is None or known(f"reason.{flaw.reason}")


@pytest.mark.parametrize("mark", ["P", "0", "n", "Td", "zz"])
async def test_a_mark_of_no_table_is_uncertain(mark):
    answer = await scan(Line(frame(f"a21026-Rtd=5.5,a21026-Flag={mark}")), point())

    assert answer.values == {"so2": 5.5}
    assert answer.flaws == {"so2": Flaw(Quality.UNCERTAIN, "unknown_flag")}


async def test_what_the_frame_does_not_hold_is_bad():
    line = Line(frame("a21026-Rtd=1,a21026-Flag=N"))

    answer = await scan(
        line, point(), point("nox", "a21002"), point("max", field="Max", cn=2051)
    )

    assert answer.values == {"so2": 1}
    assert answer.flaws == {
        "nox": Flaw(Quality.BAD, "not_sent"),
        "max": Flaw(Quality.BAD, "no_data"),
    }


async def test_nothing_new_is_no_data_and_says_what_was_heard():
    answer = await scan(Line(), point())

    assert not answer.answered
    assert answer.flaws == {"so2": Flaw(Quality.BAD, "no_data")}
    assert "expected frames of MN 'A'" in answer.detail
    assert "no frames came" in answer.detail
    for line in worded(answer.detail, "zh").splitlines():
        assert not re.search("[a-z]{3} [a-z]{2}", line)


async def test_who_cannot_be_told_apart_is_not_believed():
    answer = await scan(Line(trouble="two_speakers"), point())

    assert answer.flaws == {"so2": Flaw(Quality.BAD, "two_speakers")}


@pytest.mark.parametrize(
    ("text", "more", "value"),
    [
        ("230", {}, 230),
        ("230.0", {}, 230.0),
        ("-0.00", {}, 0.0),
        ("2301", {"scale": Fraction(1, 10)}, 230.1),
        ("382.222", {"scale": Fraction(36, 10)}, 1375.9992),
        ("1.25", {"decimals": 1}, 1.2),
        ("1.5", {"decimals": 0}, 2),
        ("3", {"offset": Fraction(-1)}, 2),
        ("156720160.000", {}, 156720160.0),
    ],
)
async def test_numbers_are_exact(text, more, value):
    answer = await scan(Line(frame(f"a21026-Rtd={text}")), point(**more))

    assert repr(answer.values["so2"]) == repr(value)
    assert answer.flaws == {}


async def test_outside_its_range_a_value_is_uncertain_and_kept():
    line = Line(frame("a21026-Rtd=-3,a21026-Flag=T"))
    plain = Line(frame("a21026-Rtd=-3"))

    marked = await scan(line, point(minimum=0.0))
    unmarked = await scan(plain, point(minimum=0.0))

    assert marked.values == unmarked.values == {"so2": -3}
    assert marked.flaws["so2"].reason == "above_range"
    assert unmarked.flaws["so2"].reason == "out_of_range"


async def test_states_and_words():
    body = "SB1-RS=2;p99101-Rtd=St;a1-SN=AB12,a1-Flag=D,a1-Info=//all well//"
    line = Line(frame(body, cn=2021, flag=8))
    points = (
        point("fan", "SB1", field="RS", cn=2021, enum={1: "on", 2: "calibrating"}),
        point("pump", "SB1", field="RS", cn=2021, enum={1: "on"}),
        point("works", "p99101", cn=2021),
        point("serial", "a1", field="SN", cn=2021),
        point("mark", "a1", field="Flag", cn=2021),
        point("note", "a1", field="Info", cn=2021),
    )

    answer = await scan(line, *points)

    assert answer.values == {
        "fan": "calibrating",
        "works": "St",
        "serial": "AB12",
        "mark": "D",
        "note": "//all well//",
    }
    assert answer.flaws == {"pump": Flaw(Quality.BAD, "not_in_enum")}


async def test_old_codes_count_in_old_frames_only():
    old, new = frame("011-Rtd=9", flag=0), frame("011-Rtd=9")
    both = frame("w01018-Rtd=8;011-Rtd=9", flag=0)
    cod = point("cod", "w01018", factor_2005="011")

    assert (await scan(Line(old), cod)).values == {"cod": 9}
    assert (await scan(Line(new), cod)).flaws["cod"].reason == "not_sent"
    assert (await scan(Line(both), cod)).values == {"cod": 8}


async def test_an_instrument_is_told_nothing():
    device = Hj212Device("x", None, Line(), [point()], timeout_s=2.0, zone=UTC)

    with pytest.raises(PointError, match="nothing is written to an HJ 212 instrument"):
        await device.write("so2", 1)
    with pytest.raises(ProfileError, match="no point named 'nox'"):
        await device.scan(["nox"])
    assert device.worst_case_s(["so2"]) == 2.0
    assert device.worst_case_s([]) == 0.0


@pytest.mark.parametrize("time", ["00010101000000", "99991231235959"])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
async def test_a_clock_that_was_never_set_stops_nothing(time, zone):
    text = f"{HEAD.format(cn=2011, flag=4)}CP=&&DataTime={time};a21026-Rtd=1.5&&"
    segment, _ = parse(text.encode())

    answer = await scan(Line({2011: measured(segment, 0.0)}), point(), zone=zone)

    assert answer.values == {"so2": 1.5}


@pytest.mark.parametrize("word", ["1e5", "1E5", "1e999999999", "0x10", "inf", "nan"])
async def test_a_word_that_python_takes_for_a_number_is_none(word):
    line = Line(frame(f"p99101-Rtd={word}", flag=8))

    answer = await scan(line, point("state", "p99101"))

    assert answer.values == ({"state": word} if word.isalpha() else {})

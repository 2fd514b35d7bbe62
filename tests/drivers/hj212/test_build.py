"""What we write is what the standard has, and reads back as it was."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from drivers.hj212.build import encode, flag, split
from drivers.hj212.cp import SegmentError
from drivers.hj212.frame import FrameFinder, pack
from drivers.hj212.segment import Segment, parse

PLAIN = Segment(
    qn="20240601085857223",
    st="31",
    cn=2051,
    pw="123456",
    mn="010000A8900016F000169DC0",
    flag=9,
    items=((("DataTime", "20240601085800"),), (("a34013-Avg", "2.3"),)),
)

NUMBER = st.decimals(-99999, 99999, places=3).map(str)
ITEM = st.tuples(
    st.from_regex(r"[aw][0-9]{5}", fullmatch=True),
    st.lists(
        st.tuples(st.sampled_from(["Min", "Avg", "Max", "Cou", "ZsAvg"]), NUMBER),
        min_size=1,
        max_size=5,
        unique_by=lambda pair: pair[0],
    ),
).map(lambda item: tuple((f"{item[0]}-{name}", value) for name, value in item[1]))
ITEMS = st.lists(ITEM, max_size=40, unique_by=lambda item: item[0][0][:6])


def qns():
    numbers = itertools.count(1)
    return lambda: f"20240601085858{next(numbers):03d}"


@given(ITEMS, st.sampled_from([2005, 2017]), st.booleans())
def test_split_and_read_back_gives_every_item_once(items, version, answer):
    date = (("DataTime", "20240601085800"),)
    whole = replace(PLAIN, flag=flag(version, answer=answer), items=(date, *items))

    parts = split(whole, qns())

    finder = FrameFinder()
    stream = b"".join(pack(encode(part)) for part in parts)
    read = [parse(frame.segment) for frame in finder.feed(stream)]
    assert [segment for segment, _ in read] == parts
    assert all(not noted for _, noted in read)
    assert [item for segment, _ in read for item in segment.items[1:]] == items
    assert all(segment.items[0] == date for segment, _ in read)
    assert len({segment.qn for segment, _ in read}) == len(parts)
    if len(parts) > 1:
        numbers = [(segment.pnum, segment.pno) for segment, _ in read]
        assert numbers == [(len(parts), n) for n in range(1, len(parts) + 1)]
        assert all(segment.wants_answer is answer for segment, _ in read)


def test_an_ordinary_minute_of_a_cems_is_split():
    fields = ("Cou", "Min", "Avg", "Max", "ZsMin", "ZsAvg", "ZsMax")
    items = [
        (
            *((f"a2100{n}-{field}", "123.456") for field in fields),
            (f"a2100{n}-Flag", "N"),
        )
        for n in range(9)
    ]

    parts = split(replace(PLAIN, items=(PLAIN.items[0], *items)), qns())

    assert [(p.flag, p.pnum, p.pno) for p in parts] == [(11, 2, 1), (11, 2, 2)]


def test_2025_has_nine_packets_at_most():
    items = tuple(
        ((f"i{n:05d}-Info", f"//{'x' * 880}//"),) for n in range(10)
    )  # one in a packet

    with pytest.raises(ValueError, match="at most 9 packets"):
        split(replace(PLAIN, items=items), qns())
    assert len(split(replace(PLAIN, flag=5, items=items), qns())) == 10


def test_an_item_that_fits_nowhere_is_told():
    items = ((("i11001-Info", f"//{'x' * 1000}//"),),)

    with pytest.raises(ValueError, match="of up to 1016"):
        split(replace(PLAIN, items=items), qns())
    with pytest.raises(ValueError, match="split it"):
        encode(replace(PLAIN, items=items))


@pytest.mark.parametrize(
    "change",
    [
        {"qn": None},
        {"flag": None},
        {"pnum": 1, "pno": 1},
        {"flag": 11},
        {"items": ((("a34013-td", "2.3"),),)},
        {"items": ((("a34013-Avg", "2.3"), ("a34014-Avg", "2.3")),)},
        {"items": ((("DataTime", "20240601085800000"),),)},
    ],
)
def test_what_the_standard_does_not_have_is_not_written(change):
    with pytest.raises(ValueError, match="expected"):
        encode(replace(PLAIN, **change))


@pytest.mark.parametrize("value", ["", "NaN", "1;2", "1&&", "1##2", "1e5"])
def test_a_value_that_would_break_the_frame_is_not_written(value):
    items = ((("a34013-Avg", value),),)

    with pytest.raises((SegmentError, ValueError)):
        encode(replace(PLAIN, items=items))


def test_flags_of_the_standard():
    assert [flag(2017, answer=a, split=s) for s in (0, 1) for a in (0, 1)] == [
        4,
        5,
        6,
        7,
    ]
    assert [flag(2025, answer=a, split=s) for s in (0, 1) for a in (0, 1)] == [
        8, 9, 10, 11,
    ]  # fmt: skip
    assert flag(2005, answer=True) == 1


def test_a_late_frame_says_so():
    assert b"Flag=9;RF=1;CP=" in encode(replace(PLAIN, rf=True))

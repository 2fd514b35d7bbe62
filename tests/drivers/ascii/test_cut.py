"""Messages to fields: columns, pairs, groups, positions, patterns."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ascii.cut import TWICE, cut, field
from drivers.profiles.dialogue import Columns, Groups, Pairs, Pattern, Positions
from drivers.profiles.dialogue_text import (
    DialogueTextError,
    control,
    fields_of,
    pattern_parts,
    text_parts,
)


def pattern(text):
    return Pattern(parts=pattern_parts(text))


def test_columns_by_number():
    way = Columns(least=4, most=5)
    assert cut(way, "229,002.74,M,00,") == {
        "1": "229",
        "2": "002.74",
        "3": "M",
        "4": "00",
        "5": "",
    }
    assert cut(way, "229,002.74") is None
    assert cut(way, "1,2,3,4,5,6") is None


def test_columns_between_blanks():
    assert cut(Columns(separator="", least=2), "  a   b ") == {"1": "a", "2": "b"}


def test_columns_by_header_and_a_trailing_separator():
    way, header = Columns(header=True), ("Time", "Conc(mg/m3)")
    assert cut(way, "16:00, 0.084,", header=header) == {
        "Time": "16:00",
        "Conc(mg/m3)": "0.084",
    }
    assert cut(way, "16:00, 0.084, 1", header=header) is None
    assert cut(way, "16:00, 0.084") is None


def test_pairs_and_a_damaged_one():
    assert cut(Pairs(), "Dm=027D,Sm=0.1M") == {"Dm": "027D", "Sm": "0.1M"}
    assert cut(Pairs(), "Dn=0m=032D,Sm=0.1M") == {"Dn": "0m=032D", "Sm": "0.1M"}
    assert cut(Pairs(), "Use chksum Goe") is None
    assert cut(Pairs(), "Sm=0.1M,Sm=9.9M") == {"Sm": TWICE}


def test_groups_of_nmea():
    assert cut(Groups(), "C,23.3,C,0,H,50.1,P,0") == {"C0": "23.3C", "H0": "50.1P"}
    assert cut(Groups(), "C,23.3,C") is None


def test_positions():
    way = Positions(size=8)
    fields = cut(way, "+0020002")
    assert (field(way, fields, "1-7"), field(way, fields, "8")) == ("+002000", "2")
    assert cut(way, "+002000") is None


@pytest.mark.parametrize(
    ("form", "text", "found"),
    [
        (
            "co2 {value} {unit}",
            "co2 4.000E+1 ppm",
            {"value": "4.000E+1", "unit": "ppm"},
        ),
        ("co2 {value} {unit}", "co2 4.0", None),
        ("co2 {value} {unit}", "co2  4.0   ppm  ", {"value": "4.0", "unit": "ppm"}),
        ("ratio {value}", "ratio 1.161100", {"value": "1.161100"}),
        ("ratio {value}", "ratio 1.1 bad cmd", None),
        ("gas mode {mode:text}", "gas mode sample", {"mode": "sample"}),
        (
            "T {_} {_} SO2{ }={ }{v} {u}",
            "T 1:2 0000 SO2= 261.4 PPB",
            {"v": "261.4", "u": "PPB"},
        ),
        (
            "T {_} {_} SO2{ }={ }{v} {u}",
            "T 1:2 0000 SO2=261.4 PPB",
            {"v": "261.4", "u": "PPB"},
        ),
        ("T {_} {_} SO2{ }={ }{v} {u}", "T 1:2 0000 NOX=261.4 PPB", None),
        ("[{_}] P = {p}, T = {*}", "[001] P = -0.00136, T = 24.95", {"p": "-0.00136"}),
        ("{v:number}", "2.87", {"v": "2.87"}),
        ("{v:number}", "READY", None),
        ("{*}={v}", "a=b=c", {"v": "b=c"}),
    ],
)
def test_patterns(form, text, found):
    assert cut(pattern(form), text) == found


def test_a_pattern_with_the_device_s_own_name():
    way = pattern("T {_} {address:4} SO2={v}")
    assert cut(way, "T 1 0700 SO2=1", "700") == {"v": "1"}
    assert cut(way, "T 1 0701 SO2=1", "700") is None
    assert cut(way, "T 1 0701 SO2=1") == {"v": "1"}


def test_letters_of_any_case_leave_the_fields_as_they_are():
    assert cut(pattern("so2 {v} {u}"), "SO2 1 PPB", any_case=True) == {
        "v": "1",
        "u": "PPB",
    }


@pytest.mark.parametrize(
    "form",
    ["{a}{b}", "{a", "a}", "{1a}", "{a} {a}", "{a:int}", "{*}{b}", "{a:text} {b}"],
)
def test_patterns_that_say_nothing_certain_are_refused(form):
    with pytest.raises(DialogueTextError):
        pattern_parts(form)


@pytest.mark.parametrize("text", ["[{address}", "{address}]", "[[a]]", "{adress}", "€"])
def test_texts_that_cannot_be_sent_are_refused(text):
    with pytest.raises(DialogueTextError):
        text_parts(text)


def test_control_characters_as_manuals_write_them():
    assert control("<STX>Q<CR><LF><0A><99>") == "\x02Q\r\n\n\x99"
    assert control("a < b <unknown>") == "a < b <unknown>"


HOSTILE = [
    "," * 1_000_000,
    "=" * 1_000_000,
    "a=" * 500_000,
    " " * 1_000_000,
    "a " * 500_000,
    "T " + "0 " * 499_999,
    "x" * 1_000_000,
]
WAYS = [
    Columns(),
    Columns(separator="", most=64),
    Pairs(),
    Groups(),
    Positions(size=10),
    pattern("T {_} {_} SO2{ }={ }{v} {u}"),
    pattern("{*}={v}"),
    pattern("{*}a {b}, {*}c {d}, {*}e {f}"),
]


@pytest.mark.bars
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_hostile_megabyte_costs_less_than_50_ms(way, figure):
    """Framing bounds a message to 8 kB; even a whole megabyte would be cut in time."""
    worst = 0.0
    for text in HOSTILE:
        best = 1.0
        for _ in range(3):
            began = time.perf_counter()
            cut(way, text[:8192] if isinstance(way, (Pairs, Groups)) else text)
            best = min(best, time.perf_counter() - began)
        worst = max(worst, best)
    figure("worst_ms", round(worst * 1000, 2))
    assert worst < 0.05


@pytest.mark.parametrize("way", WAYS, ids=str)
@given(text=st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=200))
def test_anything_is_cut_or_refused(way, text):
    fields = cut(way, text)

    assert fields is None or all(isinstance(value, str) for value in fields.values())
    if isinstance(way, Pattern) and fields is not None:
        assert set(fields) == set(fields_of(way.parts))

from __future__ import annotations

import string
from fractions import Fraction

import pytest

from drivers.profiles.document import load_document
from drivers.profiles.modbus_points import report_overlaps
from drivers.profiles.points import point_from_node, points_from_list
from drivers.profiles.reading import MESSAGES, Report

GOOD = "{name: a, table: holding, address: 'pdu:100', type: float32, unit: A}"


def read(text):
    report = Report()
    point = point_from_node(report, load_document(text, "t"), "points[0]")
    return point, [(p.code, p.column, p.meant) for p in report.problems], report


def read_list(text):
    report = Report()
    points = points_from_list(report, load_document(text, "t").value, "points")
    report_overlaps(report, points, "points")
    return points, [(p.code, p.line, p.path) for p in report.problems], report


def test_a_point_says_everything_the_driver_needs():
    point, problems, _ = read(
        "{name: probe, table: input, address: '3x:30073', type: int16, scale: 0.1, "
        "offset: -40, unit: Cel, decimals: 1, not_available: [-32768, 0x7FFF], "
        "minimum: -50, maximum: 150.5, every: 5s, word_order: CDAB, "
        "label: {zh: 温度, en: temperature}, code: a01001}"
    )

    assert problems == []
    assert point.address == 72
    assert point.scale == Fraction(1, 10)
    assert point.offset == -40
    assert point.not_available == (0x8000, 0x7FFF)
    assert (point.minimum, point.maximum, point.every_s) == (-50, 150.5, 5.0)
    assert point.label == {"zh": "温度", "en": "temperature"}


def test_a_bit_table_needs_no_type_and_no_unit():
    point, problems, _ = read("{name: run, table: coil, address: '0x:00017'}")

    assert problems == []
    assert (point.type, point.address) == ("bool", 16)


def test_names_of_states_may_be_words_yaml_11_would_turn_into_booleans():
    point, problems, _ = read(
        "{name: m, table: holding, address: 'pdu:1', type: uint16, "
        "enum: {0: off, 1: on, 0x10: no}}"
    )

    assert problems == []
    assert point.enum == {0: "off", 1: "on", 16: "no"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("address: 'pdu:100'", "address: 100"), ("address_notation", "pdu:100")),
        (("address: 'pdu:100'", "address: 40101"), ("address_notation", "4x:40101")),
        (("'pdu:100'", "'3x:30101'"), ("address_other_table", "")),
        (("'pdu:100'", "'pdu:65535'"), ("address_end", "")),
        (("'pdu:100'", "'pdu:65536'"), ("address_range", "")),
        (("unit: A", "unit: ℃"), ("unit_ascii", "Cel")),
        (("unit: A", "unit: mg/m³"), ("unit_ascii", "mg/m3")),
        ((", unit: A", ""), ("unit_missing", "")),
        (("unit: A", "unit: 1"), ("number_not_text", '"1"')),
        (("holding", "holdings"), ("choice", "holding")),
        (("table: holding", "table: coil"), ("address_notation", "")),
        (("float32", "float"), ("choice", "float32")),
        (("unit: A", "unit: A, skale: 2"), ("misspelt_key", "scale")),
        (("unit: A", "unit: A, scale: 0"), ("scale_zero", "")),
        (("unit: A", "unit: A, bit: 3"), ("bit_not_bool", "")),
        (("float32", "bool"), ("bit_missing", "")),
        (("unit: A", "unit: A, enum: {1: on}"), ("only_integers", "")),
        (("unit: A", "unit: A, minimum: 5, maximum: 1"), ("order", "")),
        (("unit: A", "unit: A, writable: true"), ("write_limits", "")),
        (("unit: A", "unit: A, writable: yes"), ("type", "true")),
        (("unit: A", "unit: A, write_min: 1"), ("limits_not_writable", "")),
        (("unit: A", "unit: A, every: 5"), ("duration_bare", "5s")),
        (("unit: A", "unit: A, every: 5 sec"), ("duration", "5 s")),
        (("unit: A", "unit: A, decimals: 01"), ("leading_zero", "1")),
        (("unit: A", "unit: A, word_order: abcd"), ("choice", "ABCD")),
        (("unit: A", "unit: A, word_order: big"), ("choice", "")),
        (("unit: A", "unit: A, minimum: .nan"), ("type", "")),
        (("name: a", "name: 电流"), ("name", "")),
        (("name: a, ", ""), ("missing_key", "")),
    ],
)
def test_each_mistake_has_its_own_cause(change, expected):
    text = GOOD.replace(*change)
    if change[1].endswith("table: coil"):
        text = text.replace("'pdu:100'", "'100'").replace("float32", "bool")
        expected = ("address_notation", "pdu:100")

    point, problems, report = read(text)

    assert point is None
    assert [(code, meant) for code, _, meant in problems] == [expected]
    assert all(str(problem) for problem in report.problems)


def test_everything_wrong_with_a_point_is_told_at_once():
    _, problems, _ = read(
        "{name: a, table: coil, address: 'pdu:1x', type: float32, every: 1, x: 2}"
    )

    assert {code for code, _, _ in problems} == {
        "unknown_key",
        "type_in_bits",
        "address_notation",
        "duration_bare",
    } | {"unit_missing"}


def test_overlapping_registers_name_both_points_and_both_places():
    _, problems, report = read_list(
        "- {name: a, table: holding, address: 'pdu:100', type: float32, unit: A}\n"
        "- {name: b, table: input, address: 'pdu:101', type: int16, unit: A}\n"
        "- {name: c, table: holding, address: 'pdu:101', type: int16, unit: A}\n"
    )

    assert problems == [("overlap", 3, "points.c")]
    assert report.problems[0].values["other"] == "a"
    assert report.problems[0].values["place"] == "1:3"


def test_bits_may_stand_beside_the_word_that_holds_them_but_not_twice():
    _, problems, _ = read_list(
        "- {name: word, table: holding, address: 'pdu:7', type: uint16, unit: '1'}\n"
        "- {name: run, table: holding, address: 'pdu:7', type: bool, bit: 0}\n"
        "- {name: trip, table: holding, address: 'pdu:7', type: bool, bit: 1}\n"
        "- {name: again, table: holding, address: 'pdu:7', type: bool, bit: 1}\n"
    )

    assert problems == [("overlap", 4, "points.again")]


def test_a_name_given_twice_says_where_it_was_first():
    _, problems, report = read_list(
        "- {name: a, table: coil, address: 'pdu:1'}\n"
        "- {name: a, table: coil, address: 'pdu:2'}\n"
    )

    assert problems == [("duplicate_name", 2, "points.a")]
    assert report.problems[0].values["first"] == "1:10"


def test_every_message_can_be_worded():
    for code, text in MESSAGES.items():
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name]
        assert text.format(**dict.fromkeys(names, "x")), code

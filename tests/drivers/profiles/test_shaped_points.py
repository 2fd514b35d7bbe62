"""Texts, times, BCD and 4-20 mA loops as a profile or a site file writes them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from drivers.profiles.document import load_document
from drivers.profiles.model import Loop
from drivers.profiles.points import point_from_node
from drivers.profiles.reading import Report

LOOP = "type: uint16, unit: V, loop: "
AT = "name: a, table: holding, address: 'pdu:100'"


def read(text):
    report = Report()
    point = point_from_node(
        report, load_document(f"{{{AT}, {text}}}", "t"), "points[0]"
    )
    return point, [(p.code, p.path) for p in report.problems], report.problems


def test_a_text_says_how_long_it_is():
    point, problems, _ = read("type: text, length: 8, encoding: gbk, layout: low_high")

    assert problems == []
    assert point.registers == 8
    assert (point.encoding, point.layout) == ("gbk", "low_high")
    assert point.form == "text low_high"


def test_a_text_is_ascii_from_the_high_byte_on_unless_it_says_otherwise():
    point, _, _ = read("type: text, length: 8")

    assert (point.encoding, point.layout) == ("ascii", "high_low")


@pytest.mark.parametrize(
    ("layout", "registers"),
    [("words:YMDhms", 6), ("bcd:YYMDhmsW", 4), ("bytes:YMDhms", 3), ("unix32", 2)],
)
def test_a_time_is_as_long_as_its_layout(layout, registers):
    point, problems, _ = read(f"type: datetime, layout: '{layout}'")

    assert problems == []
    assert point.registers == registers


def test_bcd_is_a_number_like_others():
    point, problems, _ = read(
        "type: bcd32, unit: m3, scale: 0.01, word_order: CDAB,"
        " not_available: [0xFFFFFFFF]"
    )

    assert problems == []
    assert point.registers == 2


def test_a_loop_keeps_its_ends_exactly():
    point, problems, _ = read(
        "type: uint16, scale: 0.001, unit: mg/m3, loop: {low: -0.1, high: 200}"
    )

    assert problems == []
    assert point.loop == Loop(
        Fraction(-1, 10), Fraction(200), Fraction(4), Fraction(20)
    )


def test_a_loop_of_another_signal():
    point, problems, _ = read(
        "type: uint16, scale: 0.001, unit: bar,"
        " loop: {low: 0, high: 16, from: 0, to: 10}"
    )

    assert problems == []
    assert (point.loop.start, point.loop.end) == (0, 10)


@pytest.mark.parametrize(
    ("text", "code", "key"),
    [
        ("type: text", "missing_key", ""),
        ("type: text, length: 0", "range", "length"),
        ("type: text, length: 126", "range", "length"),
        ("type: text, length: 2, encoding: utf16", "choice", "encoding"),
        ("type: text, length: 2, layout: words", "choice", "layout"),
        ("type: text, length: 2, word_order: CDAB", "not_with_type", "word_order"),
        ("type: text, length: 2, scale: 2", "not_with_type", "scale"),
        ("type: text, length: 2, unit: V", "not_with_type", "unit"),
        ("type: text, length: 2, minimum: 2", "not_with_type", "minimum"),
        ("type: text, length: 2, writable: true", "not_with_type", "writable"),
        ("type: text, length: 2, enum: {0: off}", "only_integers", "enum"),
        ("type: text, length: 2, loop: {low: 0, high: 1}", "not_with_type", "loop"),
        ("type: datetime", "missing_key", ""),
        ("type: datetime, layout: 'bcd:YMD'", "layout", "layout"),
        ("type: datetime, layout: unix32, length: 2", "not_with_type", "length"),
        ("type: datetime, layout: unix32, encoding: gbk", "not_with_type", "encoding"),
        ("type: uint16, unit: V, length: 1", "not_with_type", "length"),
        ("type: uint16, unit: V, layout: unix32", "not_with_type", "layout"),
        ("type: bcd16", "unit_missing", ""),
        ("type: bcd16, unit: V, bits: {0: x}", "only_integers", "bits"),
        ("type: bool, bit: 0, loop: {low: 0, high: 1}", "not_with_type", "loop"),
        ("type: uint16, loop: {low: 0, high: 1}", "unit_missing", ""),
        ("type: uint16, unit: V, loop: {low: 0}", "missing_key", "loop"),
        ("type: uint16, unit: V, loop: {low: 0, high: 0}", "loop_flat", "loop.high"),
        (f"{LOOP}{{low: 0, high: 1, from: 20}}", "loop_range", "loop.to"),
        (f"{LOOP}{{low: 0, high: 1, too: 5}}", "misspelt_key", "loop.too"),
        ("type: uint16, unit: V, loop: 200", "type", "loop"),
        ("type: uint16, loop: {low: 0, high: 1}, enum: {0: x}", "loop_beside", "loop"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_told(text, code, key):
    _, problems, said = read(text)

    path = f"points.a.{key}" if key else "points.a"
    assert (code, path) in problems
    assert all("{" not in problem.message for problem in said)


def test_a_long_text_must_end_inside_the_table():
    report = Report()
    text = "{name: a, table: input, address: 'pdu:65530', type: text, length: 8}"
    point_from_node(report, load_document(text, "t"), "points[0]")

    assert [problem.code for problem in report.problems] == ["address_end"]

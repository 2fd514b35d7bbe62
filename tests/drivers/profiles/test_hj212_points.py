"""HJ 212 points as they are written: what is read, and what is told as wrong."""

from __future__ import annotations

import pytest

from drivers.profiles.document import load_document
from drivers.profiles.points import points_from_list
from drivers.profiles.reading import Report


def read(*lines):
    report = Report()
    text = "points:\n" + "".join(f"  - {{{line}}}\n" for line in lines)
    nodes = load_document(text, "x").get("points").value
    points = [point for point, _ in points_from_list(report, nodes, "p", "hj212")]
    return points, [(problem.path, problem.code) for problem in report.problems]


@pytest.mark.parametrize(
    ("more", "field", "cn"),
    [
        ("", "Rtd", 2011),
        (", field: ZsRtd", "ZsRtd", 2011),
        (", field: Avg", "Avg", 2051),
        (", field: Cou, cn: 2061", "Cou", 2061),
        (", field: DayData", "DayData", 2031),
        (", cn: 2051", "Rtd", 2051),
    ],
)
def test_the_command_follows_from_the_field(more, field, cn):
    (point,), problems = read(f"name: so2, factor: a21026, unit: mg/m3{more}")

    assert problems == []
    assert (point.factor, point.field, point.cn) == ("a21026", field, cn)
    assert (point.where, point.form) == (f"a21026-{field}", f"CN={cn}")
    assert point.code == "a21026"


def test_makers_codes_and_old_codes():
    (noise, cod), problems = read(
        'name: noise, factor: LA, unit: "dB[SPL]"',
        'name: cod, factor: w01018, factor_2005: "011", unit: mg/L, code: w99999',
    )

    assert problems == []
    assert noise.code is None
    assert (cod.factor_2005, cod.code) == ("011", "w99999")


def test_words_and_states_need_no_unit():
    points, problems = read(
        "name: a, factor: a21026, field: EFlag",
        "name: b, factor: SB1, field: RS, enum: {0: off, 1: on}",
        "name: c, factor: SB1, field: RS",
    )

    assert problems == []
    assert [point.cn for point in points] == [2011, 2021, 2021]


@pytest.mark.parametrize(
    ("line", "path", "code"),
    [
        ("name: a, unit: mg/L", "p.a", "missing_key"),
        ("name: a, factor: a21026", "p.a", "unit_missing"),
        ("name: a, factor: a-1, unit: mg/L", "p.a.factor", "hj212_code"),
        ("name: a, factor: a1, field: R-d, unit: mg/L", "p.a.field", "choice"),
        ("name: a, factor: a1, cn: 2012, unit: mg/L", "p.a.cn", "choice"),
        ("name: a, factor: a1, cn: 9, unit: mg/L", "p.a.cn", "range"),
        ("name: a, factor: a1, qqq: red, unit: mg/L", "p.a.qqq", "unknown_key"),
    ],
)
def test_mistakes_have_their_place(line, path, code):
    points, problems = read(line)

    assert points == []
    assert (path, code) in problems


def test_a_makers_own_field_is_a_warning():
    (point,), problems = read("name: a, factor: a1, field: Std, unit: mg/L")

    assert point.field == "Std"
    assert problems == [("p.a.field", "choice")]

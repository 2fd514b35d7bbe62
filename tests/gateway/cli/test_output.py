from __future__ import annotations

import io
import json

import pytest

from gateway.cli.output import (
    clip,
    colours,
    display_width,
    pad,
    paint,
    print_json,
    table,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    for variable in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", 3),
        ("电流", 4),
        ("\x1b[1;31m电\x1b[0m", 2),
        ("é", 1),
        ("e\u0301", 1),
        ("", 0),
    ],
)
def test_width_is_what_a_terminal_shows(text, columns):
    assert display_width(text) == columns


def test_columns_line_up_with_chinese_in_them():
    lines = table(
        ["设备", "V"], [["进线柜", "1"], ["fan", "230.1"]], right=[1]
    ).splitlines()

    assert lines == ["设备        V", "进线柜      1", "fan     230.1"]
    assert len({display_width(line) for line in lines}) == 1


def test_a_table_without_rows_is_its_headers():
    assert table(["a", "b"], []) == "a  b"


def test_a_table_shortens_what_may_be_shortened_until_it_fits():
    rows = [["reactive_energy_import", "good"], ["v", "good"]]

    lines = table(["POINT", "QUALITY"], rows, cut=[0], columns=20).splitlines()

    assert lines == ["POINT        QUALITY", "reactive_e…  good", "v            good"]


def test_a_table_never_shortens_other_columns():
    text = table(["POINT", "RAW"], [["voltage", "4363 37f1"]], cut=[0], columns=5)

    assert "4363 37f1" in text
    assert "voltage" in text


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("voltage", 7, "voltage"),
        ("voltage", 4, "vol…"),
        ("电压电流", 6, "电压…"),
        ("电压电流", 7, "电压电…"),
        ("\x1b[2mvoltage\x1b[0m", 4, "\x1b[2mvol…\x1b[0m"),
    ],
)
def test_clip_keeps_colours_closed_and_characters_whole(text, columns, expected):
    assert clip(text, columns) == expected


def test_pad_never_cuts():
    assert pad("电流表", 2) == "电流表"


def test_colours_only_where_they_are_wanted(monkeypatch):
    assert colours(Terminal())
    assert not colours(io.StringIO())
    assert paint("x", "red", stream=Terminal()) == "\x1b[31mx\x1b[0m"
    assert paint("x", "red", stream=io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not colours(Terminal())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert colours(io.StringIO())


def test_json_is_indented_and_keeps_chinese(capsys):
    print_json({"name": "北厂", "n": 1.5})

    out = capsys.readouterr().out
    assert json.loads(out) == {"name": "北厂", "n": 1.5}
    assert "北厂" in out
    assert "\n" in out

"""`watch` shows each kind of record in one line."""

import pytest

from gateway.cli.watch import line
from gateway.texts import set_language


@pytest.fixture(autouse=True)
def _english():
    set_language("en")
    yield
    set_language(None)


def test_a_scan_shows_values_and_says_how_many_more():
    values = {f"r{i}": i for i in range(9)}

    text = line({"seq": 5, "kind": "scan", "device": "fan", "t": 0, "values": values})

    assert "r0=0" in text
    assert "r6=6" not in text
    assert "3 more" in text


def test_flawed_points_are_counted_with_their_reasons():
    record = {
        "seq": 6,
        "kind": "scan",
        "device": "fan",
        "t": 0,
        "values": {},
        "q": {"a": ["bad", "timeout"], "b": ["bad", "timeout"]},
    }

    assert "2 points flawed" in line(record)


def test_a_gap_says_how_many_slots_and_why():
    record = {"seq": 7, "kind": "gap", "device": "fan", "t": 0, "slots": 10}

    text = line(record | {"cause": "bus_gone", "points": ["*"]})

    assert "10 slots" in text


def test_an_event_speaks_the_reader_s_language():
    event = {"seq": 8, "kind": "event", "t": 0, "text": {"en": "gone", "zh": "断开"}}

    assert "gone" in line(event)
    set_language("zh")
    assert "断开" in line(event)


def test_what_is_unknown_is_shown_whole():
    assert '"novel":1' in line({"seq": 9, "kind": "lost", "t": 0, "novel": 1})

"""`watch` shows each kind of record in one line."""

import pytest

from gateway.cli import main, watch
from gateway.cli.watch import line
from gateway.control import ControlError
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
    assert "bus or connection gone" in text


def test_a_gap_s_cause_is_told_in_words():
    record = {"seq": 7, "kind": "gap", "device": "fan", "t": 0, "slots": 10}

    assert "asked more rarely" in line(record | {"cause": "backed_off"})


def test_a_loss_says_which_numbers_and_why():
    record = {"seq": 8, "kind": "lost", "t": 0, "seq_from": 3, "seq_to": 5}

    text = line(record | {"cause": "evicted", "at_most": 2, "certain": True})

    assert "records 3 to 5 are lost (2 at most)" in text
    assert "room was needed" in text


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_a_scan_fits_into_the_terminal(columns):
    values = {f"voltage_l{i}": 230.12345 for i in range(20)}
    record = {"seq": 5, "kind": "scan", "device": "fan", "t": 0, "values": values}

    text = line(record, columns)

    assert len(text) <= columns
    assert "voltage_l0=230.12345" in text
    assert "more" in text


def test_an_event_speaks_the_reader_s_language():
    event = {"seq": 8, "kind": "event", "t": 0, "text": {"en": "gone", "zh": "断开"}}

    assert "gone" in line(event)
    set_language("zh")
    assert "断开" in line(event)


def test_what_is_unknown_is_shown_whole():
    assert '"novel":1' in line({"seq": 9, "kind": "new", "t": 0, "novel": 1})


class Refusing:
    """A gateway that knows no such device."""

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        pass

    def stream(self, cmd, **fields):
        raise ControlError("no_device", "no device metre, configured: meter")
        yield


def test_a_device_that_is_not_there_is_a_usage_error(monkeypatch, capsys):
    monkeypatch.setattr(watch, "connect", lambda args: Refusing())

    assert main(["watch", "--device", "metre"]) == 2
    assert "configured: meter" in capsys.readouterr().err

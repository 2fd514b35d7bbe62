"""The demo's screen is a function of its state."""

import pytest

from gateway.cli.demo.panel import DemoState, DeviceLine, panel, sparkline
from gateway.cli.output import display_width
from gateway.texts import set_language


@pytest.fixture(autouse=True, params=["en", "zh"])
def _language(request):
    set_language(request.param)
    yield
    set_language(None)


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(columns):
    state = DemoState(
        devices=[DeviceLine("incomer", "RTU 19200 8N1", "good", "voltage " * 20, 0.4)],
        link="cut",
        received=123_456,
        values=9_999_999,
        latency_ms=12.3,
    )
    for second in range(12):
        state.elapsed_s = second
        state.note("x" * 60)
    for records in range(100_000, 100_200):
        state.sample_backlog(records)

    lines = panel(state, columns)
    assert max(display_width(line) for line in lines) <= min(columns, 100)
    assert "00:11" in lines[0]


def test_a_device_without_values_waits_and_one_that_fails_shows_it():
    state = DemoState(
        devices=[DeviceLine("a", "TCP"), DeviceLine("b", "TCP", "bad", "", 3.0)]
    )

    text = "\n".join(panel(state))

    assert "3.0 s" in text
    assert any(word in text for word in ("waiting", "等待"))
    assert any(word in text for word in ("bad", "异常"))


def test_the_backlog_s_curve_rises_with_the_backlog():
    assert sparkline([0, 1, 4, 8]) == "▁▁▄█"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "▁▁"


def test_the_curve_keeps_the_last_samples():
    state = DemoState()
    for records in range(100):
        state.sample_backlog(records)

    assert state.backlog == list(range(56, 100))


def test_the_regulator_s_line_tells_minutes_once_there_are_any():
    state = DemoState()
    assert any(word in panel(state)[6] for word in ("waits", "等待"))

    has = {"realtime": 3, "minutes": 0, "same": 0, "differing": 0, "broken": 0}
    state.regulator = has
    assert any(word in panel(state)[6] for word in ("full minute", "整分"))

    state.regulator = {**has, "minutes": 2, "same": 40}
    assert "40" in panel(state)[6]
    state.regulator = {**has, "minutes": 2, "differing": 7, "broken": 9}
    assert "7" in panel(state)[6]
    assert "9" in panel(state)[6]

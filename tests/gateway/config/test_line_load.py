from __future__ import annotations

import msgspec
import pytest

from drivers.modbus.framing import ASCII
from drivers.profiles.model import ModbusPoint
from gateway.config.line_load import (
    line_share,
    plan,
    request_s,
    smallest_baud,
)
from gateway.config.model import Device, SerialLine


def line(baud=9600, framing="8N1"):
    return SerialLine(device="/dev/null", baud=baud, framing=framing)


def device(*spans, every_s=1.0, table="holding", max_registers=125):
    points = tuple(
        ModbusPoint(name=f"p{address}", table=table, address=address, type=kind)
        for address, kind in spans
    )
    return Device(
        name="d",
        bus="b",
        address=1,
        every_s=every_s,
        points=points,
        max_registers=max_registers,
    )


def test_the_cost_of_ten_registers_by_hand():
    # 8 + 5 + 20 characters of 10 bits, 3.5 characters of silence, 10 ms.
    by_hand = (33 + 3.5) * 10 / 9600 + 0.010

    assert request_s(20, line()) == pytest.approx(by_hand)


def test_above_19200_the_silence_is_1750_us():
    by_hand = 33 * 10 / 38400 + 0.00175 + 0.010

    assert request_s(20, line(38400)) == pytest.approx(by_hand)


def test_neighbours_go_out_together_and_far_ones_apart():
    together = device((0, "float32"), (10, "float32"))
    apart = device((0, "float32"), (100, "float32"))

    assert [r.data_bytes for r in plan(together)] == [24]
    assert [r.data_bytes for r in plan(apart)] == [4, 4]


def test_no_block_is_larger_than_the_device_allows():
    points = [(2 * i, "float32") for i in range(100)]

    # Of 125 registers the planner keeps four free for the sizes to vary.
    assert [r.data_bytes for r in plan(device(*points))] == [240, 160]
    assert len(plan(device(*points, max_registers=10))) == 20


def test_bits_are_packed():
    coils = device((0, "bool"), (9, "bool"), table="coil")

    assert [r.data_bytes for r in plan(coils)] == [2]


def test_ten_units_with_ten_registers_fit_19200_baud():
    units = [device(*[(2 * i, "float32") for i in range(5)]) for _ in range(10)]

    share = line_share(units, line(19200), 0.0)

    assert share == pytest.approx(10 * (36.5 * 10 / 19200 + 0.010))
    assert share < 0.8


def test_a_slower_period_weighs_less_and_a_pause_counts():
    assert line_share([device((0, "int16"), every_s=10.0)], line(), 0.0) == (
        pytest.approx(line_share([device((0, "int16"))], line(), 0.0) / 10)
    )
    assert line_share([device((0, "int16"))], line(), 0.1) == (
        pytest.approx(line_share([device((0, "int16"))], line(), 0.0) + 0.1)
    )


def test_the_speed_proposed_is_the_lowest_that_fits():
    units = [device(*[(2 * i, "float32") for i in range(30)]) for _ in range(5)]

    found = smallest_baud(units, line(2400), 0.0)

    # 60 registers: 136.5 characters and 10 ms; five a second are 1.47 s at 4800.
    assert found == 9600
    assert line_share(units, line(2400), 0.0) > 1
    assert line_share(units, line(found), 0.0) <= 1


def test_no_speed_helps_where_turnaround_alone_is_too_much():
    units = [device((0, "int16"), every_s=0.05) for _ in range(10)]

    assert smallest_baud(units, line(), 0.0) is None


def test_ascii_takes_two_characters_a_byte():
    # 17 + 11 + 40 characters of 10 bits, 3.5 characters of silence, 10 ms.
    by_hand = (68 + 3.5) * 10 / 9600 + 0.010

    assert request_s(20, line(framing="7E1"), ASCII) == pytest.approx(by_hand)


def refusing(*spans, **more):
    return msgspec.structs.replace(device(*spans, **more), holes="refused")


def test_a_device_that_refuses_holes_is_asked_for_its_points_alone():
    spans = [(0, "float32"), (2, "float32"), (6, "float32")]

    assert [r.data_bytes for r in plan(device(*spans))] == [16]
    assert [r.data_bytes for r in plan(refusing(*spans))] == [8, 4]


def test_blocks_of_one_size_without_room_cost_waiting_or_halves():
    """As measured with the driver on a line: 0.3 to 0.4 s for four runs of three."""
    runs = [(20 * run + 2 * i, "float32") for run in range(4) for i in range(3)]
    singles = [(10 * i, "float32") for i in range(8)]

    assert 0.2 <= line_share([refusing(*runs)], line(), 0.0) <= 0.45
    # One point each: nothing to halve, every answer holds its size for a window.
    assert 0.8 <= line_share([refusing(*singles)], line(), 0.0) <= 1.1
    # Where sizes differ, nothing waits.
    stairs = [(20 * run + 2 * i, "float32") for run in range(4) for i in range(run + 1)]
    bare = sum(request_s(r.data_bytes, line()) for r in plan(refusing(*stairs)))
    assert line_share([refusing(*stairs)], line(), 0.0) <= 1.6 * bare

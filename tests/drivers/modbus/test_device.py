"""A device answers for every point asked: a value, or a reason."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from drivers.errors import (
    BadFrameError,
    BusError,
    PointError,
    PointUnsupportedError,
    ProfileError,
    ResponseTimeoutError,
    UnprovableError,
)
from drivers.modbus.device import ModbusDevice
from drivers.modbus.refusals import Refusals
from drivers.profiles.model import ModbusPoint
from drivers.values import Flaw, Quality
from tests.support.modbus_memory import TIMING, MemoryBus


def word(address, table="holding", **more):
    return ModbusPoint(
        name=f"p{address}", table=table, address=address, type="uint16", **more
    )


def device(bus, points, **more):
    return ModbusDevice("meter", 3, bus, points, TIMING, **more)


def names(points):
    return [p.name for p in points]


async def test_values_come_from_their_own_registers_whatever_room_was_read():
    bus = MemoryBus()
    points = [word(a) for a in (0, 1, 5, 40, 41)]
    bus.registers = {("holding", a): 1000 + a for a in range(200)}
    meter = device(bus, points)

    for _ in range(6):
        answer = await meter.scan(names(points))

        assert answer.values == {p.name: 1000 + p.address for p in points}
        assert answer.flaws == {}
        assert answer.answered
    assert len({count for _, _, count in bus.asked}) > 3


async def test_a_silent_unit_costs_one_request_and_every_point_says_why():
    bus = MemoryBus()
    bus.silent = lambda *_: True
    points = [word(0), word(200), word(400)]

    answer = await device(bus, points).scan(names(points), wait_s=0.1)

    assert len(bus.asked) == 1
    assert bus.waits == [0.1]
    assert answer.values == {}
    assert set(answer.flaws.values()) == {Flaw(Quality.BAD, "timeout")}
    assert set(answer.flaws) == {"p0", "p200", "p400"}
    assert not answer.answered
    assert "03 03 00 00" in answer.detail
    assert "received nothing" in answer.detail


async def test_what_was_read_before_the_silence_is_kept():
    bus = MemoryBus()
    bus.silent = lambda _t, start, _c: start >= 190
    points = [word(0), word(200), word(400)]

    answer = await device(bus, points).scan(names(points))

    assert answer.values == {"p0": 0}
    assert set(answer.flaws) == {"p200", "p400"}
    assert answer.answered


async def test_a_bad_frame_ends_the_scan_too():
    bus = MemoryBus()
    bus.fails = lambda n: BadFrameError("CRC", received=b"\x03\x03\x02\x12")
    points = [word(0), word(200)]

    answer = await device(bus, points).scan(names(points))

    assert len(bus.asked) == 1
    assert set(answer.flaws.values()) == {Flaw(Quality.BAD, "bad_frame")}
    assert "received 03 03 02 12" in answer.detail


async def test_an_exception_reply_is_a_sign_of_life_and_the_rest_is_asked():
    bus = MemoryBus()
    bus.fails = lambda n: PointError("busy", reason="exception_6") if n == 1 else None
    points = [word(0), word(200)]

    answer = await device(bus, points).scan(names(points))

    assert answer.flaws == {"p0": Flaw(Quality.BAD, "exception_6")}
    assert answer.values == {"p200": 0}
    assert answer.answered


async def test_a_gateways_word_for_a_silent_unit_is_no_sign_of_life():
    bus = MemoryBus()
    bus.fails = lambda n: PointError("no target", reason="exception_11")
    points = [word(0), word(200)]

    answer = await device(bus, points).scan(names(points))

    assert len(bus.asked) == 1
    assert not answer.answered
    assert set(answer.flaws.values()) == {Flaw(Quality.BAD, "exception_11")}


async def test_one_answer_that_cannot_be_proved_leaves_the_next_block_its_chance():
    bus = MemoryBus()
    bus.fails = lambda n: UnprovableError("late one may come") if n in (1, 4) else None
    points = [word(0), word(200), word(400)]
    meter = device(bus, points)

    one = await meter.scan(names(points))
    bus.fails = lambda n: UnprovableError("late one may come")
    two = await meter.scan(names(points))

    assert one.flaws == {"p0": Flaw(Quality.BAD, "unprovable")}
    assert len(bus.asked) == 5
    assert set(two.flaws) == {"p0", "p200", "p400"}
    assert not two.answered


async def test_a_gone_port_is_the_workers_business():
    bus = MemoryBus()
    bus.fails = lambda n: BusError("unplugged")

    with pytest.raises(BusError):
        await device(bus, [word(0)]).scan(["p0"])


async def test_raw_bytes_stand_beside_each_point_where_asked_for():
    bus = MemoryBus()
    bus.registers = {("holding", 7): 0x1234, ("coil", 9): 1}
    coil = ModbusPoint(name="on", table="coil", address=9, type="bool")

    answer = await device(bus, [word(7), coil]).scan(["p7", "on"], want_raw=True)

    assert answer.raw == {"p7": b"\x12\x34", "on": b"\x01"}
    assert answer.values == {"p7": 0x1234, "on": True}


async def test_an_unknown_point_is_refused_by_name():
    with pytest.raises(ProfileError, match=r"meter: no point named 'p9'"):
        await device(MemoryBus(), [word(0)]).scan(["p9"])


async def test_only_the_missing_register_turns_bad_and_in_the_same_scan():
    bus = MemoryBus()
    points = [word(a) for a in range(40)]
    bus.missing = {("holding", 17)}
    meter = device(bus, points)

    first = await meter.scan(names(points))

    assert first.flaws == {"p17": Flaw(Quality.BAD, "unsupported")}
    assert len(first.values) == 39
    assert first.answered
    assert "p17" in first.detail
    learning, bus.asked = len(bus.asked), []
    again = await meter.scan(names(points))
    assert again.flaws == first.flaws
    assert len(again.values) == 39
    assert len(bus.asked) == 2 < learning <= 2 * 6 + 3


async def test_a_unit_that_takes_few_registers_at_once_gives_all_of_them():
    bus = MemoryBus(most=10)
    points = [word(a) for a in range(64)]
    meter = device(bus, points)

    for _ in range(8):
        answer = await meter.scan(names(points))
        assert answer.flaws == {}
    bus.asked.clear()
    await meter.scan(names(points))

    assert len(bus.asked) <= 10  # seven would do if the limit were known


def optimum(points, missing):
    """Requests needed by one who knows every missing register."""
    readable, blocks = [], 0
    for point in points:
        cells = {(point.table, point.address + i) for i in range(point.registers)}
        if not cells & missing:
            readable.append(point)
    end, start = None, 0
    for point in readable:
        top = point.address + point.registers
        joined = (
            end is not None
            and point.address - end <= 16
            and top - start <= 121
            and not any((point.table, a) in missing for a in range(start, top))
        )
        if not joined:
            blocks, start = blocks + 1, point.address
        end = top
    return readable, blocks


@pytest.mark.parametrize("seed", range(12))
async def test_random_holes_cost_little_more_than_the_best_plan_once_learned(seed):
    rnd = random.Random(seed)
    bus = MemoryBus()
    points, at = [], rnd.randrange(100)
    for _ in range(rnd.randrange(20, 90)):
        at += rnd.choice([0, 0, 0, 1, 3, 20])
        kind = rnd.choice(["uint16", "float32"])
        points.append(
            ModbusPoint(name=f"p{at}", table="holding", address=at, type=kind)
        )
        at += points[-1].registers
    bus.missing = {
        ("holding", a) for a in range(at + 10) if rnd.random() < rnd.choice([0.01, 0.1])
    }
    bus.registers = {("holding", a): a for a in range(at + 10)}
    readable, best = optimum(points, bus.missing)
    meter = device(bus, points)

    for _ in range(40):
        await meter.scan(names(points))
    bus.asked.clear()
    for _ in range(5):
        answer = await meter.scan(names(points))

    assert set(answer.values) == set(names(readable)), f"seed {seed}"
    assert {f.reason for f in answer.flaws.values()} <= {"unsupported"}
    assert len(bus.asked) / 5 <= 1.2 * best, f"seed {seed}: {bus.asked}, best {best}"


async def test_a_refused_point_is_asked_once_every_retry_time_and_may_return(
    monkeypatch,
):
    bus = MemoryBus()
    points = [word(a) for a in range(8)]
    bus.missing = {("holding", 3)}
    meter = device(bus, points, refusals=Refusals(retry_s=0.0))
    await meter.scan(names(points))
    bus.missing = set()

    for _ in range(6):
        answer = await meter.scan(names(points))

    assert answer.flaws == {}
    bus.asked.clear()
    await meter.scan(names(points))
    assert len(bus.asked) == 1


async def test_a_search_never_holds_the_bus_for_ever():
    bus = MemoryBus(default=None)
    points = [word(a) for a in range(120)]
    meter = device(bus, points)

    first = await meter.scan(names(points))

    assert len(bus.asked) < 90
    assert set(first.flaws) == set(names(points))
    assert {f.reason for f in first.flaws.values()} == {"unsupported", "searching"}
    for _ in range(8):
        last = await meter.scan(names(points))
    assert {f.reason for f in last.flaws.values()} == {"unsupported"}
    bus.asked.clear()
    await meter.scan(names(points))
    assert bus.asked == []


async def test_a_slow_search_stops_in_time_and_goes_on_in_the_next_scan(monkeypatch):
    bus = MemoryBus()
    points = [word(a) for a in range(60)]
    bus.missing = {("holding", 11), ("holding", 43)}
    meter = device(bus, points)
    monkeypatch.setattr("drivers.modbus.device._SEARCH_S", -1.0)

    scans = [await meter.scan(names(points)) for _ in range(40)]

    assert scans[0].flaws["p0"].reason == "searching"
    assert set(scans[-1].flaws) == {"p11", "p43"}
    assert len(scans[-1].values) == 58
    bus.asked.clear()
    await meter.scan(names(points))
    assert len(bus.asked) == 3


async def test_the_worst_case_is_one_time_out_whatever_the_number_of_points():
    meter = device(MemoryBus(), [word(0), word(500)])

    assert meter.worst_case_s(["p0"]) == meter.worst_case_s(["p0", "p500"]) == 0.5
    assert meter.worst_case_s([]) == 0.0


async def test_a_write_goes_out_in_the_order_and_scale_of_its_reading():
    bus = MemoryBus()
    point = ModbusPoint(
        name="setpoint",
        table="holding",
        address=10,
        type="float32",
        word_order="CDAB",
        writable=True,
        write_min=0,
        write_max=50,
    )
    meter = device(bus, [point])

    await meter.write("setpoint", 36.625, verify=True)

    # 36.625 = 0x42128000; low word first
    assert bus.written == [("holding", 10, (0x8000, 0x4212))]
    assert (await meter.scan(["setpoint"])).values == {"setpoint": 36.625}


async def test_a_write_the_device_does_not_keep_is_told():
    bus = MemoryBus()
    meter = device(bus, [word(4, writable=True, write_min=0, write_max=9)])

    async def forget(*_args):
        return None

    bus.write = forget

    with pytest.raises(PointError, match=r"p4: wrote 0007, read back 0000") as caught:
        await meter.write("p4", 7, verify=True)
    assert caught.value.reason == "not_taken"


async def test_writing_an_unknown_point_or_past_a_limit_sends_nothing():
    bus = MemoryBus()
    meter = device(bus, [word(4, writable=True, write_min=0, write_max=9)])

    with pytest.raises(ProfileError):
        await meter.write("p5", 1)
    with pytest.raises(PointError, match=r"p4: expected 0 to 9 1, found 10") as caught:
        await meter.write("p4", 10)
    assert caught.value.reason == "out_of_limits"
    assert bus.written == []


async def test_errors_without_bytes_are_learned_from_as_well():
    bus = MemoryBus()
    points = [word(a) for a in range(4)]
    missing = 2

    def refuse(_n):
        _table, start, count = bus.asked[-1]
        if start <= missing < start + count:
            return PointUnsupportedError("exception 2")
        return None

    bus.fails = refuse
    answer = await device(bus, points).scan(names(points))

    assert answer.flaws == {"p2": Flaw(Quality.BAD, "unsupported")}


async def test_time_out_error_class_is_the_reason_word():
    assert ResponseTimeoutError("x").reason == "timeout"


async def test_the_answer_says_how_long_its_first_request_was_held_back():
    bus = MemoryBus()
    bus.registers = {("holding", a): a for a in range(400)}
    points = [word(0), word(300)]
    loop = asyncio.get_running_loop()
    read, left = bus.read, iter((0.25, 0.5))

    async def held_back(*args):
        reply = await read(*args)
        return msgspec.structs.replace(reply, sent_at=loop.time() + next(left))

    bus.read = held_back

    answer = await device(bus, points).scan(names(points))

    assert answer.waited_s == pytest.approx(0.25, abs=0.05)

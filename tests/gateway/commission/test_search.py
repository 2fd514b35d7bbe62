"""A search finds what is there and nothing else, politely, and goes on where it was."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from gateway.commission.door import LentDoor, OwnDoor, Setting
from gateway.commission.finding import find
from gateway.commission.search import Plan, Search, State
from simulators.station import RtuServer, Station, TcpServer
from simulators.talkers import Master, Noise, Streamer
from simulators.units import MapUnit
from simulators.wire import rtu_frame
from tests.support.uart_line import make_line, meter, on_line, uart
from tests.support.virtual import run_virtual, running_loop, virtual

FAST, SLOW = "9600 8N1", "2400 8E1"
SETTINGS = (Setting(9600, "8N1"), Setting(2400, "8E1"))


def unit(number, delay_s=0.03, value=7):
    """Ten holding registers."""
    words = {("holding", a): a + value for a in range(10)}
    return RtuServer(Station([MapUnit(number, words)], turnaround_s=delay_s))


def plan(**more):
    return Plan(**{"settings": SETTINGS, "addresses": tuple(range(1, 25)), **more})


async def searched(line, state, stop_after=None):
    """The state after a search, stopped after so many slices."""
    search, door, slices = Search(state), OwnDoor(on_line(line)), 0
    async for item in find(door, search):
        slices += item["kind"] == "progress"
        if slices == stop_after:
            break
    await door.close()
    return search.state


def told(state):
    return {(f.protocol, f.address, f.setting) for f in state.found}


STATIONS = {
    ("modbus", 3, FAST): lambda: unit(3),
    ("modbus", 20, FAST): lambda: unit(20),
    ("modbus", 3, SLOW): lambda: unit(3),
    ("dlt645", "000006605518", SLOW): lambda: meter("000006605518"),
    ("dlt645", "000006605519", SLOW): lambda: meter("000006605519"),
}


def usual_line():
    return make_line([(make(), key[2]) for key, make in STATIONS.items()])


def test_a_search_stopped_anywhere_finds_the_same(seed, count):
    rng = random.Random(seed)

    async def main(stops):
        state = State(plan())
        for stop in stops:
            line = usual_line()
            state = await searched(line, state, stop)
            line.close()
            raw = msgspec.json.encode(state)
            assert len(raw) < 40_000
            state = msgspec.json.decode(raw, type=State)
        return state

    whole = run_virtual(main([None]))
    assert told(whole) == set(STATIONS)
    for _ in range(count(3, 30)):
        stops = [rng.randrange(1, 60) for _ in range(3)]
        parts = run_virtual(main([*stops, None]))
        assert told(parts) == set(STATIONS), (seed, stops)
        assert parts.asked <= whole.asked + 3


def test_the_end_is_known_beforehand_and_reached():
    async def main():
        line = usual_line()
        search, door, seen = Search(State(plan())), OwnDoor(on_line(line)), []
        async for item in find(door, search):
            if item["kind"] == "progress":
                seen = [*seen, (item["done"], item["total"])]
        await door.close()
        line.close()
        return seen

    seen = run_virtual(main())

    assert seen[-1][0] == seen[-1][1]
    assert all(done <= total for done, total in seen)


@virtual
async def test_an_empty_line_and_a_noisy_one_have_no_devices():
    silent = make_line([])
    noisy = make_line([])
    noisy.attach(Noise(0.07, seed=3), uart(FAST))
    noisy.attach(
        Streamer(lambda n: b"PM %d ug/m3\r\n" % n, 0.4), uart(FAST), strict=False
    )

    for line in (silent, noisy):
        state = await searched(line, State(plan()))
        assert state.found == []
        line.close()


@virtual
async def test_two_devices_at_one_address_are_reported_and_not_believed():
    line = make_line([(unit(5), FAST), (unit(5, 0.0304, 0x5500), FAST)])

    state = await searched(line, State(plan()))

    assert state.found == []
    assert [(u.protocol, u.address, u.setting) for u in state.unclear] == [
        ("modbus", 5, FAST)
    ]
    line.close()


METERS = {
    "alone": [("000006605518", 0.03)],
    "alike": [("123456789012", 0.03), ("123456789013", 0.03)],
    # The first is heard whole before the others speak over each other.
    "one quicker": [
        ("123456789012", 0.03),
        ("123456789013", 0.25),
        ("123456789113", 0.25),
    ],
    "many": [
        ("202511210001", 0.03),
        ("202511210101", 0.03),
        ("202511220001", 0.03),
        ("000000000007", 0.03),
    ],
}


@pytest.mark.parametrize("which", METERS)
def test_every_meter_of_a_shared_line_is_found_and_nothing_else(which):
    async def main():
        line = make_line([(meter(a, delay_s=s), SLOW) for a, s in METERS[which]])
        only = plan(settings=(Setting(2400, "8E1"),), modbus=False)
        state = await searched(line, State(only))
        line.close()
        return state

    state = run_virtual(main())

    assert told(state) == {("dlt645", a, SLOW) for a, _ in METERS[which]}


@virtual
async def test_a_meter_of_1997_is_found_by_its_own_question():
    line = make_line([(meter("000000000003", "generic-dlt645-1997"), SLOW)])

    state = await searched(line, State(plan()))

    assert told(state) == {("dlt645", "000000000003", SLOW)}
    line.close()


@virtual
async def test_a_device_slower_than_the_wait_is_found_by_its_late_answer():
    line = make_line([(unit(5, delay_s=0.32), FAST)])

    state = await searched(line, State(plan()))

    assert told(state) == {("modbus", 5, FAST)}
    line.close()


@virtual
async def test_another_masters_devices_are_found_by_their_answers():
    line = make_line([(unit(40), FAST)])
    line.attach(Master([rtu_frame(40, bytes.fromhex("0300000001"))], 0.5), uart(FAST))

    state = await searched(line, State(plan(addresses=(1, 2, 40))))

    assert told(state) == {("modbus", 40, FAST)}
    line.close()


@pytest.mark.parametrize("way", ["modbus-tcp", "rtu"])
def test_tcp_ports_are_searched_in_their_framing(way):
    serve = TcpServer if way == "modbus-tcp" else RtuServer
    units = [MapUnit(n, {("holding", 0): n}) for n in (1, 9)]

    async def main():
        loop = running_loop()
        loop.net.listen(lambda: serve(Station(units)), "10.0.0.7", 502)
        door = OwnDoor(lambda _s, f: loop.create_connection(f, "10.0.0.7", 502))
        search = Search(State(plan(settings=(), over_tcp=way, meters=way == "rtu")))
        async for _ in find(door, search):
            pass
        await door.close()
        return search.state

    state = run_virtual(main())

    assert told(state) == {("modbus", 1, ""), ("modbus", 9, "")}


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_lent_port_is_used_no_more_than_the_stated_share(share):
    async def main():
        line = make_line([(unit(3), FAST)])
        loop = asyncio.get_running_loop()

        async def lend(work):
            return await work()

        door = LentDoor(lend, on_line(line), share)
        start, search = loop.time(), Search(State(plan()))
        async for _ in find(door, search):
            assert door.used_s <= share * (loop.time() - start) + 0.7
        line.close()
        return door.used_s / (loop.time() - start), search.state

    used, state = run_virtual(main())

    assert told(state) == {("modbus", 3, FAST)}
    assert used <= share * 1.05


@virtual
async def test_polled_devices_are_left_alone():
    line = make_line([(unit(3), FAST), (unit(4), FAST)])
    search = Search(State(plan()))
    search.known.add(("modbus", 3, FAST))
    door = OwnDoor(on_line(line))

    async for _ in find(door, search):
        pass

    await door.close()
    assert told(search.state) == {("modbus", 4, FAST)}
    asked = [data[0] for _, how, data in line.sent if str(how) == FAST and data[1] == 3]
    assert 3 not in asked
    line.close()

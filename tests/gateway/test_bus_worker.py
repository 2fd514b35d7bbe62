from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from itertools import pairwise

import pytest

from drivers.errors import BusError
from drivers.profiles.model import ModbusPoint
from drivers.values import Answer
from gateway.bus_worker import BusWorker
from gateway.commands import QUEUE_LIMIT, BusyError
from gateway.progress import Beats
from gateway.record import Event, Gap, Scan
from tests.support.clock import VirtualClock
from tests.support.fake_bus import FakeDevice, FakePort, bus_conf, device_conf
from tests.support.virtual import virtual


class Bench:
    """A worker over fakes and everything it recorded."""

    def __init__(self, devices, **fake):
        self.port = FakePort()
        self.records = []
        self.fakes = {}
        self.beats = Beats()
        self.clock = VirtualClock()
        self.loop = asyncio.get_running_loop()

        def make(conf, port):
            self.fakes[conf.name] = FakeDevice(conf, port, **fake)
            return self.fakes[conf.name]

        self.worker = BusWorker(
            bus_conf(),
            self.port,
            devices,
            gateway="site-07",
            make_device=make,
            clock=self.clock,
            sink=self.records.append,
            beats=self.beats,
        )

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.worker.run(), name="bus:plc")
        await asyncio.sleep(0.001)
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def scans(self, name):
        return [r for r in self.records if isinstance(r, Scan) and r.device == name]

    def events(self):
        return [r for r in self.records if isinstance(r, Event)]

    def gaps(self, name):
        """The last telling of each gap."""
        told = {}
        for r in self.records:
            if isinstance(r, Gap) and r.device == name:
                told[r.points, r.since.mono_ms] = r
        return list(told.values())

    def check_slots(self):
        """Every slot ended once, by the records alone."""
        assert not any(gap.open for u in self.worker.units for gap in self.gaps(u))
        for name, unit in self.worker.units.items():
            settled = sum(job.line.next for job in unit.jobs)
            recorded = len(self.scans(name)) + sum(g.slots for g in self.gaps(name))
            assert recorded == settled, name


def ten():
    return [device_conf(f"meter-{n}", address=n) for n in range(1, 11)]


def worst_periods(scans):
    times = [scan.at.mono_ms for scan in scans]
    return [b - a for a, b in pairwise(times)]


@virtual
async def test_every_device_is_polled_at_once_then_each_second_in_its_phase():
    bench = Bench(ten())

    async with bench.running():
        await asyncio.sleep(1)
        first = {name: bench.scans(name)[0].at.mono_ms for name in bench.fakes}
        await asyncio.sleep(60)

    assert max(first.values()) - min(first.values()) < 10 * 40
    for name in bench.fakes:
        scans = bench.scans(name)
        assert len(scans) in (61, 62)
        assert set(worst_periods(scans[1:])) <= {999, 1000, 1001}
        assert not bench.gaps(name)
    bench.check_slots()


@virtual
async def test_one_dead_of_ten_costs_the_nine_nothing_and_returns_in_five_seconds():
    bench = Bench(ten())

    async with bench.running():
        await asyncio.sleep(10)
        bench.fakes["meter-4"].alive = False
        died = bench.loop.time()
        await asyncio.sleep(120)
        dead = [h for h in bench.port.held if h[2] == 4 and h[0] > died + 60]
        bench.fakes["meter-4"].alive = True
        back = bench.clock.mono_ms()
        await asyncio.sleep(20)

    for name in bench.fakes:
        if name != "meter-4":
            periods = sorted(worst_periods(bench.scans(name)[1:]))
            assert len(bench.scans(name)) >= 150
            assert periods[int(len(periods) * 0.99)] <= 1100, name
            assert not bench.gaps(name)
    assert sum(seconds for _, seconds, _ in dead) <= 6.0
    good = [s for s in bench.scans("meter-4") if s.values and s.at.mono_ms > back]
    assert good[0].at.mono_ms - back <= 5000
    bench.check_slots()


@virtual
async def test_a_dead_slow_unit_is_found_again_though_most_probes_are_short():
    bench = Bench(ten(), takes_s=0.03)

    async with bench.running():
        slow = bench.fakes["meter-7"]
        slow.takes_s, slow.alive = 0.4, False
        await asyncio.sleep(60)
        slow.alive = True
        back = bench.clock.mono_ms()
        await asyncio.sleep(30)

    good = [s for s in bench.scans("meter-7") if s.values and s.at.mono_ms > back]
    assert good[0].at.mono_ms - back <= 15_000


@virtual
async def test_a_silent_unit_is_bad_three_times_then_a_gap_and_two_events():
    bench = Bench([device_conf("fan-2"), device_conf("fan-3", address=2)])

    async with bench.running():
        await asyncio.sleep(5)
        bench.fakes["fan-2"].alive = False
        await asyncio.sleep(40)
        bench.fakes["fan-2"].alive = True
        await asyncio.sleep(10)

    bad = [s for s in bench.scans("fan-2") if s.flaws]
    assert 1 <= len(bad) <= 3
    assert {flaw.reason for s in bad for flaw in s.flaws.values()} == {"timeout"}
    (gap,) = bench.gaps("fan-2")
    assert gap.cause == "backed_off"
    assert gap.points == ("*",)
    assert 36 <= gap.slots <= 44
    raised, cleared = bench.events()
    assert (raised.type, raised.state) == ("device_offline", "raised")
    assert cleared.state == "cleared"
    assert cleared.id == raised.id
    assert cleared.at == raised.at
    assert set(raised.text) == {"zh", "en"}
    bench.check_slots()


@virtual
async def test_a_single_lost_frame_is_asked_again_at_once_and_no_slot_is_bad():
    bench = Bench([device_conf("fan-2", every_s=60.0)])

    async with bench.running():
        await asyncio.sleep(1)
        fake = bench.fakes["fan-2"]
        fake.alive = False
        fake.asked.clear()
        await fake.asked.wait()
        fake.alive = True
        await asyncio.sleep(150)

    assert all(scan.values and not scan.flaws for scan in bench.scans("fan-2"))
    assert not bench.events()
    bench.check_slots()


@virtual
async def test_an_hour_of_silence_restates_the_gap_every_ten_minutes():
    bench = Bench([device_conf("fan-2")])

    async with bench.running():
        bench.fakes["fan-2"].alive = False
        await asyncio.sleep(3600)

    told = [r for r in bench.records if isinstance(r, Gap)]
    assert 6 <= len(told) <= 8
    assert len({gap.since for gap in told}) == 1
    assert len(bench.events()) == 1
    bench.check_slots()


@virtual
async def test_a_port_that_vanishes_is_back_in_five_seconds_and_one_gap_covers_it():
    bench = Bench(ten())

    async with bench.running():
        await asyncio.sleep(10.3)
        bench.port.there = False
        await asyncio.sleep(33)
        bench.port.there = True
        back = bench.clock.mono_ms()
        await asyncio.sleep(10)

    for name in bench.fakes:
        good = [s for s in bench.scans(name) if s.at.mono_ms >= back]
        assert good[0].values
        assert good[0].at.mono_ms - back <= 5000
        (gap,) = bench.gaps(name)
        assert gap.cause == "bus_gone"
    assert [(e.type, e.state) for e in bench.events()] == [
        ("bus_gone", "raised"),
        ("bus_gone", "cleared"),
    ]
    assert bench.worker.reopened == 1
    bench.check_slots()


@virtual
async def test_a_port_that_is_missing_at_the_start_is_a_gap_from_the_first_slot():
    bench = Bench([device_conf("fan-2")])
    bench.port.there = False

    async with bench.running():
        await asyncio.sleep(30)
        bench.port.there = True
        await asyncio.sleep(10)

    (gap,) = bench.gaps("fan-2")
    assert gap.cause == "bus_gone"
    assert bench.scans("fan-2")[0].values
    bench.check_slots()


@virtual
async def test_a_connection_that_closes_now_and_then_is_no_state_change():
    bench = Bench([device_conf("fan-2")])

    async with bench.running():
        for _ in range(10):
            await asyncio.sleep(3.3)
            bench.port.is_open = False
        await asyncio.sleep(3)

    assert bench.port.opened == 11
    assert not bench.events()
    bench.check_slots()


@virtual
async def test_device_silent_before_the_port_vanished_has_two_gaps_without_a_hole():
    bench = Bench([device_conf("a", address=1), device_conf("b", address=2)])

    async with bench.running():
        await asyncio.sleep(2)
        bench.fakes["a"].alive = False
        await asyncio.sleep(20)
        bench.port.there = False
        await asyncio.sleep(20)
        bench.port.there = True
        await asyncio.sleep(20)
        bench.fakes["a"].alive = True
        await asyncio.sleep(10)

    gaps = bench.gaps("a")
    assert [gap.cause for gap in gaps] == ["backed_off", "bus_gone", "backed_off"]
    for one, two in pairwise(gaps):
        assert one.until == two.since
    bench.check_slots()


@virtual
async def test_a_bus_too_slow_for_its_load_states_what_it_left_out():
    bench = Bench(
        [device_conf("a"), device_conf("b", address=2)], takes_s=0.8, timeout_s=2.0
    )

    async with bench.running():
        await asyncio.sleep(60)

    gaps = bench.gaps("a") + bench.gaps("b")
    assert {gap.cause for gap in gaps} == {"overrun"}
    scans = len(bench.scans("a")) + len(bench.scans("b"))
    assert 73 <= scans <= 76
    bench.check_slots()


@virtual
async def test_points_of_another_period_are_a_job_of_their_own():
    slow = ModbusPoint(
        name="energy", table="input", address=9, type="uint32", every_s=10.0
    )
    bench = Bench([device_conf("fan-2", points=("p1", slow))])

    async with bench.running():
        await asyncio.sleep(60)
        bench.fakes["fan-2"].alive = False
        await asyncio.sleep(60)
        bench.fakes["fan-2"].alive = True
        await asyncio.sleep(30)

    kinds = Counter(tuple(scan.values or scan.flaws) for scan in bench.scans("fan-2"))
    assert set(kinds) == {("p1",), ("energy",)}
    assert {gap.points for gap in bench.gaps("fan-2")} == {("p1",), ("energy",)}
    bench.check_slots()


@virtual
async def test_a_command_waits_for_one_exchange_even_inside_a_long_scan():
    bench = Bench([device_conf("fan-2"), device_conf("fan-3", address=2)])

    async with bench.running():
        await asyncio.sleep(5)
        bench.fakes["fan-2"].blocks = 8
        bench.fakes["fan-2"].takes_s = 0.8
        bench.fakes["fan-2"].asked.clear()
        await bench.fakes["fan-2"].asked.wait()
        start = bench.loop.time()
        await bench.worker.write("fan-3", "p1", 7)
        waited = bench.loop.time() - start
        answer = await bench.worker.read_now("fan-3", ["p2"])

    assert bench.fakes["fan-3"].written == [("p1", 7)]
    assert waited <= 0.1 + 0.01 + 1e-6
    assert answer.raw == {"p2": b"\0\1"}


@virtual
async def test_callers_who_never_stop_asking_cost_no_poll_and_no_sign_of_life():
    bench = Bench([device_conf("fan-2"), device_conf("fan-3", address=2)], takes_s=0.2)
    answers = 0

    async def ask_on():
        nonlocal answers
        while True:
            await bench.worker.read_now("fan-3")
            answers += 1

    async with bench.running():
        await asyncio.sleep(5)
        before = len(bench.scans("fan-2"))
        callers = [asyncio.create_task(ask_on()) for _ in range(4)]
        await asyncio.sleep(60)
        polls = len(bench.scans("fan-2")) - before
        late = bench.beats.late(bench.loop.time())
        for caller in callers:
            caller.cancel()

    assert polls >= 59
    assert answers >= 60
    assert not late
    assert not bench.gaps("fan-2")


@virtual
async def test_a_long_scan_whose_exchanges_go_on_is_not_taken_for_a_stuck_one():
    bench = Bench([device_conf("fan-2", every_s=600.0)])

    async with bench.running():
        await asyncio.sleep(5)
        bench.fakes["fan-2"].blocks = 200
        bench.fakes["fan-2"].takes_s = 100.0
        bench.fakes["fan-2"].asked.clear()
        await bench.fakes["fan-2"].asked.wait()
        await asyncio.sleep(60)
        late = bench.beats.late(bench.loop.time())

    assert not late


@virtual
async def test_commands_are_refused_when_the_queue_is_full_or_the_port_gone():
    bench = Bench([device_conf("fan-2")])

    async with bench.running():
        await asyncio.sleep(0.5)
        many = [
            asyncio.create_task(bench.worker.read_now("fan-2"))
            for _ in range(QUEUE_LIMIT + 3)
        ]
        done = await asyncio.gather(*many, return_exceptions=True)
        bench.port.there = False
        await asyncio.sleep(5)
        with pytest.raises(BusError):
            await bench.worker.read_now("fan-2")

    assert Counter(type(result) for result in done)[BusyError] == 3


@virtual
async def test_devices_are_handed_over_between_polls_and_the_port_stays_open():
    bench = Bench([device_conf("a"), device_conf("b", address=2)])

    async with bench.running():
        await asyncio.sleep(10)
        bench.worker.hand_over(
            [
                device_conf("a"),
                device_conf("b", address=2, points=("p9",)),
                device_conf("c", address=3),
            ]
        )
        kept = bench.worker.units["a"]
        await asyncio.sleep(10)
        bench.worker.hand_over([device_conf("c", address=3)])
        await asyncio.sleep(10)

    assert bench.port.opened == 1
    assert bench.worker.units.keys() == {"c"}
    assert kept.jobs[0].line.asked == len(bench.scans("a"))
    assert max(worst_periods(bench.scans("a")[1:])) <= 1001
    assert {tuple(s.values) for s in bench.scans("b")} == {("p1", "p2"), ("p9",)}
    assert 19 <= len(bench.scans("c")) <= 22


@virtual
async def test_a_stepping_wall_clock_changes_no_rate_and_no_slot_count():
    bench = Bench([device_conf("fan-2")])

    async with bench.running():
        await asyncio.sleep(60)
        for step in (3600.0, -86_400.0, -20 * 365 * 86_400.0, 0.37):
            before = len(bench.scans("fan-2"))
            bench.clock.step(step)
            await asyncio.sleep(60)
            assert abs(len(bench.scans("fan-2")) - before - 60) <= 1
        # The grid lies on the new wall clock.
        last = bench.scans("fan-2")[-20:]

    assert len({scan.at.wall_ms % 1000 // 3 for scan in last}) <= 2
    assert not bench.gaps("fan-2")
    bench.check_slots()


@virtual
async def test_a_worker_promises_progress_also_while_it_sleeps_for_an_hour():
    bench = Bench([device_conf("fan-2", every_s=3600.0)])

    async with bench.running():
        for _ in range(300):
            await asyncio.sleep(60)
            assert not bench.beats.late(bench.loop.time())

    assert not bench.beats.late(1e12)


@virtual
async def test_a_stuck_scan_breaks_the_workers_promise():
    bench = Bench([device_conf("fan-2")])

    async with bench.running():
        await asyncio.sleep(5)

        async def stuck(*_args, **_kw):
            await asyncio.sleep(1e6)

        bench.fakes["fan-2"].scan = stuck
        await asyncio.sleep(30)

        assert bench.beats.late(bench.loop.time()) == ["bus:plc"]


@virtual
async def test_a_scan_is_dated_when_its_request_really_left():
    bench = Bench([device_conf("meter-1")])

    async with bench.running():
        fake = bench.fakes["meter-1"]

        async def held_back(points, **_):
            await asyncio.sleep(0.5)
            return Answer({"p1": 1, "p2": 2}, {}, answered=True, waited_s=0.4)

        fake.scan = held_back
        await asyncio.sleep(2.2)
        due = bench.worker.units["meter-1"].jobs[0].line.slots
        last = bench.scans("meter-1")[-1].at.mono_ms
        asked = [round(1000 * (due.due(n) + 0.4)) for n in range(4)]
        start_ms = bench.clock.now().mono_ms - round(1000 * bench.loop.time())

    assert min(abs(last - start_ms - ms) for ms in asked) <= 2

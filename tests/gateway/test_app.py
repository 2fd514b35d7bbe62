"""The composition: start, stop, reload, watchdog, restart; on the virtual loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from buffer import BufferLockedError
from gateway.answers import Answers
from gateway.control import ControlError, Request
from gateway.supervisor import FatalError
from tests.support.clock import EPOCH_MS, VirtualClock
from tests.support.memory_link import MemoryLink
from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import VirtualSite, make_site


def replaced(site, **fields):
    return msgspec.structs.replace(site, **fields)


def test_first_values_are_published_at_once_and_a_stop_takes_no_time(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=3) as site:
            first = len(site.scans("bus-0-dev-3"))
            took = await site.stop()
        return site, first, took

    site, first, took = run_virtual(main())

    assert first == 1
    assert took < 3.0
    assert site.sent[0].startswith(b"READY=1")
    assert site.sent[-1].startswith(b"STOPPING=1")
    assert site.events()[0]["type"] == "gateway_started"


@pytest.mark.parametrize("trouble", ["platform", "bus", "silent"])
def test_a_stop_takes_less_than_three_seconds_whatever_is_broken(tmp_path, trouble):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            await asyncio.sleep(5)
            if trouble == "platform":
                site.platform.prove = False
            elif trouble == "bus":
                site.endpoints["bus-0"].down()
            else:
                site.endpoints["bus-0"].dead.update((1, 2))
            await asyncio.sleep(7.3)
            return await site.stop()

    assert run_virtual(main()) < 3.0


def test_signals_stop_and_reload(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            await asyncio.sleep(3)
            new = make_site(tmp_path, devices=3)
            site.next_site = new
            running_loop().deliver(signal.SIGHUP)
            await asyncio.sleep(3)
            units = list(site.app.workers["bus-0"].units)
            running_loop().deliver(signal.SIGTERM)
            await asyncio.sleep(3)
            assert site._task.done()
        return site, units

    site, units = run_virtual(main())

    assert units == ["bus-0-dev-1", "bus-0-dev-2", "bus-0-dev-3"]
    assert site.scans("bus-0-dev-3")
    said = [message.split(b"\n")[0] for message in site.sent]
    assert said.count(b"READY=1") == 2
    assert b"RELOADING=1" in said


def test_a_reload_asked_for_during_the_start_is_done_after_it(tmp_path):
    async def main():
        site = VirtualSite(tmp_path, devices=2)
        site.next_site = make_site(tmp_path, devices=3)
        running_loop().call_soon(
            lambda: running_loop().call_soon(running_loop().deliver, signal.SIGHUP)
        )
        async with site:
            await asyncio.sleep(3)
            return list(site.app.workers["bus-0"].units)

    assert run_virtual(main())[-1] == "bus-0-dev-3"


@pytest.mark.sentence(10)
def test_the_same_site_a_hundred_times_reconnects_and_loses_nothing(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            site.next_site = make_site(tmp_path, devices=2)
            for _ in range(100):
                await asyncio.sleep(0.3)
                assert await site.app.reload() == []
            worker = site.app.workers["bus-0"]
            assert worker.reopened == 0
        return site

    site = run_virtual(main())

    assert site.platform.attempts == 1
    assert len(site.scans("bus-0-dev-1")) >= 30
    assert not site.gaps("bus-0-dev-1")


def test_a_changed_device_is_handed_over_and_its_neighbour_never_notices(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            await asyncio.sleep(5)
            devices = dict(site.site.devices)
            one = devices["bus-0-dev-2"]
            devices["bus-0-dev-2"] = replaced(one, points=one.points[:3])
            site.next_site = replaced(site.site, devices=devices)
            port = site.app.workers["bus-0"]
            changes = await site.app.reload()
            await asyncio.sleep(5)
            assert site.app.workers["bus-0"] is port
        return site, changes

    site, changes = run_virtual(main())

    assert len(changes) == 1
    assert {len(s["values"]) for s in site.scans("bus-0-dev-2")} == {10, 3}
    times = [s["t"] for s in site.scans("bus-0-dev-1")][1:]
    assert {b - a for a, b in pairwise(times)} <= {999, 1000, 1001}
    metas = {r for m in site.platform.messages("data") for r in [m.body["meta"]]}
    assert len(metas) == 2
    (event,) = [e for e in site.events() if e["type"] == "site_changed"]
    assert event["text"]["zh"] != event["text"]["en"]


def test_what_was_asked_before_a_reload_is_read_with_the_old_description(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=1) as site:
            await asyncio.sleep(3)
            old = site.site.devices["bus-0-dev-1"]
            milli = [replaced(p, unit="t", scale=Fraction(1, 1000)) for p in old.points]
            new = replaced(old, points=tuple(milli))
            site.next_site = replaced(site.site, devices={new.name: new})
            unit = site.app.workers["bus-0"].units[new.name]
            due = unit.jobs[0].line.due()
            await asyncio.sleep(due - running_loop().time() + 0.002)
            answered = unit.answered
            assert unit.asked == answered + 1
            await site.app.reload()
            assert unit.answered == answered
            await asyncio.sleep(3)
        return site

    site = run_virtual(main())

    points = {
        m.body["meta"]: m.body["points"]
        for m in site.platform.arrived
        if "/meta/" in m.topic
    }
    read = {
        (points[m.body["meta"]][5]["unit"], record["values"]["r5"])
        for m in site.platform.messages("data")
        for record in m.body["records"]
        if record["kind"] == "scan"
    }
    assert read == {("1", 5), ("t", 0.005)}


def test_two_changes_at_once_come_one_after_the_other(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=1) as site:
            await asyncio.sleep(3)
            bus = site.site.buses["bus-0"]
            site.endpoints["bus-0"].dead.add(1)
            await asyncio.sleep(0.9)
            first, second = (
                replaced(site.site, buses={"bus-0": replaced(bus, timeout_s=s)})
                for s in (2.0, 3.0)
            )
            await asyncio.gather(site.app.apply(first), site.app.apply(second))
            site.endpoints["bus-0"].dead.clear()
            await asyncio.sleep(5)
            assert site.app.workers["bus-0"].conf.timeout_s == 3.0
            asked = site.endpoints["bus-0"].asked[1]
            await asyncio.sleep(10)
            assert site.endpoints["bus-0"].asked[1] - asked == 10

    run_virtual(main())


@pytest.mark.sentence(9, 10)
def test_buses_and_targets_come_and_go_and_a_cursor_is_kept_by_name(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, buses=2, devices=1) as site:
            await asyncio.sleep(5)
            both = site.site
            one_bus = {"bus-0": both.buses["bus-0"]}
            less = replaced(
                both,
                buses=one_bus,
                devices={"bus-0-dev-1": both.devices["bus-0-dev-1"]},
                targets={},
            )
            site.next_site = less
            await site.app.reload()
            await asyncio.sleep(120)
            assert site.app.workers.keys() == {"bus-0"}
            # What was ended owes no sign of life: the watchdog would kill us for it.
            assert site.app.beats.late(running_loop().time()) == []
            silent = len(site.platform.records())
            site.next_site = both
            await site.app.reload()
            await asyncio.sleep(5)
            assert len(site.platform.records()) - silent >= 20
        return site

    site = run_virtual(main())

    seqs = sorted(set(site.platform.seqs()))
    assert seqs == list(range(seqs[0], seqs[-1] + 1))


@pytest.mark.parametrize("what", ["gateway", "buffer"])
@pytest.mark.sentence(10)
def test_what_needs_a_restart_is_refused_and_nothing_changes(tmp_path, what):
    async def main():
        async with VirtualSite(tmp_path, devices=1) as site:
            other = {
                "gateway": "site-99",
                "buffer": replaced(site.site.buffer, path=Path("/elsewhere")),
            }
            site.next_site = replaced(site.site, **{what: other[what]}, devices={})
            with pytest.raises(ControlError):
                await site.app.reload()
            await asyncio.sleep(2)
            assert site.app.workers["bus-0"].units

    run_virtual(main())


def test_a_second_gateway_on_the_same_folder_is_refused_with_the_firsts_pid(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=1) as site:
            with pytest.raises(BufferLockedError) as caught:
                await VirtualSite(tmp_path, site=site.site).app_run()
            return caught.value.pid

    assert run_virtual(main()) == os.getpid()


def stuck_worker(site):
    async def stuck(*_args, **_kw):
        await asyncio.sleep(1e9)

    for unit in site.app.workers["bus-0"].units.values():
        unit.driver.scan = stuck


def stuck_pump(site):
    async def stuck(_link):
        await asyncio.sleep(1e9)

    MemoryLink.connect, real = stuck, MemoryLink.connect
    site.platform.cut()
    running_loop().call_later(400, setattr, MemoryLink, "connect", real)


def stuck_commit(site):
    loop = running_loop()
    inline = loop.run_in_executor
    freed = loop.time() + 450

    def never(executor, func, *args):
        if executor is not site.app.buffer._executor or loop.time() > freed:
            return inline(executor, func, *args)
        later = loop.create_future()

        def free():
            with contextlib.suppress(Exception):
                later.set_result(func(*args))

        loop.call_at(freed, free)
        return later

    loop.run_in_executor = never


@pytest.mark.parametrize("block", [stuck_worker, stuck_pump, stuck_commit])
def test_a_blocked_loop_ends_the_pings_within_the_watchdog_time(tmp_path, block):
    async def main():
        site = VirtualSite(tmp_path, devices=2)
        await site.__aenter__()
        await asyncio.sleep(120)
        before = site.sent.count(b"WATCHDOG=1")
        block(site)
        # Where all is proved in time, the store has something to do once a minute.
        await asyncio.sleep(60 if block is not stuck_commit else 95)
        during = site.sent.count(b"WATCHDOG=1")
        await asyncio.sleep(300)
        after = site.sent.count(b"WATCHDOG=1")
        stuck = site.app.health().stuck
        site.app.stop("test")
        await asyncio.wait([site._task], timeout=20)
        ended = site._task.done()
        why = str(site._task.exception() or "") if ended else "still running"
        await asyncio.sleep(100)
        return before, during, after, stuck, why

    before, during, after, stuck, why = run_virtual(main(), leaks=True)

    assert before >= 11
    assert after == during
    assert len(stuck) == 1
    assert why == ("the store did not close within 8 s" if stuck == ["buffer"] else "")


def test_an_idle_gateway_without_anything_to_do_is_pinged_all_day(tmp_path):
    async def main():
        site = make_site(tmp_path, devices=1, every_s=86_400.0)
        async with VirtualSite(tmp_path, site=site) as running:
            await asyncio.sleep(86_400)
            return running.sent.count(b"WATCHDOG=1")

    assert run_virtual(main()) >= 86_400 // 10 - 2


def test_a_bug_in_a_worker_costs_its_bus_seconds_and_the_others_nothing(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, buses=2, devices=1) as site:
            await asyncio.sleep(5)
            driver = site.app.workers["bus-0"].units["bus-0-dev-1"].driver
            scan = driver.scan

            async def broken(*_args, **_kw):
                driver.scan = scan
                raise ZeroDivisionError("a bug")

            driver.scan = broken
            await asyncio.sleep(15)
            health = site.app.health()
        return site, health

    site, health = run_virtual(main())

    crashed = {bus.name: bus.crashes for bus in health.buses}
    assert crashed == {"bus-0": 1, "bus-1": 0}
    times = [s["t"] for s in site.scans("bus-0-dev-1")]
    assert max(b - a for a, b in pairwise(times)) <= 5000
    times = [s["t"] for s in site.scans("bus-1-dev-1")]
    assert max(b - a for a, b in pairwise(times[1:])) <= 1001


def test_a_bug_in_the_buffer_ends_the_process(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=1) as site:
            await asyncio.sleep(2)

            def broken(*_args, **_kw):
                raise KeyError("a bug")

            site.app.record._append = broken
            done, _ = await asyncio.wait([site._task], timeout=10)
            (task,) = done
            return task.exception()

    group = run_virtual(main())

    assert group.subgroup(FatalError) is not None


def test_after_a_restart_the_time_away_is_a_gap_and_every_slot_is_explained(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            site.endpoints["bus-0"].dead.add(2)
            await asyncio.sleep(60)
            await site.stop()
            await asyncio.sleep(100)
            site.endpoints["bus-0"].dead.clear()
            site.start()
            await asyncio.sleep(30)
        return site

    site = run_virtual(main())

    causes = [gap["cause"] for gap in site.gaps("bus-0-dev-1")]
    assert causes == ["maintenance"]
    assert 99 <= site.gaps("bus-0-dev-1")[0]["slots"] <= 101
    assert [gap["cause"] for gap in site.gaps("bus-0-dev-2")] == [
        "backed_off",
        "maintenance",
    ]
    for n in (1, 2):
        name = f"bus-0-dev-{n}"
        told = len(site.scans(name)) + sum(g["slots"] for g in site.gaps(name))
        assert abs(told - 191) <= 2
        assert not any(gap.get("open") for gap in site.gaps(name))


@pytest.mark.parametrize("proves", [True, False])
def test_no_slot_is_silent_around_a_stop_however_long_it_takes(tmp_path, proves):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            site.endpoints["bus-0"].dead.add(2)
            for _ in range(5):
                await asyncio.sleep(20.3)
                site.platform.prove = proves
                await site.stop()
                site.platform.prove = True
                await asyncio.sleep(7.7)
                site.start()
            site.endpoints["bus-0"].dead.clear()
            await asyncio.sleep(10)
        return site

    site = run_virtual(main())

    for n in (1, 2):
        name = f"bus-0-dev-{n}"
        polls = [scan["t"] for scan in site.scans(name)]
        settled = len(polls) + sum(gap["slots"] for gap in site.gaps(name))
        places = 1 + round((polls[-1] - polls[0]) / 1000)
        # The first poll of a run is a slot of its own, wherever the grid lies.
        assert 0 <= settled - places <= 5, name


@pytest.mark.parametrize("woke_up_s", [70, -3_600])
def test_hours_without_power_are_told_when_the_clock_is_known_at_last(
    tmp_path, woke_up_s
):
    async def main():
        async with VirtualSite(tmp_path / "a", devices=1) as site:
            await asyncio.sleep(60)
            shutil.copytree(
                tmp_path / "a" / "data",
                tmp_path / "b" / "data",
                ignore=shutil.ignore_patterns("control.sock", "lock"),
            )
        clock = VirtualClock(
            EPOCH_MS + 1000 * woke_up_s, trusted=False, boot="b0070002"
        )
        async with VirtualSite(tmp_path / "b", devices=1, clock=clock) as site:
            await asyncio.sleep(30)
            clock.set_wall(EPOCH_MS + 7_200_000, trusted=True)
            await asyncio.sleep(10)
        return site

    site = run_virtual(main())

    (gap,) = site.gaps("bus-0-dev-1")
    assert gap["cause"] == "power_off"
    # A little before the end, and not certain: what was asked then may have arrived.
    assert -6_000 < gap["t"] - (EPOCH_MS + 60_000) < 1_000
    assert not gap["certain"]
    assert abs(gap["until"] - (EPOCH_MS + 7_170_000)) < 2_000
    assert 7_108 <= gap["slots"] <= 7_117


def test_a_clock_set_back_by_a_power_cut_is_not_believed_and_no_gap_stays_open(
    tmp_path,
):
    async def main():
        shape = {"devices": 2}
        async with VirtualSite(tmp_path / "a", **shape) as site:
            site.endpoints["bus-0"].dead.add(2)
            await asyncio.sleep(60)
            # What a power cut leaves.
            shutil.copytree(
                tmp_path / "a" / "data",
                tmp_path / "b" / "data",
                ignore=shutil.ignore_patterns("control.sock", "lock"),
            )
        back = VirtualClock(EPOCH_MS - 3_600_000, boot="b0070002")
        async with VirtualSite(tmp_path / "b", clock=back, **shape) as site:
            await asyncio.sleep(30)
            back.step(3_700)
            await asyncio.sleep(300)
            await site.stop()
            await asyncio.sleep(10)
            site.start()
            await asyncio.sleep(5)
        return site

    site = run_virtual(main())

    told = [(gap["cause"], gap["slots"]) for gap in site.gaps("bus-0-dev-2")]
    assert told == [("backed_off", 58), ("power_off", 40), ("maintenance", 10)]
    started = [e for e in site.events() if e["type"] == "gateway_started"]
    assert [e["values"]["before"] for e in started] == ["power_off", "maintenance"]


async def ask(site, cmd, **fields):
    server = Answers(site.app).server()
    return await server._commands[cmd](Request(cmd=cmd, **fields))


def test_the_control_socket_reads_says_health_and_stops(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            await asyncio.sleep(3)
            read = await ask(site, "read", device="bus-0-dev-2", points=["r3"])
            with pytest.raises(ControlError):
                await ask(site, "read", device="nothing")
            with pytest.raises(ControlError):
                await ask(site, "read", device="bus-0-dev-2", points=["nope"])
            health = msgspec.to_builtins(await ask(site, "health"))
            stats = await ask(site, "buffer-stats")
            hello = await ask(site, "hello")
            await ask(site, "stop")
            await asyncio.sleep(3)
            return read, health, stats, hello, site._task.done()

    read, health, stats, hello, stopped = run_virtual(main())

    assert read["values"] == {"r3": 3}
    assert read["raw"] == {"r3": "0003"}
    assert {d["state"] for d in health["devices"]} == {"online"}
    assert health["devices"][0]["last_good_ms"]
    assert health["devices"][0]["exchanges"]["good"] >= 3
    assert health["targets"][0]["state"] == "online"
    assert health["buses"][0]["state"] == "open"
    assert stats["high"] >= 7
    assert hello["gateway"] == "site-07"
    assert stopped


def test_watching_shows_records_as_they_come(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            items = site.app.record.watch(["bus-0-dev-2"])
            seen = [msgspec.json.decode(await anext(items)) for _ in range(3)]
            await items.aclose()
            return seen

    assert {record["device"] for record in run_virtual(main())} == {"bus-0-dev-2"}

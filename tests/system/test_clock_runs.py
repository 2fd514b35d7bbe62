"""Clocks that are wrong, late, set and lost, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest

from gateway.release import RELEASED_MS
from tests.support import clock_site
from tests.support.clock import EPOCH_MS
from tests.support.clock_site import RIGHT_MS, ClockLife
from tests.support.virtual import run_virtual
from tests.support.virtual_site import make_site

DAY = 86_400
YEAR = 365 * DAY


def scans(life, mark=None):
    return [r for r in life.marked(mark) if r["kind"] == "scan"]


def events(life, kind):
    return [r for r in life.records() if r.get("type") == kind]


@pytest.mark.sentence(8)
def test_a_minute_since_1970_is_published_with_its_true_times(tmp_path):
    async def main():
        life = ClockLife(tmp_path)
        life.platform.down()
        async with life.boot(wall_ms=0, trusted=False):
            await asyncio.sleep(60)
            before = life.true_ms()
            life.set_right()
            life.platform.up()
            await asyncio.sleep(30)
        return life, before

    life, before = run_virtual(main())

    marks = life.check()
    corrected = [r for r in scans(life, "corrected") if r["t"] < before]
    assert len(corrected) >= 60
    assert marks.get("unknown", 0) == 0
    assert len(scans(life)) >= 28
    assert min(r["t"] for r in life.records()) >= EPOCH_MS - 1000
    (step,) = events(life, "clock_step")
    assert step["values"]["trusted"] is True


def test_what_waits_for_a_clock_is_not_sent_and_status_says_so(tmp_path):
    async def main():
        life = ClockLife(tmp_path)
        async with life.boot(wall_ms=0, trusted=False) as site:
            await asyncio.sleep(200)
            sent = list(life.platform.records())
            said = life.platform.messages("/status")[-1].body
            status = said["clock"]
            owed = list(said["backlog"].values())
            health = site.health()
            life.set_right()
            await asyncio.sleep(30)
            after = life.platform.messages("/status")[-1].body["clock"]
        return life, sent, status, health, after, owed

    life, sent, status, health, after, owed = run_virtual(main())

    assert sent == []
    assert sum(lane["records"] for lane in owed) >= 150
    assert all("oldest_t" not in lane for lane in owed)
    assert status == {"state": "waiting"}
    assert health["clock"] == "waiting"
    assert (after["state"], after["source"]) == ("trusted", "ntp")
    life.check()
    told = [(e["state"], e["severity"]) for e in events(life, "clock_waiting")]
    assert told == [("raised", "alarm"), ("cleared", "alarm")]
    assert len(scans(life, "corrected")) >= 199


@pytest.mark.sentence(8)
def test_power_loss_before_sync_is_bounded_by_the_boots_around_it(tmp_path):
    async def main():
        life = ClockLife(tmp_path)
        async with life.boot():
            await asyncio.sleep(20)
            life.power_cut()
        await asyncio.sleep(3600)
        life.platform.down()
        async with life.boot(wall_ms=0, trusted=False):
            await asyncio.sleep(60)
            life.power_cut()
        await asyncio.sleep(1800)
        life.platform.up()
        async with life.boot(wall_ms=5_000, trusted=False):
            await asyncio.sleep(30)
            life.set_right()
            await asyncio.sleep(30)
        return life

    life = run_virtual(main())

    life.check()
    unknown = scans(life, "unknown")
    assert len(unknown) >= 58
    assert all(0 < r["t_max"] - r["t_min"] < 5_500_000 for r in unknown)
    assert [a["t"] < b["t"] for a, b in pairwise(unknown)] == [True] * (
        len(unknown) - 1
    )
    gaps = [r for r in life.records() if r["kind"] == "gap"]
    assert {g["cause"] for g in gaps if g["slots"] > 60} == {"power_off"}
    assert sum(g["slots"] for g in gaps) == pytest.approx(5400, abs=70)


def test_three_boots_that_never_saw_a_clock_stay_in_order_and_within_bounds(tmp_path):
    async def main():
        life = ClockLife(tmp_path)
        async with life.boot():
            await asyncio.sleep(10)
            life.power_cut()
        life.platform.down()
        for _ in range(3):
            await asyncio.sleep(600)
            async with life.boot(wall_ms=0, trusted=False):
                await asyncio.sleep(30)
                life.power_cut()
        await asyncio.sleep(600)
        life.platform.up()
        async with life.boot():
            await asyncio.sleep(60)
        return life

    life = run_virtual(main())

    life.check()
    unknown = scans(life, "unknown")
    assert len({r["boot"] for r in unknown}) == 3
    assert len(unknown) >= 85
    times = [r["t"] for r in unknown]
    assert times == sorted(times)


@pytest.mark.parametrize("step_s", [3600, -3600, DAY, -DAY, -20 * YEAR])
@pytest.mark.parametrize("how", ["set", "synced", "untrusted"])
@pytest.mark.sentence(8)
def test_steps_while_polling_at_one_second(tmp_path, step_s, how):
    async def main():
        life = ClockLife(tmp_path)
        async with life.boot(trusted=how != "untrusted") as site:
            await asyncio.sleep(120)
            # By hand (the kernel forgets that it was synchronised), or by a daemon
            # that goes on calling the clock right.
            life.clock.step(step_s, trusted=how == "synced")
            asked = site.endpoints["bus-0"].asked[1]
            await asyncio.sleep(60)
            polls = site.endpoints["bus-0"].asked[1] - asked
            # Mended within the minute for which a jump is doubted.
            life.set_right()
            await asyncio.sleep(120)
            units = [u for w in site.app.workers.values() for u in w.units.values()]
            negative = [u for u in units if u.jobs[0].line.next < 300]
        return life, polls, negative

    life, polls, negative = run_virtual(main())

    assert 59 <= polls <= 61
    assert negative == []
    life.check()
    steps = [e["values"]["step_s"] for e in events(life, "clock_step")]
    assert steps == pytest.approx([step_s, -step_s], abs=0.01)
    periods = [b["t"] - a["t"] for a, b in pairwise(scans(life)) if b["t"] - a["t"] < 0]
    assert periods == []
    gaps = [r for r in life.records() if r["kind"] == "gap"]
    assert all(g["slots"] >= 0 and g["until"] >= g["t"] for g in gaps)
    everything = [r for r in life.records() if r["kind"] == "scan"]
    assert len(everything) >= 298


def test_a_clock_that_steps_every_minute_holds_nothing_back_for_ever(tmp_path):
    async def main():
        life = ClockLife(tmp_path)
        async with life.boot():
            await asyncio.sleep(20)
            for n in range(30):  # two daemons that fight about the time
                ahead_s = (n % 4 + 1) * 0.7 * (-1) ** n
                life.clock.set_wall(life.true_ms() + round(ahead_s * 1000))
                life.clock.trusted = True
                await asyncio.sleep(50)
        return life

    life = run_virtual(main())

    marks = life.check()
    assert len(life.records()) >= 1_400
    assert marks["unknown"] >= 500


@pytest.mark.sentence(4)
def test_a_target_that_is_parked_over_boots_gets_the_same_dates_when_it_is_back(
    tmp_path, monkeypatch
):
    shape = {}
    monkeypatch.setattr(
        clock_site,
        "make_site",
        lambda *where, **how: msgspec.structs.replace(
            make_site(*where, **how), **shape
        ),
    )

    async def main():
        life = ClockLife(tmp_path)
        async with life.boot(wall_ms=0, trusted=False):
            await asyncio.sleep(30)
            life.platform.prove = False
            life.set_right()
            await asyncio.sleep(5)
            said = len(life.records())
        shape["targets"] = {}
        for _ in range(2):
            async with life.boot():
                await asyncio.sleep(5)
        shape.clear()
        life.platform.prove = True
        async with life.boot():
            await asyncio.sleep(30)
        return life, said

    life, said = run_virtual(main())

    life.check()
    assert said >= 30
    assert len(life.platform.records()) >= len(life.records()) + said


def test_a_restart_of_the_program_dates_what_waits_as_before(tmp_path):
    async def main():
        life = ClockLife(tmp_path)
        async with life.boot(wall_ms=0, trusted=False):
            await asyncio.sleep(30)
            life.platform.prove = False
            life.set_right()
            await asyncio.sleep(5)
            first = {r["seq"] for r in life.marked("corrected")}
            life.platform.cut()
        life.platform.prove = True
        # The clock was lost again meanwhile, and is wrong.
        life.clock.step(7_200, trusted=False)
        async with life.run():
            await asyncio.sleep(30)
        return life, first

    life, first = run_virtual(main())

    life.check()
    assert len(first) >= 30
    assert {r["seq"] for r in life.marked("corrected")} >= first
    assert len(life.platform.records()) > len(life.records())


def test_a_receiver_dates_what_waited_and_the_system_clock_stays_wrong(tmp_path):
    async def main():
        life = ClockLife(tmp_path)
        async with life.boot(wall_ms=86_400_000, trusted=False):
            await asyncio.sleep(30)
            for wrong in (315_964_800_000, life.true_ms() - 1024 * 7 * DAY * 1000):
                for n in range(10):
                    said = wrong + 1000 * n
                    life.clock.offer("gnss", said, life.clock.mono_ms())
                    await asyncio.sleep(1)
            believed = life.clock.now().trusted
            for _ in range(10):
                life.clock.offer("gnss", life.true_ms() + 80, life.clock.mono_ms())
                await asyncio.sleep(1)
            await asyncio.sleep(60)
            status = life.platform.messages("/status")[-1].body["clock"]
            system, true = life.clock.machine.wall_ms(), life.true_ms()
        return life, believed, status, system, true

    life, believed, status, system, true = run_virtual(main())

    life.check()
    assert not believed
    assert status["source"] == "gnss"
    assert status["offset_ms"] == pytest.approx(system - true, abs=RIGHT_MS)
    assert system < RELEASED_MS
    assert len(scans(life, "corrected")) >= 50
    assert len(scans(life)) >= 59
    refused = events(life, "time_refused")
    assert [e["values"]["reason"] for e in refused] == ["before_release", "rollover"]


def test_without_any_clock_records_go_out_marked_after_the_wait(tmp_path):
    async def main():
        life = ClockLife(tmp_path, every_s=10.0, clock_wait_s=600.0)
        async with life.boot(trusted=False, wall_ms=EPOCH_MS - 40 * DAY * 1000):
            life.platform.down()
            await asyncio.sleep(1200)  # nobody could take them: not a second is counted
            life.platform.up()
            await asyncio.sleep(590)
            early = list(life.platform.records())
            await asyncio.sleep(60)
            late = len(life.platform.records())
            life.platform.down()
            await asyncio.sleep(300)
            life.set_right()  # while nobody could be told an estimate
            await asyncio.sleep(5)
            life.platform.up()
            await asyncio.sleep(120)
        return life, early, late

    life, early, late = run_virtual(main())

    life.check()
    assert early == []
    assert late >= 180
    assert len(scans(life, "unknown")) >= 180
    assert len(scans(life, "corrected")) >= 29
    assert len(scans(life)) >= 11


def test_an_estimate_is_never_before_the_release_nor_the_last_known_time(tmp_path):
    async def main():
        life = ClockLife(tmp_path, every_s=10.0, clock_wait_s=60.0)
        async with life.boot():
            await asyncio.sleep(60)
            known = life.true_ms()
            life.power_cut()
        async with life.boot(wall_ms=0, trusted=False):
            await asyncio.sleep(600)
        return life, known

    life, known = run_virtual(main())

    life.check()
    unknown = scans(life, "unknown")
    assert len(unknown) >= 55
    assert min(r["t"] for r in unknown) >= known - 2000
    assert all(r["t_min"] <= r["t"] and "t_max" not in r for r in unknown)


def test_the_operator_s_word_dates_what_waited(tmp_path):
    async def main():
        life = ClockLife(tmp_path)
        async with life.boot(trusted=False) as site:
            await asyncio.sleep(30)
            site.app.clock.confirm()
            await asyncio.sleep(30)
            state = site.app.clock.state, site.app.clock.source
            await asyncio.sleep(11_000)
            later = site.app.clock.state
        return life, state, later

    life, state, later = run_virtual(main())

    assert state == ("trusted", "operator")
    # A quartz left alone for so long may be wrong by a second: marked from here on.
    assert later == "held"
    marks = life.check()
    assert marks["corrected"] >= 1000
    assert "unknown" not in marks


def test_nothing_is_remembered_while_a_trusted_clock_goes_on(tmp_path):
    async def main():
        life = ClockLife(tmp_path, every_s=60.0)
        async with life.boot() as site:
            await asyncio.sleep(10)
            remembered = []
            remember = site.app.buffer.remember
            site.app.buffer.remember = lambda *a, **k: (
                remembered.append(a[0]),
                remember(*a, **k),
            )
            await asyncio.sleep(7200)
            table = msgspec.msgpack.decode(site.app.buffer.recall("clock"))
            del site.app.buffer.remember
        return remembered, table

    remembered, table = run_virtual(main())

    assert "clock" not in remembered
    assert len(msgspec.msgpack.encode(table)) < 100

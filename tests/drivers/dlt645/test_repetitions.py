"""Answers that come again: what stands behind them, how long that is awaited."""

from __future__ import annotations

import asyncio

import pytest

from drivers.dlt645 import Dlt645Device
from drivers.profiles.dlt645_items import Item, Part
from drivers.profiles.dlt645_points import Dlt645Point
from drivers.values import Flaw, Quality
from simulators import dlt645_codec as codec
from tests.drivers.dlt645.test_line import ENERGY, ONE, TIMING, answer, scripted
from tests.support.virtual import running_loop


def energy(number):
    return answer("00010000", codec.bcd(number, 4))


async def two_polls(line):
    device = Dlt645Device("m", ONE, line, [ENERGY], TIMING)
    await device.scan(["energy"])
    await asyncio.sleep(1)
    return await device.scan(["energy"]), line.stats(ONE)


@pytest.mark.parametrize("torn_at", [0, 1, 9, len(energy(2)) - 1])
def test_the_answer_behind_a_repetition_may_come_in_the_same_piece(torn_at):
    asked = []

    def say(meter, _data):
        asked.append(1)
        if len(asked) == 1:
            meter.after(0.05, energy(1))
            return
        again, fresh = energy(1), energy(2)
        piece = again + fresh if not torn_at else again + fresh[:torn_at]
        meter.after(0.05, piece)
        if torn_at:
            meter.after(0.06, fresh[torn_at:])

    got, stats = scripted(two_polls, say)

    assert got.values == {"energy": 0.02}
    assert stats.good == 2


def test_what_repeats_a_fresh_answer_is_nobodys():
    def say(meter, _data):
        meter.after(0.05, energy(1) + energy(1))

    async def body(line):
        device = Dlt645Device("m", ONE, line, [ENERGY], TIMING)
        return await device.scan(["energy"]), line.stats(ONE)

    got, stats = scripted(body, say)

    assert got.values == {"energy": 0.01}
    assert (stats.good, stats.unexpected) == (1, 1)


def test_of_several_new_answers_at_once_none_is_believed():
    def say(meter, _data):
        meter.after(0.05, energy(1) + energy(3))

    async def body(line):
        device = Dlt645Device("m", ONE, line, [ENERGY], TIMING)
        return await device.scan(["energy"]), line.stats(ONE)

    got, stats = scripted(body, say)

    assert got.flaws == {"energy": Flaw(Quality.BAD, "unprovable")}
    assert (stats.good, stats.unprovable) == (0, 1)


@pytest.mark.parametrize("stall_s", [3.0, 13.0, 30.0, 70.0])
@pytest.mark.parametrize("phase_s", [0.25, 0.9, 0.985])
def test_a_network_that_stood_still_gives_out_no_old_answer(stall_s, phase_s):
    """All that was said meanwhile comes at once, also after it was given up."""

    async def body(line):
        loop, stats = running_loop(), []
        device = Dlt645Device("m", ONE, line, [ENERGY], TIMING)
        while loop.time() < zero[0] + 200:
            await asyncio.sleep(1 - (loop.time() - zero[0]) % 1)
            now_s = loop.time() - zero[0]
            got = (await device.scan(["energy"])).values
            if got:
                stats.append(now_s - got["energy"] / 10)
        return stats

    zero, held = [], [0]

    def say(meter, _data):
        now_s = running_loop().time() - zero[0]
        at, ends = now_s + 0.02, 100 + phase_s + stall_s
        if 100 + phase_s <= at < ends:
            held[0] += 1
            at = ends + 0.001 * held[0]
        meter.after(at - now_s, energy(int(1000 * now_s)))

    async def timed(line):
        zero.append(running_loop().time())
        return await body(line)

    ages = scripted(timed, say)

    assert len(ages) > 100
    assert max(ages) < 0.1


def test_one_very_late_answer_slows_no_value_that_stays_the_same():
    asked = []

    def say(meter, _data):
        asked.append(1)
        meter.after(11.0 if len(asked) == 1 else 0.05, energy(1))

    async def body(line):
        device = Dlt645Device("m", ONE, line, [ENERGY], TIMING)
        await device.scan(["energy"])
        await asyncio.sleep(14)
        took = []
        for _ in range(5):
            began = running_loop().time()
            got = await device.scan(["energy"])
            took.append(running_loop().time() - began)
            assert got.values == {"energy": 0.01}
            await asyncio.sleep(1)
        return took

    assert max(scripted(body, say)) < 2 * TIMING.timeout_s


def test_a_format_that_does_not_fit_an_identifier_costs_only_its_own_point():
    short = Item(di="00010000", parts=(Part(format="XX", unit="V"),))
    mine = Dlt645Point(name="mine", item=short)

    def say(meter, _data):
        meter.after(0.05, energy(123456))

    async def body(line, points):
        device = Dlt645Device("m", ONE, line, points, TIMING)
        return await device.scan(["energy", "mine"])

    for points in ([ENERGY, mine], [mine, ENERGY]):
        got = scripted(lambda line, points=points: body(line, points), say)

        assert got.values == {"energy": 1234.56}
        assert got.flaws == {"mine": Flaw(Quality.BAD, "bad_length")}


@pytest.mark.parametrize("heard", [True, False])
def test_the_answer_to_another_master_is_not_the_one_still_out(heard):
    """It reads the same item of the same meter while our late answer is on its way."""
    asked = []

    def say(meter, data):
        if bytes((0x33, 0x33, 0x34, 0x33)) not in data:
            return  # the block, which may be asked meanwhile
        asked.append(1)
        if len(asked) > 1:
            meter.after(0.3, energy(3))
            return
        meter.after(5.0, energy(1))
        if heard:
            di = bytes.fromhex("00010000")[::-1]
            meter.after(2.0, codec.dressed(ONE, 0x11, di))
            meter.after(2.1, energy(2))

    async def body(line):
        device = Dlt645Device("m", ONE, line, [ENERGY], TIMING)
        await device.scan(["energy"])
        await asyncio.sleep(3.83)
        during = await device.scan(["energy"])
        await asyncio.sleep(2)
        return during, await device.scan(["energy"])

    during, after = scripted(body, say)

    assert during.values == {}
    assert after.values == {"energy": 0.03}

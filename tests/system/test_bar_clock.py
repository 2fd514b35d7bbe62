"""Bar 6: clock runs, 0 records with a wrong time and no mark.

Each run is a life of some boots: the clock is right, wrong, set by hand or by NTP, lost
and found, the power goes, the program restarts, the link comes and goes. An oracle
compares everything the platform got with the time it really was.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from tests.support.clock_site import ClockLife
from tests.support.virtual import run_virtual

DAY_MS = 86_400_000
WAYS = ("true", "1970", "last", "off")
DEEDS = (
    "by hand", "ntp", "slip", "lose", "gnss", "rollover", "confirm", "link", "restart",
    "wait", "wait",
)  # fmt: skip


class Fate:
    """What happens to one gateway, by its seed."""

    def __init__(self, folder, seed):
        self.rng = random.Random(seed)
        wait_s = self.rng.choice([30.0, 300.0, None])
        self.life = ClockLife(folder, every_s=2.0, clock_wait_s=wait_s)
        self.saved_ms = 0
        self.story = [f"wait {wait_s}"]

    async def live(self):
        life, rng = self.life, self.rng
        for _ in range(rng.randint(1, 3)):
            wall_ms, trusted = self._wakes()
            self._tell(f"boot at {wall_ms - life.true_ms():+d} ms, {trusted}")
            async with life.boot(wall_ms=wall_ms, trusted=trusted):
                restart = await self._days()
            while restart:
                self._tell("restart")
                async with life.run():
                    restart = await self._days()
            await asyncio.sleep(rng.choice([1.0, 60.0, 7_200.0]))
        life.platform.up()
        woke_ms = life.true_ms() - rng.choice([0, DAY_MS])
        async with life.boot(wall_ms=woke_ms, trusted=False):
            life.set_right()
            await asyncio.sleep(100)
            return life.site.app.buffer.backlog("platform").records

    def _wakes(self):
        now = self.life.true_ms()
        way = self.rng.choice(WAYS)
        if way == "true":
            return now, self.rng.random() < 0.5
        if way == "1970":
            return self.rng.randint(0, 10_000), False
        if way == "last":  # as fake-hwclock does
            return self.saved_ms or now - DAY_MS, False
        return now + self.rng.randint(-400 * DAY_MS, 400 * DAY_MS), False

    async def _days(self):
        """Live until the power goes or the program ends; whether it starts again."""
        for _ in range(self.rng.randint(1, 7)):
            deed = self.rng.choice(DEEDS)
            self._tell(deed)
            if deed == "restart":
                await asyncio.sleep(5)
                return True
            await self._do(deed)
            await asyncio.sleep(self.rng.choice([0.3, 3.0, 20.0, 90.0]))
        self.saved_ms = self.life.clock.machine.wall_ms()
        if self.rng.random() < 0.7:
            self._tell("power cut")
            self.life.power_cut()
            self.life.platform.cut()
        return False

    async def _do(self, deed):
        life, rng = self.life, self.rng
        clock = life.clock
        wrong_s = rng.choice([1, -1]) * rng.choice([0.4, 2.0, 3600.0, 86_400.0, 6.3e8])
        if deed == "by hand":
            clock.step(wrong_s, trusted=False)
        elif deed == "ntp":
            life.set_right()
        elif deed == "slip":  # called right all the time, and mended within a minute
            if clock.now().trusted and abs(wrong_s) >= 1.0:
                clock.step(wrong_s)
                await asyncio.sleep(rng.choice([0.05, 5.0, 50.0]))
                life.set_right()
        elif deed == "lose":
            clock.trusted = False
        elif deed in {"gnss", "rollover"}:
            off_ms = 1024 * 7 * DAY_MS if deed == "rollover" else -rng.randint(0, 200)
            for _ in range(10):
                clock.offer("gnss", life.true_ms() - off_ms, clock.mono_ms())
                await asyncio.sleep(1)
        elif deed == "confirm":
            if abs(clock.machine.wall_ms() - life.true_ms()) < 500:
                clock.confirm()
        elif deed == "link":
            (life.platform.down if life.platform.is_up else life.platform.up)()
        elif deed == "wait":
            await asyncio.sleep(rng.choice([30.0, 400.0]))

    def _tell(self, what):
        self.story.append(what)


@pytest.mark.timeout(60)
@pytest.mark.sentence(8)
def test_no_record_has_a_wrong_time_and_no_mark(tmp_path, seed, count, figure):
    marks: Counter[str] = Counter()
    runs = count(8, 200)
    for n in range(runs):
        marks += one_life(tmp_path / str(n), seed + n)

    figure("clock runs", runs)
    figure("records without a mark", marks["trusted"])
    figure("records marked corrected", marks["corrected"])
    figure("records marked unknown", marks["unknown"])
    figure("wrong without a mark", 0)  # the oracle would have failed the test


def one_life(folder, seed):
    async def main():
        fate = Fate(folder, seed)
        backlog = await fate.live()
        return fate, backlog

    fate, backlog = run_virtual(main())
    where = f"seed {seed}: {', '.join(fate.story)}"
    marks = fate.life.check(where)
    assert backlog == 0, where
    return Counter(marks)

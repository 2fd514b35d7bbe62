"""Bar 4: a stack of nine factors over days, with everything that goes wrong.

The oracle works out every minute, hour and day by itself from what the instruments
answered; the MQTT platform and two HJ 212 platforms are held against it. See
``tests/support/stack_oracle.py`` and ``stack_audit.py``.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

import pytest

from simulators.hj212_platform_faults import Fault
from tests.support.stack_audit import CHECKPOINT_MS, Audit
from tests.support.stack_site import (
    CALIBRATION,
    DAY_S,
    FAULT,
    MAINTENANCE,
    MIDNIGHT_MS,
    NORMAL,
    StackSite,
    in_memory,
)
from tests.support.virtual import run_virtual

HOUR_S = 3600


class Day:
    """What goes wrong on one day; moments are a little different on each."""

    def __init__(self, site, audit, rng):
        self.site, self.audit, self.rng = site, audit, rng

    async def live(self, begin_s):
        """From midnight to midnight."""
        acts = (
            (1.0, self.air_leak_checked),
            (2.2, self.calibrated),
            (3.3, self.away_cleanly),
            (5.0, self.flue_dead),
            (6.4, self.city_refuses),
            (7.5, self.broker_gone),
            (8.6, self.killed),
            (9.4, self.worked_on),
            (10.5, self.slow),
            (11.5, self.deaf),
            (12.5, self.answers_dropped),
            (13.5, self.clock_steps),
            (15.0, self.meter_replaced),
            (15.6, self.gas_faulty),
            (16.7, self.killed_while_all_is_down),
            (18.5, self.connections_reset),
            (19.5, self.answers_late),
            (20.5, self.killed_at_a_minute),
            (21.5, self.killed_twice),
        )
        for hour, act in acts:
            await self.site.until(begin_s + hour * HOUR_S + self.rng.uniform(0, 400))
            await act()

    async def _for(self, low_s, high_s):
        await asyncio.sleep(self.rng.uniform(low_s, high_s))

    # -- instruments ----------------------------------------------------------

    async def calibrated(self):
        self.site.gas.state = CALIBRATION
        await self._for(1500, 2400)
        self.site.gas.state = NORMAL

    async def air_leak_checked(self):
        self.site.flue.state = MAINTENANCE
        await self._for(200, 500)
        self.site.flue.state = NORMAL

    async def gas_faulty(self):
        self.site.gas.state = FAULT
        await self._for(100, 1200)
        self.site.gas.state = NORMAL

    async def flue_dead(self):
        self.site.flue.dead = True
        await self._for(300, 900)
        self.site.flue.dead = False

    async def slow(self):
        self.site.gas.slow_s = self.site.flue.slow_s = 0.4
        await self._for(600, 900)
        self.site.gas.slow_s = self.site.flue.slow_s = 0.0

    async def deaf(self):
        chance = random.Random(self.rng.random())
        for one in self.site.instruments.values():
            one.deaf = lambda _n: chance.random() < 0.15
        await self._for(900, 1500)
        for one in self.site.instruments.values():
            one.deaf = lambda _n: False

    async def meter_replaced(self):
        meter = self.site.meter
        self.site.meter_wave.replace(self.site.wall_ms() // meter.every_ms)

    async def worked_on(self):
        since = self.site.wall_ms()
        for_s = round(self.rng.uniform(600, 1800))
        await self.site.declare("flue", for_s)
        self.audit.windows.append(("flue", since, since + 1000 * for_s))

    # -- the gateway ----------------------------------------------------------

    async def _away(self, away_s):
        since = self.site.runs[-1][1]
        await asyncio.sleep(away_s)
        self.audit.away.append((since, self.site.wall_ms()))
        self.site.start()

    async def away_cleanly(self):
        await self.site.stop()
        await self._away(self.rng.uniform(20, 400))

    async def killed(self):
        self.audit.kills.append(self.site.wall_ms())
        await self.site.kill()
        await self._away(self.rng.uniform(3, 250))

    async def killed_at_a_minute(self):
        """In the grace after a minute's end, or just behind it."""
        left_ms = 60_000 - self.site.wall_ms() % 60_000
        await asyncio.sleep(left_ms / 1000 + self.rng.uniform(0, 12))
        await self.killed()

    async def killed_twice(self):
        await self.killed()
        await self._for(1, 30)
        await self.killed()

    async def clock_steps(self):
        seconds = self.rng.choice((17.0, 38.0, 95.0))
        for step in (seconds, -seconds):
            self.site.step(step)
            await self._for(1000, 1500)

    # -- platforms ------------------------------------------------------------

    async def city_refuses(self):
        host = self.site.cities[self.rng.choice("ab")]
        host.shut()
        await self._for(600, 1800)
        await host.open(self._name(host), 9212)

    async def broker_gone(self):
        self.site.platform.down()
        await self._for(600, 1800)
        self.site.platform.up()

    async def killed_while_all_is_down(self):
        site = self.site
        site.platform.down()
        for host in site.cities.values():
            host.shut()
        await self._for(300, 1200)
        await self.killed()
        await self._for(300, 1200)
        site.platform.up()
        for host in site.cities.values():
            await host.open(self._name(host), 9212)

    async def answers_dropped(self):
        await self._faulty("a", {Fault.DROP}, 0.3)

    async def answers_late(self):
        await self._faulty("a", {Fault.LATE, Fault.DOUBLE, Fault.BAD_CRC}, 0.2)

    async def connections_reset(self):
        await self._faulty("a", {Fault.RESET}, 0.1)
        for _ in range(5):
            await self._for(20, 200)
            self.site.cities["b"].drop()

    async def _faulty(self, city, kinds, share):
        faults = self.site.cities[city].faults
        faults.kinds, faults.share = kinds, share
        await self._for(900, 1500)
        faults.kinds = set()

    def _name(self, host):
        return next(n for n, h in self.site.cities.items() if h is host)


@pytest.mark.timeout(600)
def test_days_of_a_stack_are_told_exactly(count, figure, seed):
    days, every_s, minutes = count(1, 30), count(20, 5), count(5, 1)
    rng = random.Random(seed)

    async def month(folder):
        site = StackSite(folder, every_s=every_s, meter_s=2 * every_s, minutes=minutes)
        async with site:
            audit = Audit(site)
            day = Day(site, audit, rng)
            for number in range(days):
                await day.live(number * DAY_S)
                midnight_s = (number + 1) * DAY_S
                await site.until(midnight_s + 900)
                audit.check(MIDNIGHT_MS + 1000 * midnight_s)
            await site.stop()
        return audit

    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        audit = run_virtual(month(Path(folder)), limit_s=(days + 1) * DAY_S)

    for name, number in sorted(audit.counts.items()):
        figure(name, number)
    figure("worst_lost_ms", audit.worst_lost_ms)
    for city, host in audit.site.cities.items():
        figure(f"{city} frames", host.uploads.frames)
        figure(f"{city} frames repeated", host.uploads.repeats)
        figure(f"{city} connections", host.connections)
    said = f"seed {seed}"
    missing, both = audit.seqs()
    assert audit.complaints() == {"a": {}, "b": {}}, said
    assert both == 0, said
    assert missing == [], said
    assert audit.worst_lost_ms <= CHECKPOINT_MS, said
    assert audit.counts["minutes"] > 0.95 * days * 1440 / minutes, said
    assert audit.counts["days"] == days, said

"""Bar 5: the platforms are away for a day; what is new comes first, the rest behind it.

First nobody listens, then the platforms take connections and say nothing, then they are
back. What the platforms pull afterwards is the local history, and what they hold.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from simulators.hj212_platform_account import seconds, stamp
from tests.support.stack_audit import CN, CODES, item
from tests.support.stack_oracle import FACTORS, written
from tests.support.stack_site import (
    CITIES,
    DAY_S,
    MIDNIGHT_MS,
    MN,
    StackSite,
    in_memory,
)
from tests.support.virtual import run_virtual

OUT_S = 1800
"""After midnight."""
BACK_S = OUT_S + DAY_S
SILENT_S = 900
REALTIME_S = 60
GRACE_S = 10
PATIENCE_S = 5.0
"""For what is due now, beside the grace of a period."""
EXCHANGE_S = 2.0
KINDS = {"hour": 3600, "day": DAY_S}


class Silence:
    """While ``on``, connections are taken and nothing is heard or said on them."""

    def __init__(self, host):
        self.on = False
        self._made = host.link
        host.link = self

    def __call__(self):
        link = self._made()
        link.hung = self.on
        return link


def history_items(period, city):
    """A stored period as a frame of this city has it."""
    told = {}
    for name in FACTORS:
        digits = dict(period.figures[name], flag=period.flags[name])
        found = period.factors[name]
        if found.over_oxygen:
            digits["over_oxygen"] = found.over_oxygen
        if city == "a" and name == "dust":  # it wants whole numbers
            for key in digits.keys() & {"avg", "min", "max"}:
                digits[key] = written(getattr(found, key), 0)
            for key in digits.keys() & {"zs_avg", "zs_min", "zs_max"}:
                digits[key] = written(getattr(found, key), 0)
        told[CODES[name]] = item(name, digits, city)
    return told


def complaints(host):
    """What it holds against the gateway's frames."""
    lines = host.ledger.lines.items()
    return {name: line.examples for name, line in lines if line.failed}


class Outage:
    """The run, and what is asked of it."""

    def __init__(self, site, minutes, rate):
        self.site, self.rate = site, rate
        self.length = {"minute": 60 * minutes, **KINDS}
        self.back_s = {}
        """City -> when its first frame came again, UTC seconds."""
        self.out_s = MIDNIGHT_MS / 1000 + OUT_S

    async def happen(self):
        site = self.site
        await site.until(OUT_S)
        for host in site.cities.values():
            host.shut()
        site.platform.down()
        await site.until(BACK_S)
        silences = [Silence(host) for host in site.cities.values()]
        for silence in silences:
            silence.on = True
        for name, host in site.cities.items():
            await host.open(name, 9212)
        await site.until(BACK_S + SILENT_S)
        for silence in silences:
            silence.on = False
        site.platform.up()
        self.up_s = site.true_ms() / 1000
        async with asyncio.TaskGroup() as group:
            for name in site.cities:
                group.create_task(self._heard(name))

    async def _heard(self, city):
        await self.site.cities[city].arrived(MN, 600)
        self.back_s[city] = self.site.true_ms() / 1000

    def held(self, city, kind):
        """(end, when it came, marked RF=1) of each period, as they came."""
        periods = self.site.cities[city].held.periods(MN, CN[kind])
        for label, kept in periods.items():
            end = seconds(label) + self.length[kind]
            yield end, kept.at_s, any(kept.rf.values())

    # -- what must be true ------------------------------------------------------

    def late_and_live(self, city):
        """Periods of the outage, and those that ended since."""
        back_s = self.back_s[city]
        every = [one for kind in self.length for one in self.held(city, kind)]
        late = [
            one for one in every if self.out_s <= one[0] + GRACE_S and one[0] < back_s
        ]
        return late, [one for one in every if one[0] >= back_s]

    def realtime_waits(self, city):
        """How long after its instant each real-time set came since."""
        kept = self.site.cities[city].held.periods(MN, 2011)
        return [
            one.at_s - seconds(label)
            for label, one in kept.items()
            if one.at_s > self.back_s[city] + 1
        ]

    async def pulled(self, city, kind):
        """What the city pulls of a kind, and what the history has."""
        site, host = self.site, self.site.cities[city]
        since_ms = MIDNIGHT_MS
        until_ms = MIDNIGHT_MS + 1000 * BACK_S
        stored = await site.app.history.read("DA001", kind, since_ms, until_ms + 1)
        begin, end = stamp(since_ms // 1000), stamp(until_ms // 1000)
        told = await host.pull(MN, CN[kind], begin, end)
        assert told.outcome == "done", (city, kind, told.outcome)
        labels = [s.data_time for s in told.data if s.packet[0] == 1 or not s.packet[0]]
        expected = {
            stamp(period.t_ms // 1000): history_items(period, city) for period in stored
        }
        return labels, told.periods, expected


@pytest.mark.timeout(600)
def test_a_day_without_platforms(count, figure):
    minutes, every_s = count(10, 1), count(60, 5)
    rate = count(0.05, 1.0)

    async def days(folder):
        site = StackSite(
            folder,
            every_s=every_s,
            meter_s=60,
            minutes=minutes,
            realtime_s=REALTIME_S,
            backfill=f"{rate:g}/s",
            answer_b=True,
        )
        async with site:
            outage = Outage(site, minutes, rate)
            await outage.happen()
            periods = DAY_S / outage.length["minute"] + 25
            await asyncio.sleep(1.3 * periods / rate)
            found = {}
            for city in CITIES:
                for kind in CN:
                    found[city, kind] = await outage.pulled(city, kind)
            await site.stop()
        return site, outage, found

    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        site, outage, found = run_virtual(days(Path(folder)), limit_s=3 * DAY_S)

    expected = DAY_S // outage.length["minute"] + 24 + 1
    for city in CITIES:
        late, live = outage.late_and_live(city)
        waits = outage.realtime_waits(city)
        began_s, ended_s = min(at for _, at, _ in late), max(at for _, at, _ in late)
        during = [one for one in live if one[1] < ended_s]
        figure(f"{city} back-filled", len(late))
        figure(f"{city} back-fill took s", round(ended_s - began_s, 1))
        figure(f"{city} live periods meanwhile", len(during))
        figure(f"{city} real-time sets since", len(waits))
        figure(f"{city} slowest live period s", max(at - end for end, at, _ in live))
        figure(f"{city} slowest real-time set s", max(waits))

        # All of the day came, at the rate of the back-fill and no faster, and the rest
        # did not wait for it.
        assert outage.back_s[city] - outage.up_s < 120
        assert expected <= len(late) <= expected + SILENT_S / 60 + 5
        assert len(late) / rate * 0.9 < ended_s - began_s < len(late) / rate * 1.3
        assert len(during) >= (ended_s - began_s) // outage.length["minute"] - 1 > 2
        assert max(at - end for end, at, _ in live) < GRACE_S + PATIENCE_S
        assert len(waits) >= (ended_s - began_s) // REALTIME_S - 1
        assert max(waits) < every_s + PATIENCE_S  # it shows the newest reading
        # Oldest first, but what was live on a silent connection; none twice.
        silent_s = MIDNIGHT_MS / 1000 + BACK_S
        minutes_late = [
            one[:2]
            for one in outage.held(city, "minute")
            if one in late and one[0] < silent_s
        ]
        order = [end for end, _ in sorted(minutes_late, key=lambda one: one[1])]
        assert order == sorted(order)
        for kind in CN:
            again = site.cities[city].held.again(MN, CN[kind])
            assert (again.duplicate, again.changed) == (0, 0)
        marked = CITIES[city] == 2025
        assert all(rf == marked for _, _, rf in late)
        assert not any(rf for _, _, rf in live)
        assert complaints(site.cities[city]) == {}

        for kind in CN:
            labels, pulled, history = found[city, kind]
            figure(f"{city} pulled {kind}s", len(labels))
            assert sorted(labels) == sorted(history)
            assert pulled == history
            held = site.cities[city].held.periods(MN, CN[kind])
            assert {at: held[at].items for at in history} == history

    lanes = {
        (kind, t): lane
        for (kind, t, rev), (lane, _) in site.told.lanes.items()
        if rev == 0
    }
    out_ms, up_ms = 1000 * outage.out_s, 1000 * outage.up_s
    ends = {key: key[1] + 1000 * outage.length[key[0]] for key in lanes}
    while_away = [k for k in lanes if out_ms <= ends[k] < up_ms - 60_000]
    since = [k for k in lanes if ends[k] >= up_ms + 60_000]
    assert len(while_away) >= expected
    assert {lanes[k] for k in while_away} == {"backfill"}
    assert {lanes[k] for k in since} == {"live"}

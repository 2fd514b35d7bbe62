"""Bar 7: three whole sites for a day, then each of their devices fails in turn.

Sites, lines and instruments are those of ``ecogate simulate site``; the gateway is the
whole of ``gateway.app`` with its own drivers. Only wires, network, platform and time
are in memory. In ``make test`` the day is five minutes, and
four devices fail.

The oracle (``tests/support/site_oracle.py``) judges every value of every scan at the
consumer: it must be what the instrument put on the wire for this point in this scan,
by the simulator's own account, or, where the instrument states when it measured, what
it shows at that instant. Slots are added up by ``simulators.consumer``.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter

import pytest

from simulators.site_plan import KINDS
from tests.support.clock import EPOCH_MS
from tests.support.simulated_site import RunningSite
from tests.support.virtual import run_virtual

SILENT = {
    "modbus": "timeout",
    "dlt645": "timeout",
    "ascii": "timeout",
    "hj212": "no_data",
    "gnss": "no_data",
}
LISTENED = ("yaohua", "toledo", "windsonic", "wxt-auto")
"""Of the ASCII instruments, those that speak unasked."""
SPOILT = {
    "wire-break": {"wire_break"},
    "no-fix": {"no_fix"},
    "flag-D": {"instrument_fault"},
}
"""What is done to an instrument that goes on talking, and what its points say."""
IN_DOUBT = {"unprovable", "bad_frame"}
"""What a device that is back may say for a moment, of its own points."""
DOORS = {
    "enterprise": ("cabinet", "door"),
    "construction": ("spray-water", "tank_low"),
    "water": ("sampler", "door"),
}


def reason_of(one):
    """Why the points of a silent device are BAD."""
    if one.play.get("kind") in LISTENED:
        return "no_data"
    return SILENT[one.bus.family]


async def fail(site, name, fault):
    """Let one device fail and come back; what was new at the consumer meanwhile."""
    sink, part, every_s = site.sink, site.parts[name], site.every_s(name)
    timeout_s = site.timeout_s(name)
    flaws, gaps = Counter(sink.flaws), Counter(sink.gaps)
    if fault == "silence":
        part.kill()
    else:
        part.spoil(fault)
    # A scan that meets silence is asked once more at once: two time-outs until BAD.
    await asyncio.sleep(2 * (every_s + timeout_s) + 4)
    part.revive()
    well_ms = site.clock.wall_ms()
    silent = sink.flaws - flaws
    # So long may a late answer still come, where nothing would tell it from the right.
    doubt_s = 12 * timeout_s if site.plan.devices[name].bus.family == "ascii" else 0
    await asyncio.sleep(2 * every_s + doubt_s + 5)
    new = sink.flaws - flaws
    return {
        "own": {reason for (who, _, reason) in silent if who == name},
        "after": {reason for (who, _, reason) in new if who == name},
        "bad": sum(n for (who, q, _), n in new.items() if who == name and q == "bad"),
        "others": sorted({who for (who, _, _) in new if who != name}),
        "gaps": sorted({who for (who, _) in sink.gaps - gaps if who != name}),
        "back_s": (sink.first_good_after(name, well_ms) - well_ms) / 1000,
    }


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_a_day_is_good_and_each_failure_is_its_devices_own(
    kind, tmp_path, count, figure, seed
):
    hours = count(1 / 12, 24)
    some = random.Random(seed)
    outcomes = {}

    async def main():
        async with RunningSite(kind, tmp_path) as site:
            await asyncio.sleep(hours * 3600)
            sink = site.sink
            day = Counter(sink.scans), Counter(sink.flaws), Counter(sink.gaps)
            names = list(site.parts)
            for name in names if count(0, 1) else some.sample(names, 4):
                part = site.parts[name]
                for fault in ("silence", *(f for f in part.faults if f in SPOILT)):
                    outcomes[name, fault] = await fail(site, name, fault)
            device, point = DOORS[kind]
            before = len(sink.events)
            assert site.simulated.obey(f"set {device} {point} 1") == "ok"
            await asyncio.sleep(20)
            assert site.simulated.obey(f"set {device} {point} 0") == "ok"
            await asyncio.sleep(20)
            told = [e for e in sink.events[before:] if e.get("device") == device]
            last_s = (site.clock.wall_ms() - EPOCH_MS) / 1000
        return site, day, told, last_s

    site, (scans, flaws, gaps), told, last_s = run_virtual(main())

    oracle, verdict = site.oracle, site.sink.consumer.verdict()
    figure("devices", len(site.plan.devices))
    figure("hours", round(hours, 2))
    figure("values", oracle.judged)
    figure("wrong", len(oracle.wrong))
    figure("failures", len(outcomes))
    slowest = max(outcomes, key=lambda key: outcomes[key]["back_s"])
    figure("slowest_return_s", (slowest[0], outcomes[slowest]["back_s"]))
    # The healthy day: every device, every slot.
    assert (flaws, gaps) == ({}, {})
    for name, conf in site.site.devices.items():
        periods = {point.every_s or conf.every_s for point in conf.points}
        due = sum(hours * 3600 / every_s for every_s in periods)
        # Points of two periods that meet in one slot are one scan.
        assert scans[name] >= min(due, hours * 3600 / min(periods)) - 2, name
    # All of it, failures included: nothing wrong, no slot unaccounted for.
    assert oracle.wrong == []
    assert oracle.several == 0
    assert verdict.clean, verdict.text()
    # What the regulator has: every minute once, with the digits that MQTT has.
    regulator, beside = site.simulated.regulator, site.compared()
    figure("minutes", beside.held["minute"])
    figure("numbers_beside", beside.numbers)
    # A reading decided after its minute was told corrects it: that minute comes
    # a second time, changed, and MQTT names its revision. Nothing else may change.
    periods = site.sink.consumer.periods.values()
    corrected = sum(len(revisions) - 1 for revisions in periods)
    ledger = regulator.ledger
    assert ledger.lines["upload.changed"].failed <= corrected, ledger.text("en")
    assert set(ledger.failed) <= {"upload.changed"}, ledger.text("en")
    assert (beside.differing, beside.waiting) == ([], [])
    assert beside.held["minute"] >= last_s // 60 - 2
    assert beside.numbers > 3 * beside.held["minute"]
    # Each failure: its own points, the right reason, and nobody else's.
    for (name, fault), outcome in outcomes.items():
        one = site.plan.devices[name]
        expected = {reason_of(one)} if fault == "silence" else SPOILT[fault]
        assert outcome["bad"], f"seed {seed}: {name}, {fault}"
        assert outcome["own"] == expected, f"seed {seed}: {name}, {fault}"
        # Back again, and still in doubt what a late answer would look like: a question
        # is held back, or an exception not believed to be the answer to it.
        assert outcome["after"] <= expected | IN_DOUBT, f"seed {seed}: {name}, {fault}"
        assert outcome["others"] == outcome["gaps"] == [], (
            f"seed {seed}: {name}, {fault}"
        )
        assert outcome["back_s"] < math.inf, f"seed {seed}: {name}, {fault}"
    assert len(told) == 2, told


def test_the_oracle_finds_what_is_wrong(tmp_path):
    """One digit, one second, one bit: each is seen."""

    async def main():
        async with RunningSite("enterprise", tmp_path) as site:
            kept = []
            site.oracle.take = kept.append
            await asyncio.sleep(70)
            del site.oracle.take
        return site.oracle, kept

    oracle, kept = run_virtual(main())

    for record in kept:
        for name, value in record["values"].items():
            wrong = {"values": {name: _tampered(value)}}
            before = len(oracle.wrong)
            oracle._taken.clear()
            oracle.take({**record, **wrong})
            assert len(oracle.wrong) == before + 1, (record["device"], name, value)


def _tampered(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value[:-1] + "#"
    return value * 1.0001 + 0.0003

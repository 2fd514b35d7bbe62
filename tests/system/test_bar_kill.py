"""Bar 1: the gateway is killed -9, again and again, and nothing safe is ever lost.

A record is safe one second after its acquisition. The birth log of the devices says
what was acquired, the witness at the broker what arrived; both live in other processes
than the gateway. Meanwhile the link flaps and the broker itself is killed; every record
is written, or only what the platform has not proved in time; its proof is the broker's
PUBACK, or a receipt. Rounds replay by their seed.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.site_run import SiteRun, until, watch

SAFE_MS = 1000
TOLD_S = 10
"""What a run tells of the time before it waits for a note on the disk, and may come
after its first values."""
CHAIN = 10
"""Rounds on one data folder before a new one is begun."""
BESIDE = 2
"""Chains at a time: most of a round is waiting."""
KINDS = {"outage": 4, "starting": 2, "backfill": 2, "flapping": 3, "broker": 2}


def kill_round(site, rng):
    """One outage with one or more kills in it.

    Returns:
        When it was killed, on the scale of the births, and words for the log.
    """
    site.wait_fresh(what="values before the outage")
    (kind,) = rng.choices([*KINDS], [*KINDS.values()])
    time.sleep(rng.uniform(0.0, 0.9))
    if kind == "flapping":
        site.say(site.link, f"flap {rng.uniform(0.05, 0.6)} {rng.uniform(0.02, 0.3)}")
    elif kind == "broker":
        site.broker.kill()
    else:
        site.cut()
    time.sleep(rng.uniform(0.1, 2.5))
    kills = [site.gateway.kill()]
    if kind == "starting":
        # Killed again while it opens its store, or just after.
        site.gateway.start(wait=False)
        time.sleep(rng.uniform(0.05, 1.2))
        kills.append(site.gateway.kill())
    site.start()
    if kind == "flapping":
        watch(lambda: False, rng.uniform(0.0, 1.5))
        kills.append(site.gateway.kill())
        site.start()
    elif kind == "broker":
        watch(lambda: False, rng.uniform(0.0, 1.0))
        site.broker.again()
        until(site.witness.subscribed.is_set, 10, "the witness is back")
    elif kind == "backfill":
        watch(lambda: False, rng.uniform(0.0, 1.5))
        healed = site.heal()
        until(lambda: site.witness.since(healed), 10, "the first message")
        time.sleep(rng.uniform(0.0, 0.05))
        kills.append(site.gateway.kill())
        site.start()
    site.heal()
    site.wait_complete()
    return [(at - site.start_ns) // 1_000_000 for at in kills], kind


def judge(site, kills, seed):
    """Everything the bar says, from outside; returns figures."""
    match = site.match()
    verdict = _settled(site, match.absent)
    where = f"seed {seed}; {verdict.text()}\n{site.gateway.tail()}"
    assert not match.wrong, (match.wrong[:5], where)
    assert not match.unborn, (match.unborn[:5], where)
    oldest = -1
    for birth in match.absent:
        ages = [at - birth.t_ms for at in kills if at >= birth.t_ms - 50]
        age = min(ages, default=10**9)
        assert age <= SAFE_MS, (f"{birth} was safe, {age} ms old", kills, where)
        oldest = max(oldest, age)
    for trouble in set(verdict.TROUBLES) - {"unexplained_slots"}:
        assert getattr(verdict, trouble) == 0, (trouble, where)
    unstated = _outside_gaps(site, match.absent)
    assert verdict.unexplained_slots <= unstated, (unstated, where)
    lost = site.witness.records("lost")
    bound = sum(record["at_most"] for record in lost)
    absent = match.absent_scans
    assert len(absent) <= bound, (len(absent), lost, where)
    assert len(site.witness.stores()) == 1, (site.witness.stores(), where)
    return {
        "arrived": match.arrived,
        "absent": len(absent),
        "oldest_absent_ms": oldest,
        "answered_late": len(match.late),
        "lost_at_most": bound,
        "duplicates": verdict.duplicates,
        "sent_again_for_want_of_receipts": verdict.again,
    }


def _settled(site, absent):
    """The verdict, once nothing is on its way that it may be asked for."""
    found = []

    def settled():
        found.append(site.witness.verdict())
        open_slots = found[-1].unexplained_slots
        told = not open_slots or open_slots <= _outside_gaps(site, absent)
        return told and not found[-1].missing

    watch(settled, TOLD_S)
    return found[-1]


def _outside_gaps(site, absent):
    """Slots that were asked, and whose record is among the lost: no gap has them."""
    gaps = site.witness.records("gap")
    return sum(
        not any(
            gap["device"] == f"bench-{birth.unit}"
            and gap["t"] <= site.start_utc_ms + birth.t_ms <= gap["until"]
            for gap in gaps
        )
        for birth in absent
    )


def chain(folder, numbers, seed, shape):
    """Some rounds on one store.

    Returns:
        The figures at its end, and the kinds of its rounds.
    """
    folder.mkdir()
    kills, kinds, found = [], [], {}
    with SiteRun(folder, **shape) as site:
        site.start()
        for number in numbers:
            killed, kind = kill_round(site, random.Random(f"{seed}/{number}"))
            kills += killed
            kinds.append(kind)
            found = judge(site, kills, f"{seed}, round {number} ({kind})")
        assert site.gateway.stop() < 5
    return found, kinds


@pytest.mark.timeout(100)
@pytest.mark.sentence(1, 2, 3, 4)
@pytest.mark.parametrize("receipts", [False, True], ids=["puback", "receipts"])
@pytest.mark.parametrize("write_through", [False, True], ids=["avoiding", "through"])
def test_a_killed_gateway_loses_nothing_older_than_a_second(
    tmp_path, seed, count, figure, write_through, receipts
):
    rounds, length = count(2, 125), count(1, CHAIN)
    shape = {
        "buffer": {"write_through": write_through},
        "target": {"receipts": receipts, "receipt_wait": "5s"},
    }

    with ThreadPoolExecutor(BESIDE) as workers:
        ended = list(
            workers.map(
                lambda start: chain(
                    tmp_path / f"chain-{start}",
                    range(start, min(start + length, rounds)),
                    seed,
                    shape,
                ),
                range(0, rounds, length),
            )
        )

    total, kinds = {}, []
    for found, of_chain in ended:
        kinds += of_chain
        for name, value in found.items():
            keep = max if name == "oldest_absent_ms" else int.__add__
            total[name] = keep(total.get(name, 0), value)
    figure("rounds", rounds)
    figure("kinds", {kind: kinds.count(kind) for kind in set(kinds)})
    for name, value in total.items():
        figure(name, value)

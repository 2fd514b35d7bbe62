"""A dead target never holds back another, also over a kill; each has its own cursor."""

from __future__ import annotations

import json

import pytest

from simulators.broker import Broker
from tests.support.site_run import SiteRun, until, watch
from tests.support.spawn import Spawned
from tests.support.witness import Witness, match


@pytest.mark.sentence(9)
def test_one_target_is_away_the_other_never_notices(tmp_path, count, figure):
    rounds = count(2, 12)
    with (
        SiteRun(tmp_path, devices=5, every="200ms") as site,
        Broker.start(tmp_path / "second", kind="nats") as broker,
        Spawned("simulators.proxy", "--to", f"127.0.0.1:{broker.port}") as link,
        Witness(broker.port, site.start_utc_ms) as second,
    ):
        assert second.subscribed.wait(10)
        document = site.document()
        address = f"mqtt://127.0.0.1:{link.ready['port']}"
        document["targets"]["second"] = {"mqtt": address}
        site.site.write_text(json.dumps(document), encoding="utf-8")
        site.start()
        site.wait_fresh()
        slowest = 0.0
        for number in range(rounds):
            site.say(link, "cut")
            watch(lambda: False, 1.0)
            slowest = max(
                slowest, site.wait_fresh(what="the first while second is away")
            )
            if number % 2:
                site.gateway.kill()
                site.start()
                site.wait_complete()
            site.say(link, "heal")
            now_ms = site.now_ms()

            def caught_up(now_ms=now_ms):
                fresh = any(
                    record["t"] - site.start_utc_ms > now_ms
                    for message in second.all()[-30:]
                    for record in message.records
                )
                return fresh and second.verdict().missing == 0

            until(caught_up, 20, "the second has everything")
        site.gateway.stop()
        until(lambda: second.verdict().missing == 0, 5, "the second's last records")
        watch(lambda: len(second.records()) >= len(site.witness.records()), 1.0)

        where = f"{site.witness.verdict().text()}\n{second.verdict().text()}"
        first = {record["seq"]: record for record in site.witness.records()}
        other = {record["seq"]: record for record in second.records()}
        found = match(site.births(), other.values(), site.start_utc_ms)
        bound = sum(
            record["at_most"] for record in other.values() if record["kind"] == "lost"
        )
    assert site.witness.verdict().clean, where
    assert second.verdict().clean, where
    assert not found.wrong, (found.wrong[:3], where)
    # What the kill took from memory may have reached the one that was there.
    assert not other.keys() - first.keys(), where
    assert len(first.keys() - other.keys()) <= bound, where
    assert all(first[seq] == other[seq] for seq in other), where
    figure("rounds", rounds)
    figure("records", [len(first), len(other)])
    figure("slowest_fresh_s", round(slowest, 2))

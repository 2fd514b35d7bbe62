"""Bar 3: an hour of backlog never starves what happens now.

The store holds an hour of ten devices (lived through in virtual time), ten more go on
being polled each second, and the broker takes 50 messages a second. What was born is
known to the devices, what arrived to the witness.
"""

from __future__ import annotations

import json
import signal
import time

import pytest

from simulators.births import read_births
from tests.support.backlog import Backlog
from tests.support.site_run import SiteRun, until
from tests.support.spawn import Spawned
from tests.support.witness import match

DEVICES, POINTS = 10, 10
PER_MESSAGE = 100
LIMIT_PER_S = 50


class Run:
    """The gateway on that store, with devices of its own, behind a limited broker."""

    def __init__(self, folder, seconds, **target):
        self.backlog = Backlog(folder, seconds)
        self._live = folder / "births.jsonl"
        self.devices = Spawned(
            *("simulators.modbus", "--bench", f"{DEVICES}x{POINTS}", "--tcp", 0),
            *("--start-ns", self.backlog.start_ns, "--births", self._live),
        )
        ports = {int(n): port for n, port in self.devices.ready["ports"].items()}
        self.site = SiteRun(
            folder,
            devices=DEVICES,
            points=POINTS,
            every="1s",
            target={"batch_records": PER_MESSAGE, **target},
            ports=ports,
            start_ns=self.backlog.start_ns,
        )

    def __enter__(self):
        self.devices.__enter__()
        self.site.__enter__()
        self.began_ms = time.time_ns() // 1_000_000
        return self

    def __exit__(self, *exc):
        self.site.__exit__(*exc)
        self.devices.__exit__(*exc)

    def owed(self):
        """How many scans of the backlog have not arrived."""
        came = self.site.witness.verdict().devices
        got = sum(n for name, n in came.items() if int(name[6:]) > 100)
        return len(self.backlog.births) - got

    def change(self, number):
        """Another site file in force: an event, now."""
        document = self.site.document()
        document["site"] = {"grid": f"2-3-{number % 2:03}"}
        self.site.site.write_text(json.dumps(document), encoding="utf-8")
        self.site.gateway.process.send_signal(signal.SIGHUP)

    def stats(self):
        """What the link did to messages so far."""
        return json.loads(self.site.link.say("stats"))

    def delays_ms(self):
        """From acquisition to arrival: new scans, whatever their lane; new events."""
        site, found = self.site, {"scan": [], "event": []}
        for message in site.witness.all():
            at_ms = site.start_utc_ms + (message.at_ns - site.start_ns) / 1e6
            for record in message.records:
                new = record["t"] >= self.began_ms
                if new and record["kind"] in found and not message.again:
                    found[record["kind"]].append(at_ms - record["t"])
        return {kind: sorted(ms) for kind, ms in found.items()}

    def drained(self, limit_s, *, events=True):
        """Until all of it came; meanwhile something happens twice a second.

        Returns:
            How many seconds that took.
        """
        start, number = time.monotonic(), 0
        while self.owed():
            took_s = time.monotonic() - start
            assert took_s < limit_s, (self.owed(), self.site.gateway.tail())
            if events and took_s > number / 2:
                self.change(number)
                number += 1
            time.sleep(0.05)
        return time.monotonic() - start

    def judged(self):
        """The verdict, and all births against all records; with words for failures."""
        site = self.site
        site.wait_complete()
        live = read_births(self._live)
        site.wait_fresh()
        records = site.witness.records()
        later = read_births(self._live)[len(live) :]
        births = [*self.backlog.births, *live]
        found = match(births, records, site.start_utc_ms, later)
        verdict = site.witness.verdict()
        return verdict, found, f"{verdict.text()}\n{site.gateway.tail()}"


def at(ordered, share):
    """The value below which this share lies, rounded."""
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)


@pytest.mark.sentence(2, 3, 5)
@pytest.mark.parametrize("backfill", ["20/s", "10000/s"])
def test_a_backlog_behind_a_slow_broker_never_starves_what_is_new(
    tmp_path, count, figure, backfill
):
    seconds = count(120, 3600)

    with Run(tmp_path, seconds, backfill=backfill) as run:
        run.site.say(run.site.link, f"limit {LIMIT_PER_S}")
        run.site.start()
        drained_s = run.drained(limit_s=900)
        verdict, found, where = run.judged()
        counts = run.stats()
        assert run.site.gateway.stop() < 5

    delays = run.delays_ms()
    figure("backlog_records", len(run.backlog.births))
    figure("drained_s", round(drained_s, 1))
    for kind, ms in delays.items():
        found_ms = {"p50": at(ms, 0.5), "p95": at(ms, 0.95), "max": at(ms, 1)}
        figure(f"new_{kind}_ms", {"count": len(ms), **found_ms})
    figure("live_lane_ms", verdict.lanes["live"])
    figure("messages", verdict.messages)
    figure("waited_at_the_broker_s", counts["waited_s"])
    assert verdict.clean, where
    assert not found.absent, (found.absent[:5], where)
    assert not found.wrong, (found.wrong[:5], where)
    assert not found.unborn, (found.unborn[:5], where)
    assert verdict.lost_stated == 0, where
    assert len(delays["event"]) >= 2, where
    # What was polled before the link was there is backlog, and comes when that does.
    assert verdict.lanes["live"]["p95"] < 5000, where
    assert at(delays["event"], 1) < 2000, where


@pytest.mark.sentence(1, 2)
def test_receipts_repair_what_a_broker_acknowledged_and_dropped(
    tmp_path, count, figure
):
    seconds, share = count(120, 3600), count(0.05, 0.01)

    with Run(
        tmp_path, seconds, batch_records=10, receipts=True, receipt_wait="5s",
        backfill="200/s",
    ) as run:  # fmt: skip
        run.site.say(run.site.link, f"swallow {share}")
        run.site.start()
        if seconds < 3600:
            until(lambda: run.stats()["swallowed"] >= 3, 10, "some are swallowed")
            run.site.say(run.site.link, "swallow 0")
        drained_s = run.drained(limit_s=300, events=False)
        # While it goes on, some of the newest are always on their way again.
        run.site.say(run.site.link, "swallow 0")
        verdict, found, where = run.judged()
        counts = run.stats()
        assert run.site.gateway.stop() < 5

    figure("records", len(run.backlog.births))
    figure("all_there_after_s", round(drained_s, 1))
    figure("proxy", counts)
    figure("messages_again", verdict.again)
    figure("duplicates", verdict.duplicates)
    assert counts["swallowed"] > 0, counts
    assert verdict.again > 0, where
    assert verdict.clean, where
    assert not found.absent, (found.absent[:5], where)
    assert not found.wrong, (found.wrong[:5], where)
    assert verdict.lost_stated == 0, where


@pytest.mark.sentence(1)
def test_without_receipts_the_brokers_word_is_all_there_is(tmp_path, figure):
    with Run(tmp_path, 120, batch_records=10, backfill="200/s") as run:
        run.site.say(run.site.link, "swallow 0.05")
        run.site.start()
        until(run.site.gateway.lines, 5, "a log")
        run.site.wait_fresh()
        until(lambda: _all_sent(run.site), 20, "the gateway has all proved")
        counts = run.stats()
        verdict = run.site.witness.verdict()

    # Not a promise but its limit: what the broker acknowledged and lost stays lost, and
    # the platform sees it by the holes in its line of seqs.
    assert counts["swallowed"] > 0, counts
    assert verdict.missing > 0, verdict.text()
    figure("swallowed", counts["swallowed"])
    figure("missing", verdict.missing)


def _all_sent(site):
    said = site.witness.consumer.status.get("site-07", {}).get("backlog", {})
    return said and sum(lane["records"] for lane in said.values()) < 20

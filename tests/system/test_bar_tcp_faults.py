"""Bar 3: one device behaves badly in every way TCP allows; nobody else notices.

Ten devices, each behind an endpoint of its own, one of them silent all the time.
Another babbles, truncates, refuses and hangs up in turn: the gateway never ends, has
its values back soon after, and says each change of state in one line of its log.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from simulators import bench
from tests.support.moody import MOODS, MoodyDevices
from tests.support.site_run import SiteRun, until, watch

SILENT, BAD = 3, 5
EVERY_S = 0.5
MISSED = 0.01
BACK_S = 2.0
LEARN_S = 4.0
"""What a device serves around its points is learned in its first polls."""
LATER = re.compile(r"device (\S+) .*(is offline|answers again)")
LINK = re.compile(r"bus (\S+) (is gone|is back)")


@pytest.mark.timeout(110)
def test_nine_do_not_notice_what_one_does(tmp_path, seed, count, figure):
    hold_s = count(2.2, 12)
    back = {}
    births = tmp_path / "births.jsonl"
    with (
        MoodyDevices(10, births, seed=seed) as devices,
        SiteRun(
            tmp_path,
            devices=10,
            every="500ms",
            separate=True,
            ports=devices.ports,
            start_ns=devices.start_ns,
        ) as site,
    ):
        devices.tell(SILENT, "silent")
        site.start()
        healthy = [n for n in range(1, 11) if n != SILENT]
        site.wait_fresh(units=healthy)
        start_ms = site.now_ms()
        watch(lambda: False, LEARN_S)
        for mood in MOODS:
            devices.tell(BAD, mood)
            watch(lambda: False, hold_s)
            assert site.gateway.running, (mood, site.gateway.tail())
            devices.tell(BAD, "well")
            well_ms = site.now_ms()
            took = until(
                lambda well_ms=well_ms: site.fresh(well_ms, [BAD]), 20, f"after {mood}"
            )
            back[mood] = round(took, 2)
        end_ms = site.now_ms()
        site.wait_complete(units=healthy)
        assert site.gateway.stop() < 5
        status = site.gateway.process.returncode
        watch(lambda: site.witness.verdict().missing == 0, 5)
        verdict, match = site.witness.verdict(), site.match()
        lines, events = site.gateway.lines(), site.witness.records("event")
        accepted = devices.accepted(BAD)

    where = f"seed {seed}; {back}; {verdict.text()}\n{site.gateway.tail()}"
    missed = {n: missed_share(site, n, start_ms, end_ms) for n in healthy if n != BAD}
    told = state_changes(lines)
    figure("back_after_s", back)
    figure("missed_by_the_worst", max(missed.values()))
    figure("log_lines", len(lines))
    figure("state_changes", sum(len(changes) for changes in told.values()))
    figure("connections", accepted)
    assert status == 0, where
    assert verdict.wrong == 0, where
    assert verdict.missing == 0, where
    assert not match.wrong, (match.wrong[:3], where)
    assert "Traceback" not in "\n".join(lines), where
    # Every change of state is one line: they alternate, and match the events.
    for name, changes in told.items():
        assert changes == alternating(changes), (name, changes, where)
    said = Counter(
        (event.get("device") or event["bus"], event["state"])
        for event in events
        if event["type"] in {"device_offline", "bus_gone"}
    )
    logged = Counter(
        (name, "raised" if change in {"is offline", "is gone"} else "cleared")
        for name, changes in told.items()
        for change in changes
    )
    assert logged == said, (logged - said, said - logged, where)
    assert told[f"bench-{SILENT}"] == ["is offline"], where
    # Beside these: the start, ten first answers, the platform, the stop.
    others = len(lines) - sum(len(changes) for changes in told.values())
    assert others <= 16, where
    assert max(missed.values()) <= 10 * MISSED, (missed, where)
    assert max(back.values()) <= 3 * BACK_S, where


def missed_share(site, unit, start_ms, end_ms):
    """Part of the slots in that time that brought no values."""
    good = sum(
        start_ms <= record["t"] - site.start_utc_ms < end_ms
        for record in site.witness.records("scan")
        if bench.unit_of(record["device"]) == unit and record["values"]
    )
    slots = int((end_ms - start_ms) / 1000 / EVERY_S)
    return round(max(0.0, 1 - good / slots), 4)


def state_changes(lines):
    """Name -> what the log said of it, in order."""
    told = {}
    for line in lines:
        found = LATER.search(line) or LINK.search(line)
        if found:
            told.setdefault(found[1], []).append(found[2])
    return told


def alternating(changes):
    """What a list of changes must look like."""
    pair = (
        ["is gone", "is back"]
        if set(changes) & {"is gone", "is back"}
        else ["is offline", "answers again"]
    )
    return [pair[i % 2] for i in range(len(changes))]

"""Bar 8, the whole chain: from a camera's smoke to the platform, through an hour owed.

Simulated cameras over RTSP, the vision process with the shipped model, the gateway, its
buffer with an hour of ten devices in it, a broker and a subscriber: all are processes
of their own and real. The clock starts with the confirming frame, by that frame's own
time (``t`` of the picture of it), and stops when the subscriber has the alarm, and when
it has the last part of the last picture.
"""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from simulators.births import read_births
from tests.support.backlog import FIRST_UNIT, Backlog
from tests.support.cameras import RTSP
from tests.support.site_run import SiteRun, until
from tests.support.spawn import Spawned
from tests.support.witness import match

ALARM_S, PICTURE_S = 3.0, 10.0
SMOKE_S, NEXT_S = 15, 8
"""Smoke leaves the first stack so long into each minute, the others' later: a gateway
that starts slowly sees it a minute later."""


class Chain(SiteRun):
    """A site with cameras, name -> address."""

    def __init__(self, folder, urls, **options):
        super().__init__(folder, **options)
        self.urls = urls

    def document(self):
        cameras = {
            name: {"url": url, "heartbeat": "never"} for name, url in self.urls.items()
        }
        return super().document() | {"cameras": cameras}

    def records_at(self):
        """Every record of events and pictures, with UTC ms of its arrival."""
        offset_ms = time.time() * 1000 - time.monotonic_ns() / 1e6
        for message in self.witness.all():
            at_ms = message.at_ns / 1e6 + offset_ms
            if message.topic.endswith("/event"):
                yield from ((at_ms, record) for record in message.records)
            elif "/media/" in message.topic:
                yield at_ms, json.loads(message.payload.partition(b"\n")[0])

    def alarm(self, camera):
        """When the alarm of a camera came, and its record; None: not yet."""
        for at_ms, record in self.records_at():
            of_camera = record.get("values", {}).get("camera") == camera
            if record.get("type") == "smoke_seen" and of_camera:
                return at_ms, record
        return None

    def pictures(self, event):
        """Parts of what the alarm's first frame brought: (arrival, head).

        A camera that saw smoke from its first frame on has no picture of before.
        """
        parts = [
            (at_ms, head)
            for at_ms, head in self.records_at()
            if head["kind"] == "media" and head["event"] == event
        ]
        confirmed_ms = min(head["t"] for _, head in parts if head["role"] == "at")
        return confirmed_ms, [part for part in parts if part[1]["t"] <= confirmed_ms]


def whole(parts):
    """Whether the annotated picture and the clean one came, and no part is missing."""
    wanted = {head["n"]: head["parts"] for _, head in parts}
    return len(wanted) >= 2 and len(parts) == sum(wanted.values())


@pytest.mark.bars
@pytest.mark.needs(*RTSP)
@pytest.mark.sentence(5)
def test_smoke_is_an_alarm_at_the_platform_beside_an_hour_of_backlog(
    tmp_path, count, figure
):
    cameras, hour_s = count(1, 4), count(1200, 3600)
    backlog = Backlog(tmp_path, hour_s)
    with contextlib.ExitStack() as stack:
        devices = stack.enter_context(
            Spawned(
                *("simulators.modbus", "--bench", "10x10", "--tcp", 0),
                *("--start-ns", backlog.start_ns),
                *("--births", tmp_path / "births.jsonl"),
            )
        )
        urls = {}
        for n in range(cameras):
            one = stack.enter_context(
                Spawned(
                    *("simulators.camera", "works", "--rtsp", 0, "--seed", n + 1),
                    *("--event", f"dark@{SMOKE_S + NEXT_S * n}-55", "--every", 60),
                )
            )
            urls[f"stack-{n}"] = one.ready["urls"][0]
        site = stack.enter_context(
            Chain(
                tmp_path,
                urls,
                devices=10,
                points=10,
                every="1s",
                # 20 messages a second of 20 records: an hour takes a minute and a half.
                target={"batch_records": 20},
                ports={int(n): port for n, port in devices.ready["ports"].items()},
                start_ns=backlog.start_ns,
            )
        )
        site.gateway.start(limit_s=60)
        alarms, pictures, owed = {}, {}, {}
        for camera in site.urls:
            until(lambda c=camera: site.alarm(c), 90, f"the alarm of {camera}")
            owed[camera] = len(backlog.births) - sum(
                number
                for name, number in site.witness.verdict().devices.items()
                if int(name[6:]) > 100
            )
        until(
            lambda: site.witness.verdict().scans > len(backlog.births),
            300,
            "the whole backlog",
        )
        site.wait_complete()
        # By now all that any alarm brought has come.
        for camera in site.urls:
            at_ms, alarm = site.alarm(camera)
            confirmed_ms, parts = site.pictures(alarm["id"])
            assert whole(parts), parts
            alarms[camera] = (at_ms - confirmed_ms) / 1000
            pictures[camera] = (max(at for at, _ in parts) - confirmed_ms) / 1000
        records = site.witness.records()
        births = [*backlog.births, *read_births(tmp_path / "births.jsonl")]
        found = match(births, records, site.start_utc_ms)
        verdict = site.witness.verdict()

    figure("alarm_s", {name: round(s, 2) for name, s in alarms.items()})
    figure("last_picture_s", {name: round(s, 2) for name, s in pictures.items()})
    figure("owed_when_the_alarm_came", owed)
    assert max(alarms.values()) <= ALARM_S
    assert max(pictures.values()) <= PICTURE_S
    assert min(owed.values()) > 0, "the backlog was draining"
    assert (found.wrong, found.unborn) == ([], []), verdict.text()
    assert not [birth for birth in found.absent_scans if birth.unit >= FIRST_UNIT]
    assert (verdict.wrong, verdict.conflicts) == (0, 0), verdict.text()

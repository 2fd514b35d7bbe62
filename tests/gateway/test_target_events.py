"""What is told of platforms that refuse records or throw us off, and how often."""

from __future__ import annotations

import asyncio

import msgspec

from gateway.clock import Instant
from gateway.record import Event, Lost
from gateway.target_events import CALM_S, ONE_BY_ONE, WINDOW_S, TargetEvents
from gateway.uplink.condition import PumpHealth
from gateway.uplink.link import RefusedError, TakenOverError
from tests.support.virtual import run_virtual, virtual
from tests.support.virtual_site import VirtualSite

AT = Instant(1_763_712_000_000, 1, "b0070001", True)


class Told:
    """A sink that gives out seqs as the store does."""

    def __init__(self):
        self.records = []
        self.high = 1000
        self.about = TargetEvents(self, now=lambda: AT, high=lambda: self.high)

    def __call__(self, record):
        self.records.append(record)
        self.high += 1

    @property
    def events(self):
        return [record for record in self.records if isinstance(record, Event)]

    @property
    def lost(self):
        return [record for record in self.records if isinstance(record, Lost)]


@virtual
async def test_a_few_are_told_one_by_one_and_then_their_number():
    told = Told()

    for seq in range(1, 101):
        told.about.set_aside("city", seq, "too large")
    await asyncio.sleep(WINDOW_S + 1)

    assert [e.values["count"] for e in told.events] == [1] * ONE_BY_ONE + [
        100 - ONE_BY_ONE
    ]
    assert told.events[0].values["seq"] == 1
    assert told.events[-1].values["seq"] == 100
    assert set(told.events[-1].text) == {"zh", "en"}


@virtual
async def test_an_event_that_is_itself_refused_raises_no_other():
    told = Told()

    told.about.set_aside("city", 5, "refused")
    told.about.set_aside("city", told.high, "refused")
    told.about.set_aside("city", told.high - 1, "refused")

    assert len(told.events) == 1
    assert len(told.lost) == 1


@virtual
async def test_every_refused_seq_is_stated_as_lost():
    told = Told()

    for seq in range(1, 101):
        told.about.set_aside("city", seq, "too large")

    assert [(lost.first, lost.last) for lost in told.lost] == [
        (seq, seq) for seq in range(1, 101)
    ]
    assert {(lost.cause, lost.certain) for lost in told.lost} == {("refused", False)}


@virtual
async def test_a_taken_id_is_one_event_however_often_the_two_change_places():
    told = Told()
    health = PumpHealth(target="city")

    for _ in range(20):
        told.about.changed(msgspec.structs.replace(health, state="taken_over"))
        await asyncio.sleep(30)
        told.about.changed(msgspec.structs.replace(health, state="online"))
        await asyncio.sleep(10)
    assert [e.state for e in told.events] == ["raised"]
    await asyncio.sleep(CALM_S)

    assert [e.state for e in told.events] == ["raised", "cleared"]
    assert len({e.id for e in told.events}) == 1


def test_a_record_that_the_platform_refuses_is_an_event_at_the_platform(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=1) as site:
            site.platform.refuse = lambda _topic, payload: (
                RefusedError("no", blames_message=True)
                if b'{"seq":4,' in payload
                else None
            )
            await asyncio.sleep(60)
        return site.events()

    told = [e for e in run_virtual(main()) if e["type"] == "record_set_aside"]

    assert [e["values"]["seq"] for e in told] == [4]
    assert told[0]["values"]["target"] == "platform"
    assert told[0]["severity"] == "warning"


def test_a_platform_that_refuses_every_event_gets_no_endless_row_of_them(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=1) as site:
            site.platform.refuse = lambda topic, _payload: (
                RefusedError("no events", blames_message=True)
                if topic.endswith("/event")
                else None
            )
            site.endpoints["bus-0"].dead.add(1)
            await asyncio.sleep(60)
            site.endpoints["bus-0"].dead.clear()
            await asyncio.sleep(3600)
            return site.health()["targets"][0]["set_aside"]

    # Offline, online again, and one event for each of them.
    assert run_virtual(main()) == 4


def test_a_taken_id_is_an_event_at_the_platform(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=1) as site:
            for _ in range(60):
                await asyncio.sleep(1)
                site.platform.cut(TakenOverError("taken over"))
            await asyncio.sleep(120)
        return [e for e in site.events() if e["type"] == "client_id_taken"]

    told = run_virtual(main())

    assert [e["state"] for e in told] == ["raised", "cleared"]


def test_status_says_within_seconds_that_devices_answer(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            await asyncio.sleep(5)
            return site.platform.messages("/status")[-1].body["devices"]

    assert run_virtual(main()) == {"good": 2, "bad": 0}


def test_status_says_within_seconds_that_a_device_is_gone(tmp_path):
    async def main():
        async with VirtualSite(tmp_path, devices=2) as site:
            await asyncio.sleep(70)
            site.endpoints["bus-0"].dead.add(1)
            await asyncio.sleep(20)
            return site.platform.messages("/status")[-1].body["devices"]

    assert run_virtual(main()) == {"good": 1, "bad": 1}

"""One run for every broker: what the gateway asks of MQTT, step by step.

A broker that passes can be used. Add one with a class in ``tests/support/brokers.py``
and a line here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from gateway.uplink import session
from gateway.uplink.link import Terms
from gateway.uplink.mqtt import MqttConnector, _Broker
from gateway.uplink.paho_driver import V5, V311
from simulators.consumer import Consumer
from simulators.proxy import Proxy
from tests.support.brokers import Mosquitto, Nats, Subscriber, until
from tests.support.pump_site import PumpSite, target

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.model import MqttTarget
    from gateway.uplink.mqtt import MqttLink


@dataclass
class Bench:
    """A broker, a bad link before it, and the version of MQTT to speak."""

    server: Mosquitto | Nats
    proxy: Proxy
    version: str
    folder: Path

    def connector(self) -> Speaks:
        return Speaks(self.version)

    def site(self, **changes) -> PumpSite:
        return PumpSite(self.folder, self.proxy.port, self.connector(), **changes)


KEEPS = {
    Mosquitto: "persistence true\npersistence_location {folder}/\n",
    Nats: "",
}
"""What makes a broker keep sessions and retained messages over a restart."""


class Speaks(MqttConnector):
    """Begins with a version of MQTT instead of with the newest."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self._first = V5 if version == "5" else V311

    def __call__(self, target: MqttTarget, terms: Terms) -> MqttLink:
        key = (target.name, target.url)
        if key not in self._brokers:
            self._brokers[key] = _Broker(target)
            self._brokers[key].version = self._first
        return super().__call__(target, terms)


async def qos_1(bench: Bench) -> None:
    """Every record arrives, once, in order, and the cursor follows the proofs."""
    with Subscriber(bench.server.port, "ecogate/#") as reader:
        async with bench.site() as site:
            for _ in range(300):
                site.scan()
                await asyncio.sleep(0)
            await until(lambda: site.proved == 300)
            assert site.pump.health().version == f"MQTT {bench.version}"
            await until(lambda: len(reader.records()) == 300)

    by_lane = {}
    for message in reader.take():
        if message.topic.endswith("/data"):
            seqs = [record["seq"] for record in message.body["records"]]
            by_lane.setdefault(message.body["lane"], []).extend(seqs)
    assert sorted(chain.from_iterable(by_lane.values())) == list(range(1, 301))
    assert all(seqs == sorted(seqs) for seqs in by_lane.values())


async def retained(bench: Bench) -> None:
    """Who subscribes later is told how the gateway is and what its numbers mean."""
    async with bench.site() as site:
        site.scan()
        await until(lambda: site.proved == 1)
        with Subscriber(bench.server.port, "ecogate/#") as late:
            await until(lambda: len(late.take()) >= 2)
            kept = {m.topic.rsplit("/", 2)[-2 if "meta" in m.topic else -1]: m
                    for m in late.take()}  # fmt: skip

    assert all(message.retain for message in kept.values())
    assert kept["status"].body["state"] == "online"
    assert kept["meta"].body["meta"] == site.meta


async def will(bench: Bench) -> None:
    """A connection that breaks is told as lost, one that ends as stopped."""
    with Subscriber(bench.server.port, "ecogate/+/+/status") as reader:
        async with bench.site():
            await until(lambda: any(b"online" in m.payload for m in reader.take()))
            bench.proxy.cut()
            await until(lambda: b'"lost"' in reader.take()[-1].payload)
            await bench.proxy.heal()
            await until(lambda: b"online" in reader.take()[-1].payload)
        await until(lambda: any(b"stopped" in m.payload for m in reader.take()))


async def taken_over(bench: Bench) -> None:
    """A second connection with the same id ends the first."""
    terms = Terms("ecogate-site-07-p", "t/status", b'{"state":"lost"}')
    connector = bench.connector()
    first = connector(target(bench.server.port), terms)
    await first.connect()
    causes = []
    first.on_lost(causes.append)
    second = connector(target(bench.server.port), terms)
    await second.connect()
    await until(lambda: causes)
    await asyncio.wait_for(second.publish("t/data", b"{}"), 5)
    await first.close()
    await second.close()


async def receipts(bench: Bench) -> None:
    """Only the platform's own word resolves; what it refuses is set aside at last."""
    consumer = Consumer(
        from_seq=1, refuse=lambda r: "no" if r["values"] == {"x": 13.0} else None
    )
    with Subscriber(bench.server.port, "ecogate/#") as reader:

        def confirm() -> None:
            for topic, payload in consumer.receipts():
                reader._client.publish(topic, payload, qos=1)

        def hear() -> None:
            for message in reader.take()[hear.heard :]:
                consumer.feed(message.topic, message.payload, message.time_s * 1000)
                hear.heard += 1

        hear.heard = 0
        async with bench.site(receipts=True, receipt_wait_s=0.5) as site:
            for number in range(60):
                site.scan(x=13.0 if number == 30 else float(-number))
            await until(lambda: len(reader.records()) >= 60)
            assert site.proved == 0, "a PUBACK is no proof here"

            def settled() -> bool:
                hear()
                confirm()
                return site.proved == 60

            await until(settled)
        hear()

    assert [seq for seq, _ in site.aside] == [31]
    verdict = consumer.verdict()
    assert verdict.missing == verdict.conflicts == verdict.disordered == 0
    assert verdict.records == 59
    assert verdict.refused >= 2, "it is tried again before it is set aside"


async def large(bench: Bench) -> None:
    """A message as large as the gateway makes them arrives unbroken."""
    with Subscriber(bench.server.port, "ecogate/+/+/data") as reader:
        async with bench.site() as site:
            bench.proxy.pause()
            for number in range(40):
                site.scan(text=f"{number}" + "长" * 10_000)
            bench.proxy.go_on()
            await until(lambda: site.proved == 40)
            await until(lambda: len(set(reader.records_seqs())) == 40)

    assert max(len(message.payload) for message in reader.take()) > 60_000
    said = {r["seq"]: r["values"]["text"] for r in reader.records()}
    assert said == {n + 1: f"{n}" + "长" * 10_000 for n in range(40)}


async def restart(bench: Bench) -> None:
    """The broker stops and starts: nothing is lost, and it knows the gateway again."""
    with Subscriber(bench.server.port, "ecogate/#") as reader:
        async with bench.site() as site:
            site.scan()
            await until(lambda: site.proved == 1)
            await asyncio.to_thread(bench.server.stop)
            for _ in range(50):
                site.scan()
            await asyncio.to_thread(bench.server.again)
            await until(lambda: site.proved == 51)
            with Subscriber(bench.server.port, "ecogate/#", name="late") as late:
                await until(lambda: len(late.take()) >= 2)
                states = [m.body for m in late.take() if m.topic.endswith("status")]
                assert states[-1]["state"] == "online"
                assert any("/meta/" in message.topic for message in late.take())
            await until(lambda: set(reader.records_seqs()) == set(range(1, 52)))


async def bad_line(bench: Bench) -> None:
    """Proofs and messages lost, cut in their middle: all arrive, repeats alike."""
    consumer = Consumer(from_seq=1)
    with Subscriber(bench.server.port, "ecogate/#") as reader:
        async with bench.site(in_flight=5, batch_records=3) as site:
            faults = bench.proxy.faults
            for number in range(120):
                site.scan(x=number)
                await asyncio.sleep(0.005)
                if number in (20, 60):
                    faults.cut_at = 2
                if number == 90:
                    bench.proxy.drop_acks = True
                if number == 100:
                    bench.proxy.drop_acks = False
                    bench.proxy.drop()
            await until(lambda: site.proved == 120)
            await until(lambda: len(set(reader.records_seqs())) == 120)
        for message in reader.take():
            consumer.feed(message.topic, message.payload, message.time_s * 1000)

    assert faults.counts.cut_mid_packet == 2
    verdict = consumer.verdict()
    assert verdict.missing == verdict.conflicts == verdict.disordered == 0
    assert verdict.duplicates <= 5 * 3 * 3


STEPS = (qos_1, retained, will, taken_over, receipts, large, restart, bad_line)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize(
    ("broker", "version"),
    [
        pytest.param(Mosquitto, "5", marks=pytest.mark.needs("mosquitto")),
        pytest.param(Mosquitto, "3.1.1", marks=pytest.mark.needs("mosquitto")),
        pytest.param(Nats, "3.1.1"),
    ],
    ids=["mosquitto-5", "mosquitto-3.1.1", "nats-3.1.1"],
)
async def test_a_broker_does_what_the_gateway_asks_of_it(
    broker, version, step, tmp_path, monkeypatch
):
    # What a receipt refused is looked at again by this beat; a test need not wait.
    monkeypatch.setattr(session, "TICK_S", 0.3)
    folder = tmp_path / "broker"
    with broker(folder, KEEPS[broker].format(folder=folder)) as server:
        async with Proxy("127.0.0.1", server.port) as proxy:
            await step(Bench(server, proxy, version, tmp_path))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("broker", "version"),
    [
        pytest.param(Mosquitto, "5", marks=pytest.mark.needs("mosquitto")),
        # Found out by connections that end: that takes its time.
        pytest.param(
            *(Mosquitto, "3.1.1"),
            marks=[pytest.mark.needs("mosquitto"), pytest.mark.bars],
        ),
        pytest.param(Nats, "3.1.1", marks=pytest.mark.bars),
    ],
    ids=["mosquitto-5", "mosquitto-3.1.1", "nats-3.1.1"],
)
async def test_a_brokers_limit_sets_one_record_aside_and_the_rest_flows(
    broker, version, tmp_path
):
    """MQTT 5 announces the limit; without, the broker hangs up on what is too large."""
    limit = {Mosquitto: "max_packet_size 10000", Nats: "max_payload: 10000"}
    with (
        broker(tmp_path / "broker", limit[broker]) as server,
        Subscriber(server.port, "ecogate/+/+/data") as reader,
    ):
        async with PumpSite(tmp_path, server.port, Speaks(version)) as site:
            site.scan(text="x" * 20_000)
            for _ in range(100):
                site.scan()
            await until(lambda: site.proved == 101, 50)
            await until(lambda: len(set(reader.records_seqs())) == 100)

    assert [seq for seq, _ in site.aside] == [1]

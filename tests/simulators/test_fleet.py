"""A fleet in one process does what gateways do, and a shared intake adds it up."""

from __future__ import annotations

import argparse
import json

import pytest

from simulators import gateways, subscribers
from simulators.broker import Broker
from simulators.consumer import Consumer
from simulators.fleet import Fleet, Plan
from simulators.made_up import MadeUp, Scan
from tests.support.mqtt_schema import errors
from tests.support.spawn import Spawned

BROKERS = [
    pytest.param("mosquitto", "5", marks=pytest.mark.needs("mosquitto")),
    pytest.param("mosquitto", "3.1.1", marks=pytest.mark.needs("mosquitto")),
    ("nats", "3.1.1"),
]


def run_fleet(port, *options):
    with Spawned("simulators.gateways", "--port", port, *options) as fleet:
        output, errors = fleet.process.communicate(timeout=60)
    assert fleet.process.returncode == 0, (output, errors)
    return {said["phase"]: said for said in map(json.loads, output.splitlines())}


def test_what_a_made_up_gateway_says_is_as_documented() -> None:
    words = MadeUp(7, prefix="p", values=12, every_s=5, store="5f2c9a01")
    consumer = Consumer(from_seq=1)
    messages = [
        ("p/sim-00007/meta/a7c0ffee", words.meta()),
        ("p/sim-00007/status", words.status("online", 5, 3, 0)),
        ("p/sim-00007/status", words.status("lost", 5, 3, 0)),
        (
            "p/sim-00007/data",
            words.data("live", [Scan(n, 5000 * n) for n in range(1, 4)], 99),
        ),
    ]
    for topic, payload in messages:
        assert errors(topic, payload) == []
        consumer.feed(topic, payload, 16_000)

    verdict = consumer.verdict()
    assert verdict.clean, verdict.text()
    assert (verdict.records, verdict.values) == (3, 36)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("kind", "version"), BROKERS)
def test_every_record_of_a_fleet_arrives_through_a_storm(
    kind, version, tmp_path
) -> None:
    # nats-server takes a shared subscription over MQTT for a topic of that name.
    intake = ["--filter", "ecogate/v1/#"] if kind == "nats" else ["--count", 3]
    with (
        Broker.start(tmp_path, kind=kind) as broker,
        Spawned(
            "simulators.subscribers",
            *("--port", broker.port, "--version", version, *intake),
        ) as platform,
    ):
        said = run_fleet(
            broker.port,
            *("--version", version, "--gateways", 40, "--every", 0.4, "--ramp", 400),
            *("--seconds", 0.8, "--away", 0.5, "--records", 2),
        )
        platform.stop()
        end = json.loads(platform.output.splitlines()[-1])

    verdict = end["verdict"]
    proved = sum(phase["records"] for phase in said.values())
    assert said["connect"]["connects"] == said["storm"]["connects"] == 40
    assert said["storm"]["backlog_records"] >= 20
    assert verdict["records"] >= proved > 120
    assert verdict["missing"] == verdict["conflicts"] == verdict["unreadable"] == 0
    assert verdict["unexplained_slots"] == 0
    if kind == "mosquitto":
        assert min(end["messages_each"]) > 0, "the broker shares them out"


@pytest.mark.needs("mosquitto")
def test_flooding_says_what_the_broker_takes(tmp_path) -> None:
    with Broker.start(tmp_path, kind="mosquitto") as broker:
        said = run_fleet(
            broker.port,
            *("--gateways", 10, "--every", 0, "--seconds", 0.5, "--records", 10),
        )

    assert said["steady"]["messages_per_s"] > 100
    assert said["steady"]["records_per_s"] == pytest.approx(
        10 * said["steady"]["messages_per_s"], rel=0.01
    )
    assert said["steady"]["puback_ms"]["live"]["p99"] > 0


async def test_a_broker_that_is_not_there_is_tried_again_and_counted() -> None:
    fleet = Fleet(Plan(port=1, gateways=3, retry_s=(0.01, 0.02)))
    with pytest.raises(TimeoutError):
        await fleet.until_connected(0)
    fleet._start(fleet.gateways[0])
    with pytest.raises(TimeoutError):
        await fleet.until_connected(0.1)
    assert fleet.phase.refused > 2
    await fleet.close()


def test_too_few_open_files_are_said_before_anything_starts(monkeypatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (100, 200))
    with pytest.raises(SystemExit, match="1000 connections need 1064 open files"):
        gateways.open_files(1000)
    raised = []
    monkeypatch.setattr("resource.setrlimit", lambda _, pair: raised.append(pair))
    gateways.open_files(100)
    assert raised == [(164, 200)]


def test_the_options_become_a_plan() -> None:
    options = gateways.parse(["--version", "3.1.1", "--every", "0"])
    assert isinstance(options, argparse.Namespace)
    assert gateways.plan_of(options) == Plan(v5=False, every_s=0.0)
    assert subscribers.parse([]).group == "city"

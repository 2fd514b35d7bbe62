"""Real brokers on free ports, and the consumer as a process against them."""

from __future__ import annotations

import json
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from simulators.bench import identity
from simulators.broker import Broker
from tests.support.spawn import Spawned

KINDS = [
    pytest.param("nats"),
    pytest.param("mosquitto", marks=pytest.mark.needs("mosquitto")),
]


def publish(port, topic, *payloads, retain=False) -> None:
    """Publish with QoS 1 and wait for each acknowledgement."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for payload in payloads:
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def so_far(platform, count):
    """The first of its verdicts so far in which this count is not zero."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        verdict = json.loads(platform.process.stdout.readline())["so_far"]
        if verdict[count]:
            return verdict
    raise AssertionError(f"{count} stayed zero for 10 s")


@pytest.mark.parametrize("kind", KINDS)
def test_retained_messages_outlive_a_restart_on_the_same_port(tmp_path, kind) -> None:
    with Broker.start(tmp_path, kind=kind) as broker:
        port = broker.port
        publish(port, "ecogate/v1/g/status", b'{"gw":"g"}', retain=True)
        broker.stop()
        with pytest.raises(ConnectionRefusedError):
            publish(port, "x", b"y")
        broker.again()
        assert broker.port == port
        args = ("--port", port, "--json", "--every", 0.1)
        with Spawned("simulators.platform", *args) as platform:
            # The retained message came first, so this one is through when it is said.
            assert platform.ready["subscribed"]
            publish(port, "ecogate/v1/g/data", b"{}")
            verdict = so_far(platform, "unreadable")
            assert platform.stop() == 1
        assert "ecogate/v1/g/data (retained: False)" in verdict["examples"][0]
        assert json.loads(platform.output.splitlines()[-1])["verdict"]["clean"] is False


def test_a_platform_gives_its_verdict_in_words_and_exits_zero_when_clean(
    tmp_path,
) -> None:
    with Broker.start(tmp_path) as broker:
        start_ms = int(time.time() * 1000)
        args = ("--port", broker.port, "--start-utc-ms", start_ms, "--every", 0.1)
        with Spawned("simulators.platform", *args) as platform:
            message = {"v": 1, "gw": "g", "store": "s", "meta": "m", "lane": "live",
                       "sent": 0, "records": [
                           {"seq": 1, "kind": "scan", "device": "bench-2",
                            "t": start_ms, "values": {"r0": 0, "r2": identity(2, 2)}},
                       ]}  # fmt: skip
            payload = json.dumps(message).encode()
            publish(broker.port, "ecogate/v1/g/data", payload)
            so_far(platform, "records")
            assert platform.stop() == 0
        assert "verdict     clean" in platform.output


def test_a_missing_program_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("simulators.broker._ADMIN_PATHS", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    broker = Broker(tmp_path, kind="mosquitto")

    with pytest.raises(FileNotFoundError, match="install the system package mosquitto"):
        broker.again()


def test_a_broker_that_cannot_start_says_why(tmp_path, monkeypatch) -> None:
    with Broker.start(tmp_path / "a") as first:
        second = Broker(tmp_path / "b", port=first.port)

        with pytest.raises(RuntimeError, match="cannot listen"):
            second.again()
        third = Broker(tmp_path / "c")
        monkeypatch.setattr("simulators.broker._NATS", "no {{ configuration")
        with pytest.raises(RuntimeError, match=r"ended with 1; it said"):
            third.again()

"""What a platform sends us, from real brokers."""

from __future__ import annotations

import asyncio
import logging
import socket

import paho.mqtt.client as paho
import pytest

from gateway.config.model import MqttTarget
from gateway.uplink.link import INBOUND_MAX, CredentialsError, Terms
from gateway.uplink.mqtt import MqttConnector
from tests.support.brokers import Mosquitto, Nats, until

BROKERS = [
    pytest.param(Mosquitto, marks=pytest.mark.needs("mosquitto"), id="mosquitto-5"),
    pytest.param(Nats, id="nats-3.1.1"),
]
TERMS = Terms("ecogate-site-07-p", "t/status", b'{"state":"lost"}')
TOPIC = "ecogate/v1/site-07/receipt"


class Platform:
    """Sends to us, by paho in a thread."""

    def __init__(self, port):
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def send(self, payload, topic=TOPIC):
        self.client.publish(topic, payload, qos=1).wait_for_publish(10)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.client.disconnect()
        self.client.loop_stop()


def made(port, callback, topic=TOPIC):
    target = MqttTarget(name="p", host="127.0.0.1", port=port)
    link = MqttConnector()(target, TERMS)
    link.subscribe(topic, callback)
    return link


@pytest.mark.parametrize("broker", BROKERS)
async def test_messages_come_in_order_while_we_send(broker, tmp_path):
    came = []
    with broker(tmp_path / "broker") as server, Platform(server.port) as platform:
        link = made(server.port, came.append)
        await link.connect()

        def talk():
            for n in range(200):
                platform.send(b"%d" % n)
                platform.send(b"not ours", "ecogate/v1/site-07/other")

        talking = asyncio.create_task(asyncio.to_thread(talk))
        for _ in range(200):
            await link.publish("t/data", b"x" * 500)
        await talking
        await until(lambda: len(came) == 200)
        await link.close()

    assert came == [b"%d" % n for n in range(200)]


@pytest.mark.needs("mosquitto")
async def test_what_came_is_acknowledged(tmp_path):
    # With a window of one the second would never come.
    came = []
    extra = "max_inflight_messages 1"
    with (
        Mosquitto(tmp_path / "broker", extra) as server,
        Platform(server.port) as platform,
    ):
        link = made(server.port, came.append)
        await link.connect()
        for n in range(20):
            await asyncio.to_thread(platform.send, b"%d" % n)
        await until(lambda: len(came) == 20)
        await link.close()


@pytest.mark.parametrize("broker", BROKERS)
async def test_a_message_too_large_is_not_taken_and_the_next_one_is(
    broker, tmp_path, caplog
):
    caplog.set_level(logging.WARNING)
    came = []
    with broker(tmp_path / "broker") as server, Platform(server.port) as platform:
        link = made(server.port, came.append)
        await link.connect()
        for size in (INBOUND_MAX + 5_000, INBOUND_MAX + 5_000, INBOUND_MAX):
            await asyncio.to_thread(platform.send, b"x" * size)
        await until(lambda: came)
        await link.close()

    assert [len(payload) for payload in came] == [INBOUND_MAX]
    assert len(caplog.records) <= 1


@pytest.mark.parametrize("broker", BROKERS)
async def test_an_error_in_the_callback_does_not_stop_the_link(broker, tmp_path):
    errors, came = [], []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: errors.append(context))

    def callback(payload):
        if payload == b"bad":
            raise ValueError(payload)
        came.append(payload)

    with broker(tmp_path / "broker") as server, Platform(server.port) as platform:
        link = made(server.port, callback)
        await link.connect()
        await asyncio.to_thread(platform.send, b"bad")
        await asyncio.to_thread(platform.send, b"good")
        await until(lambda: came == [b"good"])
        await link.publish("t/data", b"x")
        await link.close()

    assert len(errors) == 1


async def test_a_subscription_that_is_refused_says_which_topic():
    async def serve(reader, writer):
        await reader.read(500)
        writer.write(b"\x20\x03\x00\x00\x00")  # CONNACK, MQTT 5, 3.2
        subscribe = await reader.read(500)
        # SUBACK, not authorized, MQTT 5, 3.9
        writer.write(b"\x90\x04" + subscribe[2:4] + b"\x00\x87")
        await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
    async with server:
        link = made(server.sockets[0].getsockname()[1], print)
        with pytest.raises(
            CredentialsError,
            match=rf"no subscription to {TOPIC}: Not authorized: let this user read",
        ):
            await link.connect()
        await link.close()

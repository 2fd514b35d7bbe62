"""TCP connections to a platform: addresses in turn, names remembered."""

from __future__ import annotations

import socket
import threading

import pytest

from gateway.config.model import MqttTarget
from gateway.uplink import dial, mqtt, paho_driver
from gateway.uplink.dial import Dialer
from gateway.uplink.link import ConnectError, SetupError, Terms
from gateway.uplink.mqtt import MqttConnector
from tests.support.tls_brokers import free_port

LIMITS = {"each_s": 2.0, "all_s": 4.0}
TERMS = Terms("id", "t/status", b"{}")


def resolver(monkeypatch, answer):
    """Names lead where ``answer`` says; returns the names asked for."""
    asked = []

    def resolve(host, port, **_):
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in answer()
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_an_address_needs_neither_resolver_nor_thread(monkeypatch, listening):
    asked = resolver(monkeypatch, lambda: [])
    monkeypatch.setattr(threading.Thread, "start", None)

    opened = await Dialer("127.0.0.1", listening).open(**LIMITS)
    with pytest.raises(ConnectionRefusedError, match="Connection refused"):
        await Dialer("127.0.0.1", free_port()).open(**LIMITS)

    assert opened.getpeername() == ("127.0.0.1", listening)
    assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert asked == []
    opened.close()


async def test_all_addresses_of_a_name_are_tried(monkeypatch, listening):
    resolver(monkeypatch, lambda: ["127.0.0.2", "127.0.0.1"])

    opened = await Dialer("broker.test", listening).open(**LIMITS)

    assert opened.getpeername() == ("127.0.0.1", listening)
    opened.close()


async def test_an_address_that_says_nothing_leaves_time_for_the_others(
    monkeypatch, listening
):
    # A full backlog: the kernel drops what else wants to connect.
    with socket.create_server(("127.0.0.9", listening), backlog=0) as deaf:
        filled = [socket.socket() for _ in range(4)]
        for sock in filled:
            sock.setblocking(False)
            sock.connect_ex(deaf.getsockname())
        resolver(monkeypatch, lambda: ["127.0.0.9", "127.0.0.1"])
        opened = await Dialer("broker.test", listening).open(each_s=2.0, all_s=0.4)

        assert opened.getpeername() == ("127.0.0.1", listening)
        with pytest.raises(TimeoutError):
            await Dialer("127.0.0.9", listening).open(each_s=0.1, all_s=0.4)
        for sock in (opened, *filled):
            sock.close()


async def test_a_name_is_asked_for_again_only_after_a_moment(monkeypatch):
    asked = resolver(monkeypatch, lambda: ["127.0.0.1"])
    dialer = Dialer("broker.test", free_port())
    for fresh_s, count in ((60.0, 1), (0.0, 3)):
        monkeypatch.setattr(dial, "FRESH_S", fresh_s)
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                await dialer.open(**LIMITS)
        assert len(asked) == count


async def test_the_last_good_answer_stands_in_for_a_resolver_that_fails(
    monkeypatch, listening
):
    answers = [["127.0.0.1"]]

    def answer():
        if not answers:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return answers.pop()

    asked = resolver(monkeypatch, answer)
    monkeypatch.setattr(dial, "FRESH_S", 0.0)
    dialer = Dialer("broker.test", listening)

    for _ in range(2):
        (await dialer.open(**LIMITS)).close()
    monkeypatch.setattr(dial, "KEPT_S", 0.0)
    with pytest.raises(socket.gaierror):
        await dialer.open(**LIMITS)

    assert len(asked) == 3


async def test_a_slow_resolver_is_asked_once_and_not_waited_for(monkeypatch, listening):
    slow = threading.Event()
    answers = iter([lambda: None, slow.wait, slow.wait])

    def answer():
        next(answers)()
        return ["127.0.0.1"]

    asked = resolver(monkeypatch, answer)
    monkeypatch.setattr(dial, "FRESH_S", 0.0)
    monkeypatch.setattr(dial, "PATIENCE_S", 0.02)
    dialer = Dialer("broker.test", listening)
    try:
        for _ in range(4):
            (await dialer.open(**LIMITS)).close()
        assert len(asked) == 2
    finally:
        slow.set()


async def test_a_dead_broker_is_told_apart_from_files_that_are_wrong(tmp_path):
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("word")
    target = MqttTarget(
        name="city",
        host="127.0.0.1",
        port=free_port(),
        username="u",
        password_file=secret,
    )
    connector = MqttConnector()
    prepared = []
    prepare = mqtt.MqttLink._prepare
    made = []

    class Counted(mqtt.MqttLink):
        def _prepare(self):
            prepared.append(self)
            return prepare(self)

    class Driver(paho_driver.PahoDriver):
        def __init__(self, *args):
            made.append(self)
            super().__init__(*args)

    def link():
        broker = connector(target, TERMS)._broker
        return Counted(target, TERMS, broker, lambda: 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mqtt, "PahoDriver", Driver)
        for _ in range(3):
            with pytest.raises(ConnectError, match="refused"):
                await link().connect()
        # Read once: afterwards a failed attempt only looks whether the file changed.
        assert (len(prepared), made) == (1, [])
        secret.chmod(0o644)
        for _ in range(2):
            with pytest.raises(SetupError, match="chmod"):
                await link().connect()
        secret.chmod(0o600)
        with pytest.raises(ConnectError, match="refused"):
            await link().connect()
    assert (len(prepared), made) == (4, [])

"""TLS against real brokers: what connects, and that nothing else does."""

from __future__ import annotations

import asyncio
import re
import ssl
import time

import pytest
import uvloop

from gateway.config.model import MqttTarget
from gateway.texts.field import worded
from gateway.uplink import mqtt, paho_driver
from gateway.uplink.link import (
    ConnectError,
    LinkLostError,
    RenewedError,
    SetupError,
    Terms,
)
from gateway.uplink.mqtt import MqttConnector
from simulators.broker import free_port
from simulators.proxy import Proxy
from tests.support.brokers import Mosquitto, until
from tests.support.certificates import Authority, exchange
from tests.support.tls_brokers import (
    WEBSOCKETS,
    WRONG,
    TlsMosquitto,
    TlsNats,
    old_server,
    wrong,
)

TERMS = Terms("ecogate-site-07-p", "t/status", b'{"state":"lost"}')
DAY_MS = 86_400_000
mosquitto_only = pytest.mark.needs("mosquitto")


BROKERS = [
    pytest.param(TlsMosquitto, marks=mosquitto_only, id="mosquitto"),
    pytest.param(TlsNats, id="nats"),
]


@pytest.fixture(scope="module")
def authority():
    return Authority("our authority")


@pytest.fixture
def ca(authority, tmp_path):
    return authority.save(tmp_path / "ca.crt")


@pytest.fixture
def server(authority, tmp_path):
    return authority.issue(tmp_path / "server")


def target(port, ca_file, **changes):
    settings = {"transport": "mqtts", "host": "127.0.0.1", **changes}
    return MqttTarget(name="p", port=port, ca_file=ca_file, **settings)


async def round_trip(conf, connector=None, terms=TERMS):
    """Connect, send ourselves a message, close; the version spoken."""
    link = (connector or MqttConnector())(conf, terms)
    came = []
    link.subscribe("t/back", came.append)
    try:
        limits = await link.connect()
        for n in range(20):
            await asyncio.wait_for(link.publish("t/back", b"%d" % n), 5)
        await until(lambda: len(came) == 20)
    finally:
        await link.close()
    return limits.version


async def refused(conf, connector=None, terms=TERMS):
    """The error that a connection ends with."""
    link = (connector or MqttConnector())(conf, terms)
    with pytest.raises(ConnectError) as caught:
        await link.connect()
    await link.close()
    assert re.search("[\u4e00-\u9fff]", worded(str(caught.value), "zh")), caught.value
    return caught.value


# -- what connects ----------------------------------------------------------


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("kind", BROKERS)
def test_messages_travel_both_ways(runner, kind, server, ca, tmp_path):
    with kind(tmp_path / "broker", server) as broker:
        version = runner(round_trip(target(broker.port, ca)))

    assert version == ("MQTT 5" if kind is TlsMosquitto else "MQTT 3.1.1")


@mosquitto_only
async def test_websockets_plain_and_encrypted_on_mosquitto(server, ca, tmp_path):
    with TlsMosquitto(tmp_path / "a", server, WEBSOCKETS.format(free_port())) as broker:
        assert await round_trip(target(broker.port, ca, transport="wss"))
    with Mosquitto(tmp_path / "b", WEBSOCKETS.format(free_port())) as broker:
        assert await round_trip(target(broker.port, None, transport="ws"))


async def test_websockets_encrypted_on_nats(server, ca, tmp_path):
    with TlsNats(tmp_path / "broker", server, websocket=True) as broker:
        assert await round_trip(target(broker.port, ca, transport="wss"))
        error = await refused(
            target(broker.port, ca, transport="wss", ws_path="/elsewhere/")
        )

    assert "websocket" in str(error) or "hung up" in str(error)


@pytest.mark.parametrize("kind", BROKERS)
async def test_both_sides_show_a_certificate(kind, authority, server, ca, tmp_path):
    ours = authority.issue(tmp_path / "ours", "site-07", password="opens the key")  # noqa: S106
    secret = tmp_path / "key-password"
    secret.touch(0o600)
    secret.write_text("opens the key\n")
    with kind(tmp_path / "broker", server, _wants_certificate(kind, ca)) as broker:
        conf = target(
            broker.port,
            ca,
            cert_file=ours.cert,
            key_file=ours.key,
            key_password_file=secret,
        )
        assert await round_trip(conf)


def _wants_certificate(kind, ca):
    if kind is TlsMosquitto:
        return f"cafile {ca}\nrequire_certificate true"
    return f', ca_file: "{ca}", verify: true'


async def test_an_intermediate_authority_is_followed_to_its_root(
    authority, ca, tmp_path
):
    between = Authority("between", authority)
    server = between.issue(tmp_path / "server")
    with TlsNats(tmp_path / "broker", server) as broker:
        assert await round_trip(target(broker.port, ca))


# -- what does not ----------------------------------------------------------


SAID = {
    "wrong ca": "nobody we trust has signed",
    "system cas": "nobody we trust has signed",
    "chain incomplete": "intermediate certificates",
    "self-signed": "signed by itself",
    "wrong name": "another name than 127.0.0.1",
    "expired": "has expired by our clock, which says 20",
    "intermediate expired": "has expired by our clock",
    "not yet": r"check the clock \(NTP, GNSS, battery\) first",
    "no certificate of ours": "wants a certificate of ours",
    "wrong certificate of ours": "does not take our certificate",
    "our certificate expired": "does not take our certificate",
}


@mosquitto_only
@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_is_refused_and_named(case, authority, ca, tmp_path):
    conf, server, extra = wrong(case, authority, ca, tmp_path)
    with TlsMosquitto(tmp_path / "broker", server, extra) as broker:
        error = await refused(target(broker.port, **conf))

    assert isinstance(error, SetupError)
    assert error.cause == WRONG[case]
    assert re.search(SAID[case], str(error)), error


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_tls_is_refused(version, server, ca):
    with old_server(server, version) as port:
        error = await refused(target(port, ca))

    assert error.cause == "tls_version", error
    assert "older than 1.2" in str(error)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_a_tls_1_2_broker_that_wants_our_certificate_says_so(server, ca):
    # Before 1.3 the refusal comes inside the handshake, by another alert.
    with old_server(server, "TLSv1_2", ca) as port:
        error = await refused(target(port, ca))

    assert error.cause == "tls_client", error


@mosquitto_only
async def test_a_broker_without_tls_is_named_after_three_tries(ca, tmp_path):
    with Mosquitto(tmp_path / "broker") as broker:
        connector = MqttConnector()
        errors = [await refused(target(broker.port, ca), connector) for _ in range(3)]

    assert [error.cause for error in errors] == ["", "", "tls_no_tls"]
    assert "does it speak TLS on this port" in str(errors[2])


async def test_a_server_that_answers_in_plain_text_is_named_at_once(ca):
    async def serve(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        error = await refused(target(listening.sockets[0].getsockname()[1], ca))

    assert error.cause == "tls_no_tls"


async def test_a_server_that_says_nothing_does_not_hold_us(ca, monkeypatch):
    monkeypatch.setattr(paho_driver, "CONNECT_S", 0.3)

    async def serve(reader, writer):
        await reader.read()
        writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        for transport in ("mqtts", "wss", "ws"):
            conf = target(
                listening.sockets[0].getsockname()[1], ca, transport=transport
            )
            began = time.monotonic()
            await refused(conf)
            assert time.monotonic() - began < 3


@mosquitto_only
async def test_plain_mqtt_on_a_tls_port_is_told(server, ca, tmp_path, monkeypatch):
    with TlsMosquitto(tmp_path / "broker", server) as broker:
        monkeypatch.setattr(paho_driver, "TLS_PORTS", {broker.port})
        error = await refused(target(broker.port, None, transport="mqtt"))

    assert "wants TLS (mqtts:// or wss://)" in str(error)


@pytest.mark.parametrize(
    ("change", "cause", "said"),
    [
        ("other key", "tls_files", "do not belong together"),
        ("wrong password", "tls_files", "the key's password is wrong"),
        ("no password", "secret", "name its password by key_password_file"),
        ("no key", "tls_files", "expected certificate and key in PEM"),
        ("key for all", "secret", "chmod g-w,o-rwx"),
        ("ca for all", "secret", "chmod o-w"),
        ("no ca", "tls_files", "holds no certificate in PEM"),
        ("absent", "secret", "cert: the file it names cannot be read: No such file"),
    ],
)
async def test_files_that_cannot_be_used_are_told_before_anybody_is_asked(
    change, cause, said, authority, ca, tmp_path, monkeypatch
):
    ours = authority.issue(tmp_path / "ours", "site-07", password="opens the key")  # noqa: S106
    monkeypatch.setenv("KEY", "no" if change == "wrong password" else "opens the key")
    conf = {"cert_file": ours.cert, "key_file": ours.key, "key_password_env": "KEY"}
    match change:
        case "other key":
            conf["key_file"] = authority.issue(tmp_path / "other", "x").key
        case "no password":
            del conf["key_password_env"]
        case "no key":
            ours.key.write_text("no key at all")
        case "key for all":
            ours.key.chmod(0o644)
        case "ca for all":
            ca.chmod(0o666)
        case "no ca":
            ca.write_text("nothing")
        case "absent":
            conf["cert_file"] = tmp_path / "nothing"

    error = await refused(target(1, ca, **conf))

    assert isinstance(error, SetupError)
    assert error.cause == cause
    assert said in str(error)


# -- the clock --------------------------------------------------------------


async def test_a_clock_at_1970_still_connects_by_the_floor(authority, ca, tmp_path):
    floor = time.time_ns() // 1_000_000 - 30 * DAY_MS
    server = authority.issue(tmp_path / "server", days=(-60, 60))
    connector = MqttConnector(lambda: 0)
    with TlsNats(tmp_path / "broker", server) as broker:
        terms = Terms("c", "t/status", b"{}", floor_ms=floor)
        assert await round_trip(target(broker.port, ca), connector, terms)


async def test_one_issued_after_the_floor_connects_too(authority, ca, tmp_path):
    # The broker's was renewed while the gateway had no power.
    floor = time.time_ns() // 1_000_000 - 300 * DAY_MS
    server = authority.issue(tmp_path / "server", days=(-1, 60))
    with TlsNats(tmp_path / "broker", server) as broker:
        terms = Terms("c", "t/status", b"{}", floor_ms=floor)
        assert await round_trip(
            target(broker.port, ca), MqttConnector(lambda: 0), terms
        )


@pytest.mark.parametrize("who", ["server", "intermediate", "root"])
async def test_what_ended_before_the_floor_is_refused_at_1970(who, tmp_path):
    past, fine = (-100, -40), (-100, 40)
    root = Authority("root", days=past if who == "root" else fine)
    between = Authority("between", root, days=past if who == "intermediate" else fine)
    server = between.issue(tmp_path / "server", days=past if who == "server" else fine)
    floor = time.time_ns() // 1_000_000 - 30 * DAY_MS
    with TlsNats(tmp_path / "broker", server) as broker:
        error = await refused(
            target(broker.port, root.save(tmp_path / "root.crt")),
            MqttConnector(lambda: 0),
            Terms("c", "t/status", b"{}", floor_ms=floor),
        )

    assert error.cause == "tls_expired"
    assert "which is surely past" in str(error)


@pytest.mark.parametrize(
    ("case", "cause"),
    [
        ("wrong ca", "tls_authority"),
        ("self-signed", "tls_self_signed"),
        ("wrong name", "tls_name"),
    ],
)
async def test_all_else_is_verified_at_1970_as_ever(
    case, cause, authority, ca, tmp_path
):
    conf, server, _ = wrong(case, authority, ca, tmp_path)
    terms = Terms("c", "t/status", b"{}", floor_ms=time.time_ns() // 1_000_000)
    with TlsNats(tmp_path / "broker", server) as broker:
        error = await refused(
            target(broker.port, **conf), MqttConnector(lambda: 0), terms
        )

    assert error.cause == cause


async def test_a_clock_above_the_floor_judges_by_itself_again(authority, ca, tmp_path):
    now = time.time_ns() // 1_000_000
    server = authority.issue(tmp_path / "server", days=(-60, -1))
    clock = [0]
    connector = MqttConnector(lambda: clock[0])
    terms = Terms("c", "t/status", b"{}", floor_ms=now - 30 * DAY_MS)
    with TlsNats(tmp_path / "broker", server) as broker:
        conf = target(broker.port, ca)
        assert await round_trip(conf, connector, terms)
        clock[0] = now
        error = await refused(conf, connector, terms)

    assert error.cause == "tls_expired"


async def test_a_python_that_hides_the_chain_trusts_nobody(
    server, ca, tmp_path, monkeypatch
):
    monkeypatch.setattr(ssl, "cert_time_to_seconds", lambda _text: None)
    terms = Terms("c", "t/status", b"{}", floor_ms=time.time_ns() // 1_000_000)
    with TlsNats(tmp_path / "broker", server) as broker:
        error = await refused(target(broker.port, ca), MqttConnector(lambda: 0), terms)

    assert error.cause == "tls_not_yet"
    assert "set the clock" in str(error)


# -- large messages, slow lines ---------------------------------------------


def mqtts_on_mosquitto(folder, server):
    return TlsMosquitto(folder, server), 200_000


def wss_on_nats(folder, server):
    return TlsNats(folder, server, websocket=True), 200_000


def ws_on_mosquitto(folder, server):
    # 2.0.11 sends 4 kB every 100 ms on a websocket, whoever listens.
    return Mosquitto(folder, WEBSOCKETS.format(free_port())), 2_000


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(mqtts_on_mosquitto, marks=mosquitto_only),
        wss_on_nats,
        pytest.param(ws_on_mosquitto, marks=mosquitto_only),
    ],
)
@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_large_messages_do_not_stall(runner, make, server, ca, tmp_path):
    broker, size = make(tmp_path / "broker", server)
    transport = make.__name__.partition("_")[0]

    async def scenario():
        with broker:
            async with Proxy("127.0.0.1", broker.port) as proxy:
                link = MqttConnector()(
                    target(proxy.port, ca, transport=transport), TERMS
                )
                came = []
                link.subscribe("t/back", came.append)
                await link.connect()
                proxy.pause()  # the socket takes no more: TLS wants to write again
                proofs = [link.publish("t/away", b"x" * 900_000) for _ in range(4)]
                proofs += [link.publish("t/back", b"y" * size) for _ in range(10)]
                await asyncio.sleep(0.2)
                assert not any(proof.done() for proof in proofs)
                proxy.go_on()
                await asyncio.wait_for(asyncio.gather(*proofs), 10)
                await until(lambda: len(came) == 10)
                await link.close()
        assert set(came) == {b"y" * size}

    runner(scenario())


@mosquitto_only
@pytest.mark.parametrize("transport", ["mqtts", "wss"])
async def test_a_line_that_passes_a_few_bytes_at_a_time_stalls_nothing(
    transport, server, ca, tmp_path
):
    extra = WEBSOCKETS.format(free_port()) if transport == "wss" else ""
    with TlsMosquitto(tmp_path / "broker", server, extra) as broker:
        async with Proxy("127.0.0.1", broker.port) as proxy:
            link = MqttConnector()(target(proxy.port, ca, transport=transport), TERMS)
            came = []
            link.subscribe("t/back", came.append)
            await link.connect()
            proxy.bytes_per_s = 30_000  # pieces of 3 kB: TLS records arrive cut
            proofs = [link.publish("t/back", b"%d" % n * 300) for n in range(40)]
            await asyncio.wait_for(asyncio.gather(*proofs), 20)
            await until(lambda: len(came) == 40)
            await link.close()


@mosquitto_only
async def test_many_small_messages_in_one_tls_record_all_arrive(server, ca, tmp_path):
    # What is decrypted and not yet read makes no socket readable.
    with TlsMosquitto(tmp_path / "broker", server) as broker:
        link = MqttConnector()(target(broker.port, ca), TERMS)
        came = []
        link.subscribe("t/back", came.append)
        await link.connect()
        for _ in range(20):
            proofs = [link.publish("t/back", b"x" * 40) for _ in range(50)]
            await asyncio.wait_for(asyncio.gather(*proofs), 5)
        await until(lambda: len(came) == 1000)
        await link.close()


# -- certificates that change -----------------------------------------------


@mosquitto_only
async def test_new_certificates_are_used_at_the_next_connection(
    authority, server, ca, tmp_path
):
    ours = authority.issue(tmp_path / "ours", "site-07", days=(-20, -1))
    extra = f"cafile {ca}\nrequire_certificate true"
    connector = MqttConnector()
    with TlsMosquitto(tmp_path / "broker", server, extra) as broker:
        conf = target(broker.port, ca, cert_file=ours.cert, key_file=ours.key)
        assert (await refused(conf, connector)).cause == "tls_client"
        exchange(ours, authority.issue(tmp_path / "new", "site-07"))
        assert await round_trip(conf, connector)


@mosquitto_only
async def test_a_change_is_noticed_and_the_connection_ends_between_messages(
    authority, server, ca, tmp_path, monkeypatch
):
    monkeypatch.setattr(mqtt, "LOOK_S", 0.1)
    ours = authority.issue(tmp_path / "ours", "site-07")
    extra = f"cafile {ca}\nrequire_certificate true"
    with TlsMosquitto(tmp_path / "broker", server, extra) as broker:
        conf = target(broker.port, ca, cert_file=ours.cert, key_file=ours.key)
        link = MqttConnector()(conf, TERMS)
        causes, lost = [], 0
        await link.connect()
        link.on_lost(causes.append)
        new = authority.issue(tmp_path / "new", "site-07")

        ours.cert.write_bytes(new.cert.read_bytes())  # half of the renewal
        for _ in range(50):
            await link.publish("t/data", b"x")
            await asyncio.sleep(0.01)
        assert causes == []

        exchange(ours, new)
        while not causes:
            try:
                await link.publish("t/data", b"x")
            except LinkLostError:
                lost += 1
            await asyncio.sleep(0.002)
        await link.close()

    assert isinstance(causes[0], RenewedError)
    assert lost == 0


@mosquitto_only
async def test_files_touched_without_a_change_end_nothing(
    server, ca, tmp_path, monkeypatch
):
    monkeypatch.setattr(mqtt, "LOOK_S", 0.05)
    with TlsMosquitto(tmp_path / "broker", server) as broker:
        link = MqttConnector()(target(broker.port, ca), TERMS)
        causes = []
        await link.connect()
        link.on_lost(causes.append)
        for _ in range(4):
            ca.touch()
            await asyncio.sleep(0.1)
        await link.publish("t/data", b"x")
        await link.close()

    assert causes == []


async def test_the_context_is_made_once_for_the_same_files(
    server, ca, tmp_path, monkeypatch
):
    made = []
    real = mqtt.tls._make_context
    monkeypatch.setattr(mqtt.tls, "_make_context", lambda t: made.append(t) or real(t))
    connector = MqttConnector()
    with TlsNats(tmp_path / "broker", server) as broker:
        for _ in range(3):
            await round_trip(target(broker.port, ca), connector)

    assert len(made) == 1

"""Bar: whatever is wrong with TLS is refused, with one clear event each.

Real brokers, the real connector and pump, several attempts in each case. When what was
wrong is mended, the connection comes by itself, the event is cleared and the records
that waited arrive.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from gateway.config.model import MqttTarget
from gateway.uplink import retry
from tests.support.brokers import Mosquitto, until
from tests.support.certificates import Authority, exchange
from tests.support.pumped import Pumped
from tests.support.tls_brokers import (
    WRONG,
    TlsMosquitto,
    free_port,
    old_server,
    patient_subscriber,
    wrong,
)

ATTEMPTS = 4
pytestmark = pytest.mark.needs("mosquitto")


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(retry, "SOON_S", (0.01, 0.02))


@pytest.fixture
def authority():
    return Authority("our authority")


@pytest.fixture
def ca(authority, tmp_path):
    return authority.save(tmp_path / "ca.crt")


class Counting:
    """Counts attempts on their way to the real connector."""

    def __init__(self, site):
        self.attempts = 0
        self._connector = site.pump._connector
        site.pump._connector = self

    def __call__(self, target, terms):
        self.attempts += 1
        return self._connector(target, terms)


def made(tmp_path, port, **conf):
    target = MqttTarget(
        name="city", host="127.0.0.1", port=port, transport="mqtts", **conf
    )
    site = Pumped(tmp_path, target)
    return site, Counting(site)


def is_clear(event):
    """What, whom it concerns and what to do, in both languages."""
    zh, en = event.text["zh"], event.text["en"]
    return (
        "city" in zh
        and "city" in en
        and re.search(r"[\u4e00-\u9fff].*(请|；|？)", zh)
        and re.search(r"check|have it|name (it|that)|does it speak", en)
    )


@pytest.mark.parametrize("case", WRONG)
async def test_each_is_refused_with_one_event_and_recovers(
    case, authority, ca, tmp_path, figure
):
    conf, server, extra = wrong(case, authority, ca, tmp_path)
    with TlsMosquitto(tmp_path / "broker", server, extra) as broker:
        site, counting = made(tmp_path, broker.port, **conf)
        async with site:
            site.scan()
            await until(lambda: counting.attempts >= ATTEMPTS)

            assert site.told("link_unsafe") == [("raised", WRONG[case])]
            assert is_clear(site.events[0]), site.events[0].text
            assert site.pump.health().reason
            assert site.proved == 0
            figure("events", len(site.events))

            if await _mend(case, conf, broker, authority, tmp_path):
                await until(lambda: site.proved == 1)
                assert [state for state, _ in site.told("link_unsafe")] == [
                    "raised",
                    "cleared",
                ]


async def _mend(case, conf, broker, authority, tmp_path):
    """Put the right certificates where the wrong ones are; False: not by files."""
    if case in {"system cas", "no certificate of ours"}:
        return False
    if WRONG[case] == "tls_client":
        good = authority.issue(tmp_path / "good", "site-07")
        exchange(type(good)(conf["cert_file"], conf["key_file"]), good)
        return True
    good = authority.issue(tmp_path / "good")
    await asyncio.to_thread(broker.stop)
    exchange(type(good)(tmp_path / "server.crt", tmp_path / "server.key"), good)
    await asyncio.to_thread(broker.again)
    return True


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_a_downgrade_is_refused_with_one_event(version, authority, ca, tmp_path):
    with old_server(authority.issue(tmp_path / "server"), version) as port:
        site, counting = made(tmp_path, port, ca_file=ca)
        async with site:
            await until(lambda: counting.attempts >= ATTEMPTS)

    assert site.told("link_unsafe") == [("raised", "tls_version")]
    assert is_clear(site.events[0])


async def test_a_broker_without_tls_is_told_with_one_event(ca, tmp_path):
    with Mosquitto(tmp_path / "broker") as broker:
        site, counting = made(tmp_path, broker.port, ca_file=ca)
        async with site:
            await until(lambda: counting.attempts >= 2 * ATTEMPTS)

    assert site.told("link_unsafe") == [("raised", "tls_no_tls")]
    assert is_clear(site.events[0])


async def test_a_broker_that_is_only_away_is_no_event(ca, tmp_path):
    site, counting = made(tmp_path, free_port(), ca_file=ca)
    async with site:
        await until(lambda: counting.attempts >= 2 * ATTEMPTS)

    assert site.events == []


async def test_two_causes_in_one_outage_are_two_events_and_both_end(
    authority, ca, tmp_path
):
    server = authority.issue(tmp_path / "server", days=(-20, -1))
    with TlsMosquitto(tmp_path / "broker", server) as broker:
        site, counting = made(tmp_path, broker.port, ca_file=ca)
        async with site:
            for wrongly in ((tmp_path / "other", "broker.example"), None):
                await until(lambda: counting.attempts >= ATTEMPTS)
                await asyncio.to_thread(broker.stop)
                exchange(server, authority.issue(*wrongly or (tmp_path / "good",)))
                await asyncio.to_thread(broker.again)
                counting.attempts = 0
            await until(lambda: site.pump.health().state == "online")

    assert sorted(site.told("link_unsafe")) == [
        ("cleared", "tls_expired"),
        ("cleared", "tls_name"),
        ("raised", "tls_expired"),
        ("raised", "tls_name"),
    ]


async def test_certificates_are_exchanged_while_records_flow_and_none_is_lost(
    authority, ca, tmp_path, monkeypatch, count, figure
):
    monkeypatch.setattr("gateway.uplink.mqtt.LOOK_S", 0.2)
    renewals = count(3, 30)
    server = authority.issue(tmp_path / "server")
    ours = authority.issue(tmp_path / "ours", "site-07")
    plain = free_port()
    extra = (
        f"cafile {ca}\nrequire_certificate true\n"
        f"listener {plain} 127.0.0.1\nallow_anonymous true"
    )
    with (
        TlsMosquitto(tmp_path / "broker", server, extra) as broker,
        patient_subscriber(plain, "ecogate/+/+/data") as reader,
    ):
        site, _ = made(
            tmp_path, broker.port, ca_file=ca, cert_file=ours.cert, key_file=ours.key
        )
        async with site:
            for n in range(renewals):
                await _flow(site, seconds=0.5)
                exchange(ours, authority.issue(tmp_path / f"new-{n}", "site-07"))
                await until(
                    lambda n=n: (
                        site.pump.health().connections >= n + 2 or not site.scan()
                    )
                )
            await _flow(site, seconds=0.2)
            high = site.source.high
            await until(lambda: site.proved == high)
            await until(lambda: len(set(reader.records_seqs())) == high)
        seqs = reader.records_seqs()
        connections = site.pump.health().connections

    figure("records lost", high - len(set(seqs)))
    figure("records twice", len(seqs) - high)
    assert set(seqs) == set(range(1, high + 1))
    assert len(seqs) == high
    assert connections == renewals + 1
    assert site.events == []


async def _flow(site, seconds):
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        site.scan()
        await asyncio.sleep(0.005)

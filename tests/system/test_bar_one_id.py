"""Two gateways with one id: named within a minute, and then at most one try in 30 s."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.config.model import MqttTarget
from gateway.uplink import retry
from simulators.proxy import Proxy
from tests.support.brokers import Mosquitto, Nats
from tests.support.pumped import Pumped

BROKERS = [
    pytest.param(Mosquitto, marks=pytest.mark.needs("mosquitto"), id="mosquitto"),
    pytest.param(Nats, id="nats"),
]
TRAFFIC = [
    pytest.param(0, 0, id="idle"),
    pytest.param(0.1, 0, id="records"),
    pytest.param(0.05, 0.1, id="records over a slow line"),
]


class Twins:
    """Two pumps with one client id on one broker."""

    def __init__(self, folder, port, every_s):
        target = MqttTarget(name="city", host="127.0.0.1", port=port)
        self.sites = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            self.sites.append(Pumped(folder / name, target))
        self._every_s = every_s
        self.named_s = None

    @property
    def connections(self):
        return [site.pump.health().connections for site in self.sites]

    async def go_on(self, seconds, stop=lambda: False):
        """Records flow; the time when somebody was named is noted."""
        began = time.monotonic()
        while time.monotonic() - began < seconds and not stop():
            if self._every_s:
                for site in self.sites:
                    site.scan()
            await asyncio.sleep(self._every_s or 0.1)
            if self.named_s is None and any(
                site.told("client_id_taken") for site in self.sites
            ):
                self.named_s = time.monotonic() - began


async def run(kind, tmp_path, every_s, delay_s, after_s):
    """Seconds until one is named, and connections of each in the time after."""
    with kind(tmp_path / "broker") as broker:
        async with Proxy("127.0.0.1", broker.port) as proxy:
            proxy.delay_s = delay_s
            twins = Twins(tmp_path, proxy.port, every_s)
            async with twins.sites[0], twins.sites[1]:
                await twins.go_on(60, lambda: twins.named_s is not None)
                before = twins.connections
                await twins.go_on(after_s)
                after = twins.connections
    named = [site for site in twins.sites if site.told("client_id_taken")]
    assert len(named[0].told("client_id_taken")) == 1 if named else True
    return twins.named_s, max(b - a for a, b in zip(before, after, strict=True))


@pytest.mark.needs("mosquitto")
async def test_the_cause_is_named_soon_also_while_records_flow(tmp_path, monkeypatch):
    # Ten times as fast: the counts decide, not the times.
    monkeypatch.setattr(retry, "SOON_S", (0.03, 0.1))
    named_s, more = await run(Mosquitto, tmp_path, 0.01, 0.01, 2.0)

    assert named_s is not None
    assert more <= 3  # the other one may still need a few to be sure


@pytest.mark.bars
@pytest.mark.parametrize(("every_s", "delay_s"), TRAFFIC)
@pytest.mark.parametrize("kind", BROKERS)
async def test_within_a_minute_and_then_rarely(
    kind, every_s, delay_s, tmp_path, figure
):
    named_s, more = await run(kind, tmp_path, every_s, delay_s, 60.0)

    figure("named_after_s", None if named_s is None else round(named_s, 1))
    figure("connections_in_the_minute_after", more)
    assert named_s is not None
    assert more <= 2

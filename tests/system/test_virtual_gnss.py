"""A receiver as the only clock of a gateway, and as its place: the whole way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from drivers.gnss import GnssPort
from drivers.profiles.library import load_profile
from gateway.config.model import (
    BufferLimits,
    Bus,
    Device,
    MqttTarget,
    SerialLine,
    Site,
)
from gateway.ports import make_device
from gateway.release import RELEASED_MS
from simulators.receiver import Receiver, Spell, Trouble
from simulators.receivers import Output, ReceiverStream
from tests.support.clock import VirtualClock
from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import VirtualSite

TRUE_MS = RELEASED_MS + 30 * 86_400_000


def gnss_site(folder):
    """One receiver on a serial line, read once a second."""
    profile = load_profile("generic-gnss")
    return Site(
        gateway="site-07",
        buffer=BufferLimits(path=folder / "data", max_bytes=50_000_000, keep_free=0),
        buses={
            "gnss": Bus(
                name="gnss",
                protocol="gnss",
                serial=SerialLine(device="gnss"),
                timeout_s=2.0,
            )
        },
        devices={
            "gnss-1": Device(
                name="gnss-1",
                bus="gnss",
                address=None,
                every_s=1.0,
                points=profile.points,
                profile=profile,
            )
        },
        targets={"platform": MqttTarget(name="platform", host="platform")},
    )


class GnssSite(VirtualSite):
    """A clock that nothing disciplines, and a receiver that knows better."""

    def __init__(self, folder, receiver, *, wall_ms=0, synced=False, output=None):
        super().__init__(folder, site=gnss_site(folder))
        self.endpoints = {}
        self._receiver = receiver
        self._wall = (wall_ms, synced)
        self._output = output or Output(baud=9600)
        self.ports = replace(self.ports, make_bus=self._bus, make_device=make_device)

    async def __aenter__(self):
        loop = running_loop()
        born = loop.time()
        self.true_ms = lambda: TRUE_MS + round(1000 * (loop.time() - born))
        wall_ms, synced = self._wall
        self._clock = VirtualClock(wall_ms, trusted=synced)
        loop.line("gnss").attach(
            lambda: ReceiverStream(self._receiver, self._output, lambda: born)
        )
        return await super().__aenter__()

    def _bus(self, _conf):
        line = running_loop().line("gnss")
        return GnssPort("gnss", line.open_port, past_ms=RELEASED_MS)


def run(folder, receiver, *, seconds, **how):
    """A life of so many seconds; what remains of it."""

    async def main():
        async with GnssSite(folder, receiver, **how) as site:
            await asyncio.sleep(seconds)
            now = site.clock.now()
            off = now.wall_ms - site.true_ms()
            state = (site.clock.state, site.clock.source, off)
            await asyncio.sleep(0.5)
        return site, state

    return run_virtual(main())


def test_a_gateway_in_1970_learns_the_time_from_its_receiver(tmp_path):
    site, (state, source, off) = run(tmp_path, Receiver(TRUE_MS), seconds=30)

    assert (state, source) == ("trusted", "gnss")
    assert abs(off) <= 1000
    scans = site.scans("gnss-1")
    good = [scan for scan in scans if "latitude" in scan["values"]]
    assert len(good) >= 28
    # Acquired before anybody knew the time, dated when it was known.
    for scan in good:
        lag = scan["t"] - scan["sampled"]["latitude"]
        assert 0 <= lag - scan["age_ms"]["latitude"] + 1000 <= 2000
    assert good[-1]["values"]["fix"] == "single"
    assert good[-1]["values"]["share_beidou"] == 54.5
    site.check_slots()


def test_a_receiver_1024_weeks_back_moves_no_clock(tmp_path):
    receiver = Receiver(TRUE_MS, spells=[Spell(Trouble.LEAP_WEEKS, 0, 999)])
    site, (state, source, _) = run(tmp_path, receiver, seconds=60)

    assert (state, source) == ("unknown", None)
    assert site.app.clock.now().trusted is False


def test_a_leap_of_weeks_under_way_changes_nothing(tmp_path):
    receiver = Receiver(TRUE_MS, spells=[Spell(Trouble.LEAP_WEEKS, 40, 70)])
    site, (state, source, off) = run(tmp_path, receiver, seconds=120)

    assert (state, source) == ("trusted", "gnss")
    assert abs(off) <= 1000
    scans = site.scans("gnss-1")
    told = {
        scan["q"]["receiver_time"][1]
        for scan in scans
        if "receiver_time" in scan.get("q", {})
    }
    assert "week_rollover" in told
    for scan in scans:
        at = (scan["t"] - TRUE_MS) / 1000
        if 42 < at < 70 and "receiver_time" in scan["values"]:
            raise AssertionError(scan)


def test_a_receiver_that_falls_silent_is_offline_and_comes_back(tmp_path):
    receiver = Receiver(TRUE_MS, spells=[Spell(Trouble.SILENT, 20, 60)])
    site, _ = run(tmp_path, receiver, seconds=100)

    types = [event["type"] for event in site.events()]
    assert any("offline" in kind for kind in types), types
    last = [scan for scan in site.scans("gnss-1") if "latitude" in scan["values"]]
    back = [s for s in last if s["sampled"]["latitude"] >= TRUE_MS + 60_000]
    assert back[0]["sampled"]["latitude"] <= TRUE_MS + 66_000
    site.check_slots()


def test_a_wrong_speed_is_named_to_who_watches(tmp_path):
    site, _ = run(
        tmp_path,
        Receiver(TRUE_MS),
        seconds=30,
        wall_ms=TRUE_MS,
        synced=True,
        output=Output(baud=9600, at_baud=38400),
    )

    (event,) = [e for e in site.events() if "offline" in e["type"]]
    assert event["type"]
    reasons = {word for scan in site.scans("gnss-1") for _, word in scan["q"].values()}
    assert reasons == {"no_sentences"}

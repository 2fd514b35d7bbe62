"""``ecogate simulate site``: real ptys, sockets, a broker, and a gateway on them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config import load_site
from simulators.broker import Broker
from simulators.site_plan import KINDS, load_plan
from simulators.site_process import SimulatedSite
from tests.support.site_run import until
from tests.support.spawn import ROOT, Spawned
from tests.support.witness import Witness

GATEWAY = [sys.executable, "-m", "gateway", "--lang", "en"]


def gateway(*arguments):
    done = subprocess.run(
        [*GATEWAY, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=ROOT,
    )
    return done.returncode, done.stdout + done.stderr


def busiest(path):
    """The device that is asked most often: the wait for its failure is short."""
    devices = load_site(Path(path)).devices.values()
    return min(devices, key=lambda device: device.every_s).name


def scans(witness):
    return [r for r in witness.records() if r["kind"] == "scan"]


@pytest.mark.needs("mosquitto")
@pytest.mark.timeout(90)
def test_every_device_is_good_at_the_consumer(tmp_path, count, figure):
    for kind in count(KINDS[:1], KINDS):
        folder = tmp_path / kind
        with (
            Broker.start(tmp_path / f"{kind}-broker", kind="mosquitto") as broker,
            Witness(broker.port) as witness,
            Spawned(
                "simulators.site",
                *("--kind", kind, "--folder", folder),
                *("--mqtt", f"mqtt://127.0.0.1:{broker.port}"),
            ) as site,
        ):
            path = site.ready["site"]
            assert site.ready["next"] == f"ecogate run {path}"
            # Not a warning: what stands there is as a technician should write it.
            status, said = gateway("check", path)
            assert status == 0, said
            assert "warning:" not in said, said
            names = set(site.ready["devices"])
            running = subprocess.Popen([*GATEWAY, "run", path], cwd=ROOT)
            try:
                good = {}

                def all_good(good=good, names=names, witness=witness):
                    for record in scans(witness):
                        if not record.get("q"):
                            good[record["device"]] = record
                    return set(good) == names

                until(all_good, 30, f"a good scan of each device of {kind}")
                status, said = gateway("--json", "status", path)
                health = json.loads(said)
                states = {d["name"]: d["state"] for d in health["devices"]}
                assert states == dict.fromkeys(names, "online"), said
                # One is made to fail: it is told, the others go on.
                name = busiest(path)
                assert site.say(f"kill {name}") == "ok"

                def told(name=name, witness=witness):
                    found = [r for r in scans(witness) if r["device"] == name]
                    return any(record.get("q") for record in found)

                until(told, 40, f"a BAD scan of {name}")
            finally:
                running.terminate()
                running.wait(15)
            bad = {r["device"] for r in scans(witness) if r.get("q")}
            assert bad == {name}
            verdict = witness.verdict()
        figure(f"{kind} devices", len(names))
        figure(f"{kind} values", verdict.values)
        assert verdict.clean, verdict.text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_site_has_at_least_twelve_devices(kind):
    plan = load_plan(kind)

    assert len(plan.devices) >= 12
    assert all(one.profile.points for one in plan.devices.values())


def test_all_protocols_are_spoken_by_the_three():
    spoken = {bus.protocol for kind in KINDS for bus in load_plan(kind).buses.values()}

    assert spoken == {
        "modbus-rtu", "modbus-ascii", "modbus-tcp", "modbus-rtu-tcp", "dlt645",
        "ascii", "hj212", "gnss",
    }  # fmt: skip
    ways = {bus.way for kind in KINDS for bus in load_plan(kind).buses.values()}
    assert ways == {"serial", "tcp", "listen", "gpsd"}


async def test_commands_are_answered_in_words(tmp_path):
    site = SimulatedSite(load_plan("enterprise"), tmp_path)

    assert "kiln-meter" in site.obey("list").split()
    assert site.obey("kill kiln-meter") == "ok"
    assert site.obey("revive kiln-meter") == "ok"
    assert site.obey("spoil signals wire-break") == "ok"
    assert site.obey("set cabinet door 1") == "ok"
    assert "there is no nobody" in site.obey("kill nobody")
    assert "there is no rust" in site.obey("spoil signals rust")
    assert "there is no window" in site.obey("set cabinet window 1")
    assert "expected a number" in site.obey("set cabinet door open")
    assert "has no registers" in site.obey("set weighbridge weight 3")
    assert "no such command" in site.obey("dance")


async def test_a_folder_of_any_name_will_do(tmp_path):
    folder = tmp_path / 'new, site: #1 {"north"}'
    site = SimulatedSite(load_plan("water"), folder)
    await site.open()
    try:
        written = load_site(site.site_file)
    finally:
        await site.close()

    assert written.buses["flow"].serial.device == f"{folder}/flow"
    assert written.targets["platform"].port == 1883

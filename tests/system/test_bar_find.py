"""Bar 5: find on a line with six Modbus units and three meters at two speeds.

All nine found, nothing else, the right profile proposed first for at least seven, and
the site file it writes passes ``check`` and runs.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import msgspec

from drivers.byte_line import ByteLine
from drivers.dlt645 import Dlt645Line
from drivers.modbus.rtu import RtuBus
from drivers.profiles.library import profile_names
from gateway.cli.find import _file, _Shown
from gateway.cli.place import Place
from gateway.commission.door import OwnDoor, Setting
from gateway.commission.search import SETTINGS, Plan
from gateway.commission.tasks import FindOptions, find_items
from gateway.config import load_problems
from gateway.config.model import Bus, MqttTarget, SerialLine
from tests.support.uart_line import make_line, meter, modbus, on_line
from tests.support.virtual import run_virtual, running_loop
from tests.support.virtual_site import VirtualSite

FAST, SLOW = "9600 8N1", "2400 8E1"
UNITS = {
    (3, FAST): "eastron-sdm120",
    (7, FAST): "eastron-sdm630",
    (21, FAST): "acrel-adl400",
    (8, FAST): "chint-dtsu666",
    (2, SLOW): "chint-ddsu666",
    (45, SLOW): "schneider-iem3000",
}
METERS = {
    "000006605518": ("generic-dlt645", 0.03),
    "000332316420": ("chint-ddsu666-dlt645", 0.03),
    "181226034194": ("generic-dlt645-1p", 0.1),
}


def stations():
    found = [
        (modbus(unit, profile, seed=unit), how)
        for (unit, how), profile in UNITS.items()
    ]
    found += [
        (meter(address, profile, delay_s=delay_s), SLOW)
        for address, (profile, delay_s) in METERS.items()
    ]
    return found


async def search(plan):
    """(items, questions asked, virtual seconds)."""
    line = make_line(stations())
    door = OwnDoor(on_line(line))
    start = running_loop().time()
    items = [item async for item in find_items(door, FindOptions(plan))]
    await door.close()
    line.close()
    return items, running_loop().time() - start


def plan_of(count):
    """All settings and addresses in the bars; in CI the settings in use, a few more."""
    settings = tuple(
        Setting.parse(text) for text in (FAST, SLOW, "9600 8E1", "4800 8N1")
    )
    return Plan(
        settings=count(settings, SETTINGS),
        addresses=count(tuple(range(1, 48)), tuple(range(1, 248))),
    )


def proposed(items):
    """What is proposed first for each found device."""
    return {
        (item["device"]["address"], item["device"]["setting"]): (
            item["matches"][0]["profile"] if item["matches"] else None
        )
        for item in items
        if item["kind"] == "recognised"
    }


def test_nine_are_found_nothing_else_and_seven_are_recognised(count, figure):
    items, seconds = run_virtual(search(plan_of(count)))

    end = items[-1]
    found = {(f["address"], f["setting"]) for f in end["found"]}
    right = {**UNITS, **{(a, SLOW): p for a, (p, _) in METERS.items()}}
    names = proposed(items)
    good = [key for key, profile in right.items() if names.get(key) == profile]
    figure("found", len(found & set(right)))
    figure("found_that_are_not_there", len(found - set(right)))
    figure("right_profile_first", len(good))
    figure("profiles_to_choose_from", len(profile_names()))
    figure("questions", end["asked"])
    figure("virtual_minutes", round(seconds / 60, 1))
    assert found == set(right)
    assert len(end["found"]) == 9
    assert len(good) >= 7, {k: (names.get(k), right[k]) for k in set(right) - set(good)}


def test_the_site_file_passes_check_and_runs(tmp_path, count):
    items, _ = run_virtual(search(plan_of(lambda small, _full: small)))
    shown = _Shown(quiet=True)
    for item in items:
        shown.take(item)
    serial = SerialLine(device="/dev/null")
    bus = Bus(name="line", protocol="modbus-rtu", serial=serial)
    text = _file(Place(bus), shown)
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    # What it leaves as comments runs as well, on a port of its own.
    other = re.sub(r"(?m)^# ?(?!made|one)", "", text.split("# one port")[1])
    other = other.split("\n", 1)[1].replace("/dev/null", "/dev/zero")
    (tmp_path / "other.yaml").write_text(
        "gateway: site-2\nbuffer: {path: ./data2}\n" + other, encoding="utf-8"
    )

    first = runs(tmp_path / "site.yaml", FAST, count(30, 300))
    second = runs(tmp_path / "other.yaml", SLOW, count(90, 600))

    assert len(first) == 4
    assert all(first.values()), first
    assert second, other
    assert all(second.values()), second


def runs(path, setting, seconds):
    """Whether each device of the site file is good, on the simulated line."""
    site, problems = load_problems(path)
    assert site is not None, [str(p) for p in problems]
    assert not [p for p in problems if not p.warning]
    target = {"platform": MqttTarget(name="platform", host="platform")}
    site = msgspec.structs.replace(site, targets=target)
    how = Setting.parse(setting)

    async def main():
        line = make_line(stations())

        def make_bus(conf):
            def open_port(factory):
                return line.open(how.baud, how.framing, factory)

            if conf.family == "dlt645":
                return Dlt645Line(ByteLine("line", open_port, char_s=how.char_s))
            return RtuBus("line", how.baud, how.framing, open_port=open_port)

        virtual = VirtualSite(path.parent, site=site)
        virtual.endpoints = {}
        virtual.ports = replace(virtual.ports, make_bus=make_bus)
        async with virtual:
            await asyncio.sleep(seconds)
        line.close()
        return {
            name: any(scan["values"] for scan in virtual.scans(name))
            and not any(
                flaw[0] == "bad"
                for scan in virtual.scans(name)[-1:]
                for flaw in scan.get("q", {}).values()
            )
            for name in site.devices
        }

    return run_virtual(main())

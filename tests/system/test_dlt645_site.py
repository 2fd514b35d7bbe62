"""A site file with DL/T 645 meters, read by the loader, polled on a pty."""

from __future__ import annotations

from fractions import Fraction

import pytest

from drivers.values import Flaw, Quality
from gateway.config import SiteError, load_site
from gateway.ports import make_bus, make_device
from tests.support.spawn import Spawned

ONE, TWO = "202511210001", "202511210002"
SITE = """
gateway: site-07
buffer: {{path: {data}}}
buses:
  meters: {{protocol: dlt645, serial: {link}, baud: 9600, framing: 8N1, timeout: 500ms}}
devices:
  workshop:
    bus: meters
    address: "{one}"
    profile: generic-dlt645-3p4w
    every: 10s
    ct: 40
  office: {{bus: meters, address: "{two}", profile: generic-dlt645-1p, every: 10s}}
  gone: {{bus: meters, address: "202511210003", profile: generic-dlt645, every: 10s}}
targets: {{}}
"""


@pytest.mark.parametrize("extra", [(), ("--no-blocks", "--frame-bytes", 6)])
async def test_meters_of_a_site_file_are_read_on_a_pty(tmp_path, extra):
    link = tmp_path / "line"
    path = tmp_path / "site.yaml"
    text = SITE.format(data=tmp_path / "data", link=link, one=ONE, two=TWO)
    path.write_text(text, encoding="utf-8")
    meters = (
        "--meter", f"generic-dlt645-3p4w@{ONE}", "--meter", f"generic-dlt645-1p@{TWO}",
        "--turnaround", 5, "--refuse", "03300D00", "--missing", "02800002",
    )  # fmt: skip
    with Spawned("simulators.dlt645", *meters, "--pty", link, *extra):
        site = load_site(path)
        assert site.devices["workshop"].ct == Fraction(40)
        line = make_bus(site.buses["meters"])
        await line.open()
        try:
            got = {}
            for name, conf in site.devices.items():
                device = make_device(conf, site.buses["meters"], line)
                got[name] = await device.scan([point.name for point in conf.points])
        finally:
            await line.close()

    assert got["workshop"].flaws == {
        "frequency": Flaw(Quality.BAD, "not_available"),
        "cover_open_count": Flaw(Quality.BAD, "no_such_data"),
    }
    assert set(got["office"].flaws) == {"frequency", "cover_open_count"}
    assert 200 < got["workshop"].values["voltage_l1"] < 250
    # Around 12 A behind the transformers.
    assert 150 < got["workshop"].values["current_l1"] < 1000
    assert got["office"].values["current"] < 30
    assert {flaw.reason for flaw in got["gone"].flaws.values()} == {"timeout"}
    assert not got["gone"].answered
    assert line.stats(ONE).good > 5
    assert line.stats("202511210003").timeout == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (f'"{ONE}"', "12345", "twelve digits"),
        (f'"{ONE}"', '"AAAAAAAAAAAA"', "address of its own"),
        ("ct: 40", "ct: 0", "above 0"),
        ("timeout: 500ms", "timeout: 500ms, broadcast_time: 1", "true or false"),
        ("ct: 40", "points: [{name: x, di: 02ZZ}]", "8 hex digits"),
        ("ct: 40", 'points: [{name: x, di: "02818101"}]', "its format"),
        ("ct: 40", 'points: [{name: x, di: "02030000", unit: W}]', "a scale beside"),
        ("ct: 40", 'points: [{name: x, di: "04000102", scale: 2}]', "it is no number"),
    ],
)
def test_a_mistake_in_a_site_file_has_its_sentence(tmp_path, old, new, said):
    path = tmp_path / "site.yaml"
    text = SITE.format(data=tmp_path / "data", link="/dev/ttyX", one=ONE, two=TWO)
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(Exception, match=said):
        load_site(path)


def test_a_line_too_slow_for_its_meters_is_told(tmp_path):
    path = tmp_path / "site.yaml"
    text = SITE.format(data=tmp_path / "data", link="/dev/ttyX", one=ONE, two=TWO)
    slow = text.replace("baud: 9600", "baud: 1200").replace("every: 10s", "every: 2s")
    path.write_text(slow, encoding="utf-8")

    with pytest.raises(SiteError, match="fits 1200 baud"):
        load_site(path)

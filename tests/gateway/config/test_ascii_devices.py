"""ASCII devices of a site file: they need a dialogue, and the address it needs."""

from __future__ import annotations

import pytest

from drivers.ascii import AsciiDevice, ListeningDevice
from gateway.commands import Commands, SharedBus
from gateway.config import load_problems
from gateway.ports import make_bus, make_device

SITE = """\
gateway: g
buffer: {{path: ./data}}
buses:
  line: {{protocol: ascii, tcp: "127.0.0.1:9880"}}
devices:
  it:
    bus: line
    every: 5s
{device}
"""

TEXT_SCALED = """\
profile: thermo-43i
points:
  - {name: p, ask: so2, field: value, written: text, scale: 2}
"""


@pytest.fixture
def load(tmp_path):
    def loaded(device):
        file = tmp_path / "site.yaml"
        text = "\n".join(f"    {line}" for line in device.strip().splitlines())
        file.write_text(SITE.format(device=text), encoding="utf-8")
        site, problems = load_problems(file)
        return site, [p for p in problems if not p.warning]

    return loaded


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ('profile: thermo-43i\naddress: "43"', AsciiDevice),
        ("profile: thermo-43i", AsciiDevice),
        ("profile: teledyne-t100\naddress: 700", AsciiDevice),
        ("profile: gill-windsonic", ListeningDevice),
        ("profile: vaisala-wxt5x0-crc\naddress: A", AsciiDevice),
    ],
)
def test_a_device_is_put_before_its_line(load, device, kind):
    site, problems = load(device)

    assert problems == []
    conf, bus = site.devices["it"], site.buses["line"]
    port = make_bus(bus)
    driver = make_device(conf, bus, SharedBus(port, Commands("line")))
    assert type(driver) is kind
    assert driver.worst_case_s([point.name for point in conf.points]) < 120
    assert port.stats(conf.address).good == 0


def test_a_point_of_the_site_s_own_in_another_unit(load):
    site, problems = load(
        "profile: thermo-43i\n"
        "points:\n"
        "  - {name: so2, ask: so2, field: value, unit: mg/m3, unit_field: unit,"
        " units: {ug/m3: ug/m3, mg/m3: mg/m3}}"
    )

    assert problems == []
    assert "so2" in {point.name for point in site.devices["it"].points}


@pytest.mark.parametrize(
    ("device", "code", "path"),
    [
        ("points:\n  - {name: p, field: 1, unit: V}", "dialogue_missing", "devices.it"),
        ("profile: thermo-43i\naddress: x", "dialogue_id", "devices.it.address"),
        ('profile: thermo-43i\naddress: "200"', "dialogue_id", "devices.it.address"),
        (
            "profile: thermo-43i\npoints:\n  - {name: p, ask: so3, field: v, unit: V}",
            "choice",
            "devices.it.points.p.ask",
        ),
        (
            "profile: thermo-43i\npoints:\n  - {name: p, ask: so2, field: v, unit: V}",
            "field",
            "devices.it.points.p.field",
        ),
        (
            TEXT_SCALED,
            "not_of_text",
            "devices.it.points.p.scale",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(load, device, code, path):
    _, problems = load(device)

    assert [(p.code, p.path) for p in problems] == [(code, path)]

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from drivers.modbus.transaction import Timing
from drivers.profiles.library import load_profile
from gateway.config import SiteError, line_of, load_problems, load_site
from gateway.config.model import MqttTarget, TcpEndpoint
from gateway.ports import make_bus, make_device

GOOD = Path(__file__).parents[2] / "sites" / "good.yaml"
BASE = """\
gateway: g
site: {code: 91130200699229617X001P, region: "130203", position: [118.18, 39.63]}
buffer: {path: ./data}
buses:
  plc: {protocol: modbus-tcp, tcp: "127.0.0.1:502"}
targets:
  one: {mqtt: "mqtt://127.0.0.1"}
"""
TARGET = 'targets:\n  one: {mqtt: "mqtt://127.0.0.1"}\n'
TCP = 'modbus-tcp, tcp: "127.0.0.1:502"'


@pytest.fixture
def write(tmp_path):
    def write(text):
        file = tmp_path / "site.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def codes(file):
    site, problems = load_problems(file)
    return site, [(p.code, p.warning) for p in problems]


def test_the_example_becomes_a_site_in_base_units():
    site, problems = load_problems(GOOD)

    assert problems == []
    assert site.gateway == "site-07"
    assert site.info.position == (118.18012, 39.63041)
    assert site.info.region == "130203"
    assert site.assets["TA003"].treats == ("MF0012",)
    assert site.buffer.path == GOOD.parent / "data"
    assert (site.buffer.max_bytes, site.buffer.keep_free) == (512_000_000, 200_000_000)
    assert site.buses["rs485-1"].serial.framing == "8E1"
    assert site.buses["rs485-1"].timeout_s == 0.5
    assert site.buses["plc"].tcp == TcpEndpoint(host="192.168.1.10", port=502)
    fan = site.devices["fan-2"]
    assert (fan.address, fan.every_s) == (1, 1.0)
    assert [p.address for p in fan.points] == [100, 16, 120]
    assert fan.points[2].scale == Fraction(1, 10)
    assert site.targets["platform"] == MqttTarget(
        name="platform", host="127.0.0.1", port=1883, linger_s=0.1
    )
    assert site.source == GOOD


def test_a_profile_brings_its_points_and_what_the_device_needs():
    site = load_site(GOOD)
    profile = load_profile("eastron-sdm630")

    assert site.devices["incomer"].points == profile.points
    assert site.devices["incomer"].profile == profile


def test_how_a_device_behaves_stands_in_the_site_file_or_else_in_its_profile(write):
    profile = load_profile("renke-rs-fsxcs")
    file = write(
        BASE + "devices:\n"
        "  plain: {bus: plc, address: 1, every: 1s, profile: renke-rs-fsxcs}\n"
        "  own: {bus: plc, address: 2, every: 1s, profile: renke-rs-fsxcs,\n"
        "    timeout: 2s, pause: 100ms, max_reply: 3s, max_registers: 8,\n"
        "    ambiguous: true, transaction_id: ignored}\n"
    )

    plain, own = load_site(file).devices.values()

    assert plain.timeout_s == profile.timeout_s
    assert plain.pause_s == profile.pause_s
    assert plain.max_registers == profile.max_registers
    assert (plain.ambiguous, plain.transaction_id) == (profile.ambiguous, "checked")
    assert (own.timeout_s, own.pause_s, own.max_reply_s) == (2.0, 0.1, 3.0)
    assert (own.max_registers, own.ambiguous) == (8, True)
    assert own.transaction_id == "ignored"


def test_the_driver_is_told_how_the_device_behaves(write):
    file = write(
        BASE.replace('127.0.0.1:502"', '127.0.0.1:502", pause: 50ms') + "devices:\n"
        "  a: {bus: plc, address: 1, every: 1s, profile: renke-rs-fsxcs,\n"
        "    timeout: 2s, max_reply: 3s, ambiguous: true, transaction_id: ignored}\n"
    )
    site = load_site(file)
    device, bus = site.devices["a"], site.buses["plc"]

    driver = make_device(device, bus, make_bus(bus))

    assert driver._timing == Timing(
        timeout_s=2.0,
        pause_s=0.05,
        max_reply_s=3.0,
        ambiguous=True,
        check_transaction_id=False,
    )


def test_own_points_replace_the_profiles_by_name_and_add_to_it(write):
    profile = load_profile("eastron-sdm630")
    first = profile.points[0]
    file = write(
        BASE
        + "devices:\n"
        + "  d:\n"
        + "    {bus: plc, address: 1, every: 1s, profile: eastron-sdm630, points: [\n"
        + f"      {{name: {first.name}, table: input, address: 'pdu:{first.address}',"
        + " type: float32, unit: V, scale: 2},\n"
        + "      {name: extra, table: coil, address: 'pdu:9'}]}\n"
    )

    site = load_site(file)

    points = {point.name: point for point in site.devices["d"].points}
    assert len(points) == len(profile.points) + 1
    assert points[first.name].scale == 2
    assert points["extra"].table == "coil"


def test_an_own_point_across_the_profiles_registers_is_an_overlap(write):
    first = load_profile("eastron-sdm630").points[0]
    file = write(
        BASE
        + "devices:\n"
        + "  d:\n"
        + "    {bus: plc, address: 1, every: 1s, profile: eastron-sdm630, points: [\n"
        + f"      {{name: x, table: input, address: 'pdu:{first.address + 1}',"
        + " type: uint16, unit: V}]}\n"
    )

    site, problems = load_problems(file)

    assert site is None
    assert [(p.code, p.line, p.values["other"]) for p in problems] == [
        ("overlap", 11, first.name)
    ]


def test_points_shared_by_an_alias_are_everybodys(write):
    file = write(
        BASE
        + "devices:\n"
        + "  a: {bus: plc, address: 1, every: 1s, points: &p "
        + "[{name: r, table: coil, address: 'pdu:0'}]}\n"
        + "  b: {bus: plc, address: 2, every: 1s, points: *p}\n"
    )

    site = load_site(file)

    assert site.devices["a"].points == site.devices["b"].points != ()


def test_an_error_in_shared_points_is_told_once(write):
    file = write(
        BASE
        + "devices:\n"
        + "  a: {bus: plc, address: 1, every: 1s, points: &p "
        + "[{name: r, table: coil, address: 'pdu:x'}]}\n"
        + "  b: {bus: plc, address: 2, every: 1s, points: *p}\n"
    )

    site, found = codes(file)

    assert site is None
    assert found == [("address_notation", False)]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (TARGET, "", "no_targets"),
        (", position: [118.18, 39.63]", "", "recommended"),
        ("[118.18, 39.63]", "[39.63, 48.85]", "position_abroad"),
        ("buffer:", "assets: {D1: {kind: outlet}}\nbuffer:", "asset_number"),
        (TCP, "modbus-rtu, serial: /dev/absent", "port_absent"),
        (TCP, "modbus-rtu, serial: /dev/null, baud: 9500", "baud_unusual"),
        ('0.1"}', '0.1", password_file: absent}', "file_absent"),
        ('0.1"}', '0.1", password_env: NO_SUCH}', "variable_absent"),
    ],
)
def test_a_warning_does_not_stop_the_gateway(write, old, new, code):
    assert old in BASE

    site, found = codes(write(BASE.replace(old, new)))

    assert site is not None
    assert found == [(code, True)]


@pytest.mark.parametrize("port", ["ttyUSB7", "ttyACM0"])
def test_a_port_named_by_the_order_of_plugging_is_warned_of(write, port):
    text = BASE.replace(TCP, f"modbus-rtu, serial: /dev/{port}")

    _, found = codes(write(text))

    assert ("port_unstable", True) in found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("password", "hunter2"),
        ("mqtt", "mqtt://me:hunter2@host"),
        ("mqtt", "me:hunter2@host"),
        ("mqtt", "mqtts://me:hunter2@host:99999"),
        ("password_file", "12345678"),
        ("password_file", "hunter2"),
        ("password_env", "hunter2"),
        ("password_env", "hunter-2"),
        ("password_env", "[hunter2]"),
        ("passwd", "hunter2"),
        ("token", "hunter2"),
    ],
)
def test_no_message_repeats_a_secret(write, key, value):
    file = write(
        BASE.replace(
            '{mqtt: "mqtt://127.0.0.1"}', f'{{mqtt: "mqtt://h", {key}: {value}}}'
        )
        if key != "mqtt"
        else BASE.replace('"mqtt://127.0.0.1"', value)
    )

    _, problems = load_problems(file)

    told = "\n".join(line_of(p, file) + str(p) for p in problems)
    assert problems
    assert "hunter" not in told
    assert "12345678" not in told


def test_a_file_that_is_not_there_or_not_text_is_an_error_like_others(tmp_path):
    with pytest.raises(SiteError, match=r"absent\.yaml: "):
        load_site(tmp_path / "absent.yaml")
    with pytest.raises(SiteError):
        load_site(tmp_path)
    binary = tmp_path / "site.yaml"
    binary.write_bytes("gateway: 北".encode("gbk"))
    with pytest.raises(SiteError, match=r"site\.yaml:1:10: "):
        load_site(binary)


def test_a_duplicate_key_does_not_hide_the_other_errors(write):
    site, problems = load_problems(write("gateway: a\ngateway: b\nbuffer: {pth: x}\n"))

    assert site is None
    assert [p.code for p in problems] == ["yaml_duplicate_key", "misspelt_key"]


def test_16000_points_written_out_are_read_and_checked(write):
    points = "\n".join(
        f"      - {{name: p{i}, table: holding, address: 'pdu:{2 * i}', "
        "type: float32, word_order: CDAB, unit: A}"
        for i in range(100)
    )
    devices = "\n".join(
        f"  d{d}:\n    bus: plc\n    address: {d}\n    every: 1s\n    points:\n{points}"
        for d in range(160)
    )

    site = load_site(write(BASE + "devices:\n" + devices))

    assert sum(len(device.points) for device in site.devices.values()) == 16_000


def test_the_example_of_the_manual_is_a_good_site_file(write):
    manual = Path(__file__).parents[3] / "docs" / "site-file.md"
    example = manual.read_text("utf-8").split("```yaml\n")[1].split("```")[0]

    site, problems = load_problems(write(example))

    assert site is not None
    # The port and the password of the example are nobody's.
    assert {p.code for p in problems} == {"port_absent", "file_absent"}

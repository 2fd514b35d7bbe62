"""`read` on a real port, with and without a running gateway."""

import json
import re
import struct

import pytest

from gateway.cli import main
from tests.support.spawn import Spawned

SITE = """\
gateway: t1
clock: {{trust: always}}
buffer: {{path: ./data, max_bytes: 64MB, keep_free: 1MB}}
buses:
  net: {{protocol: modbus-tcp, tcp: "127.0.0.1:{port}", timeout: 200ms}}
devices:
  meter: {{bus: net, address: 3, profile: eastron-sdm120, every: 1s}}
  absent: {{bus: net, address: 9, profile: eastron-sdm120, every: 1s}}
targets:
  platform: {{mqtt: "mqtt://127.0.0.1:1"}}
"""


@pytest.fixture
def site(tmp_path):
    with Spawned(
        "simulators.modbus", "--profile", "eastron-sdm120@3", "--tcp", "0"
    ) as device:
        path = tmp_path / "site.yaml"
        path.write_text(SITE.format(port=device.ready["port"]), encoding="utf-8")
        yield path


def test_values_stand_beside_raw_registers_and_addresses(site, capsys):
    assert main(["--lang", "en", "read", "meter", "--site", str(site)]) == 0

    text = capsys.readouterr().out
    row = next(line for line in text.splitlines() if line.startswith("voltage"))
    assert "pdu:0 (3x:30001)" in row
    assert "good" in row
    # The raw registers decode to the value beside them (IEEE 754, high word first).
    words = row.split(")")[1].split()[:2]
    value = struct.unpack(">f", bytes.fromhex("".join(words)))[0]
    assert str(value)[:5] in row


def test_json_carries_the_same(site, capsys):
    assert main(["--json", "read", "meter", "voltage", "--site", str(site)]) == 0

    found = json.loads(capsys.readouterr().out)
    assert set(found["values"]) == {"voltage"}
    assert len(found["raw"]["voltage"]) == 8


def test_a_silent_device_is_unreachable_and_the_bytes_are_shown(site, capsys):
    assert main(["--lang", "en", "read", "absent", "--site", str(site)]) == 3

    assert "sent" in capsys.readouterr().out


def test_a_misspelt_device_is_met_with_the_right_one(site, capsys):
    assert main(["--lang", "en", "read", "metre", "--site", str(site)]) == 2

    assert "did you mean meter" in capsys.readouterr().err


def test_an_unknown_point_lists_those_there_are(site, capsys):
    assert main(["read", "meter", "volts", "--site", str(site)]) == 2

    assert "voltage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (
            "en",
            (
                "no answer in time: none of 13 points has a value",
                "asked       input 0+",
                "bus         net  modbus-tcp  127.0.0.1:",
                "sent        ",
                "received    nothing",
                "result      no answer in 0.20 s",
                "what to do  the connection stands; check the unit id",
            ),
        ),
        (
            "zh",
            (
                "超时无应答：13 个测点都没有数值",
                " 等，另 ",
                "总线  net  modbus-tcp  127.0.0.1:",
                "收到  无",
                "结果  0.20 秒内没有应答",
                "建议  连接正常；请检查设备地址",
            ),
        ),
    ],
)
def test_a_silent_device_is_told_once_with_bus_bytes_and_advice(
    site, capsys, lang, told
):
    assert main(["--lang", lang, "read", "absent", "--site", str(site)]) == 3

    text = capsys.readouterr().out
    assert [line for line in told if line not in text] == []
    assert "voltage  " not in text


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (
            "en",
            "device absent on bus net: 127.0.0.1:1: cannot connect (Connection",
        ),
        ("zh", "设备 absent，总线 net：127.0.0.1:1：无法连接（对方拒绝连接"),
    ],
)
def test_nobody_listening_names_device_bus_and_endpoint(tmp_path, capsys, lang, told):
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(port=1), encoding="utf-8")

    assert main(["--lang", lang, "read", "absent", "--site", str(path)]) == 3

    assert told in capsys.readouterr().err


def test_the_right_word_order_is_not_doubted(site, capsys):
    assert main(["--lang", "en", "read", "meter", "--site", str(site)]) == 0

    assert "word_order" not in capsys.readouterr().out


def test_a_misspelt_point_is_met_with_the_right_one(site, capsys):
    assert main(["--lang", "en", "read", "meter", "voltge", "--site", str(site)]) == 2

    assert "did you mean voltage?" in capsys.readouterr().err


def test_a_receiver_s_sentence_is_shown_as_it_came(tmp_path, capsys):
    link = tmp_path / "gnss"
    path = tmp_path / "site.yaml"
    path.write_text(
        f"gateway: g\nbuffer: {{path: {tmp_path}/data}}\n"
        f"buses: {{gnss: {{protocol: gnss, serial: {link}}}}}\n"
        "devices: {gnss-1: {bus: gnss, profile: generic-gnss, every: 1s}}\n"
    )

    with Spawned("simulators.receivers", "--pty", link, "--baud", 0, "--rate", 10):
        assert main(["read", "gnss-1", "--once", "--site", str(path)]) == 0

    shown = capsys.readouterr().out
    assert "$GNRMC," in shown
    assert "single" in shown
    assert re.search(r"came \d\.\d s ago", shown), "how old a look at it may be"

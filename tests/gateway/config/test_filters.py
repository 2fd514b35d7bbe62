from __future__ import annotations

import pytest

from gateway.config import load_problems

SITE = """\
gateway: site-07
buffer: {{path: ./data, write_through: true}}
buses:
  plc: {{protocol: modbus-tcp, tcp: "127.0.0.1:502"}}
devices:
  fan-1: &fan
    bus: plc
    address: 1
    every: 1s
    points: [{{name: running, table: coil, address: "0x:00017", type: bool}}]
  pump: {{bus: plc, address: 2, every: 1s, profile: eastron-sdm630}}
targets:
  city: {{mqtt: "mqtt://127.0.0.1", {keys}}}
"""


def load(tmp_path, keys):
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(keys=keys), encoding="utf-8")
    site, problems = load_problems(file)
    told = [(p.code, p.warning, p.meant) for p in problems if p.path.startswith("targ")]
    return site, told


def test_filters_and_receipts_are_read(tmp_path):
    keys = (
        'devices: ["fan-*", pump, pump], kinds: [event, ledger], backfill: 2.5/s,'
        " receipts: true, receipt_wait: 2m"
    )
    site, told = load(tmp_path, keys)

    assert told == []
    target = site.targets["city"]
    assert target.devices == ("fan-*", "pump")
    assert target.kinds == ("event", "ledger")
    assert target.backfill_per_s == 2.5
    assert target.receipts
    assert target.receipt_wait_s == 120
    assert site.buffer.write_through


def test_without_them_all_travels_and_the_brokers_word_is_the_proof(tmp_path):
    site, told = load(tmp_path, "username: me")

    assert told == []
    target = site.targets["city"]
    assert (target.devices, target.kinds, target.receipts) == ((), (), False)
    assert target.backfill_per_s == 20


def test_a_rate_may_be_told_by_the_minute(tmp_path):
    site, _ = load(tmp_path, "backfill: 30/min")

    assert site.targets["city"].backfill_per_s == 0.5


def test_a_name_that_is_not_there_is_an_error_and_a_pattern_a_warning(tmp_path):
    assert load(tmp_path, "devices: [fan1]") == (
        None,
        [("no_such_name", False, "fan-1")],
    )
    site, told = load(tmp_path, 'devices: [fan-1, "meter-*"]')
    assert told == [("no_such_name", True, "")]
    assert site.targets["city"].devices == ("fan-1", "meter-*")


def test_cameras_and_stations_are_named_like_devices(tmp_path):
    more = (
        "cameras: {yard-1: {url: 'rtsp://10.0.0.1/sub'}}\n"
        "stations: {works: {values: {so2: fan-1.running}}}\n"
    )

    def told(names):
        file = tmp_path / "site.yaml"
        file.write_text(SITE.format(keys=f"devices: [{names}]") + more, "utf-8")
        _, problems = load_problems(file)
        found = [p for p in problems if p.path.startswith("targets")]
        return [(p.code, p.values["choices"], p.meant) for p in found]

    names = "fan-1, pump, works, yard-1"
    assert told("yard-1") == []
    assert told("works, fan-1, 'yard-*'") == []
    assert told("yard-2") == [("no_such_name", names, "yard-1")]


@pytest.mark.parametrize(
    ("keys", "code", "meant"),
    [
        ("backfill: 20", "rate", "20/s"),
        ("backfill: 20 per second", "rate", ""),
        ("backfill: 20/h", "rate", ""),
        ("backfill: 0/s", "range", ""),
        ("kinds: [scans]", "choice", "scan"),
        ("kinds: [lost]", "lost_always", ""),
        ("kinds: []", "empty", ""),
        ("devices: []", "empty", ""),
        ("devices: fan-1", "type", ""),
        ("devices: [7]", "device_pattern", ""),
        ("receipt_wait: 100ms", "range", ""),
    ],
)
def test_what_is_wrong_is_told(tmp_path, keys, code, meant):
    assert load(tmp_path, keys) == (None, [(code, False, meant)])

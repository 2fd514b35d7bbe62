"""``states``, ``rules`` and ``parameters`` of a device: read, or refused in place."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gateway.config import load_problems
from gateway.config.flagging import Sign

SITE = """\
gateway: g
buffer: {path: ./data}
buses: {b: {protocol: modbus-tcp, tcp: "127.0.0.1:502"}}
devices:
  cems:
    bus: b
    address: 1
    every: 5s
    points:
      - {name: so2, table: input, address: "pdu:0", type: float32, unit: mg/m3}
      - {name: status, table: input, address: "pdu:2", type: uint16, every: 10s,
         bits: {0: purging}}
      - {name: mode, table: input, address: "pdu:3", type: uint16,
         enum: {0: run, 1: lamp}}
      - {name: slope, table: holding, address: "pdu:5", type: float32, unit: "1"}
%s
targets: {p: {mqtt: "mqtt://127.0.0.1"}}
"""


def load(tmp_path, *lines):
    path = tmp_path / "site.yaml"
    path.write_text(SITE % "\n".join(f"    {line}" for line in lines))
    site, problems = load_problems(path)
    return site.devices["cems"] if site else None, problems


def test_all_of_it_is_read(tmp_path):
    device, problems = load(
        tmp_path,
        "states:",
        "  fault: [{point: mode, equals: lamp}, {point: so2, at_least: 900}]",
        "  maintenance: {point: status.purging, equals: true, points: [so2]}",
        "rules:",
        "  so2: {below: -2, above: 285.7, constant: 2h, jump: 0.3 per 1m,",
        "        max_age: 1h, clock: true, missing: 10m}",
        "parameters: {points: [slope]}",
    )

    # The status is read every 10 s, and readings in between are told as valid.
    assert [(p.code, p.warning) for p in problems] == [("state_slow", True)]
    assert problems[0].values == {
        "found": "status.purging",
        "every": "10 s",
        "often": "5 s",
    }
    assert [s.state for s in device.states] == ["fault", "fault", "maintenance"]
    assert device.states[2] == Sign(
        state="maintenance",
        point="status.purging",
        equals=(True,),
        points=("so2",),
        every_s=10.0,
    )
    (rules,) = device.rules
    assert (rules.below, rules.above) == (-2, 285.7)
    assert (rules.jump, rules.jump_s) == (Fraction(3, 10), 60.0)
    assert (rules.constant_s, rules.missing_s) == (7200.0, 600.0)
    assert rules.every_s == 5.0
    assert device.parameters == ("slope",)
    assert {p.name: p.every_s for p in device.points}["slope"] == 600.0


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("states: {broken: {point: so2, equals: 1}}", "choice"),
        ("states: {normal: {point: so2, equals: 1}}", "choice"),
        ("states: {fault: {point: so3, equals: 1}}", "unknown_point"),
        ("states: {fault: {point: status.purge, equals: 1}}", "unknown_point"),
        ("states: {fault: {point: so2}}", "state_unsaid"),
        ("states: {fault: {equals: 1}}", "missing_key"),
        ("states: {fault: {point: so2, equals: 1, at_least: 1}}", "not_both"),
        ("states: {fault: {point: so2, at_least: 2, at_most: 1}}", "order"),
        ("states: {fault: {point: so2, equals: []}}", "empty"),
        ("states: {fault: []}", "empty"),
        ("states: {fault: {point: so2, equals: [{}]}}", "type"),
        ("states: {fault: {point: so2, equals: 1, points: [so3]}}", "unknown_point"),
        ("rules: {so3: {above: 1}}", "unknown_point"),
        ("rules: {mode: {above: 1}}", "unknown_point"),
        ("rules: {so2: {above: 1, below: 2}}", "order"),
        ("rules: {so2: {jump: 50}}", "jump_form"),
        ("rules: {so2: {jump: 50 per 1}}", "jump_form"),
        ("rules: {so2: {jump: 50 per 0s}}", "jump_form"),
        ("rules: {so2: {constant: 2}}", "duration_bare"),
        ("parameters: {every: 10m}", "missing_key"),
        ("parameters: {points: [slop]}", "unknown_point"),
        ("parameters: {points: slope}", "type"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, line, code):
    device, problems = load(tmp_path, line)

    assert device is None
    assert [p.code for p in problems] == [code]
    assert problems[0].line == 16


PROFILE = """\
profile: acme-x
maker: Acme
models: [X]
evidence: manual
source: "Acme X register list"
states:
  calibration: {point: status.purging, equals: true}
  fault: {point: so2, at_least: 900, points: [so2]}
%s
points:
  - {name: so2, table: input, address: "pdu:0", type: float32, unit: mg/m3}
  - {name: status, table: input, address: "pdu:2", type: uint16, bits: {0: purging}}
"""
BUILT = """\
gateway: g
buffer: {path: ./data}
buses: {b: {protocol: modbus-tcp, tcp: "127.0.0.1:502"}}
devices:
  cems: {bus: b, address: 1, every: 5s, profile: acme-x%s}
targets: {p: {mqtt: "mqtt://127.0.0.1"}}
"""


def built(tmp_path, more="", profile=""):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "acme-x.yaml").write_text(PROFILE % profile)
    path = tmp_path / "site.yaml"
    path.write_text(BUILT % more)
    site, problems = load_problems(path)
    return site.devices["cems"] if site else None, problems


def test_a_profile_says_how_its_device_shows_states(tmp_path):
    own = ", states: {maintenance: {point: so2, at_least: 800}}"
    device, problems = built(tmp_path, own)

    assert problems == []
    assert [s.state for s in device.states] == ["maintenance", "calibration", "fault"]
    assert [s.every_s for s in device.states] == [5.0, 5.0, 5.0]


def test_a_state_whose_point_is_left_out_is_warned_of(tmp_path):
    more = ", only: named, points: [{base: so2, name: so2}]"
    device, problems = built(tmp_path, more)

    assert [s.state for s in device.states] == ["fault"]
    assert [(p.code, p.warning) for p in problems] == [("state_left_out", True)]


def test_what_is_wrong_in_a_profile_is_told(tmp_path):
    device, problems = built(tmp_path, profile="  stopped: {point: mode, equals: 1}")

    assert device is None
    assert [(p.code, p.line) for p in problems] == [("unknown_point", 9)]

"""Mistakes people make with instruments of every protocol, and what they are told."""

from __future__ import annotations

import pytest

from gateway.config import load_problems
from gateway.config.problems import message_of
from gateway.texts import set_language

SITE = """\
gateway: g
buffer: {path: ./data}
buses:
  %s
devices:
  %s
"""
METERS = 'bus: {protocol: dlt645, tcp: "127.0.0.1:4001"}'
ASCII = 'bus: {protocol: ascii, tcp: "127.0.0.1:4001"}'
GNSS = 'bus: {protocol: gnss, tcp: "127.0.0.1:4001"}'
MODBUS = 'bus: {protocol: modbus-tcp, tcp: "127.0.0.1:502"}'
REGISTER = '{name: v, table: holding, address: "pdu:0", type: uint16, unit: V}'
CONTACT = REGISTER.replace("}", ", contact: {kind: door}}")


@pytest.fixture
def problems(tmp_path):
    def found(bus, *devices):
        path = tmp_path / "site.yaml"
        path.write_text(SITE % (bus, "\n  ".join(devices)), encoding="utf-8")
        report = load_problems(path)[1]
        return [p for p in report if not p.warning and p.path.startswith("devices.")]

    return found


@pytest.mark.parametrize(
    ("bus", "keys", "point", "path", "code"),
    [
        (
            METERS,
            'address: "000000000002"',
            REGISTER,
            "points.v.table",
            "other_protocol",
        ),
        (
            GNSS,
            "every: 9s",
            '{name: v, di: "02010100"}',
            "points.v.di",
            "other_protocol",
        ),
        (MODBUS, 'address: "6"', REGISTER, "address", "text_not_number"),
        (MODBUS, "address: 6", CONTACT, "points.v.contact", "contact_number"),
    ],
)
def test_one_mistake_is_told_once_at_its_place(problems, bus, keys, point, path, code):
    every = "" if "every" in keys else ", every: 9s"

    found = problems(bus, f"a: {{bus: bus, {keys}{every}, points: [{point}]}}")

    assert [(p.path, p.code) for p in found] == [(f"devices.a.{path}", code)]


@pytest.mark.parametrize(
    ("bus", "profile", "code"),
    [
        (GNSS, "generic-gnss", "alone_twice"),
        (ASCII, "gill-windsonic", "address_none_twice"),
    ],
)
def test_two_without_an_address_are_told_apart_by_nobody(problems, bus, profile, code):
    device = "%s: {bus: bus, profile: " + profile + ", every: 9s}"

    (problem,) = problems(bus, device % "a", device % "b")

    assert (problem.path, problem.code) == ("devices.b.address", code)
    for language in ("zh", "en"):
        set_language(language)
        try:
            assert "'-'" not in message_of(problem)
            assert "None" not in message_of(problem)
        finally:
            set_language("en")

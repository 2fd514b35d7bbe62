"""Addresses of DL/T 645 meters: what can be asked, and what cannot."""

from __future__ import annotations

import pytest

from drivers.dlt645.frame import Function, di_bytes, request
from gateway.config import load_problems

SITE = """\
gateway: g
buffer: {{path: ./data}}
buses:
  line: {{protocol: dlt645, tcp: "127.0.0.1:9880"}}
devices:
  meter: {{bus: line, every: 5s, profile: generic-dlt645, address: {address}}}
"""


def read(tmp_path, address):
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(address=address), encoding="utf-8")
    site, problems = load_problems(file)
    return site, [problem.code for problem in problems if not problem.warning]


@pytest.mark.parametrize(
    "address", ['"202511210001"', "AAAAAAAAAAAA", '"AAAAAAAAAA01"', '"999999999998"']
)
def test_what_is_accepted_can_be_asked(tmp_path, address):
    site, problems = read(tmp_path, address)

    assert problems == []
    assert request(
        Function.READ, site.devices["meter"].address, di_bytes("00010000")
    ).endswith(b"\x16")


@pytest.mark.parametrize(
    "address", ['"999999999999"', '"20251121001"', '"AAAAAAAAAAA1"', '"01AAAAAAAAAA"']
)
def test_a_broadcast_and_what_is_no_address_are_refused(tmp_path, address):
    _, problems = read(tmp_path, address)

    assert problems == ["meter_address"]

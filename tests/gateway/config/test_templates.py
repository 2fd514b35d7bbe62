"""A device after a generic profile: its points are the site's, their meaning is not."""

from __future__ import annotations

import pytest

from gateway.config import load_problems, load_site

SITE = """\
gateway: g
buffer: {path: ./data, max_bytes: 64MB}
buses: {b: {protocol: modbus-tcp, tcp: "127.0.0.1:502"}}
devices:
  cems:
    bus: b
    address: 1
    profile: generic-cems
    every: 10s
    points:
      - {name: so2, table: holding, address: "pdu:0", type: float32, unit: mg/m3}
      - {name: no, table: holding, address: "pdu:2", type: float32, unit: "[ppm]"}
      - {name: fault, table: discrete, address: "pdu:0"}
      - {name: ours, table: holding, address: "pdu:4", type: float32, unit: kPa}
"""


@pytest.fixture
def site(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    return file


def test_filled_in_points_have_label_and_code_of_the_vocabulary(site):
    device = load_site(site).devices["cems"]

    points = {p.name: (p.label.get("zh"), p.code) for p in device.points}
    assert points == {
        "so2": ("二氧化硫", "a21026"),
        "no": ("一氧化氮", None),  # another unit than the code's
        "fault": ("故障", None),
        "ours": (None, None),
    }
    assert device.timeout_s == 1.0


def test_a_line_left_as_it_was_printed_is_told_with_its_place(site):
    site.write_text(SITE.replace('"pdu:2"', '"pdu:?"'), encoding="utf-8")

    _, (problem,) = load_problems(site)

    assert (problem.line, problem.code) == (12, "address_notation")


def test_without_points_there_is_nothing_to_ask_for(site):
    site.write_text(SITE[: SITE.index("    points:")], encoding="utf-8")

    _, (problem,) = load_problems(site)

    assert (problem.line, problem.code) == (8, "points_to_fill")

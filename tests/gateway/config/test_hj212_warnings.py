"""Slips of an HJ 212 target that ``check`` tells before a platform does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.config.loader import load_problems

if TYPE_CHECKING:
    from pathlib import Path

SITE = """\
gateway: g1
buffer: {path: data}
buses: {b: {protocol: modbus-tcp, tcp: "127.0.0.1:1502"}}
devices:
  cems:
    bus: b
    address: 1
    every: 5s
    points:
      - {name: so2, table: holding, address: "pdu:0", type: float32, unit: mg/m3}
      - {name: o2, table: holding, address: "pdu:4", type: float32, unit: "%"}
      - {name: fan, table: holding, address: "pdu:6", type: float32, unit: Hz}
stations:
  DA001:
    kind: flue_gas
    factors: {so2: cems.so2, o2: cems.o2}
    flue_gas: {reference_oxygen: 6}
targets:
  city:
    hj212: 127.0.0.1:9212
    mn: 010000A8900016F000169DC0
    station: DA001
    password_file: pw
"""


def warned(folder: Path, old: str = "", new: str = "", pw: str = "123456") -> list[str]:
    """Codes of the warnings, of a site with one change."""
    assert not old or SITE.count(old) == 1
    (folder / "pw").write_text(pw + "\n")
    (folder / "pw").chmod(0o600)
    path = folder / "site.yaml"
    path.write_text(SITE.replace(old, new) if old else SITE, encoding="utf-8")
    site, problems = load_problems(path)
    assert site is not None, [str(problem) for problem in problems]
    assert all(pw not in str(problem) for problem in problems)
    return [p.code for p in problems if p.code != "recommended"]


def test_a_site_without_slips(tmp_path: Path) -> None:
    assert warned(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("so2: cems.so2,", "so2: cems.so2, fan: cems.fan,", "hj212_no_code"),
        ("station: DA001\n", "station: DA001\n    st: 32\n", "hj212_st_of_other"),
        ("station: DA001\n", "station: DA001\n    allow: [3012]\n", "hj212_no_order"),
        ("    flue_gas: {reference_oxygen: 6}\n", "", "nothing_converted"),
        ("reference_oxygen: 6", "reference_oxygen: 0.06", "reference_is_percent"),
    ],
)
def test_a_slip_is_told(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert warned(tmp_path, old, new) == [code]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("station: DA001\n", "station: DA001\n    only: [so2, o2]\n"),
        ("station: DA001\n", "station: DA001\n    st: 31\n"),
        ("reference_oxygen: 6", "reference_oxygen: 3"),
    ],
)
def test_what_is_meant_is_not_doubted(tmp_path: Path, old: str, new: str) -> None:
    assert warned(tmp_path, old, new) == []


@pytest.mark.parametrize("pw", ["54321", "abcdefg"])
def test_a_password_of_another_length_is_told_and_not_shown(
    tmp_path: Path, pw: str
) -> None:
    assert warned(tmp_path, pw=pw) == ["hj212_password_form"]


def test_a_target_speaks_one_of_the_two(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        SITE.replace("  city:\n", "  city:\n    mqtt: mqtt://127.0.0.1\n"),
        encoding="utf-8",
    )

    site, problems = load_problems(path)

    assert site is None
    assert [p.code for p in problems if not p.warning] == ["hj212_value_or_field"]

"""What is asked of a bus when it is examined, by what its devices speak."""

from __future__ import annotations

import pytest

from gateway.commission.causes import causes
from gateway.commission.evidence import Evidence, Overheard
from gateway.commission.facts import facts_of, wants_of
from gateway.config import load_problems

SITE = """\
gateway: g
buffer: {path: ./data}
buses:
  meters: {protocol: dlt645, tcp: "127.0.0.1:1"}
  gas: {protocol: ascii, tcp: "127.0.0.1:2"}
  push: {protocol: hj212, listen: "127.0.0.1:3"}
  sky: {protocol: gnss, tcp: "127.0.0.1:4"}
  io: {protocol: modbus-tcp, tcp: "127.0.0.1:5"}
devices:
  meter: {bus: meters, address: "202511210001", profile: generic-dlt645, every: 9s}
  so2: {bus: gas, address: "43", profile: thermo-43i, every: 9s}
  dust:
    {bus: push, address: "888888800001", profile: generic-hj212-dust-noise, every: 9s}
  gnss: {bus: sky, profile: generic-gnss, every: 9s}
  fan: {bus: io, address: 3, profile: eastron-sdm120, every: 9s}
"""


@pytest.mark.parametrize(
    ("name", "asked"),
    [("meter", 1), ("so2", 0), ("dust", 0), ("gnss", 0), ("fan", 1)],
)
def test_only_what_answers_our_questions_is_asked(tmp_path, name, asked):
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    site, _ = load_problems(path)

    assert len(wants_of([site.devices[name]])) == asked


def test_a_silence_that_nobody_broke_is_no_fault(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    site, _ = load_problems(path)
    evidence = Evidence(facts_of(site.buses["gas"], [site.devices["so2"]]))
    evidence.overheard.append(Overheard("", 1.3, b"", 0))

    assert causes(evidence) == []

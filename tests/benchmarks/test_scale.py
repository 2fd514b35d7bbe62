"""The scale runs in small: every phase has figures, and nothing is missing."""

from __future__ import annotations

import argparse
import json

import pytest

from benchmarks import scale
from benchmarks.machine import ROOT


@pytest.mark.parametrize(
    "kind",
    [pytest.param("mosquitto", marks=pytest.mark.needs("mosquitto")), "nats"],
)
def test_a_small_fleet_is_measured_phase_by_phase(kind, tmp_path) -> None:
    case = scale.Case(
        "small",
        "ten gateways",
        ("--every", "0.2", "--ramp", "1000", "--away", "0.3"),
    )
    options = argparse.Namespace(gateways=10, seconds=0.5)

    result = scale.run_case(case, kind, tmp_path, options)

    assert set(result["phases"]) == {"connect", "steady", "storm", "drain"}
    steady = result["phases"]["steady"]
    assert steady["messages_per_s"] > 20
    assert steady["broker_rss_mib"] > 1
    assert result["intake"]["missing"] == 0
    assert result["intake"]["records"] > 20
    assert "small: ten gateways" in scale.text(result)


def test_messages_are_weighed() -> None:
    said = scale.message_bytes()

    assert said["data of 1"]["per_record"] > said["data of 10"]["per_record"] > 100
    assert said["data of 100"]["zstd_per_record"] < 100
    assert said["receipt"] < 150


def test_the_consumer_is_timed_on_clean_traffic() -> None:
    assert min(scale.consumer_speed().values()) > 1000


def test_the_page_shows_what_was_measured() -> None:
    said = json.loads(scale.RESULTS.read_text("utf-8"))
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")

    assert scale.table(said["runs"]) in page
    assert all(run["intake"]["missing"] == 0 for run in said["runs"])
    sizes = said["bytes"]
    assert f"({sizes['data of 1']['per_record']:.0f} bytes each, measured)" in page
    assert f"({sizes['data of 10']['per_record']:.0f} bytes each, measured)" in page
    speed = said["consumer_records_per_s"]
    assert f"reads {min(speed.values()):,} to {max(speed.values()):,} records" in page

"""Bars 4, 5: with two cameras running, p99 freshness is at most 1.5 times that without;
the vision process of one takes 180 MB at most."""

from __future__ import annotations

import pytest

from benchmarks import sizes
from benchmarks.cameras import LIMIT, MEMORY_MIB, compare, measure
from benchmarks.run import Row


def a_row(cameras, p99, **more):
    usual = {
        "size": "1 x 10",
        "engine": "own",
        "purpose": "cameras",
        "window_s": 5.0,
        "values_due": 50,
        "values": 50,
        "cpu_s_per_1000": 0.1,
        "core_share": 0.01,
        "fresh_p50_ms": 2.0,
        "fresh_max_ms": 30.0,
        "drift_ms": 0.0,
        "pss_mib": 40.0,
        "rss_mib": 50.0,
        "start_s": 0.4,
        "disk_bytes_per_value": 1.0,
        "device_bytes_per_value": None,
        "wrong": 0,
        "duplicates": 0,
        "other_records": {},
    }
    return Row(**(usual | more), cameras=cameras, fresh_p99_ms=p99)


def test_both_sides_are_compared_by_their_medians():
    rows = [a_row(0, 4.0), a_row(2, 5.0), a_row(0, 90.0), a_row(2, 5.5), a_row(0, 4.2)]

    found = compare(rows)

    assert found["fresh_p99_ms_without"] == 4.2
    assert found["fresh_p99_ms_with"] == 5.25
    assert found["ratio"] == 1.25
    assert "vision_pss_mib_of_one" not in found


def test_one_camera_is_for_memory_and_no_side():
    rows = [a_row(0, 4.0), a_row(2, 5.0), a_row(1, 90.0, vision_rss_mib=140.0)]

    found = compare(rows)

    assert found["ratio"] == 1.25
    assert found["vision_rss_mib_of_one"] == 140.0


@pytest.mark.bars
@pytest.mark.needs("mosquitto")
def test_two_cameras_leave_instruments_fresh(figure, tmp_path):
    size = sizes.parse("10x50")
    rows = measure(size, 3, 10.0, 30.0, tmp_path)

    found = compare(rows)

    for name, value in found.items():
        figure(name, value)
    assert found["wrong"] == 0
    assert found["ratio"] <= LIMIT
    assert 0 < found["vision_pss_mib_of_one"] <= MEMORY_MIB
    assert found["vision_rss_mib_of_one"] <= MEMORY_MIB

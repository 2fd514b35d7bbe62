"""What the simulated sites show is what such places show."""

from __future__ import annotations

import pytest

from simulators.site_parts import ModbusPart, PushingPart
from simulators.site_plan import KINDS, load_plan
from simulators.site_process import SimulatedSite

LIKELY = {
    "o2": (4, 16),
    "flue_humidity": (3, 25),
    "flue_pressure": (-2, 2),  # kPa, gauge
    "flue_temperature": (60, 200),
    "flue_velocity": (4, 25),
    "flue_flow": (20_000, 200_000),
    "dust": (0.5, 20),
    "so2": (1, 60),
    "cod": (5, 60),
    "ammonia_nitrogen": (0.1, 8),
    "total_phosphorus": (0.02, 1),
    "total_nitrogen": (2, 20),
    "dissolved_oxygen": (0.5, 9),
    "transit_time_ratio": (97, 103),
    "noise": (35, 90),
    "pm10": (10, 400),
}
START_S = 1_763_712_000


@pytest.mark.parametrize("kind", KINDS)
async def test_values_are_what_such_a_place_shows(kind, tmp_path):
    site = SimulatedSite(load_plan(kind), tmp_path)
    seen = set()
    for name, part in site.parts.items():
        for at in range(START_S, START_S + 3600, 97):
            for point, value in shown(part, at):
                if point in LIKELY:
                    low, high = LIKELY[point]
                    assert low <= value <= high, f"{name}.{point} is {value}"
                    seen.add(point)
    assert len(seen) >= 2


def shown(part, at_s):
    if isinstance(part, ModbusPart):
        return [(one.point.name, one.value(at_s)) for one in part.unit._all()]
    if isinstance(part, PushingPart):
        names = [point.name for point in part.instrument._points]
        return [(name, part.instrument.value(name, at_s)) for name in names]
    return []


async def test_pm2_5_is_part_of_pm10_and_that_of_tsp(tmp_path):
    site = SimulatedSite(load_plan("construction"), tmp_path)
    for at in range(START_S, START_S + 3600, 61):
        values = dict(shown(site.parts["dust-gate"], at))
        assert values["pm2_5"] < values["pm10"] < values["tsp"]


async def test_a_slow_analyser_keeps_its_result_for_an_hour(tmp_path):
    site = SimulatedSite(load_plan("water"), tmp_path)
    cod = [
        dict(shown(site.parts["cod"], at))["cod"]
        for at in range(START_S, START_S + 4 * 3600, 60)
    ]
    assert len(set(cod)) == 4


async def test_the_platform_it_reports_to_comes_with_it(tmp_path):
    site = SimulatedSite(load_plan("enterprise"), tmp_path)
    await site.open()
    try:
        text = site.site_file.read_text("utf-8")
        assert f'hj212: "{site.hj212}"' in text
        assert (tmp_path / "hj212-password").stat().st_mode & 0o777 == 0o600
        assert "minutes 0" in site.obey("platform")
        assert "failed clauses: none" in site.obey("platform")
    finally:
        await site.close()


async def test_another_platform_can_be_named(tmp_path):
    site = SimulatedSite(load_plan("water"), tmp_path, hj212="127.0.0.1:9212")
    await site.open()
    try:
        assert 'hj212: "127.0.0.1:9212"' in site.site_file.read_text("utf-8")
        assert "not ours" in site.obey("platform")
    finally:
        await site.close()

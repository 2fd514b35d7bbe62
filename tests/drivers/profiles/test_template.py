"""A generic profile's lines: filled in they work, left as they are they do not."""

from __future__ import annotations

import pytest

from drivers.profiles.document import load_document
from drivers.profiles.library import load_profile, profile_names
from drivers.profiles.points import points_from_list
from drivers.profiles.reading import Report
from drivers.profiles.template import TO_FILL, site_lines, takes_after

NAMES = [name for name in profile_names() if name.startswith("generic-")]


def listed(text, name):
    root = load_document(text, name)
    device = root.get("devices").get(name.removeprefix("generic-"))
    report = Report()
    points = points_from_list(report, device.get("points").value, "points")
    return [point for point, _ in points], report.problems


@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_was_not_filled_in_is_refused(name):
    profile = load_profile(name)
    if profile.template:
        points, problems = listed(site_lines(profile), name)

        assert points == []
        assert [p.code for p in problems] == ["address_notation"] * len(
            profile.template
        )


@pytest.mark.parametrize("name", NAMES)
def test_filled_in_every_line_is_a_point_of_the_vocabulary(name):
    profile = load_profile(name)
    if profile.template:
        text = site_lines(profile)
        for at in range(len(profile.template)):
            text = text.replace(TO_FILL, f"pdu:{2 * at}", 1)

        points, problems = listed(text, name)

        assert problems == []
        assert tuple(p.name for p in points) == profile.template
        assert all(takes_after(profile, p).label for p in points)


def test_a_filled_in_point_takes_label_and_code_only_with_the_unit_they_belong_to():
    profile = load_profile("generic-cems")
    line = "{name: %s, table: holding, address: 'pdu:1', type: float32, unit: '%s'}"

    def taken(name, unit):
        node = load_document(f"- {line % (name, unit)}", "t")
        ((point, _),) = points_from_list(Report(), node.value, "points")
        point = takes_after(profile, point)
        return point.code, point.label.get("zh")

    assert taken("so2", "mg/m3") == ("a21026", "二氧化硫")
    assert taken("so2", "[ppm]") == (None, "二氧化硫")
    assert taken("my_own", "mg/m3") == (None, None)
    assert taken("cod", "mg/L") == (None, None)

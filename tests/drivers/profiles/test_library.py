"""Every profile loads, speaks the vocabulary, and decodes bytes from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.errors import ProfileError
from drivers.profiles import devices_page
from drivers.profiles.library import (
    load_profile,
    profile_from_text,
    profile_names,
    quantities,
    read_profile,
)
from tests.support.recordings import (
    expected_flaws,
    play,
    points_of,
    recording,
    recording_names,
)

ROOT = Path(__file__).parents[3]
NAMES = profile_names()


def test_every_profile_has_its_recording_and_every_recording_its_profile():
    assert recording_names() == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
async def test_a_profile_decodes_bytes_that_are_not_ours(name):
    profile, root = load_profile(name), recording(name)
    expected, flaws = root.get("expected").plain(), expected_flaws(root)

    answer = await play(profile, root)

    assert {k: repr(v) for k, v in answer.values.items()} == {
        k: repr(v) for k, v in expected.items()
    }
    assert answer.flaws == flaws
    if root.get("flags"):
        assert answer.flags == root.get("flags").plain()
    if root.get("sampled"):
        said = root.get("sampled").plain()
        whole = said if isinstance(said, dict) else dict.fromkeys(answer.sampled, said)
        assert answer.sampled == whole
    # A point that no expected value and no flaw covers has not been shown to decode.
    points = {point.name for point in points_of(profile, root)}
    assert points
    assert points <= expected.keys() | flaws.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_says_where_its_bytes_come_from(name):
    root = recording(name)

    assert root.get("profile").value == name
    for key in ("device", "firmware", "taken", "by"):
        assert root.get(key).text, key


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_speaks_the_vocabulary(name):
    known = quantities()

    for point in load_profile(name).points:
        assert point.name in known, f"{point.name}: add it to quantities.yaml"
        assert point.unit == known[point.name].unit, point.name
        assert set(point.label) == {"zh", "en"}, point.name
        assert point.code in (known[point.name].code, *known[point.name].also)


def test_the_vocabulary_is_in_both_languages_and_in_ascii_units():
    for name, quantity in quantities().items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert quantity.unit.isascii(), name
        assert quantity.zh, name
        assert quantity.en, name


def test_codes_of_the_vocabulary_have_the_form_of_the_standard():
    # HJ 212-2017, 6.6.5 and table B.3: a letter and digits, or a noise level.
    code = re.compile(r"[aw][0-9]{5}|L[A-Z]|L[dn]|Ldn|Leq|LM[nx]|L[0-9]{1,2}")
    for name, quantity in quantities().items():
        for own in (quantity.code, *quantity.also):
            assert own is None or code.fullmatch(own), name
        assert not quantity.also or quantity.code, name


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_says_what_it_is_for(name):
    profile = load_profile(name)

    assert profile.kind != "any" or profile.evidence == "generic"


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_names_where_it_comes_from(name):
    profile = load_profile(name)

    assert len(profile.source) > 20
    assert profile.notes
    assert profile.notes_zh
    if profile.evidence == "hardware-recorded":
        said = recording(name).plain()
        assert "none" not in (said["device"], said["taken"], said["by"])


def test_the_page_of_devices_is_current():
    page = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")

    assert page == devices_page.page(), "python -m drivers.profiles.devices_page"


GOOD = """
profile: acme-tk100
maker: Acme
models: [TK-100]
evidence: manual
source: "Acme TK-100 register list, rev C, table 4"
points:
  - {name: frequency, table: input, address: "pdu:70", type: uint16, unit: Hz}
"""


def causes(text, name="acme-tk100"):
    profile, problems = read_profile(text, name)
    assert (profile is None) == any(not p.warning for p in problems)
    return [(p.line, p.column, p.path, p.code) for p in problems]


def test_a_profile_may_be_short():
    profile = profile_from_text(GOOD, "acme-tk100")

    assert profile.revision == 1
    assert profile.points[0].label == {"zh": "频率", "en": "frequency"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("maker: Acme", "maker: Acme\ncolour: red", [(4, 1, "colour", "unknown_key")]),
        ("maker: Acme\n", "", [(2, 1, "", "missing_key")]),
        ("manual", "rumour", [(5, 11, "evidence", "choice")]),
        ("acme-tk100", "acme-tk200", [(2, 10, "profile", "profile_file")]),
        ("acme-tk100", "Acme_TK100", [(2, 10, "profile", "profile_name")]),
        ("[TK-100]", "[]", [(4, 9, "models", "empty")]),
        ("evidence", "framing: 9X1\nevidence", [(5, 10, "framing", "framing")]),
        ("evidence", "timeout: 5\nevidence", [(5, 10, "timeout", "duration_bare")]),
        (
            "evidence",
            "max_registers: 126\nevidence",
            [(5, 16, "max_registers", "range")],
        ),
        ("evidence", "notes: {en: x}\nevidence", [(5, 8, "notes", "missing_key")]),
        ("models:", "modles:", [(4, 1, "modles", "misspelt_key")]),
        ("evidence", "kind: meters\nevidence", [(5, 7, "kind", "choice")]),
        ("evidence", "protocol: [modbus]\nevidence", [(5, 11, "protocol", "choice")]),
        (
            "points:",
            "template: [so2, o4, so2]\npoints:",
            [
                (7, 17, "template", "template_name"),
                (7, 21, "template", "template_name"),
            ],
        ),
    ],
)
def test_each_mistake_has_its_place_and_cause(old, new, expected):
    assert causes(GOOD.replace(old, new, 1)) == expected


def test_points_of_a_profile_must_not_overlap_and_are_not_missing():
    second = (
        '  - {name: voltage, table: input, address: "pdu:69", type: float32, unit: V}'
    )

    assert [code for *_, code in causes(GOOD + second)] == ["overlap"]
    none = GOOD[: GOOD.index("points:")] + "points: []\n"
    assert [code for *_, code in causes(none)] == ["empty"]
    assert causes(none.replace("manual", "generic")) == []


def test_all_mistakes_are_told_at_once_by_line():
    text = GOOD.replace("manual", "rumour").replace("uint16", "uint17")

    with pytest.raises(ProfileError) as caught:
        profile_from_text(text, "acme-tk100")

    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("acme-tk100.yaml:5:11: evidence: expected one of")
    assert "points.frequency.type" in lines[1]
    assert "did you mean uint16?" in lines[1]


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(ProfileError, match=r"eastron-sdm630.*found 'sdm630'"):
        load_profile("sdm630")


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("generic-")])
def test_a_template_comes_without_addresses_and_its_example_fills_it_in(name):
    profile, root = load_profile(name), recording(name)

    assert profile.evidence == "generic"
    if not profile.template:
        return
    assert profile.points == ()
    names = {point.name for point in points_of(profile, root)}
    assert names <= set(profile.template)
    assert len(names) > len(profile.template) / 2


def test_the_library_has_what_stands_on_chinese_sites():
    # At least 40, and of these 12 of types that are met on Chinese sites.
    assert len(NAMES) >= 40
    offered = {
        name: {p.name for p in load_profile(name).points}
        | set(load_profile(name).template)
        for name in NAMES
    }
    types = [
        {"so2", "nox", "dust", "o2", "flue_velocity"},
        {"cod"},
        {"ammonia_nitrogen"},
        {"total_phosphorus"},
        {"total_nitrogen"},
        {"ph", "water_temperature"},
        {"wastewater_flow", "wastewater_volume"},
        {"tsp", "pm10", "noise", "wind_speed"},
        {"fume", "fan_running", "purifier_running"},
        {"nmhc", "thc", "methane"},
        {"vapour_liquid_ratio", "tank_pressure"},
        {"weight_gross", "weight_net"},
        {"ai1", "ai8"},
        {"relay1", "relay8", "di1", "di8"},
        {"combustible_gas"},
    ]
    assert [
        kind for kind in types if not any(kind <= o for o in offered.values())
    ] == []

"""Bad site files: each refused with every line, column and cause, and none starts.

The places were counted by hand in the files under tests/sites/bad.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config import SiteError, line_of, load_problems, load_site
from gateway.texts import set_language

FOLDER = Path(__file__).parents[2] / "sites" / "bad"

EXPECTED: dict[str, list[tuple[int, int, str]]] = {
    "01-unknown-key": [(3, 1, "misspelt_key"), (12, 25, "misspelt_key")],
    "02-wrong-types": [
        (2, 10, "number_not_text"),
        (5, 3, "type"),
        (7, 28, "type"),
        (7, 52, "type"),
    ],
    "03-missing-keys": [
        (2, 1, "missing_key"),
        (2, 1, "missing_key"),
        (3, 8, "missing_key"),
        (5, 8, "missing_key"),
    ],
    "04-durations-without-unit": [
        (3, 35, "size_bare"),
        (5, 62, "duration_bare"),
        (10, 12, "duration_bare"),
    ],
    "05-durations-malformed": [
        (3, 35, "size"),
        (5, 62, "duration"),
        (10, 12, "duration"),
    ],
    "06-overlapping-points": [(13, 9, "overlap")],
    "07-duplicate-point-name": [(12, 15, "duplicate_name")],
    "08-duplicate-keys": [(3, 24, "yaml_duplicate_key"), (8, 3, "yaml_duplicate_key")],
    "09-one-address-twice": [(13, 14, "address_twice")],
    "10-unknown-profile": [(6, 55, "unknown_profile")],
    "11-unknown-references": [
        (3, 66, "unknown_outlet"),
        (9, 10, "unknown_bus"),
        (12, 12, "unknown_asset"),
    ],
    "12-missing-unit": [(11, 9, "unit_missing"), (12, 78, "unit_ascii")],
    "13-site-code-check-character": [(3, 14, "site_code_check")],
    "14-site-code-form": [
        (4, 9, "site_code_length"),
        (5, 11, "number_not_text"),
        (6, 13, "position"),
    ],
    "15-line-too-slow": [(5, 57, "line_overload")],
    "16-one-port-twice": [(8, 13, "port_twice"), (10, 38, "port_twice")],
    "17-type-against-table": [
        (11, 60, "type_in_bits"),
        (12, 9, "bit_missing"),
        (13, 73, "range"),
        (14, 74, "bit_not_bool"),
    ],
    "18-addresses-of-two-kinds": [
        (12, 44, "address_notation"),
        (13, 44, "address_other_table"),
        (14, 44, "address_end"),
    ],
    "19-write-limits": [
        (12, 87, "write_limits"),
        (13, 85, "not_writable_table"),
        (14, 104, "order"),
    ],
    "20-secrets-in-the-file": [
        (5, 16, "secret_in_url"),
        (9, 5, "secret_inline"),
        (10, 18, "query_in_url"),
        (11, 18, "mqtt_url"),
    ],
    "21-mqtt-address": [
        (4, 15, "mqtt_url"),
        (5, 15, "mqtt_url"),
        (6, 17, "mqtt_url"),
        (7, 52, "topic_prefix"),
        (8, 16, "plaintext"),
        (9, 15, "path_not_here"),
    ],
    "22-yaml-1.1-words": [
        (9, 14, "leading_zero"),
        (10, 12, "duration"),
        (11, 65, "type"),
    ],
    "23-broken-syntax": [(4, 36, "yaml_quote")],
    "24-tab-as-indentation": [(3, 1, "yaml_token")],
    "25-serial-and-tcp-mixed": [
        (5, 59, "not_with"),
        (6, 56, "not_with"),
        (6, 82, "framing"),
        (7, 21, "choice"),
        (8, 41, "port_path"),
        (11, 8, "no_points"),
        (12, 30, "range"),
    ],
    "26-target-filters": [
        (2, 39, "type"),
        (12, 52, "no_such_name"),
        (12, 70, "device_pattern"),
        (13, 44, "empty"),
        (13, 62, "lost_always"),
        (13, 68, "choice"),
        (14, 47, "rate"),
        (14, 61, "type"),
        (14, 80, "range"),
        (15, 46, "range"),
    ],
    "27-certificates": [
        (5, 11, "plaintext"),
        (8, 9, "tls_only"),
        (10, 23, "goes_with"),
        (10, 38, "goes_with"),
        (11, 53, "goes_with"),
        (13, 26, "either"),
        (14, 30, "credential_name"),
        (14, 30, "goes_with"),
        (15, 16, "choice"),
    ],
    "30-fences-and-contacts": [
        (13, 12, "no_position"),
        (15, 71, "type"),
        (15, 84, "range"),
        (16, 114, "choice"),
        (17, 111, "not_both"),
        (17, 124, "rate_form"),
        (19, 5, "line_shared"),
        (19, 5, "unknown_point"),
        (28, 9, "unit_missing"),
        (30, 15, "unknown_device"),
        (31, 43, "position"),
        (32, 72, "fence_small"),
        (33, 48, "fence_crossing"),
        (34, 29, "choice"),
        (34, 47, "fence_corners"),
        (34, 89, "not_both"),
        (35, 20, "position_missing"),
        (35, 37, "duration_bare"),
    ],
    "31-cameras": [
        (13, 3, "duplicate_name"),
        (14, 17, "secret_in_url"),
        (15, 15, "user_in_url"),
        (16, 16, "camera_secret_in_query"),
        (17, 51, "secret_inline"),
        (18, 17, "camera_scheme"),
        (19, 19, "camera_kind_missing"),
        (20, 43, "camera_kind_other"),
        (21, 15, "camera_form"),
        (22, 14, "camera_device"),
        (23, 32, "camera_no_login"),
        (23, 46, "camera_only_kind"),
        (24, 51, "goes_with"),
        (24, 63, "camera_only_kind"),
        (25, 44, "duration_bare"),
        (25, 55, "range"),
        (26, 53, "choice"),
        (26, 69, "camera_rule_unused"),
        (26, 91, "range"),
        (26, 95, "choice"),
        (27, 63, "range"),
        (27, 75, "camera_confirm"),
        (27, 92, "duration_bare"),
        (31, 19, "fence_corners"),
        (32, 31, "camera_corner_range"),
        (32, 41, "camera_corner_range"),
        (33, 19, "camera_zone_crossing"),
        (34, 19, "camera_zone_small"),
        (35, 30, "camera_corner"),
        (35, 49, "choice"),
        (36, 69, "camera_private_labels"),
        (37, 55, "position"),
        (37, 81, "range"),
        (38, 44, "range"),
        (38, 63, "camera_time"),
        (38, 79, "choice"),
        (39, 55, "camera_clip_short"),
        (40, 47, "unknown_device"),
        (40, 79, "unknown_asset"),
        (41, 45, "unknown_point_of"),
        (43, 10, "model_ending"),
        (44, 18, "choice"),
        (45, 9, "model_size"),
        (46, 12, "range"),
        (47, 11, "range"),
        (48, 20, "camera_evidence_in_buffer"),
        (48, 39, "range"),
        (48, 50, "duration_bare"),
    ],
}
MEANT = {
    ("01-unknown-key", 3): "buffer",
    ("01-unknown-key", 12): "table",
    ("04-durations-without-unit", 5): "500ms",
    ("10-unknown-profile", 6): "eastron-sdm630",
    ("11-unknown-references", 9): "plc",
    ("12-missing-unit", 12): "mg/m3",
    ("14-site-code-form", 6): "[118.18012, 39.63041]",
    ("15-line-too-slow", 5): "baud: 4800",
    ("18-addresses-of-two-kinds", 12): "4x:40101",
    ("21-mqtt-address", 4): "mqtts://platform.example",
    ("21-mqtt-address", 8): "mqtts://platform.example",
    ("22-yaml-1.1-words", 11): "true",
    ("27-certificates", 5): "wss://platform.example",
}
SECRET = "hunter2"  # noqa: S105 - what no message may repeat


@pytest.fixture(autouse=True)
def _language():
    yield
    set_language(None)


def test_every_one_of_them_is_expected():
    assert {file.stem for file in FOLDER.glob("*.yaml")} == set(EXPECTED)
    assert len(EXPECTED) >= 25


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_error_is_told_at_once_with_place_and_cause(name):
    site, problems = load_problems(FOLDER / f"{name}.yaml")

    errors = [(p.line, p.column, p.code) for p in problems if not p.warning]
    assert site is None
    assert errors == EXPECTED[name], "\n".join(map(str, problems))
    for problem in problems:
        if meant := MEANT.get((name, problem.line)):
            assert problem.meant == meant


@pytest.mark.parametrize("name", sorted(EXPECTED))
@pytest.mark.parametrize("code", ["zh", "en"])
def test_every_message_is_worded_in_both_languages(name, code):
    set_language(code)
    file = FOLDER / f"{name}.yaml"

    _, problems = load_problems(file)

    for problem in problems:
        line = line_of(problem, file)
        assert line.startswith(f"{file}:{problem.line}:{problem.column}: ")
        assert not re.search(r"[{}]|config\.", line.removeprefix(str(file)))
        assert bool(re.search("[\u4e00-\u9fff]", line)) == (code == "zh"), line
        assert SECRET not in line


def test_none_of_them_loads():
    for name, expected in EXPECTED.items():
        with pytest.raises(SiteError) as caught:
            load_site(FOLDER / f"{name}.yaml")

        assert len(caught.value.problems) == len(expected)


def test_none_of_them_starts():
    for name, expected in EXPECTED.items():
        done = _ecogate("run", str(FOLDER / f"{name}.yaml"))

        assert done.returncode == 2, name
        assert f"{name}.yaml:{expected[0][0]}:{expected[0][1]}: " in done.stderr
        assert "Traceback" not in done.stderr
    assert not (FOLDER / "data").exists()


def test_check_prints_them_all_and_exits_with_2():
    name = "25-serial-and-tcp-mixed"
    file = FOLDER / f"{name}.yaml"

    plain = _ecogate("check", str(file), "--lang", "en")
    told = _ecogate("check", "--json", str(file))

    assert plain.returncode == told.returncode == 2
    for line, column, _ in EXPECTED[name]:
        assert f"{file}:{line}:{column}: " in plain.stdout
    parsed = json.loads(told.stdout)
    errors = [
        (p["line"], p["column"], p["code"])
        for p in parsed["problems"]
        if p["severity"] == "error"
    ]
    assert not parsed["ok"]
    assert errors == EXPECTED[name]


def _ecogate(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

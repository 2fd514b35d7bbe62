"""Every profile loads, speaks the vocabulary, and decodes bytes from outside."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from drivers.errors import ProfileError
from drivers.modbus.device import ModbusDevice
from drivers.profiles import devices_page
from drivers.profiles.document import load_document
from drivers.profiles.library import (
    load_profile,
    profile_from_text,
    profile_names,
    quantities,
    read_profile,
)
from drivers.profiles.points import points_from_list
from drivers.profiles.reading import Report
from drivers.values import Flaw, Quality
from tests.support.modbus_memory import TIMING, MemoryBus

ROOT = Path(__file__).parents[3]
RECORDINGS = ROOT / "tests" / "recordings"
TABLE = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}

TEN = {
    "acrel-adl400",
    "acrel-adw300",
    "chint-ddsu666",
    "chint-dtsu666",
    "eastron-sdm120",
    "eastron-sdm630",
    "generic-modbus",
    "jxct-jxbs-3001-pm",
    "renke-rs-fsxcs",
    "tuf-2000m",
}


def crc(frame):
    """MODBUS over Serial Line V1.02, 6.2.2, bit by bit."""
    register = 0xFFFF
    for byte in frame:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    return struct.pack("<H", register)


def recording(name):
    text = (RECORDINGS / f"{name}.yaml").read_text(encoding="utf-8")
    return load_document(text, name)


def replay(root):
    """A bus that holds what the recorded answers say; anything else reads A5A5."""
    bus = MemoryBus(default=0xA5A5)
    for exchange in root.get("exchanges").plain():
        request, response = map(
            bytes.fromhex, (exchange["request"], exchange["response"])
        )
        for frame in (request, response):
            assert crc(frame[:-2]) == frame[-2:], frame.hex(" ")
        unit, function, start, count = struct.unpack(">BBHH", request[:-2])
        assert response[:2] == request[:2]
        assert response[2] == len(response) - 5
        assert unit == root.get("unit").value
        data = response[3:-2]
        if function in {1, 2}:
            assert len(data) == (count + 7) // 8
            values = [data[i // 8] >> i % 8 & 1 for i in range(count)]
        else:
            values = struct.unpack(f">{count}H", data)
        for i, value in enumerate(values):
            bus.registers[TABLE[function], start + i] = value
    return bus


def points_of(name, root):
    added = root.get("points")
    report = Report()
    own = points_from_list(report, added.value, "points") if added else []
    assert report.problems == []
    return [*load_profile(name).points, *(point for point, _ in own)]


def test_these_ten_come_with_the_gateway():
    assert set(profile_names()) == TEN


def test_every_recording_has_its_profile():
    assert {path.stem for path in RECORDINGS.glob("*.yaml")} == TEN


@pytest.mark.parametrize("name", sorted(TEN))
async def test_a_profile_decodes_bytes_that_are_not_ours(name):
    root = recording(name)
    bus, points = replay(root), points_of(name, root)
    for point in points:
        cells = range(point.address, point.address + point.registers)
        assert {(point.table, at) for at in cells} <= bus.registers.keys(), point.name
    profile = load_profile(name)
    device = ModbusDevice(
        name, root.get("unit").value, bus, points, TIMING, profile.max_registers
    )
    flaws = {
        key: Flaw(Quality(quality), reason)
        for key, (quality, reason) in (
            root.get("flaws").plain() if root.get("flaws") else {}
        ).items()
    }

    for _ in range(4):  # each with another size of request
        answer = await device.scan([point.name for point in points])

        assert {k: repr(v) for k, v in answer.values.items()} == {
            k: repr(v) for k, v in root.get("expected").plain().items()
        }
        assert answer.flaws == flaws
    assert {point.name for point in points} <= answer.values.keys() | flaws.keys()


@pytest.mark.parametrize("name", sorted(TEN))
def test_a_profile_speaks_the_vocabulary(name):
    known = quantities()

    for point in load_profile(name).points:
        assert point.name in known, f"{point.name}: add it to quantities.yaml"
        assert point.unit == known[point.name].unit, point.name
        assert set(point.label) == {"zh", "en"}, point.name


def test_the_vocabulary_is_in_both_languages_and_in_ascii_units():
    for name, quantity in quantities().items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert quantity.unit.isascii(), name
        assert quantity.zh, name
        assert quantity.en, name


@pytest.mark.parametrize("name", sorted(TEN))
def test_a_profile_names_where_it_comes_from(name):
    profile = load_profile(name)

    assert len(profile.source) > 20
    assert profile.notes
    assert profile.notes_zh
    # No device of ours has been touched yet.
    assert profile.evidence != "hardware-recorded"


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

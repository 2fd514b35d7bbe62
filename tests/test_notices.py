"""What others made is named with its licence and its source, and travels with us."""

from __future__ import annotations

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTICES = (ROOT / "THIRD_PARTY_NOTICES.md").read_text("utf-8")
OURS = {"docs/demo.svg", "tests/golden/media.bin"}
"""Drawn by ``docs/record.py``, written by a test."""
MADE = re.compile(
    r"\.(jpe?g|png|gif|svg|bmp|webp|ico|mp4|avi|mkv|wav|mp3|ttf|otf|woff2?|onnx|npz|pt"
    r"|log|bin|pcap|csv|zip|gz)\Z"
)
OWN = ("this project", "本项目")
LICENCES = ("Apache-2.0", "BSD-2-Clause", "CC BY 4.0", "CC0", "MIT", "unrestricted use")
"""All there are; another one is for a person to judge first."""


def rows(text):
    """Tables, a row a list of cells."""
    lines = (line for line in text.splitlines() if line.startswith("|"))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if not set(row[0]) <= set("- ")]


def named():
    """Patterns of files -> their row."""
    found = {}
    for row in rows(NOTICES):
        for pattern in re.findall(r"`([\w./*-]+)`", row[0]):
            found[pattern] = " ".join(row)
    return found


def licences(text):
    return {licence for licence in LICENCES if licence in text}


def tracked():
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return done.stdout.splitlines()
    return [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if ".venv" not in p.parts]


def test_every_picture_clip_font_and_recording_is_named():
    patterns = [*named(), "vision/model/smoke_dust.onnx"]
    unnamed = [
        name
        for name in tracked()
        if MADE.search(name)
        and name not in OURS
        and not any(fnmatch(name, pattern) for pattern in patterns)
    ]

    assert unnamed == []
    assert "`vision/model/smoke_dust.onnx`" in NOTICES


def test_every_named_file_is_there():
    names = tracked()

    assert [
        p for p in named() if "/" in p and not any(fnmatch(n, p) for n in names)
    ] == []


@pytest.mark.parametrize("place", ["simulators/camera/data", "tests/recordings/vision"])
def test_what_a_folder_says_of_its_files_is_said_here(place):
    text = (ROOT / place / "README.md").read_text("utf-8")
    told = [row for row in rows(text) if row[0].startswith("`")]

    assert told
    for row in told:
        notice = named()[f"{place}/{row[0].strip('`')}"]
        assert licences(" ".join(row)) == licences(notice) != set()


@pytest.mark.parametrize("card", ["card.md", "card.zh-CN.md"])
def test_every_credit_of_the_models_card_is_given_here(card):
    text = (ROOT / "vision" / "model" / card).read_text("utf-8")
    told = [row for row in rows(text) if len(row) == 3 and licences(row[1])]
    model = NOTICES[NOTICES.index("## The shipped model") :]

    assert len(told) >= 8
    for what, licence, credit in told:
        assert licences(licence) <= licences(model), what
        for name in re.split("[,;:，；：、]", credit):
            holder = name.replace("Inc.", "").strip(" .")
            assert holder in (*OWN, "images", "图片") or holder in model, holder


def test_the_notices_travel_with_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert "THIRD_PARTY_NOTICES.md" in project["license-files"]

"""docs/hj212-instruments.md says what the code does: no more, no less."""

from __future__ import annotations

import re
from pathlib import Path

from drivers.hj212.deviations import Deviation, Refusal
from drivers.hj212.flags import FLAGS

PAGE = (Path(__file__).parents[3] / "docs" / "hj212-instruments.md").read_text("utf-8")


def test_the_table_of_deviations_is_complete():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(Deviation)


def test_the_causes_of_refusal_are_complete():
    said = PAGE.partition("Causes of refusal:")[2].partition("\n\n")[0]

    assert re.findall(r"`(\w+)`", said) == list(Refusal)


def test_the_table_of_marks_is_the_codes():
    rows = re.findall(
        r"^\| (\w+) \|[^|]+\|[^|]+\| ([\d ]+) \| (\w+) \| `?(\w*)`? ?\|$",
        PAGE,
        re.MULTILINE,
    )
    table = {
        year: {
            mark: (quality, reason)
            for mark, versions, quality, reason in rows
            if str(year) in versions
        }
        for year in FLAGS
    }

    assert table == {
        year: {
            mark: ("good", "") if flaw is None else (flaw.quality, flaw.reason)
            for mark, flaw in marks.items()
        }
        for year, marks in FLAGS.items()
    }

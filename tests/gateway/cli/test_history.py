"""`history` and `report`, on two days that a gateway kept; see `kept_stack`."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from datetime import datetime
from html.parser import HTMLParser
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from gateway.cli import main
from gateway.cli.output import display_width
from gateway.texts import set_language
from tests.support.kept_stack import fill, make_site

DAY = ("--since", "2025-11-21", "--until", "2025-11-22")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    path = make_site(folder)
    asyncio.run(fill(folder / "data"))
    return path


@pytest.fixture(autouse=True)
def _language(monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    yield
    set_language(None)


@pytest.fixture
def said(site, capsys):
    def ask(*words: str, lang: str = "en") -> str:
        assert main(["--lang", lang, *words, "--site", str(site)]) == 0
        return capsys.readouterr().out

    return ask


def test_one_factor_with_all_its_figures(said) -> None:
    lines = said("history", "DA001", "so2", *DAY).splitlines()

    assert lines[0].startswith("DA001 Stack 1  so2 SO2  mg/m3")
    assert lines[1].split() == [
        "HOUR", "AVG", "MIN", "MAX", "TOTAL", "KG/H", "ZS", "AVG", "VALID", "FLAG",
        "REMARK",
    ]  # fmt: skip
    by_hour = {line[11:16]: line for line in lines[2:] if line[:4] == "2025"}
    assert by_hour["09:00"].split()[-3:] == ["0/60", "M", "maintenance"]
    assert by_hour["04:00"].endswith("55/60  N     missing 5")
    assert by_hour["03:00"].split() == [
        "2025-11-21", "03:00", "10/60", "B", "no", "answer",
    ]  # fmt: skip
    assert "no record from 2025-11-21 14:00 on, 1 periods" in lines
    assert "14:00" not in by_hour


def test_several_factors_side_by_side_by_name_or_code(said) -> None:
    span = ("--since", "2025-11-21 13:58", "--until", "2025-11-21 15:02")
    lines = said("history", "DA001", "a21026", "o2", "--kind", "minute", *span)

    rows = [line.split() for line in lines.splitlines()[3:]]
    assert len(rows) == 2 + 1 + 2
    assert rows[2][:3] == ["no", "record", "from"]
    assert [row[1] for row in (rows[0], rows[-1])] == ["13:58", "15:01"]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("kind", ["minute", "hour"])
def test_a_chart_shows_gaps_as_gaps_and_marks_below(said, lang, kind) -> None:
    out = said("history", "DA001", "so2", "--plot", "--kind", kind, *DAY, lang=lang)
    lines = out.splitlines()

    assert all(display_width(line) < 100 for line in lines[:-1])
    chart = [line.partition("┤" if "┤" in line else "│")[2] for line in lines[1:10]]
    marks = lines[12][lines[10].index("└") + 1 :]
    axis = lines[10].partition("└")[2]
    at = {hour: len(axis) * hour // 24 for hour in range(25)}

    def column(hour: float) -> str:
        k = round(len(axis) * hour / 24)
        return "".join(row[k : k + 1] for row in chart).strip()

    assert column(14.5) == ""  # no record
    assert column(8)
    assert column(16)
    if kind == "minute":
        assert column(3.6) == ""
    assert marks[at[9] + 2] == "M"
    assert marks[at[21]] == "F"
    assert marks[at[14] + 2] == "·"
    assert marks[at[7]] == " "
    words = {"en": "M maintenance", "zh": "M 维护"}
    assert words[lang] in lines[-1]


def test_csv_and_json_say_the_same(said) -> None:
    rows = list(csv.DictReader(io.StringIO(said("history", "DA001", *DAY, "--csv"))))
    found = json.loads(said("--json", "history", "DA001", *DAY))

    assert len(rows) == 4 * len(found) == 4 * 23
    assert rows[0]["time"] == "2025-11-21T00:00:00+08:00"
    for row, k in zip(rows, range(4 * 23), strict=True):
        one = found[k // 4]["agg"][row["factor"]]
        assert row["avg"] == (one["avg"] or "")
        assert (row["flag"], row["mark"]) == (one["flag"], one["mark"])
        assert row["n"] == str(one["n"])


def test_what_cannot_be_shown_says_why(site, capsys) -> None:
    def refused(*words: str) -> str:
        assert main(["--lang", "en", *words, "--site", str(site)]) != 0
        return capsys.readouterr().err

    assert "no station X" in refused("history", "X")
    assert "no factor x; it has so2, nox" in refused("history", "DA001", "x")
    assert "soon is no time" in refused("history", "DA001", "--since", "soon")
    assert "begins where it ends" in refused(
        "history", "DA001", "--since", "2999-01-01"
    )
    assert "reaches from 2025-11-20 00:00 to 2025-11-21 23:00" in refused(
        "history", "DA001", "--since", "2024-01-01", "--until", "2024-01-02"
    )
    assert "has not come" in refused("report", "day", "DA001", "2999-01-01")
    assert "no HJ 212 platform x" in refused(
        "report", "day", "DA001", "2025-11-21", "--target", "x"
    )


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "there is none yet"), ("zh", "可选：暂无")]
)
def test_a_site_without_platforms_is_said_to_have_none(
    tmp_path, capsys, lang, said
) -> None:
    site = make_site(tmp_path)
    site.write_text(site.read_text("utf-8").partition("targets:")[0], "utf-8")

    for_x = ["report", "day", "DA001", "2025-11-21", "--target", "x"]
    assert main(["--lang", lang, *for_x, "--site", str(site)]) != 0
    assert said in capsys.readouterr().err


def test_no_history_yet(tmp_path, capsys) -> None:
    site = make_site(tmp_path)
    assert main(["--lang", "en", "history", "DA001", "--site", str(site)]) == 3
    assert "no history is kept" in capsys.readouterr().err


def test_a_days_report_counts_what_the_day_had(said) -> None:
    out = said("report", "day", "DA001", "2025-11-21")

    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    # 24 h less 2 h stopped; 1 h without record; 17:00 written and never confirmed.
    assert rows["so2"][1:7] == ["1320", "1205", "1115", "1260", "1200", "120"]
    assert rows["so2"][7:] == ["90.91", "%", "87.92", "%", "79.92", "%"]
    assert rows["14:00"][-6:] == ["60", "0", "0", "0", "0", "0"]
    assert "bus or connection gone" in out
    assert re.search(r"power off or gateway stopped unexpectedly\s+≤ 720", out)
    assert re.search(r"maintenance\s+王工\s+更换气路滤芯", out)
    assert "the door was open for 97 min" in out


def test_a_report_of_a_first_day_names_today(site, capsys, monkeypatch) -> None:
    noon = datetime(2025, 11, 20, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
    now = SimpleNamespace(time_ns=lambda: round(noon.timestamp()) * 10**9)
    monkeypatch.setattr("gateway.cli.report.time", now)

    assert main(["--lang", "en", "report", "day", "DA001", "--site", str(site)]) == 0
    told = capsys.readouterr()

    assert "ecogate report day DA001 today" in told.err
    assert "nothing is expected before" in told.out


def test_a_months_report_counts_hours_from_the_first_that_is_kept(said) -> None:
    out = said("report", "month", "DA001", "2025-11")

    assert "begins at 2025-11-20 00:00" in out
    row = next(line for line in out.splitlines() if line.startswith("11-21"))
    assert row.split()[-6:] == ["22", "20", "18", "21", "20", "2"]


def test_a_reports_csv_adds_up(said) -> None:
    text = said("report", "day", "DA001", "2025-11-21", "--csv")
    rows = [r for r in csv.DictReader(io.StringIO(text)) if r["factor"] == "so2"]

    assert len(rows) == 25
    for name in ("expected", "acquired", "valid", "sent", "proved", "stopped"):
        assert sum(int(r[name]) for r in rows[:-1]) == int(rows[-1][name])
    assert rows[-1]["until"] == "2025-11-22T00:00:00+08:00"


class Page(HTMLParser):
    """Tags that close as they opened, and what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refers: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.refers += [v for k, v in attrs if k in ("src", "href", "action")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.words.append(data)


@pytest.mark.parametrize(
    ("lang", "title"), [("zh", "数据有效性日报 2025-11-21"), ("en", "Validity report")]
)
def test_the_page_stands_alone(said, tmp_path, lang, title) -> None:
    path = tmp_path / "report.html"
    said("report", "day", "DA001", "2025-11-21", "--html", str(path), lang=lang)
    text = path.read_text("utf-8")
    page = Page()
    page.feed(text)

    assert page.open == []
    assert page.refers == []
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "size: A4" in text
    words = "\n".join(page.words)
    assert title in words
    for wanted in ("79.92 %", "王工", "更换气路滤芯", "≤ 720", "DA001"):
        assert wanted in words
    assert len(page.words) > 500
    if lang == "zh":
        assert not re.search(r"report\.|history\.", words)

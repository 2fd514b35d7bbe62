"""`buffer` looks into a store that nobody uses, and refuses where there is none."""

import json
import sqlite3

import msgspec
import pytest

from buffer import Buffer, Limits, PriorityClass, Stats
from drivers.values import Flaw, Quality
from gateway.cli import main
from gateway.cli.buffer import counts
from gateway.clock import Instant
from gateway.record import Scan, encode
from gateway.texts import set_language

SITE = """\
gateway: t1
buffer: {path: ./data, max_bytes: 64MB, keep_free: 1MB}
buses:
  net: {protocol: modbus-tcp, tcp: "127.0.0.1:502"}
devices:
  meter: {bus: net, address: 3, profile: eastron-sdm120, every: 1s}
targets:
  platform: {mqtt: "mqtt://127.0.0.1:1883"}
"""
T = 1_795_300_000_000


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    return path


@pytest.fixture
async def stored(site):
    buffer = await Buffer.open(
        site.parent / "data",
        Limits(max_bytes=64_000_000, keep_free=0),
        ["platform"],
        wall_ms=lambda: T,
        boot="0000000b",
    )
    for second in range(5):
        at = Instant(T + 1000 * second, 1000 * second, "0000000b", trusted=True)
        flaws = {"current": Flaw(Quality.BAD, "timeout")}
        scan = Scan("meter", at, {"voltage": 230.1 + second}, flaws)
        data = encode(scan, "9c41d07a")
        buffer.append(data, cls=PriorityClass.LIVE, subject="meter", t_ms=at.wall_ms)
    await buffer.flush()
    buffer.resolve("platform", 1, 2)
    await buffer.close()
    return site


def test_inspect_tells_segments_and_what_each_target_is_owed(stored, capsys):
    assert main(["--json", "buffer", "inspect", "--site", str(stored)]) == 0

    report = json.loads(capsys.readouterr().out)
    assert report["clean"] is True
    assert report["records"] == 5
    assert report["targets"]["platform"]["owed"] == 3
    assert main(["--lang", "en", "buffer", "stats", "--site", str(stored)]) == 0
    assert "closed in order" in capsys.readouterr().out


def test_export_prints_records_as_the_platform_gets_them(stored, capsys):
    assert main(["buffer", "export", "--site", str(stored)]) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["record"]["values"]["voltage"] for line in lines] == [
        230.1,
        231.1,
        232.1,
        233.1,
        234.1,
    ]
    assert lines[0]["record"]["t"] == T
    assert lines[0]["record"]["q"] == {"current": ["bad", "timeout"]}


def test_export_writes_a_database_ordinary_tools_open(stored, tmp_path, capsys):
    out = tmp_path / "export.db"

    assert main(["buffer", "export", "--site", str(stored), "--out", str(out)]) == 0
    assert main(["buffer", "export", "--site", str(stored), "--out", str(out)]) == 1

    connection = sqlite3.connect(out)
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
    }
    assert "record" in tables
    assert connection.execute("SELECT count(*) FROM record").fetchone() == (5,)
    connection.close()


def test_without_a_store_it_says_so(site, capsys):
    assert main(["--lang", "en", "buffer", "inspect", "--site", str(site)]) == 3
    assert "no store" in capsys.readouterr().err


def test_an_export_for_programs_says_where_and_how_many(stored, tmp_path, capsys):
    out = tmp_path / "export.db"
    command = ["--json", "buffer", "export", "--site", str(stored), "--out", str(out)]

    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(out), "records": 5}

    assert main(["--lang", "zh", *command]) == 1
    assert "已存在：请换一个文件名" in capsys.readouterr().err


def test_inspect_speaks_chinese(stored, capsys):
    assert main(["--lang", "zh", "buffer", "inspect", "--site", str(stored)]) == 0

    out = capsys.readouterr().out
    assert "实时" in out
    assert "已封存" in out or "写入中" in out


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_counts_of_a_running_gateway_are_told_in_words(lang):
    set_language(lang)
    stats = Stats(
        store="5f2c9a1e",
        high=12,
        durable=10,
        pending=2,
        bytes=36_864,
        segments=2,
        floors={"platform": 3},
        backlog={"platform": 9},
        losses=0,
        damaged_files=0,
        degraded="disk",
        trouble="No space left on device",
        commits=4,
        bytes_appended=9_000,
        bytes_stored=3_000,
        commit_ms=1.000000002,
    )

    text = counts(msgspec.to_builtins(stats))
    set_language(None)

    assert "buffer.stats" not in text
    assert "37 kB" in text
    assert "1.0 ms" in text
    assert ("磁盘空间已满" if lang == "zh" else "No space left") in text
    assert len(text.splitlines()) == 18

"""`buffer` looks into a store that nobody uses, and refuses where there is none."""

import json
import sqlite3

import pytest

from buffer import Buffer, Limits, PriorityClass
from drivers.values import Flaw, Quality
from gateway.cli import main
from gateway.clock import Instant
from gateway.record import Scan, encode

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

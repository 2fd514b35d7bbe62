from __future__ import annotations

import io
import json
import os
import sqlite3

import pytest

from buffer import PriorityClass
from buffer.export import to_jsonl, to_sqlite
from buffer.inspect import entries, inspect

EVENT = PriorityClass.EVENT


async def test_a_running_store_is_described_without_touching_it(home, put) -> None:
    buffer = await home.open()
    for _ in range(30):
        put(buffer, 3, subject="fan-2")
        put(buffer, 1, EVENT, subject="gateway")
        await buffer.flush()
    buffer.resolve("platform", 1, 60)
    buffer._committer._save = True
    put(buffer)
    await buffer.flush()
    before = {p.name: p.read_bytes() for p in home.folder.iterdir()}

    report = inspect(home.folder)
    got = list(entries(home.folder))

    assert {p.name: p.read_bytes() for p in home.folder.iterdir()} == before
    assert report.store == buffer.store
    assert report.running_pid == os.getpid()
    assert report.control == "ok"
    assert (report.high, report.records) == (121, 121)
    assert report.targets["platform"].owed == 61
    assert {s.cls: s.records for s in report.segments} == {"live": 91, "event": 30}
    assert report.segments[0].counts == {"fan-2": 90, "meter-1": 1}
    assert {s.state for s in report.segments} == {"open"}
    assert [e.seq for e in got] == list(range(1, 122))


async def test_a_stopped_store_says_how_it_stopped(home, put) -> None:
    buffer = await home.open()
    put(buffer, 5)
    await buffer.close()
    clean = inspect(home.folder)
    buffer = await home.open()
    put(buffer, 5)
    await buffer.flush()
    image = home.image()

    killed = inspect(image)

    assert (clean.clean, clean.running_pid, clean.high) == (True, None, 5)
    assert (killed.clean, killed.records) == (False, 10)


async def test_a_damaged_store_is_described_too(home, put) -> None:
    buffer = await home.open()
    put(buffer, 5)
    await buffer.close()
    (segment,) = home.folder.glob("live-*.sqlite")
    segment.write_bytes(b"\0" * 1024 + segment.read_bytes()[1024:])
    (home.folder / "control.sqlite").write_bytes(b"nonsense")

    report = inspect(home.folder)

    assert report.control == "damaged"
    assert report.segments[0].state == "damaged"
    assert [e.seq for e in entries(home.folder)] == [1, 2, 3, 4, 5]


def test_no_store_is_said_so(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no store"):
        inspect(tmp_path)


async def test_records_are_exported_for_ordinary_tools(home, put, tmp_path) -> None:
    buffer = await home.open()
    put(buffer, 5)
    buffer.append(b"\xff\x00", cls=EVENT, subject="door", t_ms=7)
    await buffer.flush()
    out, text = tmp_path / "out.db", io.StringIO()

    n = to_sqlite(home.folder, out)
    lines = to_jsonl(home.folder, text)

    assert (n, lines) == (6, 6)
    db = sqlite3.connect(out)
    rows = db.execute("SELECT seq, class, t, subject, data FROM record").fetchall()
    targets = db.execute("SELECT target, owed FROM target").fetchall()
    segments = db.execute("SELECT count(*) FROM segment").fetchone()
    db.close()
    assert rows[5] == (6, "event", 7, "door", b"\xff\x00")
    assert targets == [("platform", 6)]
    assert segments == (2,)
    parsed = [json.loads(line) for line in text.getvalue().splitlines()]
    assert parsed[5] == {
        "seq": 6, "class": "event", "t": 7, "subject": "door", "data64": "/wA=",
    }  # fmt: skip
    with pytest.raises(FileExistsError):
        to_sqlite(home.folder, out)


async def test_an_export_asks_the_gateway_what_a_record_says(
    home, put, tmp_path
) -> None:
    buffer = await home.open()
    put(buffer, 2)
    await buffer.close()
    text = io.StringIO()

    to_jsonl(home.folder, text, lambda e: {"values": {"length": len(e.data)}})
    n = to_sqlite(home.folder, tmp_path / "o.db", lambda e: {"length": len(e.data)})

    assert json.loads(text.getvalue().splitlines()[0])["values"] == {"length": 40}
    assert n == 2

"""What the benchmark's figures mean, on runs whose answer is known."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import msgspec
import pytest

from benchmarks import process, report, sizes
from benchmarks.bars import outcomes
from benchmarks.child import Child, ChildError
from benchmarks.run import Row
from benchmarks.subscriber import Ledger, at_share, drift_ms
from simulators.bench import identity

BASE = Row(
    size="10 x 50", engine="own", purpose="processor", window_s=60.0,
    values_due=30_000, values=30_000, cpu_s_per_1000=0.01, core_share=0.005,
    fresh_p50_ms=2.0, fresh_p99_ms=9.0, fresh_max_ms=20.0, drift_ms=0.0, pss_mib=39.0,
    rss_mib=45.0, start_s=0.3, disk_bytes_per_value=20.0, device_bytes_per_value=None,
    wrong=0, duplicates=0, other_records={},
)  # fmt: skip


def test_cpu_time_is_what_the_process_used():
    code = (
        "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        child.stdout.readline()
        used = process.cpu_s(child.pid)
        resident = process.rss_bytes(child.pid)
        shared = process.pss_bytes(child.pid)
    finally:
        child.communicate(b"\n")

    assert 0.3 <= used < 1.0
    assert 0 < shared <= resident


def test_written_bytes_are_what_reached_the_page_cache(tmp_path):
    code = (
        "import os, sys\nf = open(sys.argv[1], 'wb')\nf.write(bytes(1 << 20))\n"
        "f.flush()\nos.fsync(f.fileno())\nprint(flush=True)\ninput()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "file")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        child.stdout.readline()
        written = process.written_bytes(child.pid)
        on_disk = process.device_written_bytes(tmp_path) is not None
    finally:
        child.communicate(b"\n")

    # A folder in memory writes nothing: there is nothing to compare with then.
    assert written in range(1 << 20, 2 << 20) or (written == 0 and not on_disk)


def test_the_middle_run_counts_but_the_worst_error():
    rows = [
        msgspec.structs.replace(BASE, cpu_s_per_1000=cpu, wrong=wrong)
        for cpu, wrong in [(0.01, 0), (0.05, 0), (0.011, 1)]
    ]

    (line,) = report.medians(rows)

    assert line["cpu_s_per_1000"] == 0.011
    assert line["wrong"] == 1
    assert line["runs"] == 3


def test_limits_say_what_was_missed():
    rows = [msgspec.structs.replace(BASE, pss_mib=44.0)]

    found = report.verdicts(report.medians(rows))

    missed = [item for item in found if not item["met"]]
    assert [item["what"] for item in missed] == ["pss_mib"]
    assert "MISSED, 1.10 times" in report.limits_text(missed)
    assert "10 x 50" in report.table(report.medians(rows))


def test_the_other_engine_is_held_to_no_limit():
    rows = [msgspec.structs.replace(BASE, engine="pymodbus", cpu_s_per_1000=9.0)]

    assert report.verdicts(report.medians(rows)) == []


def test_results_are_json_with_machine_and_date(tmp_path):
    lines = report.medians([BASE])
    report.save(tmp_path / "deep" / "out.json", {"date": "2025-11-21"}, [BASE], lines)

    content = json.loads((tmp_path / "deep" / "out.json").read_text())

    assert set(content) == {"about", "medians", "limits", "runs"}
    assert content["runs"][0]["size"] == "10 x 50"


def test_the_subscriber_knows_wrong_repeated_and_stale():
    ledger = Ledger(start_ns=0)

    def message(seq, values):
        record = {"seq": seq, "kind": "scan", "device": "bench-3", "t": 1000 * seq}
        body = {"store": "s", "records": [record | {"values": values}]}
        return json.dumps(body).encode()

    right = {"r0": 100, "r2": identity(3, 2), "r4": 1}
    ledger.take(message(1, right), 102_500_000)
    ledger.take(message(1, right), 110_000_000)
    ledger.take(message(2, right | {"r2": identity(4, 2)}), 100_000_000_000)
    report = ledger.report(0, 1_000_000_000)

    assert report["fresh_ms"]["p50"] == pytest.approx(2.5)
    assert (report["scans"], report["values"]) == (1, 3)
    assert (report["wrong"], report["duplicates"]) == (1, 1)


def test_drift_is_a_slide_not_a_late_poll():
    steady = [1000 * i + (300 if i == 17 else i % 3) for i in range(60)]
    sliding = [1002 * i for i in range(60)]

    assert drift_ms(steady) <= 2
    assert drift_ms(sliding) == pytest.approx(110, abs=5)
    assert at_share([], 0.99) == 0
    assert at_share(list(range(100)), 0.99) == 99


def test_sizes_are_read_as_written():
    assert sizes.parse("10x50") == sizes.parse("10 x 50") == sizes.Size(10, 50)
    with pytest.raises(ValueError, match="such as 10x50, got 'many'"):
        sizes.parse("many")


def test_a_child_that_ends_early_is_reported_with_its_words(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no such port')"]
    started = time.monotonic()
    with (
        Child("gateway", command, tmp_path / "log") as child,
        pytest.raises(ChildError, match=r"(?s)gateway .*'first'.*no such port"),
    ):
        child.hear("first", 30)

    assert time.monotonic() - started < 25


def test_bars_gather_figures_and_failures(tmp_path):
    junit = tmp_path / "junit.xml"
    junit.write_text(
        '<testsuites><testsuite><testcase classname="tests.a" name="one"><properties>'
        '<property name="wrong" value="0"/></properties></testcase>'
        '<testcase classname="tests.a" name="two"><failure message="boom"/></testcase>'
        '<testcase classname="tests.a" name="three"><skipped/></testcase>'
        "</testsuite></testsuites>"
    )

    found = outcomes(junit)

    assert found["counts"] == {"passed": 1, "failed": 1, "left_out": 1}
    assert found["figures"] == {"tests.a.one": {"wrong": "0"}}
    assert found["failed"] == {"tests.a.two": "boom"}

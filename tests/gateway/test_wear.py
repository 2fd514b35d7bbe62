"""How much is written in a day, and how long a card lasts at that: pure arithmetic."""

from __future__ import annotations

from pathlib import Path

from gateway import wear
from gateway.cli.status import report
from gateway.health import Health

GB = 10**9


def looked(*readings):
    found = wear.Wear()
    for now_s, written in readings:
        found.look(now_s, written)
    return found


def test_nothing_is_said_before_ten_minutes() -> None:
    assert wear.Wear().bytes_per_day is None
    assert looked((50, 0), (640, 10**6)).bytes_per_day is None
    assert looked((50, 0), (650, 10**6)).bytes_per_day == 144 * 10**6


def test_the_start_does_not_count_longer_than_a_day() -> None:
    """A store that is read and repaired at the start writes more than a usual hour."""
    readings = [(0, 0), (60, GB)]
    readings += [(600 * n, GB + 1000 * n) for n in range(1, 300)]

    per_day = looked(*readings).bytes_per_day

    assert per_day == 144_000


def test_what_is_kept_is_bounded_however_often_it_looks() -> None:
    found = looked(*((60.0 * n, 10 * n) for n in range(100_000)))

    assert len(found._kept) <= 147
    assert found.bytes_per_day == 14_400


def test_a_counter_that_falls_begins_anew() -> None:
    found = looked((0, GB), (700, GB + 7), (1400, 0), (2100, 700))

    assert found.bytes_per_day == 86_400


def test_the_life_is_an_estimate_with_an_upper_end() -> None:
    assert wear.assumed_endurance(32 * GB) == 4_000 * GB
    assert wear.life_years(4_000 * GB, 100 * 10**6) == 100.0
    assert wear.life_years(4_000 * GB, 4 * GB) == 2.7
    assert wear.life_years(4_000 * GB, 0) is None
    assert wear.life_years(None, 1) is None


def test_the_kernel_is_asked_and_may_not_tell(tmp_path) -> None:
    io = tmp_path / "io"
    io.write_text("rchar: 9\nwchar: 8\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n")

    assert wear.written(io) == 4096
    assert wear.written(tmp_path / "none") is None
    io.write_text("rchar: 9\n")
    assert wear.written(io) is None
    if Path("/proc/self/io").exists():
        assert wear.written() is not None


def test_status_says_whose_assumption_it_is() -> None:
    def said(**disk):
        stats = {"bytes": 0, "segments": 0, "high": 0, "pending": 0, "losses": 0}
        return report(
            Health(
                gateway="g",
                version="1",
                pid=1,
                now_ms=0,
                uptime_s=0,
                clock="trusted",
                buffer=stats,
                disk=wear.Disk(free=12 * GB, **disk),
            )
        )

    young = said()
    assumed = said(bytes_per_day=4 * GB, life_years=2.7, endurance=4_000 * GB)
    stated = said(
        bytes_per_day=4 * GB, life_years=2.7, endurance=4_000 * GB, assumed=False
    )

    assert "12GB" in young
    assert "2.7" not in young
    assert "2.7" in assumed
    assert "buffer.endurance" in assumed
    assert "buffer.endurance" not in stated

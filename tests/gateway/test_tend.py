"""What the tender looks at: here, a store that is stuck in its disk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

from gateway.progress import Beats
from gateway.tend import COMMIT_LIMIT_S, Tender
from tests.support.clock import VirtualClock
from tests.support.virtual import run_virtual, running_loop


def late_after(seconds, **figures):
    """Loops that broke their promise while the store's figures stayed like this."""
    usual = {"degraded": None, "trouble": None, "pending": 0, "durable": 5}
    stats = SimpleNamespace(**{**usual, "working_ms": 0.0, **figures})

    async def live():
        beats = Beats()
        tender = Tender(
            SimpleNamespace(stats=lambda: stats),
            SimpleNamespace(retry=lambda: True),
            VirtualClock(),
            SimpleNamespace(look=lambda *_args, **_how: None),
            workers=tuple,
            sink=lambda _record: None,
            beats=beats,
            data=Path("/"),
        )
        task = asyncio.ensure_future(tender.run())
        await asyncio.sleep(seconds)
        late = beats.late(running_loop().time())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return late

    return run_virtual(live())


def test_a_store_that_works_or_rests_is_never_stuck():
    assert late_after(10 * COMMIT_LIMIT_S) == []
    assert late_after(10 * COMMIT_LIMIT_S, working_ms=300.0) == []


def test_a_disk_that_refuses_is_no_stuck_store():
    assert late_after(10 * COMMIT_LIMIT_S, degraded="disk", trouble="full") == []


def test_a_commit_or_a_read_that_never_returns_is_a_stuck_store():
    assert late_after(COMMIT_LIMIT_S - 5, working_ms=10_000.0) == []
    assert late_after(COMMIT_LIMIT_S + 10, working_ms=10_000.0) == ["buffer"]


def test_records_that_wait_for_ever_are_a_stuck_store():
    assert late_after(COMMIT_LIMIT_S + 10, pending=3) == ["buffer"]

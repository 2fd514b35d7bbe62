"""Whatever happens: every record ends proved, set aside or lost, and never twice so.

One state machine plays appends, answers in any order, refusals, flaps, evictions,
receipts of every kind and restarts; what must hold, at any moment and in the end, is in
``tests/support/delivery_model.py``.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from buffer import Buffer, Limits, PriorityClass
from tests.conftest import BARS
from tests.support.delivery_model import NAME, Run
from tests.support.memory_link import FakeSource
from tests.support.virtual import EPOCH_MS, VirtualLoop

SEQS = st.sets(st.integers(1, 80), max_size=8)


class Deliveries(RuleBasedStateMachine):
    """Against a buffer that is a dict."""

    run: Run
    on_disk_below = 0

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()

    def source(self) -> Any:
        return FakeSource()

    @initialize(
        receipts=st.booleans(),
        devices=st.sampled_from([(), ("a",)]),
        in_flight=st.sampled_from([1, 2, 5, 20]),
        batch_records=st.sampled_from([1, 3, 200]),
        backfill_per_s=st.sampled_from([1.0, 20.0, 1000.0]),
        old=st.lists(st.sampled_from(["scan", "gap", "event"]), max_size=30),
    )
    def begin(self, old: list[str], **target: Any) -> None:
        self.run = Run(self.source(), self.loop, receipt_wait_s=20.0, **target)
        self.run.on_disk_below = self.on_disk_below
        for kind in old:
            self.run.append(kind, "a")
        self.saved: set[int] = set()

    @rule(
        kind=st.sampled_from(["scan", "scan", "gap", "event"]),
        device=st.sampled_from("ab"),
        count=st.integers(1, 12),
        dated=st.sampled_from([True, True, True, False]),
    )
    def append(self, kind: str, device: str, count: int, dated: bool) -> None:
        for _ in range(count):
            self.run.append(kind, device, dated=dated)

    @rule()
    def append_large(self) -> None:
        self.run.append("scan", "a", large=True)

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.3, 1.5, 6.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        self.run.wait(seconds)

    @rule(ns=st.lists(st.integers(0, 20), min_size=1, max_size=20))
    def prove(self, ns: list[int]) -> None:
        for n in ns:
            self.run.prove(n)
        self.run.wait(0)

    @rule(n=st.integers(0, 20), blames_message=st.sampled_from([True, True, False]))
    def refuse(self, n: int, blames_message: bool) -> None:
        self.run.refuse(n, blames_message=blames_message)
        self.run.wait(0.5)

    @rule(n=st.integers(0, 20))
    def refuse_again_and_again(self, n: int) -> None:
        for _ in range(4):
            self.run.refuse(n, blames_message=True)
            self.run.wait(0.4)

    @rule(arrives=st.booleans())
    def flap(self, arrives: bool) -> None:
        self.run.flap(arrives=arrives)
        self.run.wait(1.5)

    @rule()
    def down_for_a_minute(self) -> None:
        self.run.flap(arrives=False)
        self.run.platform.is_up = False
        for kind in ("scan", "event", "scan"):
            self.run.append(kind, "a")
        self.run.wait(60)
        self.run.platform.is_up = True
        self.run.wait(1.5)

    @precondition(lambda self: self.run.target.receipts)
    @rule(ok=SEQS, refused=SEQS, share=st.integers(0, 3))
    def receipt(self, ok: set[int], refused: set[int], share: int) -> None:
        """Of any seqs, and of a part of what arrived."""
        arrived = sorted(self.run.arrived)
        ok = ok | set(arrived[: len(arrived) * share // 3])
        self.run.receipt(ok, refused)
        self.run.receipt(ok)  # twice
        self.run.wait(0.1)

    @precondition(lambda self: self.run.target.receipts)
    @rule(
        payload=st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [
                    b"{}",
                    b'{"store":"00000000","ok":[[1,99]]}',
                    b'{"store":"5f2c9a01","ok":[[9,1]]}',
                    b'{"store":"5f2c9a01","ok":[[0,1]]}',
                    b'{"store":"5f2c9a01","ok":[[1.5,2]]}',
                    b"[" * 50_000,
                ]
            ),
        )
    )
    def garbage(self, payload: bytes) -> None:
        self.run.platform.say("ecogate/v1/g/receipt", payload)
        self.run.wait(0)

    @rule()
    def the_clock_is_known(self) -> None:
        self.run.now_dated()
        self.run.wait(0)

    @rule(n=st.integers(0, 100))
    def evict(self, n: int) -> None:
        source = self.run.source
        stored = [seq for seq in source.entries if seq not in source.done]
        if stored:
            seq = stored[n % len(stored)]
            source.evict(seq)
            self.run.lost.add(seq)

    @rule(keep=st.integers(0, 40))
    def older_is_on_disk(self, keep: int) -> None:
        run = self.run
        run.source.on_disk_below = max(
            run.source.on_disk_below, run.source.high - keep + 1
        )
        run.on_disk_below = run.source.on_disk_below

    @rule()
    def commit(self) -> None:
        self.saved = set(self.run.source.done)

    @rule()
    def restart(self) -> None:
        """What was resolved since the last commit is forgotten, what is gone is not."""
        self.run.kill()
        source = self.run.source
        del source.resolve, source.resolve_runs  # the spies of the process that ended
        source.done = self.saved | self.run.lost
        self.run.restarted = True
        self.run.adopt(source)
        self.run.wait(0.1)

    def teardown(self) -> None:
        try:
            if hasattr(self, "run"):
                self.run.check()
                self.run.drain()
        finally:
            with contextlib.suppress(AttributeError):
                self.run.kill()
            self.loop.close()


class DeliveriesFromDisk(Deliveries):
    """The same with the real buffer: its crashes, and its choice of what is on disk."""

    on_disk_below = 10**9

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ecogate-model-"))

    def source(self) -> Any:
        limits = Limits(keep_free=0, tail_bytes=4_000)
        wall_ms = EPOCH_MS
        return self.loop.run_until_complete(
            Buffer.open(
                self.folder, limits, [NAME], wall_ms=lambda: wall_ms, boot="0a0b0c0d"
            )
        )

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        run = self.run
        run.kill()
        if clean:
            self.loop.run_until_complete(run.source.close())
        else:
            run.source.abandon()
        source = self.source()
        for loss in source.losses():
            run.lost |= set(range(loss.first, loss.last + 1))
        for seq in [seq for seq in run.made if seq > source.high]:
            raise AssertionError(
                f"{seq} is beyond {source.high} and not stated as lost"
            )
        for seq in range(1, source.high + 1):
            run.made.setdefault(
                seq,
                {"cls": PriorityClass.LIVE, "dated": True, "large": False}
                | {"wanted": True},
            )
        run.restarted = True
        run.adopt(source)
        run.wait(0.1)

    evict = older_is_on_disk = commit = None

    @rule()
    def commit_by_itself(self) -> None:
        self.run.wait(1.0)

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            with contextlib.suppress(AttributeError):
                self.run.source.abandon()
            shutil.rmtree(self.folder, ignore_errors=True)


def play(machine: type[Deliveries], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.sentence(2, 3, 4, 5)
def test_every_record_ends_proved_set_aside_or_lost():
    play(Deliveries, 3000 if BARS else 60)


@pytest.mark.sentence(2, 3, 4, 5)
def test_every_record_of_the_real_buffer_ends_so_too(monkeypatch):
    # Every seq is looked at, those that a crash skips, too.
    monkeypatch.setattr("buffer.pace.SMALLEST_BLOCK", 1024)
    monkeypatch.setattr("buffer.recover.SMALLEST_BLOCK", 1024)
    play(DeliveriesFromDisk, 300 if BARS else 10)

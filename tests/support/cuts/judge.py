"""Opens a state and holds it against what was true before the cut.

For every target that was there all along, each record appended before the cut is read
with the same bytes, or was proved by that target, or lies in a loss that is open or
that a record it is owed or had states. One that was durable is not excused by a loss,
unless the run itself evicted it or its file was damaged. No seq is used again, losses
do not overlap and their bounds hold, and the store goes on taking records.
"""

from __future__ import annotations

import asyncio
import shutil
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from buffer import Buffer, PriorityClass
from buffer.intervals import Intervals
from tests.support.cuts.trace import Truth
from tests.support.cuts.work import BOOT, limits_of

if TYPE_CHECKING:
    from pathlib import Path

    from buffer import Entry, Limits
    from tests.support.cuts.disk import State
    from tests.support.cuts.trace import Op

LATER_BOOT = "b0071002"
NEW = b"new"


class WrongError(AssertionError):
    """A promise is broken by this state."""


@dataclass
class Known:
    """What was true at a cut."""

    shape: dict[str, Any] = field(default_factory=dict)
    put: dict[int, tuple[int, int, str, int]] = field(default_factory=dict)
    """Seq -> (crc, length, subject, t_ms)."""
    settles: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Seq of a record -> the loss it states."""
    durable: set[int] = field(default_factory=set)
    proved: dict[str, set[int]] = field(default_factory=dict)
    losses: dict[int, tuple[int, int]] = field(default_factory=dict)
    excused: Intervals = field(default_factory=Intervals)
    """Evicted by the run, or in a file that was damaged."""
    targets: list[str] = field(default_factory=list)
    steady: set[str] = field(default_factory=set)
    """Targets from the beginning on."""
    life: set[int] = field(default_factory=set)

    def take(self, said: list[Any]) -> None:
        """One more line of the truth."""
        match said:
            case ["begin", shape]:
                self.shape = shape
                self.targets = list(shape["targets"])
                self.steady = set(self.targets)
            case ["opened"]:
                self.life = set()
            case ["put", seq, *facts]:
                self.put[seq] = tuple(facts)
                self.life.add(seq)
            case ["settles", seq, loss]:
                self.settles[seq] = self.losses[loss]
            case ["durable", upto]:
                safe = {seq for seq in self.life if seq <= upto}
                self.durable |= safe
                self.life -= safe
            case ["proved", target, first, last]:
                self.proved.setdefault(target, set()).update(range(first, last + 1))
            case ["loss", id_, first, last, cause]:
                self.losses[id_] = (first, last)
                if cause == "evicted":
                    self.excused.add(first, last)
            case ["hurt", first, last]:
                self.excused.add(first, last)
            case ["targets", names]:
                self.targets = names
                self.steady &= set(names)


def truth_until(ops: list[Op], cut: int) -> Known:
    """What was said before operation ``cut``; evictions of the whole run."""
    known = Known()
    for at, op in enumerate(ops):
        if isinstance(op, Truth):
            said: list[Any] = op.said
            if at < cut:
                known.take(said)
            elif said[0] == "loss" and said[4] == "evicted":
                # Its files go before it is told.
                known.excused.add(said[2], said[3])
    return known


def lay_out(state: State, folder: Path) -> None:
    """Make the state's files below ``folder``."""
    for name in sorted(state.folders):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, data in state.files.items():
        (folder / name).write_bytes(data)


def roomy(shape: dict[str, Any]) -> Limits:
    """The run's limits with room enough that the judge itself evicts nothing."""
    return msgspec.structs.replace(limits_of(shape), max_bytes=50_000_000)


async def judge(state: State, known: Known, folder: Path) -> None:
    """Open the state; see the module.

    Raises:
        WrongError: Saying what is wrong, and at which cut.
    """
    lay_out(state, folder)
    # Only where nothing is missing can it be a killed process instead.
    boot = BOOT if not state.missing and state.cut % 2 else LATER_BOOT
    try:
        buffer = await Buffer.open(
            folder / "store",
            roomy(known.shape),
            known.targets,
            wall_ms=lambda: 1_763_713_000_000,
            boot=boot,
        )
        try:
            await look(buffer, known)
        finally:
            buffer.abandon()
    except Exception as exc:
        missing = ", ".join(state.missing) or "nothing"
        raise WrongError(
            f"seed {known.shape.get('seed')}, cut before call {state.cut},"
            f" missing: {missing}: {exc!r}"
        ) from exc
    finally:
        shutil.rmtree(folder / "store", ignore_errors=True)


async def look(buffer: Buffer, known: Known) -> None:
    """Read all of a fresh buffer and hold it against what is known.

    Raises:
        WrongError: Saying what is wrong.
    """
    # Reading first: what a damaged file no longer holds is found out by it.
    reads = {target: await _drain(buffer, target) for target in known.targets}
    open_losses = buffer.losses()
    stated = Intervals()
    for loss in open_losses:
        _hold(not stated.touches(loss.first, loss.last), f"stated twice: {loss}")
        stated.add(loss.first, loss.last)
    for target, read in reads.items():
        _same(read, known)
        if target in known.steady:
            _complete(target, read, stated, known)
            _bounds(target, open_losses, known)
    high = max(known.put, default=0)
    seq = buffer.append(NEW, cls=PriorityClass.LIVE, subject="d", t_ms=1)
    _hold(seq > high, f"seq {seq} is used twice")
    await buffer.flush()
    if buffer.stats().degraded is not None:
        await asyncio.sleep(2)  # as long as one call's failure may be felt
        await buffer.flush()
    _hold(buffer.stats().degraded is None, f"degraded: {buffer.stats().trouble}")
    found = await buffer.read(known.targets[0], seq - 1, 5, 10**6)
    _hold([e.data for e in found] == [NEW], "the new record is not read")


async def _drain(buffer: Buffer, target: str) -> dict[int, Entry]:
    """All it is owed, in order; what turns out lost on the way is left out."""
    read: dict[int, Entry] = {}
    after = 0
    while True:
        entries = buffer.peek(target, after, 1000, 10**8)
        if entries is None:
            entries = await buffer.read(target, after, 1000, 10**8)
        if not entries:
            return read
        for entry in entries:
            _hold(entry.seq > after, f"{target}: {entry.seq} after {after}")
            after = entry.seq
            read[after] = entry


def _same(read: dict[int, Entry], known: Known) -> None:
    for seq, entry in read.items():
        if entry.data == NEW and seq not in known.put:
            continue  # of a look before this one, which had to be given up
        found = (zlib.crc32(entry.data), len(entry.data), entry.subject, entry.t_ms)
        _hold(known.put.get(seq) == found, f"seq {seq} came back changed: {found}")


def _complete(
    target: str, read: dict[int, Entry], stated: Intervals, known: Known
) -> None:
    proved = known.proved.get(target, set())
    told = Intervals()
    for seq in known.settles.keys() & (proved | read.keys()):
        told.add(*known.settles[seq])
    for seq in known.put:
        _hold(seq not in read or seq not in stated, f"{target}: {seq} read and lost")
        if seq in read or seq in proved:
            continue
        _hold(
            seq in stated or seq in told, f"{target}: seq {seq} neither read nor lost"
        )
        _hold(
            seq not in known.durable or seq in known.excused,
            f"{target}: seq {seq} was durable and is lost",
        )


def _bounds(target: str, losses: list[Any], known: Known) -> None:
    proved = known.proved.get(target, set())
    for loss in losses:
        inside = {s for s in known.put if loss.first <= s <= loss.last}
        # The newest is told before it is appended: it may not have been taken yet.
        taken = inside - proved - {max(known.put, default=0)}
        _hold(len(taken) <= loss.at_most, f"{len(taken)} lost in {loss}")
        if loss.certain:
            span = loss.last - loss.first + 1
            _hold(len(inside) == loss.at_most == span, f"{len(inside)} in {loss}")
            _hold(sum(loss.counts.values()) <= span, f"counts of {loss}")


def _hold(holds: bool, said: str) -> None:
    if not holds:
        raise WrongError(said)

"""Look into a store without opening it: stopped, damaged, or in use by a gateway.

Nothing is written and no lock is held. Closed segments are read as they are (they never
change); of those still written to, the rows are carved from their bytes; the control
file is copied and the copy opened.
"""

from __future__ import annotations

import heapq
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from buffer import files, salvage
from buffer.batch import unpack
from buffer.carve import carve
from buffer.control import ControlFile, State, decode_state
from buffer.cursor import Cursor
from buffer.errors import DamagedError, DiskTroubleError
from buffer.intervals import Intervals
from buffer.lock import holder
from buffer.losses import Record
from buffer.mark import Mark
from buffer.model import Entry, Loss, PriorityClass
from buffer.segment import Segment, class_of, first_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buffer.batch import Row

_ATTEMPTS = 5
_TOP = (1 << 63) - 1


class SegmentReport(msgspec.Struct, frozen=True):
    """One segment file."""

    name: str
    cls: str
    state: str
    """``closed``, ``open`` or ``damaged``."""
    bytes: int
    batches: int
    records: int
    first: int
    last: int
    t_min: int
    t_max: int
    counts: dict[str, int]
    """Records by subject."""


class TargetReport(msgspec.Struct, frozen=True):
    """How far one target is, by what is on disk."""

    floor: int
    owed: int
    """Stored records it has not been proved to hold."""
    runs_above: int
    parked_ms: int | None


class Report(msgspec.Struct, frozen=True):
    """A store at one moment."""

    folder: str
    store: str
    running_pid: int | None
    """Process that has it open; 0 when its pid is unknown."""
    clean: bool | None
    """Whether the last run closed it in order; None while one runs or unknown."""
    control: str
    """``ok``, ``damaged`` or ``absent``."""
    high: int
    bytes: int
    records: int
    segments: list[SegmentReport]
    targets: dict[str, TargetReport]
    losses: list[Loss]
    """Not yet stated by a record."""
    damaged_files: list[str]


def inspect(folder: Path) -> Report:
    """Describe the store in ``folder``.

    Raises:
        FileNotFoundError: There is no store.
        BufferTooNewError: A newer release wrote it.
    """
    mark = _mark(folder)
    segments = _segments(folder)
    control, state, losses = _control(folder)
    if not segments and state is None and mark.slot is None:
        raise FileNotFoundError(f"{folder}: no store here")
    pid = holder(folder)
    reports, stored = [], Intervals()
    for segment in segments:
        report, present = _describe(segment)
        reports.append(report)
        stored |= present
    targets = {}
    for name, numbers in (state.cursors if state else {}).items():
        cursor = Cursor.load(numbers)
        since = state.parked.get(name) if state else None
        owed = (stored - cursor.resolved()).total()
        targets[name] = TargetReport(cursor.floor, owed, len(cursor.above), since)
    aside = folder / salvage.FOLDER
    slot = mark.slot
    return Report(
        folder=str(folder),
        store=state.store if state else slot.store if slot else "",
        running_pid=pid,
        clean=slot.clean if slot and pid is None else None,
        control=control,
        high=max([stored.edges[-1] - 1 if stored else 0, slot.high if slot else 0]),
        bytes=sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
        records=sum(report.records for report in reports),
        segments=reports,
        targets=targets,
        losses=losses,
        damaged_files=sorted(p.name for p in aside.iterdir()) if aside.is_dir() else [],
    )


def entries(
    folder: Path,
    *,
    first: int = 1,
    last: int = _TOP,
    classes: frozenset[PriorityClass] = frozenset(PriorityClass),
) -> Iterator[Entry]:
    """Every stored record of ``first..last`` that is intact, in seq order."""
    _mark(folder)
    chains: dict[PriorityClass, list[Segment]] = {}
    for segment in _segments(folder):
        if segment.cls in classes:
            chains.setdefault(segment.cls, []).append(segment)
    streams = [_stream(chain, first, last) for chain in chains.values()]
    seen = 0
    for entry in heapq.merge(*streams):
        if entry.seq > seen:
            seen = entry.seq
            yield entry


def _stream(chain: list[Segment], first: int, last: int) -> Iterator[Entry]:
    for segment in chain:
        for row in _rows(segment, first, last)[0]:
            try:
                found = unpack(row, segment.cls)
            except DamagedError:
                continue
            yield from (entry for entry in found if first <= entry.seq <= last)


def _mark(folder: Path) -> Mark:
    """The mark of a store that this release can read.

    Raises:
        BufferTooNewError: A newer release wrote the store.
    """
    mark = Mark(folder)
    mark.load()
    databases = [p for p in folder.iterdir() if p.name.endswith(".sqlite")]
    files.refuse_newer(databases, vouched=mark.slot is not None)
    return mark


def _segments(folder: Path) -> list[Segment]:
    found = []
    for path in folder.iterdir():
        cls = class_of(path.name)
        if cls is not None:
            found.append(Segment(folder, path.name, cls, 0))
    return sorted(found, key=lambda s: (first_of(s.name), s.name))


def _rows(segment: Segment, first: int, last: int) -> tuple[list[Row], str]:
    """Intact rows touching ``first..last``, and the file's state."""
    if not segment.wal_bytes():
        try:
            rows = list(segment.rows(first, last))
            closed = segment.summary() is not None
        except (DamagedError, DiskTroubleError):
            pass
        else:
            return rows, "closed" if closed else "open"
        finally:
            segment.release()
    carved = carve(segment.path)
    rows = [row for row in carved.rows if row.last >= first and row.first <= last]
    return rows, "open" if segment.wal_bytes() else "damaged"


def _describe(segment: Segment) -> tuple[SegmentReport, Intervals]:
    rows, state = _rows(segment, 0, _TOP)
    for row in rows:
        segment.count_in(row, None if row.consecutive else unpack(row, segment.cls))
    present = segment.present
    report = SegmentReport(
        segment.name,
        segment.cls.name.lower(),
        state,
        segment.disk_bytes(),
        len(rows),
        segment.count,
        segment.first if present else 0,
        segment.last if present else 0,
        segment.t_min,
        segment.t_max,
        segment.counts,
    )
    return report, present


def _control(folder: Path) -> tuple[str, State | None, list[Loss]]:
    path = folder / "control.sqlite"
    if not path.exists():
        return "absent", None, []
    with tempfile.TemporaryDirectory(prefix="ecogate-inspect-") as scratch:
        copy = ControlFile(Path(scratch))
        main, wal = _steady_copy(path)
        copy.path.write_bytes(main)
        if wal:
            files.wal_of(copy.path).write_bytes(wal)
        try:
            items = copy.load()
            state = decode_state(items["state"])
            records = [
                msgspec.msgpack.decode(raw, type=Record)
                for key, raw in items.items()
                if key.startswith("loss:")
            ]
        except (DamagedError, OSError, KeyError, msgspec.DecodeError):
            return "damaged", None, []
        finally:
            copy.close()
    losses = [r.loss for r in records if not r.stated_by]
    return "ok", state, sorted(losses, key=lambda loss: loss.id)


def _steady_copy(path: Path) -> tuple[bytes, bytes]:
    """Main file and WAL of one moment: read until two looks agree."""
    wal = files.wal_of(path)
    before: tuple[bytes, bytes] | None = None
    for _ in range(_ATTEMPTS):
        now = (path.read_bytes(), wal.read_bytes() if wal.exists() else b"")
        if now == before:
            break
        before = now
    return now

"""The blocking half of the buffer: files, touched only from the buffer's one thread.

`Store.commit` does everything one group commit needs, in an order in which a crash
between any two steps costs repeats at most:

    1  raise the ceiling of usable seqs (`buffer.mark`), leave the hint
    2  make new losses durable, then whatever relies on them
    3  make room (`buffer.room`)
    4  one transaction a class, events first; the control stamp rides in the first row
    5  close full or old segments, remove what all targets have, write the control file

``water`` is the durable high-water: every seq up to it is on disk, or in `Absent`, or
at or below the floor of every cursor. It rises with the last row of a commit and with
the control file, and only by what the same transaction makes true.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from buffer import files, losses, room, salvage
from buffer.absent import LARGEST_STAMPED, Absent, steps
from buffer.batch import pack, split
from buffer.control import ControlFile, Stamp, State, encode_stamp
from buffer.errors import DamagedError, DiskTroubleError, kind_of
from buffer.intervals import Intervals
from buffer.mark import Hint, Mark
from buffer.model import Loss, PriorityClass
from buffer.segment import Segment, free_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from buffer.batch import Row
    from buffer.cursor import Cursor
    from buffer.lock import FolderLock
    from buffer.model import Entry, Limits

_TROUBLE = (OSError, sqlite3.Error, DiskTroubleError, DamagedError)
"""What a bad disk can raise anywhere; `kind_of` tells a bug from the rest."""


_MOST_GIVEN = 256


@dataclass
class Work:
    """What the loop's side hands over for one commit: snapshots, never live state."""

    groups: list[tuple[PriorityClass, Sequence[Entry]]]
    cursors: dict[str, Cursor]
    high: int
    water: int
    """Once ``groups`` are durable, all up to here is, or need not be."""
    window: int
    """No more records than this are at risk before the next commit is durable."""
    ceiling: int
    wall_ms: int
    safe_ms: int = 0
    """All appended before this is among what ``water`` speaks of, wall clock."""
    settles: dict[int, int] = field(default_factory=dict)
    """Seq of a record -> id of the loss it states."""
    dropped: list[losses.Draft] = field(default_factory=list)
    avoided: list[tuple[int, int]] = field(default_factory=list)
    """Runs of seqs that will never be written: every target has them."""
    notes: dict[str, bytes | None] = field(default_factory=dict)
    parked: dict[str, int] = field(default_factory=dict)
    save: bool = False
    """Write the control file even if nothing else asks for it."""
    times_of: Sequence[int] = ()
    """Seqs whose acquisition time is wanted from disk."""
    given: Intervals = field(default_factory=Intervals)
    """What was given to any target: unproved, it may still have arrived."""


@dataclass
class Done:
    """What became of it."""

    durable: list[tuple[PriorityClass, int]] = field(default_factory=list)
    """Class, and how many records of its group are durable now."""
    losses: list[Loss] = field(default_factory=list)
    """New or opened again."""
    lost: Intervals = field(default_factory=Intervals)
    """Seqs no target will be given; stated durably."""
    accepted: bool = False
    """Dropped records were stated durably."""
    trouble: str | None = None
    scattered: bool = False
    """What is not on disk is in so many pieces that no more should be added."""
    times: dict[int, int] = field(default_factory=dict)
    """Seq -> acquisition time."""


@dataclass
class Figures:
    """Counted in the store's thread, read by anyone."""

    bytes: int = 0
    wal_bytes: int = 0
    segments: int = 0
    damaged_files: int = 0
    commits: int = 0
    bytes_stored: int = 0


class Store:
    """One folder of segments with its control file and mark."""

    def __init__(
        self, folder: Path, limits: Limits, lock: FolderLock, mark: Mark, boot: str
    ) -> None:
        self.folder = folder
        self.limits = limits
        self.lock = lock
        self.mark = mark
        self.boot = boot
        self.id = ""
        self.control = ControlFile(folder)
        self.chains: dict[PriorityClass, list[Segment]] = {c: [] for c in PriorityClass}
        self.before: dict[PriorityClass, int] = dict.fromkeys(PriorityClass, 0)
        self.ledger = losses.Ledger()
        self.notes: dict[str, bytes] = {}
        self.generation = 0
        self.durable = 0
        """Highest seq in any committed row."""
        self.doomed: list[Segment] = []
        """Segments given up whose files are still to be unlinked."""
        self.catalogued: dict[str, bytes] = {}
        """Segment items as they stand in the control file."""
        self.unsaved_losses = False
        self.saved_ms = 0
        self.alive_ms = 0
        """Wall clock: all acquired before it is durable or need not be."""
        self.water = 0
        """All up to here is durable or need not be, said on disk or not."""
        self.said = 0
        """What of it is said on disk."""
        self.absent = Absent()
        self.debt = 0
        """Bound of what an unclean stop cost that could not be stated yet."""
        self._allowed = self._hinted = 0
        self._hinting = threading.Lock()
        self.figures = Figures()
        self.damaged_bytes = 0

    @property
    def ceiling(self) -> int | None:
        """Highest seq that may be handed out; ``None``: this store has no mark yet.

        Without a mark nothing of this store id outlives the process, so no seq of it
        can be used twice.
        """
        return self.mark.slot.ceiling if self.mark.slot else None

    # -- commit --------------------------------------------------------------------

    def commit(self, work: Work) -> Done:
        """Write what is pending and do the house-keeping that is due.

        Disk trouble is reported in the answer; a bug is raised.
        """
        done = Done()
        self.absent.add(work.avoided)
        self.absent.forget(min((c.floor for c in work.cursors.values()), default=0))
        self._advance_mark(work)
        try:
            if work.dropped:
                self.absent.add((d.first, d.last) for d in work.dropped)
                done.losses += self.state_losses(work.dropped)
                work.dropped = []
            done.accepted = True
            if self.unsaved_losses:
                self.save_control(work)
            room.make(self, work, done)
            self._write_groups(work, done)
        except _TROUBLE as exc:
            if kind_of(exc) == "bug":
                raise
            done.trouble = str(exc)
        self._keep_house(work, done)
        done.scattered = self.absent.scattered
        return done

    def _advance_mark(self, work: Work) -> None:
        try:
            slot = self.mark.slot
            if slot is None or slot.ceiling < work.ceiling or slot.clean:
                self.mark.write(
                    store=self.id,
                    clean=False,
                    high=max(self.said, slot.high if slot else 0),
                    ceiling=max(work.ceiling, slot.ceiling if slot else 0),
                    boot=self.boot,
                    wall_ms=work.wall_ms,
                )
        except OSError:
            # Seqs above the old ceiling are not handed out; the rows may still be
            # written, and if not, their own error tells.
            self.mark.close()
        if work.groups:
            self._hint(work.wall_ms)

    def allow(self, at_risk: int, wall_ms: Callable[[], int]) -> None:
        """So many records may be at risk from now on; from the loop's thread."""
        self._allowed = at_risk
        if at_risk > self._hinted:
            self._hint(wall_ms())

    def _hint(self, wall_ms: int) -> None:
        """Note how far this run is, without waiting for the disk."""
        # Two threads write it: what is read inside is never older than what is there.
        with self._hinting, contextlib.suppress(OSError):
            bound = self.said + self._allowed + self.debt
            hint = Hint(self.id, self.mark.run, self.boot, self.said, bound, wall_ms)
            self.mark.write_hint(hint)
            self._hinted = self._allowed

    def _write_groups(self, work: Work, done: Done) -> None:
        stamped = False
        last = work.groups[-1][0] if work.groups else None
        for cls, entries in work.groups:
            if cls is not PriorityClass.EVENT and room.below_reserve(self):
                raise DiskTroubleError(
                    f"{self.folder}: less than {self.limits.keep_free} bytes free"
                )
            settles = [
                (work.settles[e.seq], e.seq) for e in entries if e.seq in work.settles
            ]
            self.generation += 1
            # A stop between two classes leaves the later one's records unwritten.
            water = work.water if cls is last else self.water
            stamp = Stamp(
                self.generation,
                water + work.window,
                {} if stamped else {name: c.dump() for name, c in work.cursors.items()},
                settles,
                work.safe_ms if cls is last else self.alive_ms,
                water,
                [] if stamped else steps(self.absent.fresh.edges),
            )
            self._write(cls, entries, encode_stamp(stamp), work.wall_ms)
            stamped = True
            done.durable.append((cls, len(entries)))
            self.durable = max(self.durable, entries[-1].seq)
            for loss_id, seq in settles:
                self.ledger.settle(loss_id, seq)
        self.alive_ms, self.water = work.safe_ms, max(self.water, work.water)
        if work.groups:
            self.said = self.water
            # Else a kill together with damage to these rows would be bounded by less
            # than these rows and what came after them.
            self._hint(work.wall_ms)

    def _write(
        self, cls: PriorityClass, entries: Sequence[Entry], stamp: bytes, wall_ms: int
    ) -> None:
        pieces = split(entries)
        rows: list[Row] = []
        before = self.before[cls]
        for piece in pieces:
            rows.append(pack(piece, before, None if rows else stamp))
            before += len(piece)
        try:
            segment = self._insert(cls, rows, wall_ms)
        except _TROUBLE as exc:
            if kind_of(exc) in {"bug", "full"}:
                raise
            # After a failed fsync the next one succeeds although data may be gone:
            # this file is not to be trusted with more. One try with another.
            self._suspect(cls)
            segment = self._insert(cls, rows, wall_ms)
        for row, piece in zip(rows, pieces, strict=True):
            segment.count_in(row, piece)
            self.figures.bytes_stored += len(row.body)
        self.before[cls] = before
        self.figures.commits += 1

    def _insert(self, cls: PriorityClass, rows: list[Row], wall_ms: int) -> Segment:
        chain = self.chains[cls]
        if chain and not chain[-1].closed:
            chain[-1].insert(rows)
            return chain[-1]
        segment = Segment.create(
            self.folder,
            cls,
            name=free_name(self.folder, cls, rows[0].first),
            before=self.before[cls],
            made_ms=wall_ms,
            store=self.id,
            wal_pages=self.limits.wal_pages,
        )
        try:
            segment.insert(rows)
        except BaseException:
            segment.release()
            files.remove_database(segment.path)
            raise
        chain.append(segment)
        return segment

    def _suspect(self, cls: PriorityClass) -> None:
        chain = self.chains[cls]
        if chain and not chain[-1].closed:
            chain[-1].retire()

    # -- house-keeping -------------------------------------------------------------

    def _keep_house(self, work: Work, done: Done) -> None:
        try:
            rolled = False
            for chain in self.chains.values():
                if chain and not chain[-1].closed and self._is_full(chain[-1], work):
                    self.close_segment(chain[-1])
                    rolled = True
            room.remove_delivered(self, work)
            late = work.wall_ms - self.saved_ms
            beat = not 0 <= late < self.limits.heartbeat_s * 1000
            crowded = len(self.absent.fresh) > LARGEST_STAMPED
            if rolled or beat or work.save or self.unsaved_losses or crowded:
                self.save_control(work)
            for seq in work.times_of:
                t_ms = self.time_of(seq)
                if t_ms is not None:
                    done.times[seq] = t_ms
        except _TROUBLE as exc:
            if kind_of(exc) == "bug":
                raise
            done.trouble = done.trouble or str(exc)
        with contextlib.suppress(OSError):  # the figures stay as they were
            self.count()

    def _is_full(self, segment: Segment, work: Work) -> bool:
        age_ms = work.wall_ms - segment.made_ms
        return (
            segment.disk_bytes() >= self.limits.segment
            or age_ms >= self.limits.segment_age_s * 1000
        )

    def close_segment(self, segment: Segment) -> None:
        """Close for good; where the disk has no room for a footer, without one."""
        try:
            segment.seal()
        except (OSError, sqlite3.Error) as exc:
            if kind_of(exc) == "bug":
                raise
            segment.retire()

    def state_losses(self, drafts: list[losses.Draft]) -> list[Loss]:
        """Open losses; nothing may rely on them before `save_control`."""
        self.unsaved_losses = self.unsaved_losses or bool(drafts)
        return self.ledger.add(drafts)

    def save_control(self, work: Work) -> None:
        """Make cursors, losses, catalogue and notes durable in the control file."""
        changes: dict[str, bytes | None] = {}
        for key, value in work.notes.items():
            changes["note:" + key] = value
        self.ledger.forget_delivered(room.resolved(work))
        for loss_id in self.ledger.changed:
            record = self.ledger.records.get(loss_id)
            raw = None if record is None else msgspec.msgpack.encode(record)
            changes[f"loss:{loss_id}"] = raw
        catalogue = self._catalogue()
        for name in self.catalogued.keys() - catalogue.keys():
            changes["segment:" + name] = None
        for name, raw in catalogue.items():
            if self.catalogued.get(name) != raw:
                changes["segment:" + name] = raw
        self.generation += 1
        state = State(
            self.generation,
            self.id,
            self.durable,
            self.ledger.next_id,
            self.alive_ms,
            self.boot,
            {name: cursor.dump() for name, cursor in work.cursors.items()},
            work.parked,
            self.water + work.window,
            self.water,
            steps(self.absent.known.edges),
            _few(work.given),
        )
        changes["state"] = msgspec.msgpack.encode(state)
        try:
            self.control.save(changes)
        except (sqlite3.Error, DamagedError) as exc:
            if kind_of(exc) != "damage":
                raise
            self._replace_control(changes["state"], work)
        self.catalogued = catalogue
        self.ledger.changed.clear()
        self.unsaved_losses = False
        self.absent.saved()
        self.said, self.debt = self.water, 0
        self.saved_ms = work.wall_ms
        for key, value in work.notes.items():
            if value is None:
                self.notes.pop(key, None)
            else:
                self.notes[key] = value
        work.notes = {}

    def _replace_control(self, state: bytes | None, work: Work) -> None:
        """Set a control file aside that broke while in use; write all of it anew."""
        self.control.close()
        salvage.set_aside(self.control.path)
        notes: dict[str, bytes | None] = {**self.notes, **work.notes}
        items: dict[str, bytes | None] = {
            **{"segment:" + name: raw for name, raw in self._catalogue().items()},
            **{
                f"loss:{loss_id}": msgspec.msgpack.encode(record)
                for loss_id, record in self.ledger.records.items()
            },
            **{"note:" + key: value for key, value in notes.items() if value},
            "state": state,
        }
        self.control.save(items)
        self.damaged_bytes = salvage.trim(self.folder, self.limits.max_bytes // 16)
        self.figures.damaged_files = salvage.count_aside(self.folder)

    def _catalogue(self) -> dict[str, bytes]:
        """Closed segments only: what is still written to is read anew on start."""
        return {
            segment.name: msgspec.msgpack.encode(segment.info())
            for chain in self.chains.values()
            for segment in chain
            if segment.closed and segment.bytes
        }

    def stored(self) -> Intervals:
        """All seqs on disk; may be asked from the loop's thread."""
        found = Intervals()
        for chain in self.chains.values():
            # Copies of lists, each made in one step, because the other thread may
            # be appending: what it adds meanwhile is in the loop's memory anyway.
            for segment in list(chain):
                found |= segment.present.copy()
        return found

    def present(self) -> dict[PriorityClass, Intervals]:
        """The same by class; may be asked from the loop's thread, too."""
        found = {}
        for cls, chain in self.chains.items():
            runs = found[cls] = Intervals()
            for segment in list(chain):
                runs |= segment.present.copy()
            found[cls] = runs
        return found

    def time_of(self, seq: int) -> int | None:
        """Acquisition time of the batch that holds ``seq``."""
        for chain in self.chains.values():
            for segment in chain:
                if seq in segment.present:
                    # Damage is found, stated and repaired by reading, not by asking.
                    with contextlib.suppress(DamagedError, DiskTroubleError):
                        for row in segment.heads(seq, seq):
                            return row.t_min
        return None

    def count(self) -> None:
        """Refresh the figures."""
        figures = self.figures
        figures.bytes = room.used(self)
        figures.wal_bytes = sum(c[-1].wal_bytes() for c in self.chains.values() if c)
        figures.segments = sum(len(chain) for chain in self.chains.values())

    # -- damage and the end ----------------------------------------------------------

    def replace_damaged(self, segment: Segment) -> list[Row]:
        """Salvage a segment in place; returns heads of the rows lost."""
        found = salvage.salvage(segment, self.id)
        chain = self.chains[segment.cls]
        at = chain.index(segment)
        chain[at : at + 1] = [found.segment] if found.segment else []
        if found.segment is not None:
            # A retried batch may stand in two files: only the one counted owns it.
            found.segment.present = found.segment.present & segment.present
        self.damaged_bytes = salvage.trim(self.folder, self.limits.max_bytes // 16)
        self.figures.damaged_files = salvage.count_aside(self.folder)
        return found.heads

    def close(self, work: Work, *, clean: bool) -> None:
        """Write the control file, mark the stop as clean if it was, let go."""
        try:
            self.absent.add(work.avoided)
            self.absent.add((d.first, d.last) for d in work.dropped)
            self.state_losses(work.dropped)
            if clean:
                self.alive_ms, self.water = work.wall_ms, work.high
            self.save_control(work)
            if clean:
                self.mark.write(
                    store=self.id,
                    clean=True,
                    high=work.high,
                    ceiling=work.high,
                    boot=self.boot,
                    wall_ms=work.wall_ms,
                )
        except _TROUBLE as exc:
            if kind_of(exc) == "bug":
                raise
        finally:
            self.release()

    def release(self) -> None:
        """Close every file as it is; may be called twice."""
        for chain in self.chains.values():
            for segment in chain:
                segment.release()
        for segment in self.doomed:
            segment.release()
        self.control.close()
        self.mark.close()
        self.lock.release()


def _few(given: Intervals) -> list[int]:
    """Edges of it, or of all between where there are too many."""
    edges = given.edges
    return edges if len(edges) <= _MOST_GIVEN else [edges[0], edges[-1]]

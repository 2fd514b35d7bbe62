"""Opening a store, whatever state a crash or a bad card left it in.

Start never fails because of content. The truth table, data against control:

    found                               meaning, and what is done
    ----------------------------------  --------------------------------------------
    control behind data                 usual after a crash: rows carry newer stamps,
                                        cursors and settled losses are merged in
    data behind control                 rows the control file knows were durable are
                                        gone: stated as damaged
    segment without row in catalogue    written since, or control lost: read and kept;
                                        removed again if everyone has it
    row in catalogue without segment    everyone has it: a removal that was not noted.
                                        Otherwise the file is lost: stated as damaged,
                                        counted from the catalogue
    control damaged or absent           set aside, rebuilt from segments and stamps:
                                        costs repeats, never loss
    mark damaged or absent              seqs jump far ahead, so that none is used twice
    clean stop, rows missing            stated as damaged, exactly
    absent, at or below the high-water  listed as absent (`buffer.absent`): every target
                                        had it, or it is stated. Else stated as damaged
    unclean stop                        one loss from the high-water to the ceiling, but
                                        for rows found there: not certain, bounded by
                                        hint or stamp
    segment damaged                     carved, set aside, the rest kept; what is
                                        missing is stated as damaged
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from buffer import files, losses, salvage
from buffer.absent import from_steps
from buffer.batch import head_is_intact, unpack
from buffer.control import Stamp, State, decode_stamp, decode_state
from buffer.cursor import Cursor
from buffer.errors import DamagedError, DiskTroubleError, kind_of
from buffer.intervals import Intervals
from buffer.lastrun import LastRun
from buffer.lock import FolderLock
from buffer.losses import Draft, Ledger, Record
from buffer.mark import Mark
from buffer.pace import SMALLEST_BLOCK, SMALLEST_STEP
from buffer.segment import Segment, SegmentInfo, class_of, first_of
from buffer.store import Store, Work

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from buffer.batch import Row
    from buffer.model import Limits, PriorityClass

FAR_AHEAD = 1 << 20
"""Seqs skipped where nothing tells which were used."""
_DATES_MS = 10**12
"""What an older release noted of parked targets were dates, not durations."""


@dataclass
class Opened:
    """A store ready for use."""

    store: Store
    cursors: dict[str, Cursor]
    parked: dict[str, int]
    high: int
    """Highest seq ever possibly used; the next one is above it."""
    given: Intervals
    """What was given to any target and may have arrived unproved."""
    ended: LastRun | None
    """The end of the run before; None for a new store."""


@dataclass
class _Findings:
    """What reading the folder brought to light."""

    state: State | None = None
    infos: dict[str, SegmentInfo] = field(default_factory=dict)
    stamps: list[Stamp] = field(default_factory=list)
    heads: list[Row] = field(default_factory=list)
    """Of rows lost, whose they were."""
    gone: list[SegmentInfo] = field(default_factory=list)
    active_damaged: bool = False
    control_damaged: bool = False
    store: str = ""


def open_store(
    folder: Path, limits: Limits, targets: Iterable[str], *, wall_ms: int, boot: str
) -> Opened:
    """Lock and open a folder, making it when new.

    Raises:
        BufferLockedError: Another process has it.
        BufferTooNewError: A newer release wrote it; nothing was touched.
        OSError, DiskTroubleError: The disk refuses; it may be asked again.
    """
    files.make_folder(folder)
    lock = FolderLock(folder)
    mark = Mark(folder)
    store = Store(folder, limits, lock, mark, boot)
    try:
        mark.load()
        databases = [p for p in folder.iterdir() if p.name.endswith(".sqlite")]
        files.refuse_newer(databases, vouched=mark.slot is not None)
        return _Opening(store, list(targets), wall_ms).run()
    except BaseException:
        store.release()
        raise


class _Opening:
    """One pass over a folder."""

    def __init__(self, store: Store, targets: list[str], wall_ms: int) -> None:
        self._store = store
        self._targets = targets
        self._wall_ms = wall_ms
        self._found = _Findings()

    def run(self) -> Opened:
        store, found = self._store, self._found
        salvage.finish_interrupted(store.folder)
        self._load_control()
        self._name_store()
        self._load_segments()
        if not store.id:
            store.id = found.store or secrets.token_hex(4)
        state = found.state
        store.generation = max(
            [state.generation if state else 0, *(s.generation for s in found.stamps)]
        )
        for stamp in found.stamps:
            for loss_id, seq in stamp.settles:
                store.ledger.settle(loss_id, seq)
        stored = store.stored()
        on_disk = stored.edges[-1] - 1 if stored else 0
        known = max(on_disk, state.high if state else 0)
        water = self._water(known)
        cursors, parked = self._cursors()
        high, unclean = self._high(max(known, water), cursors)
        self._account(stored, cursors, water=water, high=high, unclean=unclean)
        store.durable = known
        store.said = water
        last_ms = self._last_ms()
        ended = LastRun(last_ms, clean=not unclean) if last_ms else None
        # Until this run's first commit nothing newer than the last one's is durable:
        # killed before it, the next start still knows since when nothing was stored.
        store.alive_ms = last_ms or self._wall_ms
        given = Intervals.of([(1, known)])
        if state is not None and not unclean:
            given = Intervals(state.given)
        self._start(cursors, parked, high, given)
        return Opened(store, cursors, parked, high, given, ended)

    # -- reading ---------------------------------------------------------------------

    def _load_control(self) -> None:
        store, found = self._store, self._found
        try:
            items = store.control.load()
            self._take_items(items)
        except (DamagedError, OSError) as exc:
            found.control_damaged = True
            found.state, found.infos = None, {}
            store.ledger, store.notes = Ledger(), {}
            store.catalogued = {}
            if isinstance(exc, DamagedError):
                store.control.close()
                self._set_aside(store.control.path)
        if found.state is None and not found.control_damaged:
            wal = files.wal_of(store.control.path)
            if store.control.path.exists() or wal.exists():
                found.control_damaged = True
                store.control.close()
                self._set_aside(store.control.path)

    def _take_items(self, items: dict[str, bytes]) -> None:
        store, found = self._store, self._found
        if not items:
            return
        raw = items.get("state")
        if raw is None:
            raise DamagedError("control file without state")
        try:
            found.state = decode_state(raw)
            store.ledger = Ledger(found.state.next_loss)
            for key, value in items.items():
                kind, _, name = key.partition(":")
                if kind == "segment":
                    info = msgspec.msgpack.decode(value, type=SegmentInfo)
                    found.infos[name] = info
                    store.catalogued[name] = value
                elif kind == "loss":
                    record = msgspec.msgpack.decode(value, type=Record)
                    store.ledger.records[record.loss.id] = record
                elif kind == "note":
                    store.notes[name] = value
        except msgspec.DecodeError as exc:
            raise DamagedError(f"control file: {exc}") from exc

    def _set_aside(self, path: Path) -> None:
        # A full disk: it stays, and its place is needed only when it can be written.
        with contextlib.suppress(OSError):
            salvage.set_aside(path)

    def _load_segments(self) -> None:
        store, found = self._store, self._found
        present = {p.name for p in store.folder.iterdir()}
        names = {n for n in present if class_of(n) is not None}
        # A WAL whose database is gone is damage too: its rows may all be there.
        names |= {n[:-4] for n in present if n.endswith(".sqlite-wal")} - {
            store.control.path.name
        }
        for name in sorted(names, key=lambda n: (first_of(n) if class_of(n) else 0, n)):
            cls = class_of(name)
            if cls is None:
                continue
            info = found.infos.get(name)
            if info is not None and info.closed and name in present:
                segment = Segment.from_info(store.folder, info)
                store.chains[cls].append(segment)
            else:
                self._scan(Segment(store.folder, name, cls, 0))
        found.gone = [i for n, i in found.infos.items() if n not in names]
        for cls, chain in store.chains.items():
            self._settle_chain(cls, chain)
        store.damaged_bytes = salvage.trim(store.folder, store.limits.max_bytes // 16)
        store.figures.damaged_files = salvage.count_aside(store.folder)

    def _scan(self, segment: Segment) -> None:
        """Read a segment the catalogue does not vouch for."""
        store, found = self._store, self._found
        try:
            self._read_whole(segment)
        except DamagedError:
            saved = salvage.salvage(segment, store.id or found.store)
            found.active_damaged = True
            found.heads += saved.heads
            for row in (*saved.rows, *saved.heads):
                self._take_stamp(row)
            if saved.segment is not None:
                store.chains[segment.cls].append(saved.segment)
            return
        if segment.count or not segment.closed:
            store.chains[segment.cls].append(segment)

    def _read_whole(self, segment: Segment) -> None:
        store, found = self._store, self._found
        if not files.size_of(segment.path):
            raise DamagedError(f"{segment.name}: empty file")
        closed = segment.summary()
        about = segment.about()
        owner = about.get("store")
        found.store = found.store or (
            owner.decode() if isinstance(owner, bytes) else ""
        )
        if closed is not None:
            self._adopt(segment, closed)
            return
        segment.resume(store.limits.wal_pages)
        made_ms = about.get("made_ms")
        segment.made_ms = made_ms if isinstance(made_ms, int) else self._wall_ms
        clean = store.mark.slot is not None and store.mark.slot.clean
        top = (1 << 63) - 1
        rows = segment.heads(0, top) if clean else segment.rows(0, top)
        for row in rows:
            if clean and not head_is_intact(row):
                raise DamagedError(f"{segment.name}: batch {row.first}: damaged head")
            self._count(segment, row)
            self._take_stamp(row)

    def _adopt(self, segment: Segment, closed: SegmentInfo) -> None:
        """Take a closed segment by its own footer."""
        segment.present = Intervals(closed.present)
        segment.count, segment.counts = closed.count, dict(closed.counts)
        segment.t_min, segment.t_max = closed.t_min, closed.t_max
        segment.before, segment.made_ms = closed.before, closed.made_ms
        segment.retire()
        if segment.count:
            for row in segment.heads(segment.last, segment.last):
                if not head_is_intact(row):
                    raise DamagedError(f"{segment.name}: batch {row.first}")
                self._take_stamp(row)
            segment.release()

    def _count(self, segment: Segment, row: Row) -> None:
        if not segment.count:
            segment.before = row.before
        if row.consecutive:
            segment.count_in(row)
            return
        whole = row if row.body else next(segment.rows(row.first, row.first))
        segment.count_in(row, unpack(whole, segment.cls))

    def _take_stamp(self, row: Row) -> None:
        state = self._found.state
        if row.control is None:
            return
        stamp = decode_stamp(row.control)
        if stamp is None or stamp.generation <= (state.generation if state else 0):
            return
        if not stamp.water:
            stamp = msgspec.structs.replace(stamp, water=row.last)
        self._found.stamps.append(stamp)

    def _settle_chain(self, cls: PriorityClass, chain: list[Segment]) -> None:
        """One owner for each seq, one file open for writing: the last."""
        seen = Intervals()
        for segment in chain:
            if segment.present & seen:
                segment.present = segment.present - seen
            seen |= segment.present
            end = segment.before + segment.count
            self._store.before[cls] = max(self._store.before[cls], end)
        for segment in chain[:-1]:
            if not segment.closed:
                self._store.close_segment(segment)
        for segment in chain[:-1]:
            if not segment.present:
                self._store.doomed.append(segment)
        chain[:] = [s for s in chain if s.present or s is chain[-1]]

    # -- judging ---------------------------------------------------------------------

    def _name_store(self) -> None:
        store, found = self._store, self._found
        slot = store.mark.slot
        store.id = found.state.store if found.state else slot.store if slot else ""

    def _cursors(self) -> tuple[dict[str, Cursor], dict[str, int]]:
        state = self._found.state
        cursors: dict[str, Cursor] = {}
        parked = dict(state.parked) if state else {}
        sources = [state.cursors] if state else []
        sources += [stamp.cursors for stamp in self._found.stamps]
        for source in sources:
            for name, numbers in source.items():
                mine = cursors.setdefault(name, Cursor())
                theirs = Cursor.load(numbers)
                mine.resolve(1, theirs.floor)
                mine.resolve_all(theirs.above)
        covered = self._store.ledger.covered() | self._absent()
        for name, cursor in cursors.items():
            cursor.resolve_all(covered)
            if name in self._targets:
                parked.pop(name, None)
            elif not 0 <= parked.get(name, -1) < _DATES_MS:
                parked[name] = 0
        return cursors, parked

    def _absent(self) -> Intervals:
        """What is said not to be on disk for a reason."""
        state = self._found.state
        absent = from_steps(state.absent) if state else Intervals()
        for stamp in self._found.stamps:
            absent |= from_steps(stamp.absent)
        return absent

    def _water(self, known: int) -> int:
        """Up to here every seq is on disk or need not be."""
        state = self._found.state
        tops = [stamp.water for stamp in self._found.stamps]
        # A store of an older release wrote everything: what it knew was durable is.
        tops.append(state.water or state.high if state else 0)
        return max(tops) or known

    def _high(self, known: int, cursors: dict[str, Cursor]) -> tuple[int, bool]:
        """The highest seq possibly used, and whether the stop was unclean."""
        store, found = self._store, self._found
        slot = store.mark.slot
        tops = [known]
        for cursor in cursors.values():
            edges = cursor.above.edges
            tops.append(edges[-1] - 1 if edges else cursor.floor)
        if slot is not None and slot.store == store.id:
            if slot.clean:
                return max(slot.high, *tops), False
            return max(slot.ceiling, *tops), True
        fresh = found.state is None and not found.control_damaged and not known
        if fresh and not found.active_damaged:
            return 0, False
        tops += [stamp.soon for stamp in found.stamps]
        return max(tops) + FAR_AHEAD, True

    def _account(
        self,
        stored: Intervals,
        cursors: dict[str, Cursor],
        *,
        water: int,
        high: int,
        unclean: bool,
    ) -> None:
        """State what is owed and not there; give new targets what is."""
        store = self._store
        absent = Intervals.of([(1, high)]) - stored
        lost = Intervals()
        for cursor in cursors.values():
            lost |= absent - cursor.resolved()
        last = high if not unclean else water
        # What was proved between the last commit and a kill is known to nobody: it may
        # be among what is gone.
        certain = not unclean and not self._found.control_damaged
        drafts = self._damaged(lost.clip(1, last), certain=certain)
        tail = lost.clip(last + 1, high)
        for first, end in tail.pairs():
            drafts.append(self._unclean(first, end))
        store.state_losses(drafts)
        store.debt = sum(d.at_most for d in drafts if d.cause == "unclean_stop")
        store.ledger.reopen(lost)
        for cursor in cursors.values():
            cursor.resolve_all(lost)
        for name in self._targets:
            if name not in cursors:
                # A new target is owed what is stored, nothing that came before.
                cursors[name] = Cursor()
                cursors[name].resolve_all(absent)
        # By now all of it is resolved or stated, whatever of the cursors is stored.
        store.absent.add(absent.pairs())
        store.absent.forget(min((c.floor for c in cursors.values()), default=0))

    def _damaged(self, lost: Intervals, *, certain: bool) -> list[Draft]:
        found = self._found
        drafts: list[Draft] = []
        for info in found.gone:
            mine = Intervals(info.present) & lost
            lost = lost - mine
            drafts += _from_catalogue(info, mine, certain=certain)
        heads = sorted(found.heads, key=lambda row: row.first)
        drafts += losses.draft(lost, heads, cause="damaged", certain=certain)
        return sorted(drafts, key=lambda d: d.first)

    def _unclean(self, first: int, last: int) -> Draft:
        """The tail of an unclean stop: how much of it can have been records."""
        store, found = self._store, self._found
        slot, hint = store.mark.slot, store.mark.hint
        newest = max(
            (x for x in (found.state, *found.stamps) if x is not None),
            key=lambda x: x.generation,
            default=None,
        )
        bound = newest.soon - (newest.water or first - 1) if newest else 0
        trusted = (
            slot is not None
            and hint is not None
            and (hint.store, hint.run) == (store.id, slot.run)
        )
        if trusted and hint is not None:
            # What the disk acknowledged and has no more may have been records, too.
            at_risk = hint.soon - min(hint.high, first - 1)
            # Within one boot the page cache outlived the process: the hint is exact.
            same = hint.boot == store.boot
            bound = at_risk if same else max(bound, at_risk)
        elif newest is None or (slot is not None and slot.high > newest.water > 0):
            bound = 0  # this run could store nothing: how much it took nobody knows
        if found.active_damaged or bound <= 0:
            bound = last - first + 1
        return Draft(
            first,
            last,
            {},
            min(self._last_ms(), self._wall_ms),
            self._wall_ms,
            "damaged" if found.active_damaged else "unclean_stop",
            certain=False,
            at_most=min(bound, last - first + 1),
        )

    def _last_ms(self) -> int:
        """Until when the run before stored all it had, UTC ms; 0 for a new store.

        Mark and hint are written ahead of the records: they count only where nothing
        else is left.
        """
        found, mark = self._found, self._store.mark
        signs = [stamp.wall_ms for stamp in found.stamps]
        signs += [found.state.wall_ms] if found.state else []
        if not signs:
            signs = [x.wall_ms for x in (mark.slot, mark.hint) if x is not None]
        return max(signs, default=0)

    # -- starting --------------------------------------------------------------------

    def _start(
        self,
        cursors: dict[str, Cursor],
        parked: dict[str, int],
        high: int,
        given: Intervals,
    ) -> None:
        """Make this run durable: from here on a stop is unclean until closed."""
        store = self._store
        ceiling = high + SMALLEST_BLOCK
        store.water = high
        work = Work(
            groups=[],
            cursors=cursors,
            high=high,
            water=high,
            window=4 * SMALLEST_STEP,
            ceiling=ceiling,
            wall_ms=self._wall_ms,
            parked=parked,
            given=given,
        )
        try:
            # Losses first: once the mark says "running" the old ceiling is forgotten.
            store.save_control(work)
            store.mark.write(
                store=store.id,
                clean=False,
                high=high,
                ceiling=ceiling,
                boot=store.boot,
                wall_ms=self._wall_ms,
            )
        except (OSError, sqlite3.Error, DiskTroubleError, DamagedError) as exc:
            if kind_of(exc) == "bug":
                raise
        store.allow(SMALLEST_STEP, lambda: self._wall_ms)
        store.count()


def _from_catalogue(
    info: SegmentInfo, lost: Intervals, *, certain: bool
) -> list[Draft]:
    """A missing file's loss, counted by what the catalogue kept of it."""
    whole = lost == Intervals(info.present)
    only = next(iter(info.counts)) if len(info.counts) == 1 else None
    drafts = []
    for first, last in lost.pairs():
        n = last - first + 1
        counts = {only: n} if only is not None else {}
        if whole and len(lost) == 1:
            counts = dict(info.counts)
        drafts.append(
            Draft(
                first,
                last,
                counts,
                info.t_min,
                info.t_max,
                "damaged",
                certain=certain,
                at_most=n,
            )
        )
    return drafts

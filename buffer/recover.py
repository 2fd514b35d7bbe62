"""Opening a store, whatever state a crash or a bad card left it in.

`buffer.folder` finds what is there; here is judged what it means. Start never fails
because of content. The truth table, data against control:

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
    file without tables, above the      a kill came before them: removed. In another
      same boot's hint                  boot it counts as damaged
    segment damaged                     carved, set aside, the rest kept; what is
                                        missing is stated as damaged
"""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buffer import files, losses
from buffer.absent import from_steps
from buffer.cursor import Cursor
from buffer.errors import DamagedError, DiskTroubleError, kind_of
from buffer.folder import Findings, look
from buffer.intervals import Intervals
from buffer.lastrun import LastRun
from buffer.lock import FolderLock
from buffer.losses import Draft
from buffer.mark import Mark
from buffer.pace import SMALLEST_BLOCK, SMALLEST_STEP
from buffer.store import Store, Work

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from buffer.model import Limits
    from buffer.segment import SegmentInfo

FAR_AHEAD = 4 * SMALLEST_BLOCK
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
        self._found = Findings()

    def run(self) -> Opened:
        store = self._store
        found = self._found = look(store, self._wall_ms)
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
        given = Intervals.of([(1, known)])
        if state is not None and not unclean:
            given = Intervals(state.given)
        self._account(stored, cursors, given, water=water, high=high, unclean=unclean)
        store.durable = known
        store.said = water
        last_ms = self._last_ms()
        ended = LastRun(last_ms, clean=not unclean) if last_ms else None
        # Until this run's first commit nothing newer than the last one's is durable:
        # killed before it, the next start still knows since when nothing was stored.
        store.alive_ms = last_ms or self._wall_ms
        self._start(cursors, parked, high, given)
        return Opened(store, cursors, parked, high, given, ended)

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
        given: Intervals,
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
        if not cursors and self._found.control_damaged:
            # An old store whose cursors nobody can read: these targets are not new, and
            # who was owed what is not known. All are told.
            lost = absent
        last = high if not unclean else water
        # What was proved between the last commit and a kill is known to nobody: it may
        # be among what is gone.
        certain = not unclean and not self._found.control_damaged
        drafts = self._damaged(lost.clip(1, last), certain=certain)
        # Sent just before the stop and not proved: it may have arrived.
        drafts = losses.unsure(given, drafts)
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

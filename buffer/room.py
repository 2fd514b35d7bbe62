"""Room on the disk: the store's byte bound, the reserve left to others, giving back.

Before a segment is unlinked, what follows from its absence is durable: the cursors that
have it, or the losses that state it. Only where the disk is too full to write even
that, the file goes first; then the catalogue still lists it, and a crash in between
makes the next start state the same loss from there.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from buffer import evict, files, losses
from buffer.batch import unpack
from buffer.cursor import resolved_by_all
from buffer.errors import DamagedError, DiskTroubleError, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buffer.batch import Row
    from buffer.intervals import Intervals
    from buffer.model import Entry
    from buffer.segment import Segment
    from buffer.store import Done, Store, Work

_SPARE_BYTES = 64 * 1024


def used(store: Store) -> int:
    """Bytes of the folder, damaged files included."""
    total = store.control.disk_bytes() + store.damaged_bytes + 3 * 4096
    total += sum(segment.disk_bytes() for segment in store.doomed)
    for chain in store.chains.values():
        for segment in chain:
            total += segment.disk_bytes()
    return total


def below_reserve(store: Store) -> bool:
    """Whether the file system has less free than is to be left to others."""
    return _free(store) < store.limits.keep_free


def resolved(work: Work) -> Intervals:
    """What no target needs any more."""
    return resolved_by_all(work.cursors.values())


def make(store: Store, work: Work, done: Done) -> None:
    """Evict until the pending records fit, and state what targets lose by it."""
    _unlink_doomed(store)
    incoming = sum(len(e.data) + 64 for _, entries in work.groups for e in entries)
    # Moving a WAL into its file can add as many bytes again.
    growth = _SPARE_BYTES + 2 * incoming + store.figures.wal_bytes
    over = store.figures.bytes + growth - store.limits.max_bytes
    short = store.limits.keep_free - _free(store)
    if over > 0:
        _evict(store, work, done, over, closed_only=False)
    if short > 0:
        _evict(store, work, done, short, closed_only=True)


def remove_delivered(store: Store, work: Work) -> None:
    """Unlink closed segments that every target has."""
    closed = [s for chain in store.chains.values() for s in chain if s.closed]
    if not closed:
        return
    everyone = resolved(work)
    victims = [s for s in closed if not s.present - everyone]
    if victims:
        _forget(store, victims)
        store.save_control(work)
        _unlink_doomed(store)


def _evict(
    store: Store, work: Work, done: Done, excess: int, *, closed_only: bool
) -> None:
    by_name = {s.name: s for chain in store.chains.values() for s in chain if s.present}
    candidates = [
        evict.Candidate(s.name, int(s.cls), s.first, s.disk_bytes(), s.closed)
        for s in by_name.values()
    ]
    names = evict.choose(candidates, excess, closed_only=closed_only)
    if not names:
        return
    everyone = resolved(work)
    victims = [by_name[name] for name in names]
    for victim in victims:
        lost = victim.present - everyone if work.cursors else victim.present.clip(0, -1)
        drafts = losses.unsure(work.given, _state(victim, lost))
        done.losses += store.state_losses(drafts)
        done.losses += store.ledger.reopen(lost)
        done.lost |= lost
        if not victim.closed:
            victim.retire()
    _forget(store, victims)
    try:
        store.save_control(work)
    except (OSError, sqlite3.Error) as exc:
        if kind_of(exc) != "full":
            raise
        _unlink_doomed(store)
        store.save_control(work)
        return
    _unlink_doomed(store)


def _state(victim: Segment, lost: Intervals) -> list[losses.Draft]:
    if len(lost) == 1 and lost == victim.present:
        return [
            losses.Draft(
                victim.first,
                victim.last,
                dict(victim.counts),
                victim.t_min,
                victim.t_max,
                "evicted",
                certain=True,
                at_most=victim.count,
            )
        ]
    if not lost:
        return []

    def entries_of(row: Row) -> Sequence[Entry] | None:
        try:
            for whole in victim.rows(row.first, row.first):
                return unpack(whole, victim.cls)
        except (DamagedError, DiskTroubleError):
            return None
        return None

    heads: list[Row] = []
    # Counted as far as it can be read.
    with contextlib.suppress(DamagedError, DiskTroubleError):
        heads.extend(victim.heads(lost.edges[0], lost.edges[-1] - 1))
    return losses.draft(lost, heads, cause="evicted", entries_of=entries_of)


def _forget(store: Store, victims: list[Segment]) -> None:
    for victim in victims:
        store.chains[victim.cls].remove(victim)
        store.absent.add(victim.present.pairs())
    store.doomed += victims


def _unlink_doomed(store: Store) -> None:
    """Unlink what the control file no longer relies on."""
    if not store.doomed:
        return
    while store.doomed:
        victim = store.doomed[-1]
        victim.release()
        files.remove_database(victim.path)
        store.doomed.pop()
    files.sync_folder(store.folder)


def _free(store: Store) -> int:
    status = os.statvfs(store.folder)
    return status.f_bavail * status.f_frsize

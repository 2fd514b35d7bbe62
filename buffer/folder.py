"""What a store's folder holds, whatever state it is in; found, not yet judged.

Reads the control file, then every segment the catalogue does not vouch for; what is
damaged is set aside and what it still holds is kept. What it all means is decided in
`buffer.recover`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from buffer import files, salvage
from buffer.batch import head_is_intact, unpack
from buffer.control import Stamp, State, decode_stamp, decode_state
from buffer.errors import DamagedError
from buffer.intervals import Intervals
from buffer.losses import Ledger, Record
from buffer.segment import Segment, SegmentInfo, class_of, first_of

if TYPE_CHECKING:
    from pathlib import Path

    from buffer.batch import Row
    from buffer.model import PriorityClass
    from buffer.store import Store


@dataclass
class Findings:
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


def look(store: Store, wall_ms: int) -> Findings:
    """Fill ``store`` with what its folder holds, and say what came to light."""
    salvage.finish_interrupted(store.folder)
    looking = _Looking(store, wall_ms)
    looking.load_control()
    looking.name_store()
    looking.load_segments()
    return looking.found


class _Looking:
    """One pass over a folder."""

    def __init__(self, store: Store, wall_ms: int) -> None:
        self._store = store
        self._wall_ms = wall_ms
        self.found = Findings()

    def name_store(self) -> None:
        store, found = self._store, self.found
        slot = store.mark.slot
        store.id = found.state.store if found.state else slot.store if slot else ""

    def load_control(self) -> None:
        store, found = self._store, self.found
        try:
            items = store.control.load()
            self._take_items(items)
        except DamagedError:
            # What cannot be opened just now is no damage: taken for it, losses not
            # yet stated would be forgotten. Then the start is refused and made again.
            found.control_damaged = True
            found.state, found.infos = None, {}
            store.ledger, store.notes = Ledger(), {}
            store.catalogued = {}
            store.control.close()
            self._set_aside(store.control.path)
        if found.state is None and not found.control_damaged:
            wal = files.wal_of(store.control.path)
            if store.control.path.exists() or wal.exists():
                found.control_damaged = True
                store.control.close()
                self._set_aside(store.control.path)

    def _take_items(self, items: dict[str, bytes]) -> None:
        store, found = self._store, self.found
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

    def load_segments(self) -> None:
        store, found = self._store, self.found
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
        store, found = self._store, self.found
        try:
            self._read_whole(segment)
        except DamagedError:
            if self._never_made(segment):
                segment.release()
                files.remove_database(segment.path)
                return
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

    def _never_made(self, segment: Segment) -> bool:
        """Whether a kill came before the file's tables did: then it held nothing.

        A file that was cut off looks the same. But as soon as its first rows are
        stored, the hint is raised to them before anybody is told; and within one boot
        the hint is what was written last.
        """
        slot, hint = self._store.mark.slot, self._store.mark.hint
        if slot is None or slot.clean or hint is None:
            return False
        ours = (hint.store, hint.run, hint.boot)
        return (
            ours == (slot.store, slot.run, self._store.boot)
            and first_of(segment.name) > hint.high
            and segment.name not in self.found.infos
            and segment.is_blank()
        )

    def _read_whole(self, segment: Segment) -> None:
        store, found = self._store, self.found
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
        state = self.found.state
        if row.control is None:
            return
        stamp = decode_stamp(row.control)
        if stamp is None or stamp.generation <= (state.generation if state else 0):
            return
        if not stamp.water:
            stamp = msgspec.structs.replace(stamp, water=row.last)
        self.found.stamps.append(stamp)

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

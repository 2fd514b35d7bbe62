"""What a disk may hold after a cut: the calls so far, less what nobody synced.

Between two syncs the kernel writes in any order, so of everything not yet synced any
part may be missing and any write may be torn at a sector's edge. A file's sync makes
its bytes and size durable, not its name; a folder's sync makes names durable. Of all
such states these are made:

* every prefix of the calls, nothing missing: also what a killed process leaves;
* at every sync, just before it takes effect: every subset of at most three unsynced
  operations missing (writes, sizes, created names, renames, unlinks), as many as the
  cap allows, drawn by seed; all of one file's, all of them;
* after any call: the same, drawn by seed;
* one unsynced write torn at a multiple of 512 or 4,096 bytes, either end kept.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.cuts.trace import (
    Create,
    Mkdir,
    Op,
    Rename,
    Resize,
    Sync,
    SyncFolder,
    Truth,
    Unlink,
    Write,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

MOST_MISSING = 3
_SECTORS = (512, 4096)
_UNJUDGED = {"store/lock"}
"""Whose content means nothing."""


@dataclass(frozen=True)
class State:
    """A disk after the cut."""

    cut: int
    """The cut came before this operation of the run."""
    missing: tuple[str, ...]
    """What did not reach the disk, for people."""
    files: dict[str, bytes]
    folders: frozenset[str]

    @property
    def key(self) -> bytes:
        """Equal for equal disks."""
        total = hashlib.blake2b(digest_size=16)
        for name in sorted(self.folders):
            total.update(name.encode() + b"/\0")
        for name, data in sorted(self.files.items()):
            total.update(b"%s\0%d\0" % (name.encode(), len(data)))
            total.update(data)
        return total.digest()


@dataclass
class Disk:
    """What is durable, and what is not yet, in order."""

    bytes_of: dict[int, bytes] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {""})
    waiting: list[Op] = field(default_factory=list)
    """Not synced, oldest first."""
    called: dict[int, str] = field(default_factory=dict)

    def take(self, op: Op) -> None:
        """The next call took effect."""
        if isinstance(op, Sync):
            mine = [w for w in self.waiting if getattr(w, "file", 0) == op.file]
            mine = [w for w in mine if not isinstance(w, Create)]
            self.bytes_of[op.file] = _apply(self.bytes_of.get(op.file, b""), mine)
            self._done(mine)
        elif isinstance(op, SyncFolder):
            mine = [w for w in self.waiting if op.name in _folders(w)]
            _rename_all(self.names, self.folders, mine)
            self._done(mine)
        elif not isinstance(op, Truth):
            if isinstance(op, Create):
                self.called[op.file] = op.name
            elif isinstance(op, Rename):
                files = [f for f, name in self.called.items() if name == op.old]
                self.called.update(dict.fromkeys(files, op.new))
            self.waiting.append(op)

    def after(self, cut: int, without: tuple[Op, ...] = (), torn: Op | None = None):
        """The state where these never reached the disk, ``torn`` in part."""
        gone = {id(op) for op in without}
        kept: list[Op] = []
        for op in self.waiting:
            if torn is not None and id(op) == id(without[0]):
                kept.append(torn)
            elif id(op) not in gone:
                kept.append(op)
        names, folders = dict(self.names), set(self.folders)
        _rename_all(names, folders, kept)
        by_file: dict[int, list[Op]] = {}
        for op in kept:
            if isinstance(op, Write | Resize):
                by_file.setdefault(op.file, []).append(op)
        files = {}
        for name, file in names.items():
            if name.rpartition("/")[0] in folders:
                data = self.bytes_of.get(file, b"")
                files[name] = _apply(data, by_file.get(file, ()))
        said = [self._say(op) for op in without]
        if torn is not None:
            said.append(f"but {self._say(torn)}")
        return State(cut, tuple(said), files, frozenset(folders))

    def droppable(self) -> list[Op]:
        """Unsynced operations whose absence would show by itself."""
        found: list[Op] = []
        seen: set[tuple[int, int, int]] = set()
        for op in reversed(self.waiting):
            if isinstance(op, Write | Resize):
                if self.called.get(op.file) in _UNJUDGED:
                    continue
                if isinstance(op, Write):
                    place = (op.file, op.at, len(op.data))
                    if place in seen:
                        continue  # written again since: what is above hides it
                    seen.add(place)
            found.append(op)
        return found[::-1]

    def _done(self, synced: list[Op]) -> None:
        gone = {id(op) for op in synced}
        self.waiting = [op for op in self.waiting if id(op) not in gone]

    def _say(self, op: Op) -> str:
        kind = type(op).__name__.lower()
        if isinstance(op, Write):
            return f"{kind} {self.called[op.file]} {op.at}+{len(op.data)}"
        if isinstance(op, Resize):
            return f"{kind} {self.called[op.file]} {op.size}"
        return f"{kind} {' '.join(str(word) for word in op)}"


def states(ops: list[Op], rng: random.Random, cap: int) -> Iterator[State]:
    """Legal states of one run, at most ``cap``, evenly drawn.

    Equal disks are opened once for each thing that was acknowledged meanwhile.
    """
    plans = list(_plans(ops, rng))
    if len(plans) > cap:
        plans = [plans[at] for at in sorted(rng.sample(range(len(plans)), cap))]
    by_cut: dict[int, list[tuple[tuple[int, ...], int | None]]] = {}
    for cut, which, sector in plans:
        by_cut.setdefault(cut, []).append((which, sector))
    seen: set[tuple[bytes, int]] = set()
    disk, acknowledged = Disk(), 0
    for cut, op in enumerate(ops):
        if isinstance(op, Truth):
            acknowledged += op.said[0] == "durable"
            continue
        candidates = disk.droppable() if cut in by_cut else []
        for which, sector in by_cut.get(cut, ()):
            without = tuple(candidates[n] for n in which)
            torn = _torn(without[0], sector, rng) if sector else None
            if sector and torn is None:
                continue
            state = disk.after(cut, without, torn)
            if (key := (state.key, acknowledged)) not in seen:
                seen.add(key)
                yield state
        disk.take(op)


def _plans(
    ops: list[Op], rng: random.Random
) -> Iterator[tuple[int, tuple[int, ...], int | None]]:
    """(cut, numbers of what is missing, sector size of a tear)."""
    disk = Disk()
    for cut, op in enumerate(ops):
        if isinstance(op, Truth):
            continue
        yield cut, (), None
        found = disk.droppable()
        n = len(found)
        writes = [
            k
            for k, w in enumerate(found)
            if isinstance(w, Write) and len(w.data) > _SECTORS[0]
        ]
        if isinstance(op, Sync | SyncFolder) and n:
            yield from ((cut, which, None) for which in _subsets(n, rng))
            files = {getattr(w, "file", 0) for w in found}
            for file in files:
                yield (
                    cut,
                    tuple(k for k in range(n) if getattr(found[k], "file", 0) == file),
                    None,
                )
            yield cut, tuple(range(n)), None
            yield from ((cut, (k,), sector) for k in writes for sector in _SECTORS)
        elif n:
            for size in range(1, min(n, MOST_MISSING) + 1):
                yield cut, tuple(sorted(rng.sample(range(n), size))), None
            if writes:
                yield cut, (rng.choice(writes),), rng.choice(_SECTORS)
        disk.take(op)


def _subsets(n: int, rng: random.Random, most: int = 400) -> Iterator[tuple[int, ...]]:
    """Every choice of one to three of ``n``; of a great many, ``most`` drawn."""
    every = [
        which
        for size in range(1, MOST_MISSING + 1)
        for which in itertools.combinations(range(n), size)
    ]
    yield from every if len(every) <= most else rng.sample(every, most)


def _torn(op: Op, sector: int, rng: random.Random) -> Op | None:
    """A write of which one end did not arrive; None: it lies within a sector."""
    if not isinstance(op, Write):
        return None
    first = op.at // sector + 1
    edges = range(first * sector, op.at + len(op.data), sector)
    if not edges:
        return None
    at = rng.choice(edges) - op.at
    if rng.random() < 0.5:
        return Write(op.file, op.at, op.data[:at])
    return Write(op.file, op.at + at, op.data[at:])


def _apply(data: bytes, ops: list[Op] | tuple[()]) -> bytes:
    if not ops:
        return data
    made = bytearray(data)
    for op in ops:
        if isinstance(op, Write):
            if op.at > len(made):
                made += bytes(op.at - len(made))
            made[op.at : op.at + len(op.data)] = op.data
        elif isinstance(op, Resize):
            if op.size > len(made):
                made += bytes(op.size - len(made))
            elif not op.grow:
                del made[op.size :]
    return bytes(made)


def _folders(op: Op) -> set[str]:
    """Folders whose sync makes this durable; a move needs the one it went to."""
    if isinstance(op, Create | Unlink | Mkdir):
        return {op.name.rpartition("/")[0]}
    if isinstance(op, Rename):
        return {op.new.rpartition("/")[0]}
    return set()


def _rename_all(names: dict[str, int], folders: set[str], ops: list[Op]) -> None:
    for op in ops:
        if isinstance(op, Create):
            names[op.name] = op.file
        elif isinstance(op, Unlink):
            names.pop(op.name, None)
        elif isinstance(op, Mkdir):
            folders.add(op.name)
        elif isinstance(op, Rename) and op.old in names:
            names[op.new] = names.pop(op.old)

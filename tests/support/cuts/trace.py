"""What strace saw, as operations on the store's files, in the order they took effect.

A write counts from when it began, a sync from when it ended. Only calls on files below
one folder are kept; names are relative to it. A shared, writable mapping of such a file
would hide writes from us: it is an error.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
CALLS = (
    "openat,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,"
    "fallocate,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,unlink,"
    "unlinkat,rmdir,link,linkat,close,mkdir,mkdirat,dup,dup2,dup3,mmap,"
    "copy_file_range,sendfile"
)
_LINE = re.compile(rb"^(\d+)\s+(.*)$")
_CALL = re.compile(rb"^(\w+)\((.*)\)\s*= (-?\d+|\?|0x[0-9a-f]+)(.*)$", re.DOTALL)
_RESUMED = re.compile(rb"^<\.\.\. (\w+) resumed>(.*)$", re.DOTALL)
_TEXT = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_AT_END = {"fsync", "fdatasync", "openat", "lseek"}


class TraceError(Exception):
    """The trace shows something the model does not know."""


class Write(NamedTuple):
    """Bytes at an offset of file number ``file``."""

    file: int
    at: int
    data: bytes


class Resize(NamedTuple):
    """A new size; with ``grow`` only if it is larger."""

    file: int
    size: int
    grow: bool = False


class Create(NamedTuple):
    """A new, empty file number ``file`` under ``name``."""

    name: str
    file: int


class Rename(NamedTuple):
    """Atomic, as POSIX has it."""

    old: str
    new: str


class Unlink(NamedTuple):
    """The name goes."""

    name: str


class Mkdir(NamedTuple):
    """A new folder."""

    name: str


class Sync(NamedTuple):
    """All written to this file so far is on the disk."""

    file: int


class SyncFolder(NamedTuple):
    """All names made, changed or removed in this folder so far are on the disk."""

    name: str


class Truth(NamedTuple):
    """What the child said at this point."""

    said: list[object]


Op = Write | Resize | Create | Rename | Unlink | Mkdir | Sync | SyncFolder | Truth


def record(folder: Path, seeds: list[int], *, without: str = "") -> dict[int, list[Op]]:
    """Live through these runs under strace; what each did to its files."""
    trace = folder / "trace"
    command = [
        *("strace", "-f", "--seccomp-bpf", "-qq", "-xx", "-s", "10000000"),
        *("-e", "signal=none", "-e", f"trace={CALLS}", "-o", str(trace)),
        *(sys.executable, "-m", "tests.support.cuts.work"),
        *(("--without", without) if without else ()),
        *(str(folder), *map(str, seeds)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise TraceError(done.stderr.decode()[-3000:])
    calls = list(_calls(trace))
    trace.unlink()
    return {seed: _Run(folder / str(seed)).read(calls) for seed in seeds}


@dataclass
class _Call:
    name: str
    args: bytes
    result: int


def _calls(trace: Path) -> Iterator[_Call]:
    """Successful calls; unfinished ones joined."""
    found: list[_Call | None] = []
    begun: dict[bytes, tuple[int, bytes]] = {}
    with trace.open("rb") as file:
        for line in file:
            match = _LINE.match(line.rstrip(b"\n"))
            if match is None:
                raise TraceError(repr(line[:200]))
            pid, text = match.groups()
            if text.endswith(b"<unfinished ...>"):
                begun[pid] = len(found), text.removesuffix(b"<unfinished ...>")
                found.append(None)
                continue
            at = None
            resumed = _RESUMED.match(text)
            if resumed is not None:
                at, head = begun.pop(pid)
                text = head.rstrip() + resumed.group(2)
            call = _CALL.match(text)
            if call is None:
                if text.startswith((b"+++", b"---")):
                    continue
                raise TraceError(repr(text[:200]))
            name, args, result, _ = call.groups()
            if result == b"?" or result.startswith(b"-"):
                continue
            made = _Call(name.decode(), args, int(result, 0))
            if at is None or made.name in _AT_END:
                found.append(made)
            else:
                found[at] = made
    yield from (call for call in found if call is not None)


class _Run:
    """Follows one run's folder through the calls of the whole process."""

    def __init__(self, home: Path) -> None:
        self._root = str(home) + "/"
        self._ops: list[Op] = []
        self._names: dict[str, int] = {}
        self._open: dict[int, int | str] = {}
        """fd -> number of the file, or name of the folder."""
        self._folders = {""}
        self._places: dict[int, int] = {}
        """fd -> offset of the next ``write``."""
        self._sizes: dict[int, int] = {}
        self._count = 0
        self._truth = -1
        self._rest = b""

    def read(self, calls: list[_Call]) -> list[Op]:
        for call in calls:
            handler = getattr(self, "_" + call.name, None)
            if handler is not None:
                handler(call)
            else:
                self._refuse(call)
        return self._ops

    def _refuse(self, call: _Call) -> None:
        fd = _number(call.args, 0)
        if fd in self._open or self._root.encode().hex() in call.args.hex():
            raise TraceError(f"{call.name} on a file of the store")

    def _name(self, call: _Call, at: int = 0) -> str | None:
        found = _TEXT.findall(call.args)
        path = _bytes(found[at][0]).decode() if at < len(found) else ""
        if path + "/" == self._root:
            return ""
        return path.removeprefix(self._root) if path.startswith(self._root) else None

    def _openat(self, call: _Call) -> None:
        self._open.pop(call.result, None)
        name = self._name(call)
        if name is None:
            return
        flags = call.args.rpartition(b'"')[2]
        if b"O_DIRECTORY" in flags or name in self._folders:
            self._open[call.result] = name
            return
        file = self._names.get(name)
        if file is None:
            if b"O_CREAT" not in flags:
                return  # listed by its folder's own name, or of another run
            self._count += 1
            file = self._names[name] = self._count
            self._sizes[file] = 0
            if name == "truth":
                self._truth = file
            else:
                self._ops.append(Create(name, file))
        elif b"O_TRUNC" in flags:
            self._ops.append(Resize(file, 0))
        if b"O_APPEND" in flags:
            raise TraceError(f"{name}: opened for appending")
        self._open[call.result] = file
        self._places[call.result] = 0

    def _close(self, call: _Call) -> None:
        self._open.pop(_number(call.args, 0), None)

    def _write(self, call: _Call) -> None:
        fd = _number(call.args, 0)
        if fd in self._open:
            self._wrote(fd, self._places[fd], call)
            self._places[fd] += call.result

    def _pwrite64(self, call: _Call) -> None:
        fd = _number(call.args, 0)
        if fd in self._open:
            self._wrote(fd, int(call.args.rpartition(b",")[2]), call)

    def _wrote(self, fd: int, at: int, call: _Call) -> None:
        file = self._open[fd]
        assert isinstance(file, int)
        raw, cut = _TEXT.findall(call.args)[0]
        if cut:
            raise TraceError("a write longer than strace was told to show")
        data = _bytes(raw)[: call.result]
        if file == self._truth:
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._ops += [Truth(json.loads(line)) for line in lines]
        else:
            self._ops.append(Write(file, at, data))

    def _lseek(self, call: _Call) -> None:
        fd = _number(call.args, 0)
        if fd in self._places:
            self._places[fd] = call.result

    def _ftruncate(self, call: _Call) -> None:
        file = self._open.get(_number(call.args, 0))
        if isinstance(file, int):
            self._ops.append(Resize(file, _number(call.args, 1)))

    def _fallocate(self, call: _Call) -> None:
        file = self._open.get(_number(call.args, 0))
        if isinstance(file, int):
            size = _number(call.args, 2) + _number(call.args, 3)
            self._ops.append(Resize(file, size, grow=True))

    def _fsync(self, call: _Call) -> None:
        what = self._open.get(_number(call.args, 0))
        if isinstance(what, str):
            self._ops.append(SyncFolder(what.rstrip("/")))
        elif what is not None:
            self._ops.append(Sync(what))

    _fdatasync = _fsync

    def _rename(self, call: _Call) -> None:
        old, new = self._name(call), self._name(call, 1)
        if old is not None and new is not None:
            self._names[new] = self._names.pop(old)
            self._ops.append(Rename(old, new))

    _renameat = _renameat2 = _rename

    def _unlink(self, call: _Call) -> None:
        name = self._name(call)
        if name is not None:
            self._names.pop(name, None)
            self._ops.append(Unlink(name))

    _unlinkat = _unlink

    def _mkdir(self, call: _Call) -> None:
        name = self._name(call)
        if name:
            self._folders.add(name)
            self._ops.append(Mkdir(name))

    _mkdirat = _mkdir

    def _mmap(self, call: _Call) -> None:
        shared = b"MAP_SHARED" in call.args and b"PROT_WRITE" in call.args
        fd = call.args.split(b",")[4].strip()
        if shared and fd.isdigit() and int(fd) in self._open:
            raise TraceError("a shared mapping hides writes to the store")

    def _dup(self, call: _Call) -> None:
        if _number(call.args, 0) in self._open:
            raise TraceError("a duplicated file of the store")

    _dup2 = _dup3 = _dup


def _number(args: bytes, at: int) -> int:
    """An integer argument of a call without text before it; -1: not a number."""
    parts = args.split(b",", at + 1)
    try:
        return int(parts[at])
    except (IndexError, ValueError):
        return -1


def _bytes(text: bytes) -> bytes:
    return bytes.fromhex(text.replace(b"\\x", b"").decode())

"""Lives of a store on a disk that refuses: the n-th call of one kind, for every n.

strace makes a system call fail at a count that is fixed for a whole session and kept
for each process. So one session serves all n: it starts this program, which forks a
child for each; a child first makes as many idle calls as the count is too high.

    strace -f -e inject=pwrite64:error=EIO:when=800
        python -m tests.support.cuts.bad_disk FOLDER SEED pwrite64 800 healed 5 6 7

fails the 5th, 6th and 7th ``pwrite64`` of a life, one in each of three lives, for which
there are folders 5, 6 and 7 below FOLDER.

Every child says on standard output how its life went, a JSON object a line:
``{"n", "refused": starts refused, "degraded": seen, "wrong": what is wrong}``. A word
``healed`` or ``broken`` before the numbers says whether the disk is well at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from buffer import Buffer, DiskTroubleError
from tests.support.cuts import judge
from tests.support.cuts.work import Life, shape_of
from tests.support.virtual import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable

_NOWHERE = Path("/nonexistent/ecogate")
_NO_FD = 999
_IDLE: dict[str, Callable[[], object]] = {
    "openat": lambda: os.close(os.open("/dev/null", os.O_RDONLY)),
    "pwrite64": lambda: os.pwrite(_NO_FD, b"", 0),
    "pread64": lambda: os.pread(_NO_FD, 0, 0),
    "fsync": lambda: os.fsync(_NO_FD),
    "fdatasync": lambda: os.fdatasync(_NO_FD),
    "ftruncate": lambda: os.ftruncate(_NO_FD, 0),
    "fallocate": lambda: os.posix_fallocate(_NO_FD, 0, 1),
    "unlink": _NOWHERE.unlink,
    "rename": lambda: _NOWHERE.rename(_NOWHERE),
    "mkdir": _NOWHERE.mkdir,
}
CALLS = tuple(_IDLE)
_STARTS = 50
_SETTLE_S = 12.0


class BadLife(Life):
    """A life whose truth is kept in memory and judged at the end."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder, shape_of(seed) | {"real_time": False}, truth=-1)
        self.known = judge.Known()
        self.refused = 0
        self.degraded = False

    def tell(self, *said: object) -> None:
        self.known.take(json.loads(json.dumps(said)))

    async def open(self) -> None:
        for _ in range(_STARTS):
            try:
                await super().open()
            except (OSError, DiskTroubleError):
                self.refused += 1
                await asyncio.sleep(1)
            else:
                return
        raise AssertionError("never opened")

    async def wait(self) -> None:
        await super().wait()
        self.degraded |= self.buffer.stats().degraded is not None

    async def proofs(self) -> None:
        # A pump waits and tries again.
        with contextlib.suppress(DiskTroubleError, OSError):
            await super().proofs()

    def hurt(self) -> None:
        with contextlib.suppress(OSError):
            super().hurt()

    async def end(self, *, healed: bool) -> None:
        """Everything in order again, and once more after a kill."""
        if not self.buffer._closed:
            await asyncio.sleep(_SETTLE_S)
            self.tell_losses()
            self.put()
            await self.buffer.flush()
            state = self.buffer.stats()
            self.tell_durable(state.durable)
            if healed:
                assert state.degraded is None, state.trouble
                assert state.pending == 0, state
            self.abandon()
        if not healed:
            return
        for attempt in (1, 2):
            try:
                await self.look()
                break
            except (OSError, DiskTroubleError):
                if attempt == 2:
                    raise

    async def look(self) -> None:
        """As a gateway that starts anew, after a power cut."""
        buffer = await Buffer.open(
            self.folder / "store",
            judge.roomy(self.shape),
            self.targets,
            wall_ms=lambda: self.wall,
            boot=judge.LATER_BOOT,
        )
        try:
            await judge.look(buffer, self.known)
        finally:
            buffer.abandon()


async def _live(folder: Path, seed: int, n: int, *, healed: bool) -> dict[str, object]:
    life = BadLife(folder, seed)
    wrong = ""
    try:
        await life.run()
        await life.end(healed=healed)
    except BaseException:  # noqa: BLE001 - whatever it is, it is told
        wrong = traceback.format_exc()[-1500:]
    return {
        "n": n,
        "refused": life.refused,
        "degraded": life.degraded,
        "wrong": wrong,
    }


def main(words: list[str]) -> None:
    """Fork a child for each n."""
    base, seed, call, count, healed = Path(words[0]), *words[1:5]
    for n in map(int, words[5:]):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        for _ in range(int(count) - n):
            with contextlib.suppress(OSError):
                _IDLE[call]()
        os.write(1, b"\n")  # in a trace: the calls of the life begin here
        said = run_virtual(
            _live(base / str(n), int(seed), n, healed=healed == "healed")
        )
        os.write(1, json.dumps(said).encode() + b"\n")
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])

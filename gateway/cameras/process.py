"""Starts ``python -m vision.worker`` on one end of a socketpair and speaks to it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections import deque
from typing import TYPE_CHECKING, Protocol

from gateway.texts import t
from vision.messages import FramingError, FromVision, Unpacker, pack

if TYPE_CHECKING:
    from vision.messages import FromGateway

log = logging.getLogger(__name__)

ENVIRONMENT = {
    # glibc's arenas, one a thread, make a process look twice as large as it is.
    "MALLOC_ARENA_MAX": "2",
    # Pictures go back to the system when they are done with. Left to itself glibc keeps
    # them on its heap from the first freed one on, and the heap full of holes.
    "MALLOC_MMAP_THRESHOLD_": "262144",
    # One thread of ours is one core's work; the libraries' own pools are not wanted.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}
_READ = 65_536
_LINE = 2_000
"""Of what it says on its own; the rest of a longer line is left out."""
_MINUTE_S, _LINES = 60.0, 100
"""So many lines a minute: what shouts must not push out of the log what matters."""
_KILLED_S = 2.0


class VisionProcess(Protocol):
    """One that was started, as its keeper uses it: tests put a fake in its place."""

    @property
    def pid(self) -> int:
        """Of the process."""
        ...

    def send(self, message: FromGateway) -> None:
        """Hand a message over; what cannot be sent any more is lost without a word."""
        ...

    async def receive(self) -> FromVision | None:
        """The next message; None: it closed the socket, or spoke what nobody knows.

        May be cancelled: nothing is lost by that.
        """
        ...

    async def end(self, grace_s: float) -> int | None:
        """End it: it was asked to, or is gone already; what does not go is killed.

        May be called twice.

        Returns:
            Its exit status, negative for a signal; None: not known.
        """
        ...


async def start(group: str) -> Child:
    """Start the vision process of a group.

    Raises:
        OSError: No process or no socket is to be had.
    """
    ours, theirs = socket.socketpair()
    try:
        ours.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a cv2.py in the current folder must not stand in for the real one
            "-m",
            "vision.worker",
            str(theirs.fileno()),
            str(os.getpid()),
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,  # Ctrl-C at a terminal is for the gateway
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    try:
        reader, writer = await asyncio.open_connection(sock=ours)
    except BaseException:
        process.kill()
        ours.close()
        raise
    return Child(group, process, reader, writer)


class Child:
    """A process that was started; see ``VisionProcess``."""

    def __init__(
        self,
        group: str,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._unpack = Unpacker(FromVision)  # type: ignore[arg-type]
        self._came: deque[FromVision] = deque()
        self._saying = asyncio.create_task(
            self._log_lines(group), name=f"cameras:{group}:said"
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, message: FromGateway) -> None:
        """Hand a message over; there are few, and all are small."""
        if not self._writer.is_closing():
            self._writer.write(pack(message))

    async def receive(self) -> FromVision | None:
        """The next message; None: the process has nothing more to say."""
        while not self._came:
            try:
                data = await self._reader.read(_READ)
                if not data:
                    return None
                self._came.extend(self._unpack.feed(data))  # type: ignore[arg-type]
            except (OSError, FramingError) as exc:
                log.warning("%s", t("log.cameras_unclear", pid=self.pid, error=exc))
                return None
        return self._came.popleft()

    async def end(self, grace_s: float) -> int | None:
        """End it, by its own will within ``grace_s``, else by force."""
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            # Also when we are cancelled while it still thinks about it.
            self._kill()
            self._writer.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_KILLED_S):
                await self._process.wait()
                await self._saying
        self._saying.cancel()
        return self._process.returncode

    def _kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    async def _log_lines(self, group: str) -> None:
        """What libraries print goes to our log, whose amount is bounded."""
        said = self._process.stdout
        assert said is not None  # noqa: S101 - for the type checker
        loop = asyncio.get_running_loop()
        until, room, left_out = 0.0, _LINES, 0
        while True:
            try:
                line = await said.readline()
            except ValueError:  # longer than our limit
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").strip()
            now = loop.time()
            if now >= until:
                if left_out:
                    log.warning("%s", said_text(group, f"(+{left_out})"))
                until, room, left_out = now + _MINUTE_S, _LINES, 0
            if text and room:
                room -= 1
                log.warning("%s", said_text(group, text))
            elif text:
                left_out += 1


def said_text(group: str, text: str) -> str:
    """A line that a library of the process printed, in whatever language that has."""
    return t("log.cameras_said", group=group, text=text)

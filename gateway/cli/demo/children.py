"""The demo's processes: each says when it is ready and ends with us, however we end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cli.exits import CliError
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_READY_S = 20.0
_END_S = 5.0
_LINE_LIMIT = 1 << 20
_PR_SET_PDEATHSIG = 1


class Child:
    """One process with a log file and, for simulators, JSON lines on its output."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.facts: dict[str, Any] = {}
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, name: str, module: str, *options: str, log: Path) -> Child:
        """Start ``python -m module`` in a session of its own.

        Ctrl-C at the terminal reaches only us, so that the end has an order.
        """
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                module,
                *options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                limit=_LINE_LIMIT,
                preexec_fn=partial(_end_with, os.getpid()),
            )
        return cls(name, process)

    async def ready(self, log: Path) -> None:
        """Wait for the line that says so.

        Raises:
            CliError: It ended, or said nothing in time.
        """
        assert self.process.stdout is not None  # noqa: S101 - asked for above
        line = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_S):
                line = await self.process.stdout.readline()
        try:
            self.facts = msgspec.json.decode(line)
        except msgspec.DecodeError as exc:
            text = t("demo.child_failed", name=self.name, error=_last(log, line))
            raise CliError(text) from exc

    def listen(self, heard: Callable[[dict[str, Any]], None]) -> None:
        """Hand every further JSON line to ``heard``."""
        self._reading = asyncio.create_task(self._read(heard), name=f"demo:{self.name}")

    def tell(self, command: str) -> None:
        """Send one line to its standard input."""
        assert self.process.stdin is not None  # noqa: S101 - asked for above
        self.process.stdin.write(command.encode() + b"\n")

    async def end(self) -> int:
        """SIGTERM, then SIGKILL; returns the exit status. May be called twice."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            try:
                async with asyncio.timeout(_END_S):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        if self._reading is not None:
            await self._reading
            self._reading = None
        if self.process.stdin is not None:
            self.process.stdin.close()
        return self.process.returncode or 0

    async def _read(self, heard: Callable[[dict[str, Any]], None]) -> None:
        assert self.process.stdout is not None  # noqa: S101 - asked for above
        while line := await self.process.stdout.readline():
            with contextlib.suppress(msgspec.DecodeError):
                found = msgspec.json.decode(line)
                if isinstance(found, dict):
                    heard(found)


def _last(log: Path, line: bytes) -> str:
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    return said.splitlines()[-1] if said else repr(line)


def _end_with(parent: int) -> None:
    """In the child: SIGTERM when this parent ends; it may have ended already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(0)

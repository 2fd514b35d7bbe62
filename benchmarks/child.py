"""A child process that says JSON lines, and ends with its parent."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from pathlib import Path

_STOP_S = 5.0


class ChildError(RuntimeError):
    """A process of the benchmark did not do its part; its last words are inside."""


class Child:
    """One process; a context manager that stops it by its pid.

    Args:
        name: For messages.
        command: What to run.
        log: Where its stderr goes.
        talks: Read its stdout; else it goes to the log too.
    """

    def __init__(
        self, name: str, command: list[str], log: Path, *, talks: bool = True
    ) -> None:
        self.name = name
        self._log = log
        self._rest = b""
        with log.open("wb") as errors:
            self.spawned_ns = time.monotonic_ns()
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if talks else errors,
                stderr=errors,
                bufsize=0,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it, by force after 5 s; its exit status. May be called twice."""
        if self.process.stdin is not None:
            # Ours end when their input does; also when this process is killed.
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        if self.process.poll() is None:
            self.process.send_signal(signum)
        try:
            status = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    def tell(self, message: dict[str, object]) -> None:
        """Give it one JSON line."""
        cast("IO[bytes]", self.process.stdin).write(
            json.dumps(message).encode() + b"\n"
        )

    def hear(self, key: str, wait_s: float) -> Any:  # noqa: ANN401 - JSON
        """The value of ``key`` in the next JSON line that has it.

        Raises:
            ChildError: It ended, or the wait did.
        """
        deadline = time.monotonic() + wait_s
        while True:
            line = self._line(deadline, key)
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict) and key in message:
                return message[key]

    def check(self) -> None:
        """Raise :class:`ChildError` where it has ended."""
        if self.process.poll() is not None:
            raise self.error(f"ended with status {self.process.returncode}")

    def _line(self, deadline: float, key: str) -> bytes:
        output = cast("IO[bytes]", self.process.stdout)
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.error(f"expected {key!r} within the time, got nothing")
            ready, _, _ = select.select([output], [], [], left)
            if not ready:
                continue
            data = os.read(output.fileno(), 1 << 20)
            if not data:
                raise self.error(f"expected {key!r}, but it ended")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def error(self, what: str) -> ChildError:
        """An error that holds the end of what the process said."""
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return ChildError(f"{self.name} (pid {self.pid}): {what}\n{tail}")

"""Start a module of ours as a process, read its ready line, end it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).parents[2]


class Spawned:
    """A running ``python -m module``; ``ready`` is its first line of JSON.

    Use it in ``with``: it is told to stop at the end and must do so in time.
    """

    def __init__(self, module: str, *arguments: object, stop_s: float = 10) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._stop_s = stop_s
        self.errors = ""
        self.output = ""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise AssertionError(f"{module} did not start: {self.errors}")
        self.ready: dict[str, Any] = json.loads(line)

    def say(self, line: str) -> str:
        """One command on its standard input; returns its one-line answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; ``output`` and ``errors`` hold what it said. May be called twice."""
        if self.process.returncode is None:
            self.process.send_signal(number)
            try:
                self.output, self.errors = self.process.communicate(
                    timeout=self._stop_s
                )
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.output, self.errors = self.process.communicate()
                raise
        return self.process.returncode

    def __enter__(self) -> Spawned:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

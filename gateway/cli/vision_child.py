"""A child that looks at pictures for a command: ``python -m vision VERB ...``.

It prints one JSON object a line; the command words them. So ``ecogate`` itself never
loads what vision needs, and says what to install where that is missing.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cli.exits import CliError, Exit
from gateway.config.cameras import missing
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

_END_S = 5.0


def lines(
    verb: str, arguments: Sequence[str] = (), *, given: bytes | None = None
) -> Generator[dict[str, Any]]:
    """Run a verb of vision and yield what it says, line by line.

    Args:
        verb: A module of ``vision.verbs``.
        arguments: As on a command line.
        given: What it reads on standard input: passwords stand on no command line.

    Raises:
        CliError: The extra is not installed, the verb named a trouble, or it failed.
    """
    if gone := missing():
        raise CliError(t("cli.vision.missing", names=", ".join(gone)), Exit.USAGE)
    child = subprocess.Popen(
        # -P: a numpy.py in the current folder must not stand in for the real one.
        [sys.executable, "-P", "-m", "vision", verb, *arguments],
        stdin=None if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError), child.stdin as into:
            into.write(given or b"")
    assert child.stdout is not None  # noqa: S101 - for the type checker
    trouble: dict[str, Any] | None = None
    try:
        with child.stdout as said:
            for line in said:
                found: dict[str, Any] = msgspec.json.decode(line)
                if found.get("kind") == "error":
                    trouble = found
                else:
                    yield found
        status = child.wait()
    finally:
        _end(child)
    if trouble is not None:
        raise CliError(t(trouble["key"], **trouble.get("args", {})))
    if status in (-signal.SIGINT, Exit.INTERRUPTED):
        raise KeyboardInterrupt
    if status:
        raise CliError(t("cli.vision.failed", verb=verb, status=status))


def _end(child: subprocess.Popen[bytes]) -> None:
    """Whoever stops reading (Ctrl-C, an error) leaves no child behind."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(_END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()

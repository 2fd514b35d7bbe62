"""What the exit status of a command says; ``docs/cli.md`` prints this table."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of every verb."""

    OK = 0
    FAILED = 1
    """It was tried and did not succeed."""
    USAGE = 2
    """The command line or the site file is wrong; nothing was started."""
    UNREACHABLE = 3
    """The gateway does not run, or the device or port cannot be reached."""
    INTERRUPTED = 130
    """Ended by Ctrl-C."""


class CliError(Exception):
    """A message for the person at the terminal, and the exit status."""

    def __init__(self, message: str, status: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.status = status

"""What a peer has to say about itself to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.peers.load import Load, Place

Reading = tuple[str, "Mapping[str, object]"]
"""A device's name, which ends with its unit id, and its points with their values."""


class Peer(Protocol):
    """One gateway in one configuration."""

    name: str
    """As tables and results write it."""
    package: str
    """Its distribution on PyPI; the version is asked of the environment."""
    requirements: str | None
    """Name of the pinned list beside this module; None: the running environment."""
    topics: tuple[str, ...]
    """What the subscriber listens to."""
    separate: bool
    """Each device behind a TCP port of its own; else all behind one."""
    configuration: str
    """For people: what was set, and what was left as delivered."""

    def command(
        self, programs: Path, folder: Path, load: Load, place: Place
    ) -> list[str]:
        """Write the configuration into ``folder``; the command that starts it."""

    def readings(self, topic: str, payload: bytes) -> Iterator[Reading]:
        """What a message holds; nothing where it is about something else."""

    def reply(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        """What its platform would answer to a message; None: nothing."""


def in_folder(
    folder: Path, command: Sequence[str], settings: Mapping[str, str] | None = None
) -> list[str]:
    """A command with a working directory and environment; the process stays one.

    No peer of ours reaches out of this machine: what it asks of the internet (updates,
    packages) meets a closed port at once.
    """
    closed = "http://127.0.0.1:9"
    words = {
        "http_proxy": closed,
        "https_proxy": closed,
        "no_proxy": "127.0.0.1",
        "PIP_NO_INDEX": "1",
        **(settings or {}),
    }
    return [
        *("env", "-C", str(folder)),
        *(f"{name}={value}" for name, value in words.items()),
        *command,
    ]

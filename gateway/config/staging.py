"""Versions of the site file, and the one on trial: files in the data folder.

    <data>/site/trial.yaml                     what ``apply --confirm-within`` tries
    <data>/site/000012-20251121T101500Z.yaml   what was in force before; newest last

The site file itself is written only when a change is confirmed. So going back is
forgetting: at the end of the time, on a crash and after a power cut the gateway reads
the file it always read, and needs no right to write it.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT = 10
"""At least five are promised."""
TRIAL = "trial.yaml"
_VERSION = re.compile(r"([0-9]{6})-([0-9]{8}T[0-9]{6}Z)\.yaml\Z")
_TIME = "%Y%m%dT%H%M%SZ"


class Version(msgspec.Struct, frozen=True):
    """A site file that was in force until ``until``."""

    number: int
    until: datetime
    name: str


def versions(names: Iterable[str]) -> list[Version]:
    """The versions among these file names, oldest first; other files are left out."""
    found: list[Version] = []
    for name in names:
        match = _VERSION.match(name)
        if match is None:
            continue
        with contextlib.suppress(ValueError):
            until = datetime.strptime(match[2], _TIME).replace(tzinfo=UTC)
            found.append(Version(int(match[1]), until, name))
    return sorted(found, key=lambda version: version.number)


def next_name(names: Iterable[str], until: datetime) -> str:
    """The file name of the next version; numbers only rise, whatever the clock does."""
    known = versions(names)
    number = known[-1].number + 1 if known else 1
    return f"{number:06d}-{until.astimezone(UTC).strftime(_TIME)}.yaml"


def outdated(names: Iterable[str], kept: int = KEPT) -> list[str]:
    """The versions to delete so that the newest ``kept`` remain."""
    return [version.name for version in versions(names)[:-kept]]


class Staging:
    """The folder of versions and the trial."""

    def __init__(self, data_folder: Path) -> None:
        self.folder = data_folder / "site"
        self.trial = self.folder / TRIAL

    def stage(self, content: bytes) -> None:
        """Put a site file where the gateway finds it for a trial."""
        self._make()
        replace_file(self.trial, content)

    def drop(self) -> None:
        """Forget the trial."""
        self.trial.unlink(missing_ok=True)

    def versions(self) -> list[Version]:
        """What is kept, oldest first."""
        return versions(self._names())

    def read(self, version: Version) -> bytes:
        """The content of a version."""
        return (self.folder / version.name).read_bytes()

    def put_in_force(self, site_file: Path, content: bytes, now: datetime) -> None:
        """Keep what the site file says now as a version, then replace it.

        Raises:
            OSError: A file cannot be written; the site file is then as it was.
        """
        self._make()
        with contextlib.suppress(FileNotFoundError):
            replace_file(
                self.folder / next_name(self._names(), now), site_file.read_bytes()
            )
        replace_file(site_file, content)
        for name in outdated(self._names()):
            (self.folder / name).unlink(missing_ok=True)

    def previous(self, site_file: Path) -> Version | None:
        """The newest version that says something else than the site file."""
        current = site_file.read_bytes() if site_file.exists() else None
        for version in reversed(self.versions()):
            if self.read(version) != current:
                return version
        return None

    def _names(self) -> list[str]:
        return [file.name for file in self.folder.glob("*.yaml")]

    def _make(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True)
            _sync_folder(self.folder.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old or the new one, also after a power cut.

    Mode and owner stay those of the file that was there; a new one is 0644: site files
    hold no secrets, and the gateway runs as a user of its own.
    """
    try:
        old = path.stat()
    except FileNotFoundError:
        old = None
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), old.st_mode & 0o7777 if old else 0o644)
            if old is not None:
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

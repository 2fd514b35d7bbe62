"""Secrets that a platform set: a new password, a new key. One small file each.

They stand beside the store in a folder that only we can open, mode 0600, written
durably before the platform is told that they hold. A secret is kept together with a
mark of the one in the site file: whoever puts another one there means it, and what the
platform had set is void.
"""

from __future__ import annotations

import hashlib
import logging
import os
from typing import TYPE_CHECKING

import msgspec

from gateway.secrets import SecretError, check_modes
from gateway.texts import t

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

FOLDER_MODE, FILE_MODE = 0o700, 0o600


class _Kept(msgspec.Struct):
    value: str
    site: str
    """SHA-256 of what the site file's secret was."""
    since_ms: int = 0
    before: str = ""
    """The one that it took the place of."""


class Vault:
    """The secrets of one target."""

    def __init__(self, folder: Path, target: str) -> None:
        """Prepare; nothing is read or made yet.

        Args:
            folder: Ours alone; made when something is kept.
            target: Name of the target.
        """
        self._folder = folder
        self._target = target

    def recall(self, name: str, site: str) -> tuple[str, str, int]:
        """The secret, the one before it, and since when it holds (UTC ms).

        Args:
            name: ``password`` or ``key``.
            site: The site file's own; it stands where nothing else was set since.
        """
        path = self._path(name)
        try:
            if not path.exists():
                return site, "", 0
            check_modes(path, name)
            kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError, SecretError) as exc:
            said = t(
                "log.hj212_secret_unreadable",
                target=self._target,
                path=path,
                error=exc,
            )
            log.warning("%s", said)
            return site, "", 0
        if kept.site != _mark(site):
            return site, "", 0
        return kept.value, kept.before, kept.since_ms

    def keep(
        self, name: str, value: str, site: str, *, since_ms: int, before: str = ""
    ) -> None:
        """Keep a secret; durable when this returns. Blocks: not for the loop's thread.

        Raises:
            OSError: The disk refused it; the one before stands.
        """
        path = self._path(name)
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        kept = _Kept(value, _mark(site), since_ms, before)
        temporary = path.with_name(path.name + ".tmp")
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(temporary, flags, FILE_MODE), "wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _path(self, name: str) -> Path:
        return self._folder / f"{self._target}.{name}"


def _mark(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

"""The key that a target encrypts with, and the one before it for a while.

A platform that sets a new key may have frames under way under the old one, and may lose
our word that the new one holds: the old one opens frames for ``GRACE_MS``.

Source: HJ 212-2025, 6.4.3: a key is replaced every 90 days and asked for ahead (1014).
"""

from __future__ import annotations

import re
import weakref
from typing import TYPE_CHECKING

from drivers.hj212.seal import Sm4, is_sealed, read_key, seal
from drivers.hj212.sealed import SealedFinder

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.hj212.seal import Form

GRACE_MS = 24 * 3_600_000
LIFE_MS = 90 * 86_400_000
AHEAD_MS = 7 * 86_400_000
"""A new key is asked for so long before the old one is too old."""
_CN = re.compile(rb";CN=([0-9]{4});")


class Keyring:
    """Encrypts what leaves and opens what comes; see ``seams.Sealer``."""

    def __init__(
        self,
        text: str,
        before: str = "",
        *,
        since_ms: int = 0,
        form: Form = "raw",
        wall_ms: Callable[[], int],
    ) -> None:
        """Make the keys ready.

        Args:
            text: The key as people keep it.
            before: The one that held until ``since_ms``; empty: there was none.
            since_ms: Since when it holds, UTC ms; 0: nobody knows.
            form: How encrypted bytes travel.
            wall_ms: UTC ms.

        Raises:
            SealError: No key, or there is no SM4 here.
        """
        self._form: Form = form
        self._wall_ms = wall_ms
        self._finders: weakref.WeakSet[SealedFinder] = weakref.WeakSet()
        self.text = text
        self.since_ms = since_ms
        self._key = Sm4(read_key(text))
        self._before: Sm4 | None = Sm4(read_key(before)) if before else None

    @property
    def due(self) -> bool:
        """Whether a new key should be asked for."""
        if not self.since_ms:
            return False
        return self._wall_ms() - self.since_ms > LIFE_MS - AHEAD_MS

    def replace(self, text: str, since_ms: int) -> None:
        """Another key holds from now on.

        Raises:
            SealError: It is none; the one before stands.
        """
        key = Sm4(read_key(text))
        if text != self.text:
            self._before, self._key = self._key, key
        self.text, self.since_ms = text, since_ms
        for finder in self._finders:
            finder.keys = self._keys()

    def seal(self, segment: bytes) -> bytes | None:
        """What travels in the place of a segment; None: it goes as it is."""
        match = _CN.search(segment)
        if match is None or not is_sealed(int(match[1])):
            return None
        return seal(segment, self._key, self._form)

    def finder(self) -> SealedFinder:
        """For one connection: finds frames, sealed and plain ones."""
        finder = SealedFinder(self._keys())
        self._finders.add(finder)
        return finder

    def _keys(self) -> tuple[Sm4, ...]:
        if self._before is None or self._wall_ms() - self.since_ms >= GRACE_MS:
            return (self._key,)
        return (self._key, self._before)

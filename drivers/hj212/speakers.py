"""Who speaks on a line: which device a frame is for, and when that cannot be told.

A device with an address is the instrument of that MN. A device without one is whoever
speaks alone; as soon as two speak that no address names, neither is believed. The same
MN on two connections that both go on speaking is two instruments with one name (a
default that nobody changed), and a value would be of either: neither is believed. An
instrument that connects anew leaves its old connection for good and is no such case.
"""

from __future__ import annotations

import weakref
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from drivers.hj212.inbox import Inbox

REMEMBERED_S = 3600.0
"""One that was silent for so long no longer stands in another's way."""
DOUBT_S = 600.0
"""So long after an MN came over two connections by turns, it is not believed."""
MOST_SPEAKERS = 64
MOST_NAMED = 32

SEVERAL = "several_speakers"
TWO = "two_speakers"


class _Speaker(msgspec.Struct):
    connections: set[int]
    """Open ones that it came by."""
    heard_s: float
    doubted_until: float = 0.0


class Speakers:
    """Of one bus, on all its connections."""

    def __init__(self) -> None:
        self.strangers: Counter[str] = Counter()
        """Frames of instruments that are no device's, by MN."""
        self.other_strangers = 0
        self._inboxes: weakref.WeakSet[Inbox] = weakref.WeakSet()
        self._heard: dict[str, _Speaker] = {}

    def add(self, inbox: Inbox) -> None:
        """A device listens; it stays until nobody holds its inbox any more."""
        self._inboxes.add(inbox)

    def remove(self, inbox: Inbox) -> None:
        """A device listens no more."""
        self._inboxes.discard(inbox)

    def all(self) -> list[Inbox]:
        """Of every device on the bus."""
        return list(self._inboxes)

    def note(self, mn: str, connection: int, now: float) -> None:
        """A frame came.

        Args:
            mn: What it says its instrument is.
            connection: Number of the connection it came by; later ones are higher.
            now: Loop time.
        """
        speaker = self._heard.get(mn)
        if speaker is None:
            if len(self._heard) >= MOST_SPEAKERS:
                oldest = min(self._heard, key=lambda name: self._heard[name].heard_s)
                del self._heard[oldest]
            speaker = self._heard[mn] = _Speaker(set(), now)
        elif connection < max(speaker.connections, default=0):
            speaker.doubted_until = now + DOUBT_S
        speaker.connections.add(connection)
        speaker.heard_s = now
        inboxes = self.all()
        troubled = {box.address for box in inboxes if self.trouble(box.address, now)}
        for inbox in inboxes:
            if inbox.address in troubled:
                inbox.drop()
        if mn in {box.address for box in inboxes}:
            return
        if None not in {box.address for box in inboxes} - troubled:
            self._count_stranger(mn)

    def recipients(self, mn: str, now: float) -> list[Inbox]:
        """Whose a frame of this instrument is; none: nobody's, or nobody can say."""
        inboxes = self.all()
        named = [inbox for inbox in inboxes if inbox.address == mn]
        found = named or [inbox for inbox in inboxes if inbox.address is None]
        return [box for box in found if not self.trouble(box.address, now)]

    def trouble(self, address: str | None, now: float) -> str:
        """Why nothing is believed that comes for this address; empty: nothing is wrong.

        Args:
            address: The device's; None: whoever speaks alone.
            now: Loop time.
        """
        doubted = {mn for mn, who in self._heard.items() if now < who.doubted_until}
        if address is not None:
            return TWO if address in doubted else ""
        if self._strangers_now(self.all(), now) > 1:
            return SEVERAL
        taken = {inbox.address for inbox in self.all()}
        return TWO if doubted - taken else ""

    def gone(self, connection: int) -> None:
        """A connection ended: who speaks alone now under a name is believed again."""
        for speaker in self._heard.values():
            if connection in speaker.connections:
                speaker.connections.remove(connection)
                if len(speaker.connections) <= 1:
                    speaker.doubted_until = 0.0

    def forget(self) -> None:
        """Everything is opened anew."""
        self._heard.clear()

    def _strangers_now(self, inboxes: list[Inbox], now: float) -> int:
        addresses = {inbox.address for inbox in inboxes}
        return sum(
            mn not in addresses and now - speaker.heard_s < REMEMBERED_S
            for mn, speaker in self._heard.items()
        )

    def _count_stranger(self, mn: str) -> None:
        if mn in self.strangers or len(self.strangers) < MOST_NAMED:
            self.strangers[mn] += 1
        else:
            self.other_strangers += 1

"""Storms of events: more than twenty of one kind a second fold into one with a count.

A hub that loses power takes a hundred devices with it; a hundred sentences that say the
same would hold back the one that matters.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from gateway.texts import both

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.record import Event

MOST = 20
WINDOW_S = 1.0
LISTED = 50
"""So many of the folded are named; beyond, only their number is told."""


class _Window:
    def __init__(self) -> None:
        self.passed = 0
        self.folded: list[Event] = []


class EventFold:
    """Passes events on, folding storms; one window for each kind and state."""

    def __init__(self, sink: Callable[[Event], None]) -> None:
        self._sink = sink
        self._windows: dict[tuple[str, str], _Window] = {}

    def __call__(self, event: Event) -> None:
        """Pass one event on, at once or folded within a second."""
        key = (event.type, event.state)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window()
            asyncio.get_running_loop().call_later(WINDOW_S, self._end, key)
        if window.passed < MOST:
            window.passed += 1
            self._sink(event)
        else:
            window.folded.append(event)

    def flush(self) -> None:
        """Pass on what is folded so far: the gateway stops."""
        for key in list(self._windows):
            self._end(key)

    def _end(self, key: tuple[str, str]) -> None:
        window = self._windows.pop(key, None)
        if window is not None and window.folded:
            self._sink(folded(window.folded))


def folded(events: list[Event]) -> Event:
    """One event for many of a kind: the first one's time, how many they are, and which.

    What ends one of them later refers to it by its id, so the ids are named.
    """
    first, count = events[0], len(events)
    if count == 1:
        return first
    kind = first.type
    return msgspec.structs.replace(
        first,
        id=f"{first.id}+{count - 1}",
        device=None,
        bus=None,
        asset=None,
        values={"count": count},
        of=tuple(event.id for event in events[:LISTED]),
        text=both("event.folded", count=count, kind=kind),
    )

"""Messages on their way; proofs may come as they like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.uplink.lanes import PICTURES
from gateway.uplink.source import runs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.uplink.lanes import Lane
    from gateway.uplink.source import Entry, Runs


class Flight:
    """One message on its way."""

    __slots__ = (
        "blames_message",
        "entries",
        "kind",
        "lane",
        "picture",
        "refusal",
        "runs",
        "sent_s",
        "size",
        "skipped",
    )

    def __init__(
        self,
        lane: Lane,
        entries: Sequence[Entry],
        size: int,
        sent_s: float,
        skipped: Runs = (),
        kind: str = "",
    ) -> None:
        """A message handed to the link.

        Args:
            lane: Where it came from.
            entries: Its records.
            size: Its bytes.
            sent_s: The loop's time.
            skipped: What it tells of besides.
            kind: What got through says something only about others of its kind.
        """
        self.lane = lane
        self.entries = entries
        self.runs = runs_of(entry.seq for entry in entries)
        """Exactly its seqs: those of other lanes lie in between."""
        self.sent_s = sent_s
        self.size = size
        self.skipped = skipped
        self.picture = bool(entries) and entries[0].cls in PICTURES
        self.kind = kind or ("media" if self.picture else "")
        self.refusal: str | None = None
        self.blames_message = False

    @property
    def first(self) -> int:
        """Its lowest seq."""
        return self.runs[0][0]


class Window:
    """All messages with records on their way over one connection, in the order sent."""

    def __init__(self) -> None:
        self._flights: list[Flight] = []
        self._refused = 0

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def oldest(self) -> Flight | None:
        """The first message without proof."""
        return self._flights[0] if self._flights else None

    @property
    def unanswered(self) -> Flight | None:
        """The first message without any answer."""
        if not self._refused:
            return self.oldest
        return next((f for f in self._flights if f.refusal is None), None)

    @property
    def refused(self) -> bool:
        """Whether a message was refused: nothing new leaves before all is settled."""
        return self._refused > 0

    @property
    def settled(self) -> bool:
        """Whether every message has an answer, yes or no."""
        return self._refused == len(self._flights)

    def add(self, flight: Flight) -> None:
        """A message was handed to the link."""
        self._flights.append(flight)

    def proved(self, flight: Flight) -> None:
        """It is no more on its way."""
        self._flights.remove(flight)

    def refuse(self, flight: Flight, reason: str, *, blames_message: bool) -> None:
        """It stays until all others are answered, too."""
        flight.refusal = reason
        flight.blames_message = blames_message
        self._refused += 1

    def take_all(self) -> list[Flight]:
        """Empty the window: the connection is gone, or all is settled."""
        flights, self._flights = self._flights, []
        self._refused = 0
        return flights

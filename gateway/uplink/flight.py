"""Messages on their way: proofs may come as they like, ranges leave in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.uplink.message import Message


class Flight:
    """One message on its way."""

    __slots__ = (
        "blames_message",
        "first",
        "last",
        "proved",
        "records",
        "refusal",
        "sent_s",
        "size",
    )

    def __init__(self, message: Message, sent_s: float) -> None:
        self.first = message.first
        self.last = message.last
        self.records = message.records
        self.sent_s = sent_s
        self.size = len(message.payload)
        self.proved = False
        self.refusal: str | None = None
        self.blames_message = False


class Window:
    """All messages on their way over one connection, in the order sent.

    A range is given out only when every earlier one is proved, so that a cursor
    moves in order and a reconnect sends again from the first unproved record.
    """

    def __init__(self) -> None:
        self._flights: deque[Flight] = deque()

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def oldest(self) -> Flight | None:
        """The first message without proof."""
        return self._flights[0] if self._flights else None

    @property
    def refused(self) -> bool:
        """Whether a message was refused: nothing new leaves before all is settled."""
        return any(flight.refusal is not None for flight in self._flights)

    @property
    def settled(self) -> bool:
        """Whether every message has an answer, yes or no."""
        return all(f.proved or f.refusal is not None for f in self._flights)

    def add(self, flight: Flight) -> None:
        """A message was handed to the link."""
        self._flights.append(flight)

    def take_proved(self) -> tuple[int, int] | None:
        """The seqs proved now with nothing unproved before them, once."""
        first = last = None
        while self._flights and self._flights[0].proved:
            flight = self._flights.popleft()
            first = flight.first if first is None else first
            last = flight.last
        return None if first is None or last is None else (first, last)

    def take_all(self) -> list[Flight]:
        """Empty the window: the connection is gone, or all is settled."""
        flights = list(self._flights)
        self._flights.clear()
        return flights

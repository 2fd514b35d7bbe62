"""How fast a backlog goes, so that what is new never waits long behind it. Pure."""

from __future__ import annotations

FIRST_BYTES = 4_000
LEAST_BYTES = 2_000
"""A second of a line of 2 kB/s."""
GROW_S = 0.5
SHRINK_S = 1.0
"""A message proved this much later than the quickest one waited for others."""


class Bucket:
    """At most one message every ``1 / per_s``; lives as long as the target."""

    def __init__(self, per_s: float) -> None:
        """Start with one message allowed."""
        self._every_s = 1.0 / per_s
        self.next_s = 0.0
        """No message before this time of the loop."""

    def take(self, now_s: float) -> None:
        """A message leaves."""
        self.next_s = max(self.next_s, now_s) + self._every_s


class Pictures:
    """How many pictures may be on their way, and when what is new goes between.

    A part of a picture fills a slow line for seconds, and nothing overtakes it there.
    So one at a time, two where the last one was proved quickly; and after one that was
    slow a live message has its turn, if there is one.
    """

    MOST = 2

    def __init__(self, window: int) -> None:
        """Begin with one.

        Args:
            window: Messages that may be on their way, live and control included.
        """
        self._most = min(self.MOST, max(1, window // 2))
        self.flying = 0
        self._quick = False
        self._yields = 0

    def open(self, *, live_waits: bool) -> bool:
        """Whether one more may be on its way.

        Args:
            live_waits: What is new is on its way, or waits to be.
        """
        if self._yields and live_waits:
            return False
        return self.flying < (self._most if self._quick else 1)

    def sent(self) -> None:
        """A part of a picture left."""
        self.flying += 1
        self._yields = 0

    def ended(self, took_s: float | None, live_flying: int) -> None:
        """It was answered.

        Args:
            took_s: From sending to proof; None: refused.
            live_flying: Live messages on their way: they waited behind it.
        """
        self.flying -= 1
        self._quick = took_s is not None and took_s < GROW_S
        self._yields = 0 if self._quick else live_flying + 1

    def live_answered(self) -> None:
        """A live message was answered."""
        self._yields = max(0, self._yields - 1)


class Share:
    """What of one connection's window the backlog may fill.

    Half of the messages; and in bytes as much as the line brings in about a second,
    found by trying: doubled while proofs come quickly, halved when they come late. So a
    live record waits a second behind the backlog, on any line.
    """

    def __init__(self, window: int, most_bytes: int) -> None:
        """Begin small.

        Args:
            window: Messages that may be on their way, live and control included.
            most_bytes: Of one message.
        """
        self.messages = max(1, window // 2)
        self._most_bytes = most_bytes
        self._bytes = min(FIRST_BYTES, most_bytes)
        self._quickest_s = float("inf")
        self.flying = 0
        self._flying_bytes = 0

    @property
    def message_bytes(self) -> int:
        """Of the next message; a single larger record travels all the same."""
        return min(self._most_bytes, self._bytes)

    @property
    def open(self) -> bool:
        """Whether one more message may be on its way."""
        if not self.flying:
            return True
        left = self._bytes - self._flying_bytes
        return self.flying < self.messages and left >= self.message_bytes

    def sent(self, size: int) -> None:
        """A message of the backlog is on its way."""
        self.flying += 1
        self._flying_bytes += size

    def ended(self, size: int) -> None:
        """It was answered."""
        self.flying -= 1
        self._flying_bytes -= size

    def proof(self, took_s: float, size: int = 0) -> None:
        """Any message was proved.

        Args:
            took_s: From sending to proof.
            size: Its bytes if it was of the backlog.
        """
        self._quickest_s = min(self._quickest_s, took_s)
        if not size:
            return
        late_s = took_s - self._quickest_s
        if late_s > SHRINK_S:
            self._bytes = max(LEAST_BYTES, self._bytes // 2)
        elif late_s < GROW_S:
            most = self.messages * self._most_bytes
            self._bytes = min(most, self._bytes + size)

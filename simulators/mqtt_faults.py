"""What platforms do to messages, as opposed to what lines do to bytes.

* a **limit** of messages a second, as rented platforms have it: those above it wait
  (the sender's socket fills) or are acknowledged and thrown away;
* **swallow**: a share of the messages is acknowledged and never passed on;
* **cut mid-packet**: the connection ends in the middle of the n-th message from now.

Only QoS 1 and only messages of the named topics are swallowed: a platform that loses a
retained description as well can be told by nobody.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from simulators.mqtt_packets import PUBLISH, Packets, puback, read_publish

if TYPE_CHECKING:
    from collections.abc import Callable

_SWALLOWED = ("/data", "/event")


@dataclass
class Counts:
    """What a proxy did so far."""

    connections: int = 0
    cuts: int = 0
    publishes: int = 0
    """PUBLISH packets from clients that were looked at."""
    swallowed: int = 0
    """Acknowledged by us and not passed on."""
    over_limit: int = 0
    """Of these: because they came too fast."""
    waited_s: float = 0.0
    """Time that messages were held back by the limit, together."""
    dropped_acks: int = 0
    cut_mid_packet: int = 0
    bytes_up: int = 0
    bytes_down: int = 0

    def as_dict(self) -> dict[str, int | float]:
        """For JSON."""
        return asdict(self) | {"waited_s": round(self.waited_s, 3)}


class TokenBucket:
    """So many a second in the long run, ``burst`` at once.

    Args:
        per_s: Tokens a second; 0 = no limit.
        burst: Tokens that gather while nothing is taken.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        per_s: float = 0.0,
        burst: float = 1.0,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_s = per_s
        self._burst = max(burst, 1.0)
        self._tokens = self._burst
        self._now = now
        self._at = now()

    def take(self) -> float:
        """Take one token, on credit if need be; returns the seconds to wait for it."""
        if not self.per_s:
            return 0.0
        now = self._now()
        self._tokens += (now - self._at) * self.per_s
        self._tokens = min(self._tokens, self._burst) - 1
        self._at = now
        return max(0.0, -self._tokens / self.per_s)

    def give_back(self) -> None:
        """The token was not used."""
        self._tokens += 1


class Faults:
    """The faults of one proxy, shared by its connections; change them at any time."""

    def __init__(self, seed: int = 1) -> None:
        self.counts = Counts()
        self.swallow = 0.0
        """Share of the messages, 0..1."""
        self.swallow_topics: tuple[str, ...] = _SWALLOWED
        self.over_limit_is_dropped = False
        self.ack_loss = 0.0
        """Share of the broker's PUBACKs that are kept back, 0..1."""
        self.cut_at = 0
        """Cut in the middle of the n-th message from now; 0 = never."""
        self._random = random.Random(seed)
        self._bucket = TokenBucket()

    @property
    def active(self) -> bool:
        """Whether whole packets must be looked at."""
        return bool(self._bucket.per_s or self.swallow or self.cut_at)

    def limit(self, per_s: float, *, burst: float = 5.0, drop: bool = False) -> None:
        """So many messages a second; ``drop``: acknowledge and lose those above."""
        self._bucket = TokenBucket(per_s, burst)
        self.over_limit_is_dropped = drop

    def keeps_ack(self) -> bool:
        """Whether the next PUBACK of the broker is kept back."""
        return self.ack_loss > 0 and self._random.random() < self.ack_loss

    async def up(
        self,
        packets: Packets,
        data: bytes,
        answer: Callable[[bytes], None],
    ) -> tuple[bytes, bool]:
        """Bytes from a client.

        Args:
            packets: The connection's stream.
            data: Its next piece.
            answer: Sends a packet of our own back to the client.

        Returns:
            What goes to the broker, and whether the connection is cut after that.
        """
        passed = bytearray()
        for piece in packets.feed(data, hold=self.active):
            if piece.type != PUBLISH:
                passed += piece.raw
                continue
            self.counts.publishes += 1
            if self.cut_at:
                self.cut_at -= 1
                if not self.cut_at:
                    self.counts.cut_mid_packet += 1
                    passed += piece.raw[: len(piece.raw) // 2]
                    return bytes(passed), True
            if await self._passes(piece.raw, answer):
                passed += piece.raw
        return bytes(passed), False

    async def _passes(self, packet: bytes, answer: Callable[[bytes], None]) -> bool:
        said = read_publish(packet)
        ours = said.qos == 1 and said.topic.endswith(self.swallow_topics)
        wait_s = self._bucket.take()
        if wait_s and self.over_limit_is_dropped and ours:
            self._bucket.give_back()
            self.counts.over_limit += 1
            self.counts.swallowed += 1
            answer(puback(said.packet_id))
            return False
        if wait_s:
            self.counts.waited_s += wait_s
            await asyncio.sleep(wait_s)
        if ours and self.swallow and self._random.random() < self.swallow:
            self.counts.swallowed += 1
            answer(puback(said.packet_id))
            return False
        return True

"""A platform in memory: for the pump's tests and for runs in virtual time.

    platform = MemoryPlatform()
    pump = Pump(target, buffer, platform.connector, ...)
    platform.down(); platform.up()          # a broker that goes and returns
    platform.records()                       # what arrived, decoded, repeats included

All waits are the running loop's timers, so a virtual loop steps through them.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from buffer import Intervals, PriorityClass
from gateway.uplink.link import ConnectError, LinkLimits, LinkLostError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from gateway.config.model import MqttTarget
    from gateway.uplink.link import Terms


class Arrived(NamedTuple):
    """One message at the platform."""

    time_s: float
    topic: str
    payload: bytes
    retain: bool

    @property
    def body(self) -> dict[str, Any]:
        """The payload's JSON."""
        body: dict[str, Any] = json.loads(self.payload)
        return body


class Question:
    """One message that waits for its answer."""

    def __init__(
        self, link: MemoryLink, arrived: Arrived, proof: asyncio.Future[None]
    ) -> None:
        self.link = link
        self.arrived = arrived
        self.proof = proof

    def answer(self, refusal: RefusedError | None = None) -> bool:
        """Prove or refuse it; whether the connection still was there to do so."""
        if self.proof.done():
            return False
        self.link.answer(self.proof, refusal)
        return True


class MemoryPlatform:
    """What a broker and its subscriber are to the pump.

    Args:
        delay_s: From publishing to the proof.
        limits: Announced on connecting.
    """

    def __init__(
        self, *, delay_s: float = 0.001, limits: LinkLimits | None = None
    ) -> None:
        self.delay_s = delay_s
        self.limits = limits or LinkLimits(version="memory")
        self.arrived: list[Arrived] = []
        self.retained: dict[str, bytes] = {}
        self.attempts = 0
        self.links: list[MemoryLink] = []
        self.most_in_flight = 0
        self.prove = True
        """False: messages arrive and are never proved."""
        self.refuse: Callable[[str, bytes], RefusedError | None] = lambda _t, _p: None
        self.hang_up: Callable[[str, bytes], bool] = lambda _t, _p: False
        """True: the platform closes the connection instead of taking this."""
        self.connect_error: ConnectError | None = None
        self.is_up = True
        self.returned_s = 0.0
        self.unanswered: list[Question] = []
        """With ``ask`` on: messages whose answer the test gives."""
        self.ask = False
        self.on_proof: Callable[[bytes], None] = lambda _payload: None
        """Called with what is proved, records only."""

    def connector(self, target: MqttTarget, terms: Terms) -> MemoryLink:
        """Makes links; hand this to the pump."""
        return MemoryLink(self, terms)

    def down(self) -> None:
        """The platform is gone: connections end, new ones are refused."""
        self.is_up = False
        self.cut()

    def up(self) -> None:
        """The platform is back."""
        self.is_up = True
        self.returned_s = asyncio.get_running_loop().time()

    def cut(self, cause: LinkLostError | None = None) -> None:
        """End all connections; proofs on their way are lost."""
        links, self.links = self.links, []
        for link in links:
            link.end(cause or LinkLostError("cut"))
            self.retained[link.terms.will_topic] = link.terms.will_payload

    def say(self, topic: str, payload: bytes) -> None:
        """Publish to whoever of our clients subscribed to this topic."""
        for link in list(self.links):
            link.hear(topic, payload)

    def messages(self, end: str) -> list[Arrived]:
        """Messages whose topic ends so."""
        return [m for m in self.arrived if m.topic.endswith(end)]

    def records(self) -> list[dict[str, Any]]:
        """All records in the order they arrived, repeats included."""
        return [
            record
            for message in self.arrived
            if message.topic.endswith(("/data", "/event"))
            for record in message.body["records"]
        ]

    def lanes(self) -> list[tuple[str, int]]:
        """Lane and seq of every record, in the order they arrived."""
        return [
            (message.body["lane"], record["seq"])
            for message in self.arrived
            if message.topic.endswith(("/data", "/event"))
            for record in message.body["records"]
        ]

    def pictures(self) -> list[dict[str, Any]]:
        """What the parts of pictures say of themselves, in the order they arrived."""
        return [
            {**json.loads(message.payload.partition(b"\n")[0]), "at": message.time_s}
            for message in self.arrived
            if message.topic.split("/")[-3] == "media"
        ]

    def seqs(self) -> list[int]:
        """Their seqs."""
        return [record["seq"] for record in self.records()]


class MemoryLink:
    """One connection; see ``gateway.uplink.link.Link``."""

    def __init__(self, platform: MemoryPlatform, terms: Terms) -> None:
        self.terms = terms
        self._platform = platform
        self._loop = asyncio.get_running_loop()
        self._callback: Callable[[LinkLostError], None] | None = None
        self._unproved: deque[asyncio.Future[None]] = deque()
        self._over: LinkLostError | None = None
        self._topics: dict[str, Callable[[bytes], None]] = {}

    def subscribe(self, topic: str, callback: Callable[[bytes], None]) -> None:
        self._topics[topic] = callback

    def hear(self, topic: str, payload: bytes) -> None:
        callback = self._topics.get(topic)
        if callback is not None and self._over is None:
            self._loop.call_soon(callback, payload)

    async def connect(self) -> LinkLimits:
        platform = self._platform
        platform.attempts += 1
        await asyncio.sleep(platform.delay_s)
        if platform.connect_error is not None:
            raise platform.connect_error
        if not platform.is_up:
            raise ConnectError("memory: nobody listens")
        platform.links.append(self)
        return platform.limits

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False
    ) -> asyncio.Future[None]:
        proof: asyncio.Future[None] = self._loop.create_future()
        if self._over is not None:
            proof.set_exception(self._over)
            return proof
        platform = self._platform
        self._unproved.append(proof)
        platform.most_in_flight = max(platform.most_in_flight, len(self._unproved))
        if platform.hang_up(topic, payload):
            self._loop.call_later(platform.delay_s, platform.cut)
            return proof
        refusal = platform.refuse(topic, payload)
        arrived = Arrived(self._loop.time(), topic, payload, retain)
        if platform.ask and not retain:
            platform.unanswered.append(Question(self, arrived, proof))
            return proof
        if refusal is None:
            platform.arrived.append(arrived)
            if retain and payload:
                platform.retained[topic] = payload
            elif retain:
                platform.retained.pop(topic, None)
        if platform.prove:
            said = None if retain else payload
            self._loop.call_later(platform.delay_s, self.answer, proof, refusal, said)
        return proof

    def answer(
        self,
        proof: asyncio.Future[None],
        refusal: RefusedError | None,
        payload: bytes | None = None,
    ) -> None:
        if self._over is not None or proof.done():
            return
        self._unproved.remove(proof)
        if refusal is None:
            proof.set_result(None)
            if payload is not None:
                self._platform.on_proof(payload)
        else:
            proof.set_exception(refusal)

    def on_lost(self, callback: Callable[[LinkLostError], None]) -> None:
        self._callback = callback
        if self._over is not None:
            callback(self._over)

    def end(self, cause: LinkLostError) -> None:
        if self._over is not None:
            return
        self._over = cause
        while self._unproved:
            self._unproved.popleft().set_exception(cause)
        if self._callback is not None:
            self._callback(cause)

    async def close(self) -> None:
        self._callback = None
        if self in self._platform.links:
            self._platform.links.remove(self)
        self.end(LinkLostError("closed"))


class FakeEntry(msgspec.Struct, frozen=True):
    """One stored record."""

    seq: int
    data: bytes
    cls: PriorityClass = PriorityClass.LIVE
    subject: str = "d"
    t_ms: int = 0


class FakeBacklog(msgspec.Struct, frozen=True):
    """What is not resolved."""

    records: int
    oldest_t_ms: int | None


class FakeSource:
    """A buffer in memory with one target; see ``gateway.uplink.source.Source``.

    Args:
        on_disk_below: ``peek`` says None while the next entry's seq is below this.
    """

    store = "5f2c9a01"

    def __init__(self, *, on_disk_below: int = 0) -> None:
        self.entries: dict[int, FakeEntry] = {}
        self.resolved: list[tuple[int, int]] = []
        self.notes: dict[str, bytes] = {}
        self.high = 0
        self.reads = self.peeks = 0
        self.on_disk_below = on_disk_below
        self.done: set[int] = set()
        self._callbacks: list[Callable[[], None]] = []

    def append(
        self,
        data: bytes,
        cls: PriorityClass = PriorityClass.LIVE,
        subject: str = "d",
        t_ms: int = 0,
    ) -> int:
        self.high += 1
        self.entries[self.high] = FakeEntry(self.high, data, cls, subject, t_ms)
        for callback in tuple(self._callbacks):
            callback()
        return self.high

    def evict(self, seq: int) -> None:
        """Gone; the cursor needs it no more."""
        self.entries.pop(seq, None)
        self.done.add(seq)

    def _owed(
        self,
        after: int,
        upto: int | None,
        classes: AbstractSet[PriorityClass] | None,
        skip: Intervals | None = None,
    ) -> Iterator[FakeEntry]:
        for seq in sorted(self.entries):
            entry = self.entries[seq]
            if seq <= after or seq in self.done or (upto is not None and seq > upto):
                continue
            if classes is not None and entry.cls not in classes:
                continue
            if skip is None or seq not in skip:
                yield entry

    def _next(
        self, owed: Iterator[FakeEntry], most: int, max_bytes: int
    ) -> list[FakeEntry]:
        found: list[FakeEntry] = []
        for entry in owed:
            max_bytes -= len(entry.data)
            if len(found) >= most or (max_bytes < 0 and found):
                break
            found.append(entry)
        return found

    def peek(
        self,
        target: str,
        after: int,
        max_records: int,
        max_bytes: int,
        *,
        upto: int | None = None,
        classes: AbstractSet[PriorityClass] | None = None,
        skip: Intervals | None = None,
    ) -> list[FakeEntry] | None:
        self.peeks += 1
        owed = self._owed(after, upto, classes, skip)
        found = self._next(owed, max_records, max_bytes)
        if found and found[0].seq < self.on_disk_below:
            return None
        return found

    async def read(
        self,
        target: str,
        after: int,
        max_records: int,
        max_bytes: int,
        *,
        upto: int | None = None,
        classes: AbstractSet[PriorityClass] | None = None,
        skip: Intervals | None = None,
    ) -> list[FakeEntry]:
        self.reads += 1
        owed = self._owed(after, upto, classes, skip)
        found = self._next(owed, max_records, max_bytes)
        await asyncio.sleep(0)
        return found

    def resolve(self, target: str, first: int, last: int) -> None:
        self.resolved.append((first, last))
        self.done.update(range(first, last + 1))

    def resolve_runs(self, target: str, runs: Iterable[tuple[int, int]]) -> None:
        for first, last in runs:
            self.resolve(target, first, last)

    def floor(self, target: str) -> int:
        seq = 0
        while seq + 1 in self.done:
            seq += 1
        return seq

    def backlog(
        self,
        target: str,
        *,
        upto: int | None = None,
        above: int = 0,
        classes: AbstractSet[PriorityClass] | None = None,
    ) -> FakeBacklog:
        left = list(self._owed(above, upto, classes))
        return FakeBacklog(len(left), left[0].t_ms or None if left else None)

    def on_append(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def remember(self, key: str, value: bytes | None) -> None:
        if value is None:
            self.notes.pop(key, None)
        else:
            self.notes[key] = value

    def recall(self, key: str) -> bytes | None:
        return self.notes.get(key)

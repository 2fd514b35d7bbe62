"""A pump, a platform whose every answer is chosen, and a book of what is true.

``Run`` is driven step by step by a property test, in virtual time, and checks after
every step what must hold at any moment; ``drain`` checks what must hold in the end.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from buffer import PriorityClass
from gateway.clock import Instant
from gateway.config.model import MqttTarget
from gateway.record import DatedTime, Event, Gap, Scan, encode
from gateway.uplink.link import LinkLimits, RefusedError
from gateway.uplink.pump import Pump
from tests.support.memory_link import MemoryPlatform
from tests.support.virtual import EPOCH_MS, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

META = "00c0ffee"
NAME = "p"
TOO_LARGE = 3_000
"""The platform announces that it takes messages up to this size."""
_ALL_DONE_S = 1_200


class FakeMetas:
    """One version that never changes."""

    current = META

    def __init__(self) -> None:
        self.targets: set[str] = set()

    def payload(self, _meta: str) -> bytes:
        return b"{}"

    def retry(self) -> bool:
        return True

    def unused(self, _target: str, _floor: int) -> list[str]:
        return []


class Run:
    """One life of a delivery, restarts included."""

    def __init__(self, source: Any, loop: VirtualLoop, **target: Any) -> None:
        self.loop = loop
        self.target = MqttTarget(name=NAME, host="memory", **target)
        self.platform = MemoryPlatform(
            delay_s=0.01, limits=LinkLimits(max_packet=TOO_LARGE, version="memory")
        )
        self.platform.ask = True
        self.dated = False
        self.made: dict[int, dict[str, Any]] = {}
        """Seq -> what was appended: cls, device, dated, large, wanted."""
        self.content: dict[int, Any] = {}
        self.arrived: set[int] = set()
        """What the platform has, proved or not."""
        self.proved: set[int] = set()
        self.turned_down: set[int] = set()
        """By receipt: sent again in their own time, as back-fill."""
        """Acknowledged by the broker."""
        self.confirmed: set[int] = set()
        """By receipts the gateway must believe."""
        self.sent: set[int] = set()
        """Published by this process."""
        self.refusals: Counter[int] = Counter()
        """Ends of connections with them on the way included."""
        self.aside: list[int] = []
        self.lost: set[int] = set()
        """Evicted, or stated as lost by the store."""
        self.skipped: set[int] = set()
        self.resolved: set[int] = set()
        self.newest: dict[str, int] = defaultdict(int)
        self.link: Any = None
        self.sent_now: set[int] = set()
        """Over this connection."""
        self.calm = True
        """Nothing was refused or cut: the lanes follow their plain rules."""
        self.sent_ever: set[int] = set()
        """By any process."""
        self.restarted = False
        self.on_disk_below = 0
        self.wrong: list[AssertionError] = []
        self.checked = 0
        self.adopt(source)

    def adopt(self, source: Any) -> None:
        """Begin a process on this source."""
        self.source = source
        self.sent, self.sent_now = set(), set()
        self.turned_down = set()
        self.before = set(getattr(source, "done", ()))
        self.last_backfill_s = -1e9
        original, runs = source.resolve, source.resolve_runs

        def resolve(target: str, first: int, last: int) -> None:
            self.resolved.update(range(first, last + 1))
            original(target, first, last)

        def resolve_runs(target: str, given: Iterable[tuple[int, int]]) -> None:
            pairs = list(given)
            for first, last in pairs:
                self.resolved.update(range(first, last + 1))
            runs(target, pairs)

        source.resolve, source.resolve_runs = resolve, resolve_runs
        self.pump = Pump(
            self.target,
            source,
            self._connect,
            FakeMetas(),
            gateway="g",
            version="1",
            wall_ms=lambda: EPOCH_MS + int(self.loop.time() * 1000),
            when=self._when,
            on_set_aside=lambda seq, _reason: self.aside.append(seq),
            rng=random.Random(1),
        )
        self.task = self.loop.create_task(self.pump.run())

    def _connect(self, target: MqttTarget, terms: Any) -> Any:
        link = self.platform.connector(target, terms)
        publish = link.publish

        def watched(topic: str, payload: bytes, *, retain: bool = False) -> Any:
            try:
                if not retain:
                    self._published(link, topic, payload)
                elif topic.endswith("/status"):
                    self._told(json.loads(payload))
            except AssertionError as exc:  # in a callback of the loop nobody sees it
                self.wrong.append(exc)
            return publish(topic, payload, retain=retain)

        link.publish = watched
        return link

    def _when(self, at: Instant) -> DatedTime | None:
        return DatedTime(EPOCH_MS + at.mono_ms, "corrected") if self.dated else None

    # -- what happens --------------------------------------------------------

    def go(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(what)

    def wait(self, seconds: float) -> None:
        self.go(asyncio.sleep(seconds))
        self.check()

    def append(
        self, kind: str, device: str, *, dated: bool = True, large: bool = False
    ) -> int:
        ms = int(self.loop.time() * 1000)
        at = Instant(EPOCH_MS + ms, ms, "0a0b0c0d", dated)
        text = "x" * (2 * TOO_LARGE if large else 10)
        if kind == "event":
            cls, subject = PriorityClass.EVENT, ""
            record: Any = Event(
                id="e", type=text, severity="info", at=at, text={"en": text}
            )
        elif kind == "gap":
            cls, subject = PriorityClass.AGGREGATE, device
            record = Gap(device, ("*",), at, at, 1, text)
        else:
            cls, subject = PriorityClass.LIVE, device
            record = Scan(device, at, {"x": text})
        seq: int = self.source.append(
            encode(record, META), cls=cls, subject=subject, t_ms=at.wall_ms
        )
        self.made[seq] = {
            "cls": cls,
            "dated": dated,
            "large": large,
            "wanted": not subject
            or not self.target.devices
            or subject in self.target.devices,
        }
        return seq

    def question(self, n: int) -> Any:
        """One of the messages on their way; those of ended connections are gone."""
        asked = self.platform.unanswered
        asked[:] = [q for q in asked if not q.proof.done()]
        return asked.pop(n % len(asked)) if asked else None

    def prove(self, n: int) -> None:
        question = self.question(n)
        if question is not None:
            seqs = seqs_of(question.arrived.payload)
            self.arrived |= seqs
            self.proved |= seqs
            question.answer()

    def refuse(self, n: int, *, blames_message: bool) -> None:
        question = self.question(n)
        if question is not None:
            self.calm = False
            if blames_message:
                self.refusals.update(seqs_of(question.arrived.payload))
            question.answer(RefusedError("no", blames_message=blames_message))

    def flap(self, *, arrives: bool) -> None:
        while (question := self.question(0)) is not None:
            self.refusals.update(seqs_of(question.arrived.payload))
            if arrives:  # only its proof is lost
                self.arrived |= seqs_of(question.arrived.payload)
            self.calm = False
        self.platform.cut()

    def receipt(self, ok: set[int], refused: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        """What is said of seqs of this process counts, if they were sent."""
        if not self.platform.links:
            return

        def lands() -> None:
            self.confirmed |= ok & self.sent
            self.refusals.update(refused & self.sent)
            self.turned_down |= refused & self.sent

        self.loop.call_soon(lands)  # together with what the gateway hears
        body = {
            "store": self.source.store,
            "ok": [[seq, seq] for seq in sorted(ok)],
            "refused": [[seq, seq, "no"] for seq in sorted(refused - ok)],
        }
        self.platform.say("ecogate/v1/g/receipt", json.dumps(body).encode())

    def now_dated(self) -> None:
        self.dated = True
        self.pump.wake()

    def kill(self) -> None:
        """The process ends without a word."""
        self.platform.links.clear()
        self.platform.unanswered.clear()
        self.task.cancel()
        self.go(asyncio.wait([self.task]))
        self.go(asyncio.sleep(0))
        self.resolved = set()

    # -- what must hold ------------------------------------------------------

    def _published(self, link: Any, topic: str, payload: bytes) -> None:
        body = json.loads(payload)
        lane, again = body["lane"], body.get("again", False)
        now = self.loop.time()
        if self.link is not link:
            self.link, self.sent_now = link, set()
        self._told(body)
        seqs = [record["seq"] for record in body["records"]]
        assert seqs == sorted(set(seqs))
        assert len(payload) <= TOO_LARGE
        for record in body["records"]:
            seq, cls = record["seq"], self.made[record["seq"]]["cls"]
            assert self.content.setdefault(seq, record) == record, "another content"
            assert self.made[seq]["wanted"], f"{seq} is filtered out"
            assert self.made[seq]["dated"] or self.dated, f"{seq} has no date"
            assert topic.endswith("/event") == (record["kind"] == "event")
            if not again:
                assert (lane == "event") == (cls is PriorityClass.EVENT)
            if seq not in self.sent_ever:
                assert seq > self.newest[lane], f"{lane}: {seq} after later ones"
                self.newest[lane] = seq
        self.sent_ever |= set(seqs)
        if lane == "backfill":
            every_s = 1 / self.target.backfill_per_s
            assert now >= self.last_backfill_s + every_s - 1e-6, "faster than allowed"
            self.last_backfill_s = now
        if lane != "event" and self.calm:
            late = [seq for seq in self._ready_events() if seq not in self.sent_now]
            assert not late, f"{lane} before events {late}"
        self.sent |= set(seqs)
        self.sent_now |= set(seqs)

    def _ready_events(self) -> list[int]:
        """Events that may leave: none behind one without a date or on disk."""
        ready = []
        for seq, made in sorted(self.made.items()):
            if made["cls"] is not PriorityClass.EVENT or seq in self.sent_now:
                continue
            waits = self.target.receipts and seq in (
                self.proved & self.sent | self.turned_down
            )
            if waits or seq in self.resolved | self.before or seq in self.lost:
                continue
            if seq < self.on_disk_below or not (made["dated"] or self.dated):
                break
            ready.append(seq)
        return ready

    def _told(self, body: dict[str, Any]) -> None:
        for first, last in body.get("skipped", ()):
            for seq in range(first, last + 1):
                assert not self.made[seq]["wanted"], f"{seq} is wanted"
                self.skipped.add(seq)

    def check(self) -> None:
        """Nothing is resolved without a proof of the kind that counts here."""
        if self.wrong:
            raise self.wrong[0]
        if self.task.done():
            self.task.result()
        proof = self.confirmed if self.target.receipts else self.proved
        for seq in self.resolved:
            made = self.made[seq]
            fine = (
                seq in proof
                or seq in self.lost
                or not made["wanted"]
                or seq in self.aside
            )
            assert fine, f"{seq} is resolved without proof"
        for seq in self.aside[self.checked :]:
            assert self.made[seq]["large"] or self.refusals[seq] >= 3, seq
        self.checked = len(self.aside)
        asked = self.platform.unanswered
        asked[:] = [question for question in asked if not question.proof.done()]
        assert len(asked) <= self.target.in_flight

    def drain(self) -> None:
        """The platform is well from now on: everything comes to its end."""
        platform = self.platform
        platform.ask = False
        while (question := self.question(0)) is not None:
            seqs = seqs_of(question.arrived.payload)
            self.arrived |= seqs
            self.proved |= seqs
            question.answer()
        platform.on_proof = self._taken
        self.now_dated()
        until = self.loop.time() + _ALL_DONE_S
        while self.source.floor(NAME) < self.source.high:
            assert self.loop.time() < until, f"stuck: {self._left()}"
            self.wait(7)
            if self.target.receipts:
                self.receipt(set(self.arrived))
        self.wait(61)
        for seq, made in self.made.items():
            if not made["wanted"]:
                continue
            has = seq in self.arrived or seq in self.confirmed
            assert has or seq in self.aside or seq in self.lost, seq
        told = {seq for seq, made in self.made.items() if not made["wanted"]}
        assert self.restarted or told - self.lost <= self.skipped

    def _taken(self, payload: bytes) -> None:
        seqs = seqs_of(payload)
        self.arrived |= seqs
        self.proved |= seqs

    def _left(self) -> str:
        left = [s for s in self.made if s > self.source.floor(NAME)]
        delivery = self.pump._delivery
        return f"{left[:10]} of {len(left)}; {vars(delivery)}"


def seqs_of(payload: bytes) -> set[int]:
    return {record["seq"] for record in json.loads(payload)["records"]}

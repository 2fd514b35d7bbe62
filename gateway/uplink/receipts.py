"""Receipts: what the platform itself confirms, beyond what a broker took. Pure.

A broker's PUBACK says that the broker has a message; whoever stores records behind it
may still lose one. With receipts on, a record stays in the store until the platform
names its seq. From the first sending to that word a seq is in one of four states:

    flying     with the link
    waiting    taken by the broker, or refused and to be tried later: until ``due_s``
    again      not confirmed in time, or refused: sent again as back-fill
    owed       the connection ended or the broker refused it: a lane owes it, as if
               it had not been sent; a receipt that comes late still counts

The first three are ``open``: the lanes pass them by. A restart forgets all of it, and
all of it is owed again.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from enum import Enum, auto
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec

from buffer import Intervals, PriorityClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.uplink.source import Entry, Runs

MOST_BYTES = 64_000
MOST_RUNS = 1_000
"""In one receipt, of each kind."""
TRIES = 3
"""A record refused so often is set aside."""
REFUSED_WAIT_S = 10.0
"""Before a refused record is sent again."""
MOST_OPEN = 20_000
"""Unconfirmed records; beyond it nothing new is sent but events."""
MOST_EVENTS = 5_000
"""Unconfirmed events. Neither stops the other: a platform may confirm only one kind."""
_HEAD_BYTES = 29
"""Of a stored record's data: what tells its kind and its clock, also of its end."""

_Seq = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class ReceiptError(ValueError):
    """What came is no receipt."""


class Receipt(msgspec.Struct, frozen=True):
    """What the platform says about seqs of one store."""

    store: str
    ok: Annotated[
        tuple[tuple[_Seq, _Seq], ...], msgspec.Meta(max_length=MOST_RUNS)
    ] = ()
    refused: Annotated[
        tuple[tuple[_Seq, _Seq, str], ...], msgspec.Meta(max_length=MOST_RUNS)
    ] = ()


def parse(payload: bytes) -> Receipt:
    """A receipt as it came from the platform.

    Raises:
        ReceiptError: Too large, not JSON, not of this shape, or a range backwards.
    """
    if len(payload) > MOST_BYTES:
        raise ReceiptError(f"expected at most {MOST_BYTES} bytes, got {len(payload)}")
    try:
        receipt = msgspec.json.decode(payload, type=Receipt)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ReceiptError(str(exc)) from exc
    refused = ((first, last) for first, last, _ in receipt.refused)
    for first, last in (*receipt.ok, *refused):
        if first > last:
            raise ReceiptError(f"expected [from, to], got [{first}, {last}]")
    return receipt


class Sent(NamedTuple):
    """What is kept of a record on its way: all but its content."""

    seq: int
    cls: PriorityClass
    t_ms: int
    subject: str
    data: bytes
    """Its head only."""
    size: int


class _State(Enum):
    FLYING = auto()
    WAITING = auto()
    REFUSED = auto()
    """Waiting, too; one sending is refused once, however often that is said."""
    AGAIN = auto()
    OWED = auto()


_WAITS = (_State.WAITING, _State.REFUSED)


class _Case:
    __slots__ = ("due_s", "refusals", "sent", "state")

    def __init__(self, sent: Sent) -> None:
        self.sent = sent
        self.state = _State.FLYING
        self.due_s = 0.0
        self.refusals = 0


class Outcome(NamedTuple):
    """What a receipt settled."""

    ok: list[Sent]
    refused: list[tuple[Sent, str]]
    """Refused for good."""
    strange: int
    """Seqs of it that were never sent, or are long settled."""


class Awaiting:
    """Every record sent to one platform that it has not confirmed."""

    def __init__(self, wait_s: float) -> None:
        """Give the platform so long to confirm."""
        self._wait_s = wait_s
        self._cases: dict[int, _Case] = {}
        self._due: list[tuple[float, int, Runs]] = []
        self._order = 0
        self._events = 0
        self.open = Intervals()
        """Flying, waiting and again: not the lanes' business."""
        self.again = Intervals()
        self.back: int | None = None
        """The lane of ``again`` must look again above this seq."""

    def __len__(self) -> int:
        return len(self._cases)

    def again_seqs(self) -> Iterable[int]:
        """All that is to be sent again."""
        return _seqs(tuple(self.again.pairs()))

    def full(self, *, event: bool) -> bool:
        """Whether so much is unconfirmed that nothing new is sent."""
        if event:
            return self._events >= MOST_EVENTS
        return len(self._cases) - self._events >= MOST_OPEN

    def published(self, entries: Sequence[Entry], runs: Runs) -> None:
        """These were handed to the link."""
        for entry in entries:
            case = self._cases.get(entry.seq)
            if case is None:
                self._events += entry.cls is PriorityClass.EVENT
                self._cases[entry.seq] = _Case(
                    Sent(
                        entry.seq,
                        entry.cls,
                        entry.t_ms,
                        entry.subject,
                        entry.data[:_HEAD_BYTES],
                        len(entry.data),
                    )
                )
            else:
                case.state = _State.FLYING
        for first, last in runs:
            self.open.add(first, last)
            self.again.remove(first, last)

    def taken(self, runs: Runs, now_s: float) -> None:
        """The broker has these: the platform's time runs."""
        for seq in _seqs(runs):
            case = self._cases.get(seq)
            if case is not None and case.state is _State.FLYING:
                case.state = _State.WAITING
        self._wait(runs, now_s + self._wait_s)

    def taken_back(self, runs: Runs, *, again: bool) -> None:
        """These did not reach the broker: whoever sent them owes them.

        Args:
            runs: Of one message.
            again: It was a repeat, and is one again.
        """
        for seq in _seqs(runs):
            case = self._cases.get(seq)
            if case is None or case.state is not _State.FLYING:
                continue
            if again:
                self._once_more(seq, case)
            else:
                case.state = _State.OWED
                self.open.remove(seq, seq)

    def overdue(self, now_s: float) -> None:
        """Those not confirmed in time are to be sent again."""
        while self._due and self._due[0][0] <= now_s:
            due_s, _, runs = heapq.heappop(self._due)
            for seq in _seqs(runs):
                case = self._cases.get(seq)
                if case and case.state in _WAITS and case.due_s == due_s:
                    self._once_more(seq, case)

    def apply(self, receipt: Receipt, now_s: float) -> Outcome:
        """Take in what the platform says."""
        ok: list[Sent] = []
        refused: list[tuple[Sent, str]] = []
        strange = 0
        known = sorted(self._cases)
        for first, last in receipt.ok:
            hit = self._known(known, first, last)
            strange += last - first + 1 - len(hit)
            ok.extend(self._settle(seq) for seq in hit)
        for first, last, reason in receipt.refused:
            hit = self._known(known, first, last)
            strange += last - first + 1 - len(hit)
            given_up = [seq for seq in hit if self._refused(seq, now_s)]
            refused.extend((self._settle(seq), reason) for seq in given_up)
        return Outcome(ok, refused, strange)

    def forget(self, seqs: Iterable[int]) -> None:
        """These are not in the store any more: resolved another way."""
        for seq in list(seqs):
            if seq in self._cases:
                self._settle(seq)

    def prune(self, floor: int) -> None:
        """All up to this seq are resolved, evicted ones included."""
        self.forget([seq for seq in self._cases if seq <= floor])

    # ------------------------------------------------------------------------

    def _known(self, known: list[int], first: int, last: int) -> list[int]:
        within = known[bisect_left(known, first) : bisect_right(known, last)]
        return [seq for seq in within if seq in self._cases]

    def _refused(self, seq: int, now_s: float) -> bool:
        """Note a refusal; whether it was the last."""
        case = self._cases[seq]
        if case.state is not _State.WAITING and case.state is not _State.FLYING:
            return False  # the answer to a sending before this one, told twice
        case.refusals += 1
        if case.refusals >= TRIES:
            return True
        case.state = _State.REFUSED
        self._wait(((seq, seq),), now_s + min(REFUSED_WAIT_S, self._wait_s))
        return False

    def _settle(self, seq: int) -> Sent:
        case = self._cases.pop(seq)
        self._events -= case.sent.cls is PriorityClass.EVENT
        self.open.remove(seq, seq)
        if case.state is _State.AGAIN:
            self.again.remove(seq, seq)
            self._look_above(0)  # it may stand on the shelf
        return case.sent

    def _wait(self, runs: Runs, due_s: float) -> None:
        for seq in _seqs(runs):
            case = self._cases.get(seq)
            if case is not None:
                case.due_s = due_s
        self._order += 1
        heapq.heappush(self._due, (due_s, self._order, runs))

    def _once_more(self, seq: int, case: _Case) -> None:
        case.state = _State.AGAIN
        self.open.add(seq, seq)
        self.again.add(seq, seq)
        self._look_above(seq - 1)

    def _look_above(self, seq: int) -> None:
        self.back = seq if self.back is None else min(self.back, seq)


def _seqs(runs: Runs) -> Iterable[int]:
    for first, last in runs:
        yield from range(first, last + 1)

"""The lanes to one platform: events first, then what is new, then what is old.

``edge`` is the newest seq when the connection came about. Together the lanes cover
every seq the platform has not resolved, and no two of them the same one; in the order
in which they are asked:

    event       class EVENT, every seq
    live        AGGREGATE and LIVE, seq > edge
    evidence    class EVIDENCE (pictures of alarms), seq > edge
    again       what was sent and not confirmed (``receipts.py``); travels as back-fill
    backfill    AGGREGATE and LIVE, seq <= edge
    older       class EVIDENCE, seq <= edge
    media       class MEDIA (other pictures), every seq

The three of pictures travel as ``media``. What a lane gives out is decided here, what
it reads in ``stock.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from buffer import BULKY, PriorityClass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.uplink.message import Bounds
    from gateway.uplink.source import Entry

LaneName = Literal["event", "live", "backfill", "media"]

EVENTS = frozenset({PriorityClass.EVENT})
EVIDENCE = frozenset({PriorityClass.EVIDENCE})
MEDIA = frozenset({PriorityClass.MEDIA})
PICTURES = BULKY
"""Each travels in a message of its own, and only a few at a time."""
OTHERS = frozenset(PriorityClass) - EVENTS - PICTURES


class Lane:
    """One lane: what was read for it and has not left yet."""

    def __init__(
        self,
        name: LaneName,
        classes: frozenset[PriorityClass] | None,
        low: int = 0,
        upto: int | None = None,
        *,
        again: bool = False,
    ) -> None:
        """Begin above ``low``."""
        self.name = name
        self.classes = classes
        self.low = low
        self.upto = upto
        self.again = again
        self.seen = low
        """Everything of this lane at or below this seq was put on the shelf."""
        self.shelf: list[Entry] = []
        self.size = 0
        """Bytes on the shelf."""
        self.flying = 0
        """Messages on their way."""
        self.held = False
        """The first on the shelf has no date yet: all behind it waits with it."""
        self.looked = False
        """Nothing was found above ``seen``, and nothing has happened since."""
        self.on_disk = False
        """What comes next must be read from disk."""
        self.turns = 0
        """How often it went back: what was asked for before is no answer any more."""

    @property
    def spent(self) -> bool:
        """Whether nothing can come any more."""
        return self.upto is not None and self.seen >= self.upto and not self.shelf

    def full(self, bounds: Bounds) -> bool:
        """Whether a message's worth is on the shelf."""
        return len(self.shelf) >= bounds.records or self.size >= bounds.payload

    def put(self, entries: Iterable[Entry]) -> None:
        """Onto the shelf, in order."""
        for entry in entries:
            self.shelf.append(entry)
            self.size += len(entry.data)

    def take(self, count: int) -> list[Entry]:
        """The first ``count`` leave the shelf."""
        taken = self.shelf[:count]
        del self.shelf[:count]
        self.size -= sum(len(entry.data) for entry in taken)
        return taken

    def back_to(self, seq: int) -> None:
        """Begin again above ``seq``, as far as that is this lane's."""
        seq = max(seq, self.low)
        if self.shelf:  # what was to leave next still is
            seq = min(seq, self.shelf[0].seq - 1)
        if seq < self.seen:
            self.seen = seq
            self.shelf.clear()
            self.size = 0
            self.turns += 1
            self.held = self.looked = self.on_disk = False

    def news(self) -> None:
        """Something may have come: look again."""
        self.looked = False


class Lanes:
    """The lanes of one connection."""

    def __init__(self, edge: int) -> None:
        self.edge = edge
        self.event = Lane("event", EVENTS)
        self.live = Lane("live", OTHERS, edge)
        self.evidence = Lane("media", EVIDENCE, edge)
        self.again = Lane("backfill", None, again=True)
        self.backfill = Lane("backfill", OTHERS, 0, edge)
        self.older = Lane("media", EVIDENCE, 0, edge)
        self.media = Lane("media", MEDIA)
        self.order = (
            self.event,
            self.live,
            self.evidence,
            self.again,
            self.backfill,
            self.older,
            self.media,
        )
        self._new = {
            PriorityClass.EVENT: self.event,
            PriorityClass.EVIDENCE: self.evidence,
            PriorityClass.MEDIA: self.media,
        }

    @property
    def together(self) -> bool:
        """Whether new events and new records may be read in one go."""
        return self.event.seen == self.live.seen

    def of(self, cls: PriorityClass) -> Lane:
        """Where a new record of this class goes."""
        return self._new.get(cls, self.live)

    def news(self) -> None:
        """Something may have come: look again."""
        for lane in self.order:
            lane.looked = False

    def back_to(self, seq: int) -> None:
        """Read again what is not resolved above ``seq``; nothing is on its way."""
        for lane in self.order:
            lane.back_to(seq)

    def release(self) -> None:
        """What had no date may have one now."""
        for lane in self.order:
            lane.held = False

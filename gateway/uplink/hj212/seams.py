"""What the parts of an HJ 212 target ask of each other.

    board, history, buffer --> Frames --> Upload --> Exchange --> the platform
                                                        |  ^
               Handled <-- Host <-- segments that come -+  +-- Settings (PW, OverTime)

The pump owns the connection. ``Host`` is asked about every segment that is not the
answer to one of ours; it decides, the pump sends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from drivers.hj212.cp import Item
from drivers.hj212.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from drivers.hj212.frame import Frame
    from gateway.aggregate import Mark, Period, PeriodKind


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """Something we say; QN, PW, MN and Flag are added when it is sent.

    It is split where it is too long. With the answer bit every packet is answered
    (9014; 9013 for notices) before the next one leaves.
    """

    cn: int
    items: tuple[Item, ...] = ()
    st: str | None = None
    """None: the target's."""
    rf: bool = False
    """Sent later than it should have been; only 2025 has a field for it."""
    qn: str | None = None
    """Of the request that it answers; None: one of its own."""
    answer: bool | None = None
    """Whether it asks for an answer; None: as the target's uploads do."""


Said = Upload | Segment
"""A Segment is sent as it stands, and no answer is waited for."""


class Handled(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a segment that the platform sent by itself."""

    replies: tuple[Segment, ...] = ()
    """Sent at once, in this order: 9011 with its QnRtn first, or 9013."""
    work: Callable[[], AsyncIterator[Said]] | None = None
    """What goes on after the replies, as it comes; its last is the 9012.

    The pump sends one after the other, waiting for the answers of uploads. It does so
    behind whatever is live; works of one connection take turns in the order asked for.
    An async generator is given the answer to each upload as the value of its ``yield``,
    None where there is none. It is closed when the connection ends before it does.
    """


class Host(Protocol):
    """Decides about what the platform asks, and asks it for some things itself."""

    def handle(self, segment: Segment) -> Handled:
        """A segment that answers nothing of ours; its CRC and grammar hold.

        Called for every such segment, also with wrong PW, MN, ST or CN, and for
        answers that come too late. Must not block; never raises.
        """
        ...

    def refused(self, cause: str, segment: bytes) -> Handled:
        """A frame whose check holds, and which cannot be read.

        Args:
            cause: ``drivers.hj212.deviations.Refusal``, as text.
            segment: Its bytes.
        """
        ...

    def connected(self) -> Sequence[Upload]:
        """The platform is there: what is to be asked of it (1001, 1013, 1014)."""
        ...

    def due(self) -> Sequence[Upload]:
        """Asked every few seconds while connected: the same, when its time comes."""
        ...

    def answered(self, upload: Upload, answer: Segment) -> None:
        """An upload of ``connected`` or ``due`` was answered."""
        ...


class Settings(Protocol):
    """What the platform may change; kept over restarts by whoever implements it."""

    @property
    def password(self) -> str:
        """PW, six characters; empty: not known yet."""
        ...

    @property
    def mn(self) -> str:
        """24 characters."""
        ...

    @property
    def overtime_s(self) -> float:
        """An answer is waited for so long."""
        ...

    @property
    def recount(self) -> int:
        """An unanswered frame is sent again so often."""
        ...

    @property
    def realtime_s(self) -> float | None:
        """Between real-time frames; None: none are sent."""
        ...

    @property
    def facilities_s(self) -> float | None:
        """Between frames of facility states; None: none are sent."""
        ...

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have this called after a change; returns how to end that."""
        ...


class Finder(Protocol):
    """Finds frames in bytes; see ``drivers.hj212.frame.FrameFinder``."""

    def feed(self, data: bytes) -> list[Frame]:
        """Frames that are complete now; their segments are plain text."""
        ...


class Sealer(Protocol):
    """Encrypts what leaves and opens what comes (HJ 212-2025, 6.4)."""

    def seal(self, segment: bytes) -> bytes | None:
        """What travels in the place of a segment; None: it goes as it is.

        ``drivers.hj212.frame.pack(segment, sealed)`` makes the frame.
        """
        ...

    def finder(self) -> Finder:
        """For one connection: finds frames, sealed and plain ones."""
        ...


class Newest(Protocol):
    """The newest judged value of one factor."""

    @property
    def value(self) -> Fraction | str | None:
        """In the factor's unit; text where it has states; None: there is none."""
        ...

    @property
    def zs(self) -> Fraction | None:
        """At the reference oxygen."""
        ...

    @property
    def over_oxygen(self) -> bool:
        """It has no such value, as the oxygen is 21 % or more."""
        ...

    @property
    def mark(self) -> Mark:
        """What it is worth."""
        ...

    @property
    def unit(self) -> str:
        """UCUM code of its numbers; empty: the factor's."""
        ...

    @property
    def t_ms(self) -> int:
        """When it was acquired, UTC ms."""
        ...

    @property
    def sampled_ms(self) -> int | None:
        """When the instrument took it, where that is another time."""
        ...


class Board(Protocol):
    """The newest judged value of every factor."""

    def newest(self, station: str) -> Mapping[str, Newest]:
        """By factor's name; factors that have not been read yet are not there."""
        ...


class History(Protocol):
    """Minutes, hours and days kept here."""

    async def read(
        self, subject: str, kind: PeriodKind, since_ms: int, until_ms: int
    ) -> Sequence[Period]:
        """Newest revisions that begin in ``since_ms <= t < until_ms``, ascending."""
        ...


class Marks(Protocol):
    """Remembers what became of periods, platform by platform."""

    def mark(
        self,
        target: str,
        subject: str,
        kind: PeriodKind,
        t_ms: int,
        *,
        proved: bool,
        rev: int = 0,
        written: bool = False,
    ) -> None:
        """A period was sent to a target.

        Args:
            target: Its name.
            subject: The station.
            kind: Of the period.
            t_ms: The period's start.
            proved: The target says that it has it.
            rev: The period's revision.
            written: It was handed over, and this target proves nothing.
        """
        ...


class Encoder(Protocol):
    """Makes uploads; see ``frames.Frames``."""

    def period(self, period: Period, *, rf: bool = False) -> Sequence[Upload]:
        """A minute (2051), hour (2061) or day (2031, and 2041 of facilities)."""
        ...

    def realtime(self, now_ms: int) -> Upload | None:
        """2011, of the board's newest values; None: there are none."""
        ...

    def facilities(self, now_ms: int) -> Upload | None:
        """2021; None: there are none."""
        ...

    def time(self, t_ms: int) -> str:
        """``YYYYMMDDhhmmss`` of the site's civil time."""
        ...

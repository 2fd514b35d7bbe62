"""The seam between "what to read" and "how a line is spoken to".

A device asks for a span and says how much more it may read around it; the bus picks
the exact shape, because the shape is part of the proof that an answer belongs to the
open request (an RTU answer carries no number).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from drivers.profiles.model import Table


class Span(msgspec.Struct, frozen=True):
    """Registers (or bits) that are wanted, and the room to read more around them."""

    table: Table
    start: int
    count: int
    room_before: int = 0
    room_after: int = 0


class Timing(msgspec.Struct, frozen=True):
    """How long one unit may take; all in seconds."""

    timeout_s: float
    """Configured ceiling of a reply's time-out; the learned one is never above."""
    pause_s: float = 0.0
    max_reply_s: float = 0.0
    ambiguous: bool = False
    check_transaction_id: bool = True


class Reply(msgspec.Struct, frozen=True):
    """A proved answer: big-endian registers, or bits packed low bit first."""

    start: int
    count: int
    data: bytes
    sent_at: float = 0.0
    """Loop time when the request left; 0 where the bus does not say."""


class Bus(Protocol):
    """One serial line or TCP endpoint; one transaction at a time."""

    async def open(self) -> None:
        """Open the port by its stable name. Raises BusError with what to do."""
        ...

    async def read(
        self, unit: int, span: Span, timing: Timing, wait_s: float | None = None
    ) -> Reply:
        """Read at least the span; the reply says what was read.

        Raises:
            BusError, ResponseTimeoutError, BadFrameError: see drivers.errors.
            PointUnsupportedError: exception 2 or 3. PointError: any other exception
                reply (``reason`` ``exception_N``).
        """
        ...

    async def write(
        self,
        unit: int,
        table: Table,
        address: int,
        words: tuple[int, ...],
        timing: Timing,
    ) -> None:
        """Write registers (holding) or bits (coil) and check the echoed reply."""
        ...

    async def close(self) -> None:
        """Close the port; may be called twice."""
        ...

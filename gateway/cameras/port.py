"""One running vision process, as its keeper uses it: tests put a fake in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vision.messages import FromGateway, FromVision


class VisionProcess(Protocol):
    """Started, and not yet told anything."""

    @property
    def pid(self) -> int:
        """Of the process."""
        ...

    def send(self, message: FromGateway) -> None:
        """Hand a message over; what cannot be sent any more is lost without a word."""
        ...

    async def receive(self) -> FromVision | None:
        """The next message; None: it closed the socket, or spoke what nobody knows.

        May be cancelled: nothing is lost by that.
        """
        ...

    async def end(self, grace_s: float) -> int | None:
        """End it: it was asked to, or is gone already; what does not go is killed.

        May be called twice.

        Returns:
            Its exit status, negative for a signal; None: not known.
        """
        ...

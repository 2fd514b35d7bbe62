"""What is open of cameras, as the store keeps it over every restart."""

from __future__ import annotations

import logging

import msgspec

from gateway.record import Event
from gateway.texts import t

log = logging.getLogger(__name__)

NOTE = "cameras"
"""Its name in the store."""


class Alarm(msgspec.Struct, kw_only=True):
    """An alarm that is open."""

    event: Event
    """As it was told last."""
    label: str
    zone: str | None
    region: tuple[float, float, float, float]
    next_n: int = 0
    """The number of its next picture."""
    names: dict[str, int] = {}
    """The ids processes had for it -> what is added to the numbers of their pictures:
    alarms outlive processes."""
    seen_by: str = ""
    """The id the living process has for it; empty: nobody watches it."""
    orphan_s: float | None = None
    """Its loop time of death; not kept: a new start waits from its start."""


class Over(msgspec.Struct, frozen=True, array_like=True):
    """What a process' id for an alarm that is over stood for."""

    event: str
    first_n: int = 0
    """What is added to the numbers of its pictures."""


class Note(msgspec.Struct, kw_only=True):
    """All that is open."""

    alarms: list[Alarm] = []
    faults: list[Event] = []
    refused: list[Event] = []
    closed: dict[str, Over] = {}
    """The last alarms that were, by every id they had."""

    @classmethod
    def read(cls, kept: bytes | None) -> Note:
        """What was kept; nothing where it was not, or cannot be read."""
        if kept is None:
            return cls()
        try:
            return msgspec.msgpack.decode(kept, type=cls)
        except msgspec.MsgspecError as exc:
            log.error("%s", t("log.cameras_note", error=exc))  # noqa: TRY400
            return cls()

    def packed(self) -> bytes | None:
        """What to keep; None: nothing is."""
        if not (self.alarms or self.faults or self.refused or self.closed):
            return None
        return msgspec.msgpack.encode(self)

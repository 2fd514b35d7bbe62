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
    first_n: int = 0
    """What is added to a process' own numbers: alarms outlive processes."""
    seen_by: str = ""
    """The id the living process has for it; empty: nobody watches it."""
    was_seen_by: str = ""
    """The id the process before had for it: the next may know it by that."""
    orphan_s: float | None = None
    """Its loop time of death; not kept: a new start waits from its start."""

    @property
    def last_id(self) -> str:
        """The id of the process that watched it last."""
        return self.seen_by or self.was_seen_by


class Note(msgspec.Struct, kw_only=True):
    """All that is open."""

    alarms: list[Alarm] = []
    faults: list[Event] = []
    refused: list[Event] = []
    over: list[str] = []
    """Ids of the last alarms that were closed."""

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
        if not (self.alarms or self.faults or self.refused or self.over):
            return None
        return msgspec.msgpack.encode(self)

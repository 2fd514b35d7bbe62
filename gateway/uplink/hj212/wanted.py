"""Which stored records an HJ 212 platform gets: periods of one station, and changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from gateway.record import Event, RecordError, decode, kind_of

if TYPE_CHECKING:
    from gateway.config.model import Hj212Target
    from gateway.uplink.hj212.changes import Changes
    from gateway.uplink.source import Entry


class Wishes(msgspec.Struct, frozen=True):
    """A target's keys as ``delivery.Delivery`` wants them."""

    name: str
    backfill_per_s: float
    devices: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    media: Literal["all", "alarms", "none"] = "none"
    receipts: bool = False
    receipt_wait_s: float = 60.0


class OfStation:
    """A filter: everything else is passed by, losses included.

    HJ 212 has no way to say that a record is lost; a platform sees that a DataTime is
    not there, and pulls it.
    """

    active = True

    def __init__(self, target: Hj212Target, changes: Changes) -> None:
        """Want the periods of its station, and what ``changes`` wants."""
        self._changes = changes
        self._station = target.station
        self._kinds = frozenset(target.kinds)

    def wants(self, entry: Entry) -> bool:
        """Whether this record is to travel."""
        try:
            kind = kind_of(entry.data)
            if kind != "event":
                return entry.subject == self._station and kind in self._kinds
            event, _ = decode(entry.data)
        except RecordError:
            # Of our station, it is said when it is to be sent.
            return entry.subject == self._station
        return isinstance(event, Event) and self._changes.wants(event)

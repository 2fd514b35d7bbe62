"""What one target has got and refused so far; outlives its connections."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gateway.texts import t
from gateway.uplink.retry import Suspicion

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.uplink.flight import Flight
    from gateway.uplink.source import Source

log = logging.getLogger(__name__)

PAUSE_S = 0.3
"""Between tries with one refused record."""
HOLD_S = 30.0
"""While the platform refuses whatever is sent."""


class Delivery:
    """Cursor, suspicions and counters of one target."""

    def __init__(
        self,
        source: Source,
        target: str,
        on_set_aside: Callable[[int, str], None] | None = None,
    ) -> None:
        self._source = source
        self._target = target
        self._on_set_aside = on_set_aside
        self._suspicion = Suspicion()
        self._cut_at = 0
        self._single_until = 0
        self.after = source.floor(target)
        """The highest seq handed to the link."""
        self.stale = False
        """``after`` moved back: what was read ahead no longer follows it."""
        self.hold_until = 0.0
        """No records before this time of the loop."""
        self.records = self.messages = self.set_aside = 0
        self.last_set_aside = ""

    @property
    def single(self) -> bool:
        """Send one record at a time: one of them is suspected."""
        return self.after < self._single_until or self._suspicion.active

    def rewind(self) -> None:
        """Begin again with the first record that is not proved."""
        self._back_to(self._source.floor(self._target))

    def _back_to(self, after: int) -> None:
        self.after, self.stale = after, True

    def skips(self, seq: int) -> bool:
        """Whether this record is passed by for now."""
        return seq in self._suspicion.passed_by

    def proved(self, first: int, last: int) -> None:
        """The platform has all records from first to last."""
        self._source.resolve(self._target, first, last)
        self._cut_at = 0

    def counted(self, flight: Flight) -> None:
        """One message was proved."""
        self.records += flight.records
        self.messages += 1
        if (seq := self._suspicion.accepted(flight.first)) is not None:
            self._back_to(seq - 1)

    def put_aside(self, seq: int, reason: str) -> None:
        """This record can never be delivered here: go on, and say so."""
        self._source.resolve(self._target, seq, seq)
        self.set_aside += 1
        self.last_set_aside = reason
        log.warning(
            "%s", t("uplink.set_aside", target=self._target, seq=seq, reason=reason)
        )
        if self._on_set_aside is not None:
            self._on_set_aside(seq, reason)

    def refused(self, flights: list[Flight], now_s: float) -> None:
        """All messages on their way are answered, some with no.

        Args:
            flights: In the order sent.
            now_s: The loop's time.
        """
        for flight in flights:
            if flight.proved:
                self.proved(flight.first, flight.last)
        bad = [f for f in flights if f.refusal is not None]
        first = bad[0]
        self._back_to(first.first - 1)
        if not all(f.blames_message for f in bad):
            self.hold_until = now_s + HOLD_S
        elif first.records > 1:
            self._single_until = max(f.last for f in bad)
        else:
            self._failed(first.first, first.refusal or "", now_s, answered=True)

    def cut(self, oldest: Flight, now_s: float) -> None:
        """A connection that worked ended with this message unproved.

        Once is bad luck; the same record at the head twice with nothing proved in
        between is suspicious: brokers that speak MQTT 3.1.1 have no other way to
        refuse a message than to close.
        """
        self._suspicion.cut(oldest.first)
        if oldest.first != self._cut_at:
            self._cut_at = oldest.first
        elif oldest.records > 1:
            self._single_until = max(self._single_until, oldest.last)
        else:
            self._failed(oldest.first, t("uplink.reason.closed"), now_s, answered=False)

    def _failed(self, seq: int, reason: str, now_s: float, *, answered: bool) -> None:
        self.hold_until = now_s + PAUSE_S
        verdict = self._suspicion.failed(seq, answered=answered)
        if verdict == "set_aside":
            self.after = seq
            self.put_aside(seq, reason)
        elif verdict == "pass_by":
            self.after = seq
        elif verdict == "hold":
            self.rewind()
            self._single_until = seq
            self.hold_until = now_s + HOLD_S
        else:
            self._single_until = max(self._single_until, seq)

"""A receiver's track, thinned, as records of their own.

The receiver's scans are stored and sent as they are: every slot ends as a value, so no
scan is left out. A track is for whoever wants the line and not the seconds (a map, a
target with ``kinds: [event, track]`` over a costly link): one record every few minutes,
unbroken in itself, ended where the fix is lost, and begun where the last one ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.judge.fix import NO_PROOF, Fix, NoFix
from gateway.judge.thin import Corner, Thinner
from gateway.record import Track

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.clock import Instant
    from gateway.config.model import Device
    from gateway.config.places import Track as TrackConf
    from gateway.judge.watch import Moment, Noted
    from gateway.record import Record, Scan

BREAK_PERIODS = 5
"""So many periods without a fix break the line: what lies between is not known."""


class TrackWatch:
    """Gathers one receiver's track."""

    def __init__(self, device: Device, conf: TrackConf) -> None:
        self.key = f"track:{device.name}"
        self.conf: object = (device.every_s, conf)
        self._device = device.name
        self._every_ms = 1000 * conf.every_s
        self._within_m = conf.within_m
        self._break_ms = 1000 * BREAK_PERIODS * device.every_s
        self._thinner = Thinner(conf.within_m)
        self._corners: list[Corner] = []
        self._first: Fix | None = None
        self._last: Fix | None = None
        self._fixes = 0

    def take(self, scan: Scan, moment: Moment) -> Iterator[Record]:
        """See ``watch.Watch``."""
        if isinstance(moment, NoFix):
            yield from self._end()
            return
        if not isinstance(moment, Fix) or moment.kind in NO_PROOF:
            return
        last = self._last
        if last is not None and (
            moment.at.mono_ms - last.at.mono_ms > self._break_ms
            or moment.datum != last.datum
        ):
            yield from self._end()
        self._add(moment)
        first = self._first
        if first is not None and moment.at.mono_ms - first.at.mono_ms >= self._every_ms:
            yield from self._end()
            self._add(moment)  # the next line begins where this one ends
            self._fixes = 0

    def note(self) -> Noted | None:
        """Nothing: a track that a power cut ends is in the scans."""
        return None

    def restore(self, noted: Noted) -> None:
        """Nothing is kept."""

    def retire(self) -> Iterator[Record]:
        """See ``watch.Watch``: what was gathered is told."""
        yield from self._end()

    def drop(self, at: Instant) -> Iterator[Record]:
        """See ``watch.Watch``: what was gathered is told."""
        yield from self._end()

    def _add(self, fix: Fix) -> None:
        if self._first is None:
            self._first = fix
        elif self._last is not None and fix.at.mono_ms <= self._last.at.mono_ms:
            return
        self._last = fix
        self._fixes += 1
        corner = self._thinner.add(Corner(fix.at.mono_ms, fix.longitude, fix.latitude))
        if corner is not None:
            self._corners.append(corner)

    def _end(self) -> Iterator[Record]:
        first, last, fixes = self._first, self._last, self._fixes
        corners, end = self._corners, self._thinner.end()
        self._first = self._last = None
        self._corners, self._fixes = [], 0
        if first is None or last is None or not fixes:
            return
        if end is not None:
            corners.append(end)
        began = first.at.mono_ms
        yield Track(
            device=self._device,
            since=first.at,
            until=last.at,
            line=tuple((c.ms - began, c.longitude, c.latitude) for c in corners),
            within_m=self._within_m,
            fixes=fixes,
            datum=first.datum,
        )

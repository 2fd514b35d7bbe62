"""The newest good readings of the devices that cameras name: told beside an alarm.

Only of those devices anything is kept, so that a site without cameras pays nothing.
What is doubtful, bad or older than a minute is no value of the same minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.judge.states import NORMAL, of_flag
from gateway.record import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from drivers.values import Value
    from gateway.clock import Instant
    from gateway.config.cameras import SiteCamera
    from gateway.config.model import Device
    from gateway.record import Record

FRESH_MS = 60_000


class NewestValues:
    """Readings by device and point, as they were judged."""

    def __init__(self) -> None:
        self._wanted: frozenset[str] = frozenset()
        self._held: dict[str, dict[str, tuple[Instant, Value]]] = {}

    def adopt(self, cameras: Iterable[SiteCamera]) -> None:
        """Keep what these cameras name, from the next scan on."""
        self._wanted = frozenset(
            entry.partition(".")[0] for camera in cameras for entry in camera.values
        )
        self._held = {
            name: held for name, held in self._held.items() if name in self._wanted
        }

    def before(
        self, devices: Collection[Device], keep: Callable[[Record], None]
    ) -> Callable[[Record], None]:
        """What hands records on to ``keep`` and looks at those that are wanted."""
        wanted = frozenset(d.name for d in devices if d.name in self._wanted)
        if not wanted:
            return keep

        def noting(record: Record) -> None:
            keep(record)
            if type(record) is Scan and record.device in wanted:
                self._note(record)

        return noting

    def of(self, entries: Iterable[str], at: Instant) -> dict[str, Value]:
        """``device.point`` -> value, of the minute before an instant.

        Args:
            entries: ``device.point``, or ``device`` for all of its points.
            at: The frame's.
        """
        found: dict[str, Value] = {}
        for entry in entries:
            device, dot, point = entry.partition(".")
            held = self._held.get(device, {})
            for name in (point,) if dot else held:
                if name in held and _fresh(held[name][0], at):
                    found[f"{device}.{name}"] = held[name][1]
        return found

    def _note(self, scan: Scan) -> None:
        held = self._held.setdefault(scan.device, {})
        for name, value in scan.values.items():
            if name not in scan.flaws:
                held[name] = (scan.at, value)
        # What is shown while an analyzer is calibrated or repaired is no measurement.
        for name in (*scan.flaws, *(scan.states or ()), *_marked(scan)):
            # Its last good value stands until it is a minute old: asked again and
            # answered badly, it is not known any more.
            held.pop(name, None)


def _marked(scan: Scan) -> list[str]:
    flags = scan.flags or {}
    return [name for name, flag in flags.items() if of_flag(flag) != NORMAL]


def _fresh(read: Instant, at: Instant) -> bool:
    if read.boot != at.boot:
        return False
    return abs(at.mono_ms - read.mono_ms) <= FRESH_MS

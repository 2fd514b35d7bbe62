"""What an epoch gives for one point: a value, why there is none, or why it is in doubt.

Nothing is held over from an earlier epoch and nothing is filled in: what the receiver
did not tell in this one is BAD ``not_sent``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from drivers.profiles.gnss_points import GIVES

if TYPE_CHECKING:
    from drivers.gnss.epoch import Epoch
    from drivers.values import Value

NOT_SENT = "not_sent"
_FIELDS = {
    "altitude": "altitude_m",
    "geoid_separation": "separation_m",
    "speed": "speed_ms",
    "course": "course_deg",
    "hdop": "hdop",
    "vdop": "vdop",
    "pdop": "pdop",
    "accuracy": "accuracy_m",
    "altitude_accuracy": "altitude_accuracy_m",
}
_VERTICAL = ("altitude", "geoid_separation", "vdop", "altitude_accuracy")


class Offer(NamedTuple):
    """One thing that an epoch gives."""

    value: Value | None = None
    flaw: str = ""
    """Why there is no value."""
    doubt: str = ""
    """Why the value is uncertain."""


def offer(of: str, epoch: Epoch, datum: str) -> Offer:
    """What this epoch says.

    Args:
        of: One of ``GIVES``.
        epoch: Where to look.
        datum: What positions of this receiver refer to.
    """
    about = GIVES[of].about
    if about == "position":
        return _of_position(of, epoch, datum)
    if about == "time":
        if epoch.time_flaw or epoch.utc_ms is None:
            return Offer(flaw=epoch.time_flaw or NOT_SENT)
        return Offer(iso(epoch.utc_ms))
    if about == "sky":
        return _of_view(of, epoch)
    return _of_fix(of, epoch)


def iso(utc_ms: int) -> str:
    """``2026-08-05T05:52:34.000Z``."""
    told = datetime.fromtimestamp(utc_ms // 1000, UTC).replace(tzinfo=None)
    return f"{told.isoformat(timespec='seconds')}.{utc_ms % 1000:03d}Z"


def _of_position(of: str, epoch: Epoch, datum: str) -> Offer:
    place = epoch.place
    if place is None:
        return Offer(flaw=epoch.flaw or "no_fix")
    value: Value | None
    if of == "latitude":
        value = place[0]
    elif of == "longitude":
        value = place[1]
    elif of == "datum":
        value = datum
    else:
        value = getattr(epoch, _FIELDS[of])
    if value is None:
        return Offer(flaw=NOT_SENT)
    flat = epoch.flat and of in _VERTICAL
    return Offer(value, doubt="two_dimensional" if flat else epoch.doubt)


def _of_fix(of: str, epoch: Epoch) -> Offer:
    if of == "time_valid":
        return Offer(epoch.utc_ms is not None and not epoch.time_flaw)
    if of == "fix":
        believed = epoch.flaw in ("", "no_fix", "simulated")
        return _told(epoch.kind) if believed else Offer(flaw=epoch.flaw)
    if of == "satellites_used":
        return _told(epoch.used_total)
    return _of_constellation(of, epoch)


def _of_constellation(of: str, epoch: Epoch) -> Offer:
    """``used_beidou``, ``share_beidou``."""
    what, _, name = of.partition("_")
    used = epoch.used
    if used is None or (name not in used and not epoch.used_all):
        return Offer(flaw=NOT_SENT)
    if what == "used":
        return Offer(used.get(name, 0))
    if not epoch.used_all:
        return Offer(flaw=NOT_SENT)
    if not epoch.used_total:
        return Offer(flaw="no_fix")
    return Offer(round(100 * used.get(name, 0) / epoch.used_total, 1))


def _told(value: Value | None) -> Offer:
    return Offer(flaw=NOT_SENT) if value is None else Offer(value)


def _of_view(of: str, epoch: Epoch) -> Offer:
    if epoch.in_view is None:
        return Offer(flaw=NOT_SENT)
    if of == "satellites_in_view":
        return Offer(sum(epoch.in_view.values()))
    return _told(epoch.in_view.get(of.removeprefix("in_view_")))

"""What operators say alarms really were, and what that proposes. Nothing is applied.

A proposal is a change of the site file that a person makes or leaves. It needs several
alarms of one kind, and it tells what it would have cost: the true alarms it would have
hidden.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from vision.messages import Confounder, Label, Polygon

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

What = Confounder | Literal["real"]
"""What an alarm really was; ``real``: what it said."""
WHATS: tuple[What, ...] = (*get_args(Confounder), "real")
ENOUGH = 3
"""False alarms of a kind before anything is proposed: two are chance."""
ABOVE = 0.02
"""Of score, over the highest false alarm."""
HIGHEST = 0.95
"""A threshold above which a model would hardly ever alarm is no proposal."""
SAME_PLACE = 0.3
"""Overlap over union of two regions."""
MARGIN = 0.02
"""Of the picture, around the regions of a proposed zone."""
LARGEST = 0.25
"""Of the picture: a larger zone would blind the camera."""
_STAY: frozenset[What] = frozenset({"steam", "headlight", "droplet"})
"""These come back at one place: a vent, a bend of the road, a drop on the lens."""
_NIGHTLY: frozenset[What] = frozenset({"headlight", "insect"})
_MOSTLY = 0.8


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm as it was told, and what an operator says of it."""

    id: str
    label: Label
    t_ms: int
    region: tuple[float, float, float, float]
    peak: float
    threshold: float
    night: bool = False
    what: What | None = None


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a camera's rules that its labels speak for."""

    do: Literal["threshold", "ignore", "hold_night", "clean"]
    label: Label | None = None
    threshold: float | None = None
    area: Polygon | None = None
    whats: tuple[What, ...]
    alarms: tuple[str, ...]
    """The false ones that it would have prevented."""
    lost: tuple[str, ...] = ()
    """The true ones that it would have hidden."""


def proposals(alarms: Sequence[Told]) -> list[Proposal]:
    """What the labels of one camera speak for; those that hide nothing first."""
    real = [alarm for alarm in alarms if alarm.what == "real"]
    false = [alarm for alarm in alarms if alarm.what not in {None, "real"}]
    found = [
        *_cleaning(false),
        *_zones(false, real),
        *_nights(false, real),
        *_thresholds(false, real),
    ]
    return sorted(found, key=lambda one: len(one.lost))


def overlap(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float]
) -> float:
    """Area of both over area of either, 0 to 1."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / (_area(a) + _area(b) - both)


def _cleaning(false: Sequence[Told]) -> list[Proposal]:
    drops = [alarm for alarm in false if alarm.what == "droplet"]
    if len(drops) < ENOUGH:
        return []
    return [Proposal(do="clean", whats=("droplet",), alarms=_ids(drops))]


def _zones(false: Sequence[Told], real: Sequence[Told]) -> list[Proposal]:
    found = []
    for label in sorted({alarm.label for alarm in false}):
        left = [a for a in false if a.label == label and a.what in _STAY]
        while left:
            first = left[0]
            here = [a for a in left if overlap(a.region, first.region) >= SAME_PLACE]
            left = [a for a in left if a not in here]
            box = _around(here)
            if len(here) < ENOUGH or _area(box) > LARGEST:
                continue
            x0, y0, x1, y1 = box
            hidden = [a for a in real if a.label == label and _mostly_in(a.region, box)]
            found.append(
                Proposal(
                    do="ignore",
                    label=label,
                    area=((x0, y0), (x1, y0), (x1, y1), (x0, y1)),
                    whats=_kinds(here),
                    alarms=_ids(here),
                    lost=_ids(hidden),
                )
            )
    return found


def _nights(false: Sequence[Told], real: Sequence[Told]) -> list[Proposal]:
    nightly = [a for a in false if a.night and a.what in _NIGHTLY]
    at_night = [a for a in false if a.night]
    # Only where the nights are the trouble: by day the same camera must be good.
    if len(nightly) < ENOUGH or len(at_night) < _MOSTLY * len(false):
        return []
    hidden = [a for a in real if a.night]
    return [
        Proposal(
            do="hold_night",
            whats=_kinds(nightly),
            alarms=_ids(at_night),
            lost=_ids(hidden),
        )
    ]


def _thresholds(false: Sequence[Told], real: Sequence[Told]) -> list[Proposal]:
    found = []
    for label in sorted({alarm.label for alarm in false}):
        ours = [a for a in false if a.label == label]
        if len(ours) < ENOUGH:
            continue
        # Up, in hundredths.
        wanted = math.ceil((max(a.peak for a in ours) + ABOVE) * 100 - 1e-9) / 100
        if wanted > HIGHEST or wanted <= max(a.threshold for a in ours):
            continue
        hidden = [a for a in real if a.label == label and a.peak < wanted]
        found.append(
            Proposal(
                do="threshold",
                label=label,
                threshold=wanted,
                whats=_kinds(ours),
                alarms=_ids(ours),
                lost=_ids(hidden),
            )
        )
    return found


def _around(alarms: Sequence[Told]) -> tuple[float, float, float, float]:
    """One rectangle around the regions, with a margin, within the picture."""
    return (
        round(max(0.0, min(a.region[0] for a in alarms) - MARGIN), 3),
        round(max(0.0, min(a.region[1] for a in alarms) - MARGIN), 3),
        round(min(1.0, max(a.region[2] for a in alarms) + MARGIN), 3),
        round(min(1.0, max(a.region[3] for a in alarms) + MARGIN), 3),
    )


def _mostly_in(
    region: tuple[float, float, float, float], box: tuple[float, float, float, float]
) -> bool:
    wide = min(region[2], box[2]) - max(region[0], box[0])
    high = min(region[3], box[3]) - max(region[1], box[1])
    return wide > 0 and high > 0 and wide * high >= _area(region) / 2


def _area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _ids(alarms: Iterable[Told]) -> tuple[str, ...]:
    return tuple(alarm.id for alarm in alarms)


def _kinds(alarms: Iterable[Told]) -> tuple[What, ...]:
    return tuple(sorted({alarm.what for alarm in alarms if alarm.what is not None}))

"""One station as two platforms hold it: MQTT's periods beside those of HJ 212.

A period that both hold must have the same digits and the same flag at both, for every
factor with a code. Knows neither gateway nor wire: it is given what two other modules
have read from them (``simulators.consumer``, ``simulators.hj212_platform_held``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulators.hj212_platform_account import stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from simulators.hj212_platform_held import Held

CN = {"minute": 2051, "hour": 2061, "day": 2031}
_FIELDS = {
    "avg": "Avg",
    "min": "Min",
    "max": "Max",
    "cou": "Cou",
    "zs_avg": "ZsAvg",
    "zs_min": "ZsMin",
    "zs_max": "ZsMax",
    "flag": "Flag",
}
"""What MQTT's record calls it, and what stands in a frame."""

Periods = dict[tuple[str, str, int], dict[int, dict[str, Any]]]
"""As ``Consumer.periods``: (station, kind, t) -> revision -> the record."""


@dataclass
class Compared:
    """How the two agree."""

    held: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CN, 0))
    """Periods that both hold, by kind."""
    numbers: int = 0
    """Digits that are the same."""
    differing: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Periods that MQTT holds and HJ 212 does not (yet)."""


def compare(
    periods: Periods,
    codes: Mapping[str, str],
    held: Held,
    mn: str,
    *,
    skip: Collection[str] = (),
) -> Compared:
    """Put them beside each other.

    Args:
        periods: What came by MQTT, of one station.
        codes: Factor -> its HJ 212 code.
        held: What came by HJ 212.
        mn: As whom the station reports there.
        skip: Factors that this platform wants in another unit.
    """
    found = Compared()
    for (station, kind, t_ms), revisions in sorted(periods.items()):
        label = stamp(t_ms / 1000)
        there = held.values(mn, CN[kind], label)
        if not there:
            found.waiting.append(f"{station} {kind} {label}")
            continue
        found.held[kind] += 1
        aggregated = revisions[max(revisions)]["agg"]
        for name, figures in aggregated.items():
            if name not in codes or name in skip:
                continue
            told = there.get(codes[name], {})
            for key, value in figures.items():
                if key not in _FIELDS:
                    continue
                other = told.get(_FIELDS[key])
                if other == value:
                    found.numbers += 1
                else:
                    found.differing.append(
                        f"{station} {kind} {label} {name} {key}:"
                        f" MQTT {value}, HJ 212 {other}"
                    )
    return found


def codes_of(metas: Mapping[str, Mapping[str, Any]], station: str) -> dict[str, str]:
    """Factor -> code, as the newest description of the gateway has it."""
    for meta in reversed(list(metas.values())):
        for one in meta.get("stations", ()):
            if one["id"] == station:
                return {
                    factor["name"]: factor["code"]
                    for factor in one["factors"]
                    if factor.get("code")
                }
    return {}

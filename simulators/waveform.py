"""Plausible values that move slowly and that anybody can compute again.

A wave is a function of UTC time, seed, unit and point alone. So a consumer that knows
the seed knows what every device must have shown at any instant, without a log.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import NamedTuple

_T0_S = 1_735_689_600
"""2025-01-01T00:00:00Z: counters count from here."""
STATE_S = 300
"""Enumerations and status bits change this often, booleans too."""

_SHAPES: dict[str, tuple[float, float]] = {
    "V": (230.0, 4.0),
    "kV": (10.0, 0.2),
    "A": (12.0, 6.0),
    "W": (2400.0, 900.0),
    "kW": (24.0, 9.0),
    "var": (600.0, 200.0),
    "kvar": (6.0, 2.0),
    "VA": (2600.0, 900.0),
    "V.A": (2600.0, 900.0),
    "kVA": (26.0, 9.0),
    "kV.A": (26.0, 9.0),
    "Hz": (50.0, 0.03),
    "Cel": (22.0, 6.0),
    "%": (55.0, 12.0),
    "mg/m3": (18.0, 9.0),
    "ug/m3": (42.0, 20.0),
    "mg/L": (21.0, 8.0),
    "[ppm]": (410.0, 30.0),
    "ppm": (410.0, 30.0),
    "[ppb]": (120.0, 50.0),
    "dB": (58.0, 7.0),
    "dB[A]": (58.0, 7.0),
    "dB[SPL]": (58.0, 7.0),
    "m/s": (2.6, 1.4),
    "deg": (180.0, 90.0),
    "kPa": (101.3, 0.4),
    "hPa": (1013.0, 4.0),
    "Pa": (-120.0, 60.0),
    "lx": (5200.0, 3000.0),
    "W/m2": (320.0, 200.0),
    "mm": (0.6, 0.5),
    "m3/h": (1250.0, 300.0),
    "[pH]": (7.2, 0.4),
    "uS/cm": (640.0, 60.0),
    "1": (0.9, 0.05),
}
"""UCUM unit -> (middle, swing). An unknown unit moves around 100."""

_PARTS: dict[str, tuple[float, float]] = {
    "pm2_5": (34.0, 10.0),
    "pm10": (72.0, 18.0),
    "tsp": (140.0, 32.0),
}
"""Dust in ug/m3 by its size: the finer is part of the coarser."""

_PER_S: dict[str, float] = {
    "kW.h": 0.0004,
    "kWh": 0.0004,
    "W.h": 0.4,
    "Wh": 0.4,
    "MW.h": 4e-7,
    "kvar.h": 0.0001,
    "kvarh": 0.0001,
    "varh": 0.1,
    "var.h": 0.1,
    "m3": 0.01,
    "L": 0.5,
}
"""Counters: UCUM unit -> what is added each second."""


class Shape(NamedTuple):
    """What a point shows where its unit alone would say it badly."""

    middle: float
    swing: float
    every_s: float = 0.0
    """A new result so often, as of an analyzer that takes its time; 0: it flows."""


@dataclass(frozen=True, slots=True)
class Wave:
    """``base + per_s * (t - 2025) + swing * sin``, within its limits."""

    base: float
    swing: float
    period_s: float
    phase: float
    per_s: float
    low: float
    high: float
    every_s: float = 0.0
    """See :class:`Shape`."""

    def value(self, utc_s: float) -> float:
        """The value at this instant, in the point's unit."""
        if self.every_s:
            utc_s = utc_s // self.every_s * self.every_s
        angle = math.tau * (utc_s / self.period_s + self.phase)
        drift = self.per_s * (utc_s - _T0_S)
        return min(
            max(self.base + drift + self.swing * math.sin(angle), self.low), self.high
        )

    @property
    def slope(self) -> float:
        """The fastest it changes, per second."""
        return self.per_s + math.tau * self.swing / self.period_s


def wave(
    seed: int,
    unit: int,
    point: str,
    ucum: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    shape: Shape | None = None,
) -> Wave:
    """The wave of one point of one device.

    Args:
        seed: Of the whole site.
        unit: Unit id.
        point: The point's name.
        ucum: Its unit: says how large values are and whether they count up.
        low: Smallest value it may show.
        high: Largest value it may show.
        shape: Where it moves, instead of what its unit says.
    """
    rng = random.Random(f"{seed}/{unit}/{point}")
    phase, period = rng.random(), rng.uniform(240.0, 900.0)
    if shape is not None:
        middle, swing, every_s = shape
        return Wave(middle, swing, period, phase, 0.0, low, high, every_s)
    if ucum in _PER_S:
        per_s = _PER_S[ucum] * rng.uniform(0.5, 2.0)
        start = per_s * 3e6 * rng.uniform(1.0, 3.0)
        return Wave(start, 0.0, period, phase, per_s, max(low, 0.0), high)
    if ucum == "ug/m3" and point in _PARTS:
        middle, swing = _PARTS[point]
    else:
        middle, swing = _SHAPES.get(ucum, (100.0, 20.0))
        middle += swing * rng.uniform(-0.5, 0.5)
    if math.isfinite(low) and math.isfinite(high) and not low < middle < high:
        middle, swing = (low + high) / 2, (high - low) / 4
    return Wave(middle, swing, period, phase, 0.0, low, high)


def state(seed: int, unit: int, point: str, utc_s: float, count: int) -> int:
    """Which of ``count`` states holds now: they follow one another."""
    shift = random.Random(f"{seed}/{unit}/{point}/state").randrange(1000)
    return (int(utc_s // STATE_S) + shift) % max(count, 1)

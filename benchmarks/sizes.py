"""The loads measured, and the limits our figures are held against."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """``devices`` instruments of ``points`` values each, polled every second."""

    devices: int
    points: int

    @property
    def name(self) -> str:
        """As the tables write it: ``10 x 50``."""
        return f"{self.devices} x {self.points}"

    @property
    def values_per_s(self) -> int:
        """How many values are due each second."""
        return self.devices * self.points


SIZES = (Size(1, 10), Size(10, 50), Size(20, 100), Size(160, 100))
DISK_SIZES = (Size(10, 50), Size(1, 10))

# Seconds of CPU per 1,000 values.
CPU_LIMITS = {"1 x 10": 0.2, "10 x 50": 0.012, "20 x 100": 0.006}
SHARE_LIMITS = {"160 x 100": 0.12}
FRESH_P50_MS, FRESH_P99_MS = 5.0, 15.0
PSS_LIMIT_MIB = 40.0
START_LIMIT_S = 0.5
DISK_LIMITS = {"10 x 50": 2.0, "1 x 10": 20.0}


def parse(text: str) -> Size:
    """Read ``10x50``.

    Raises:
        ValueError: It is something else.
    """
    devices, _, points = text.replace(" ", "").partition("x")
    try:
        return Size(int(devices), int(points))
    except ValueError:
        raise ValueError(f"expected a size such as 10x50, got {text!r}") from None

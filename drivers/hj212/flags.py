"""What an instrument's own mark of a value means for its quality.

A value that was measured, though not of what it should be (calibration gas, a probe
under maintenance), stays and is UNCERTAIN: a platform that handles marks wants it with
its mark. Where the mark says that nothing was measured, it is BAD.

Source: HJ 212-2017, table 8; HJ 212-2025, table 10, as quoted by others: N, D, C, M, T,
Td. Whether F, S and B remain in 2025 is not confirmed; they mean there what they mean
in 2017. Marks of 2005 beside these are not known here: they are ``unknown_flag``.
"""

from __future__ import annotations

from drivers.values import Flaw, Quality

GOOD = "N"
_2017 = {
    GOOD: None,
    "F": Flaw(Quality.BAD, "instrument_stopped"),
    "M": Flaw(Quality.UNCERTAIN, "maintenance"),
    "S": Flaw(Quality.UNCERTAIN, "manual_value"),
    "D": Flaw(Quality.BAD, "instrument_fault"),
    "C": Flaw(Quality.UNCERTAIN, "calibration"),
    "T": Flaw(Quality.UNCERTAIN, "above_range"),
    "B": Flaw(Quality.BAD, "instrument_link"),
}
FLAGS: dict[int, dict[str, Flaw | None]] = {
    2005: _2017,
    2017: _2017,
    2025: {**_2017, "Td": Flaw(Quality.UNCERTAIN, "condition_fault")},
}
"""By version: mark -> flaw; None: good."""
UNKNOWN = Flaw(Quality.UNCERTAIN, "unknown_flag")


def flaw_of(flag: str | None, version: int) -> Flaw | None:
    """The flaw that a mark stands for.

    Args:
        flag: As sent; None where the instrument marks nothing, which claims nothing.
        version: The standard's year, as the frame says.

    Returns:
        None for a good value.
    """
    return None if flag is None else FLAGS[version].get(flag, UNKNOWN)

"""The states an instrument can be in, by our names for them.

    normal        it measures
    stopped       the facility, or the instrument, is out of service
    maintenance   somebody works on it
    calibration   it measures gas or liquid of a known value
    fault         it says that it does not measure well
    manual        what it shows was typed in
    over_range    it measures above its range
    condition     a key condition of its process is faulty
    link          it is cut off from what it reports of
    unknown       it shows a state that nobody gave a name

What each does to a reading stands in ``marks.yaml``: only ``normal`` leaves it valid.
"""

from __future__ import annotations

from typing import Literal, get_args

State = Literal[
    "normal",
    "stopped",
    "maintenance",
    "calibration",
    "fault",
    "manual",
    "over_range",
    "condition",
    "link",
    "unknown",
]
STATES: tuple[State, ...] = get_args(State)
NORMAL: State = "normal"
UNKNOWN: State = "unknown"

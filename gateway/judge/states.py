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

from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from gateway.clock import Instant

if TYPE_CHECKING:
    from drivers.values import Value
    from gateway.config.flagging import Sign
    from gateway.record import Scan

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

OF_FLAG: dict[str, State] = {
    "F": "stopped",
    "M": "maintenance",
    "S": "manual",
    "D": "fault",
    "C": "calibration",
    "T": "over_range",
    "B": "link",
    "Td": "condition",
}
"""The marks that instruments speaking HJ 212 give their own values."""
GOOD_FLAGS = frozenset(("N", ""))
_SILENT = frozenset(("no_data", "not_sent", "interrupted", "searching"))
_PERIODS = 2.5
"""A word about the state counts for so many of its periods: then it is not known."""


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """What one condition said last."""

    matched: bool | None = None
    """None: nothing yet."""
    at: Instant | None = None


def of_flag(flag: str) -> State:
    """The state behind an instrument's own mark of a value.

    Args:
        flag: As in ``Scan.flags``: HJ 212's Flag, a maker's EFlag after a stroke.
    """
    word = flag.partition("/")[0]
    return NORMAL if word in GOOD_FLAGS else OF_FLAG.get(word, UNKNOWN)


def look(sign: Sign, seen: Seen, scan: Scan) -> Seen:
    """Take what a scan says about one condition; unchanged where it says nothing.

    A point that was asked and gave no good answer makes it unknown: a state that cannot
    be proved is not the normal one. Who speaks unasked and did not says nothing.
    """
    name = sign.point
    flaw = scan.flaws.get(name) or scan.flaws.get(name.partition(".")[0])
    if flaw is not None:
        return seen if flaw.reason in _SILENT else Seen(None, scan.at)
    value = scan.values.get(name)
    if value is None:
        return seen
    return Seen(matches(sign, value), scan.at)


def matches(sign: Sign, value: Value) -> bool:
    """Whether a value shows the state. ``1`` and ``true`` are two things."""
    if sign.equals:
        return any(
            value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
            for wanted in sign.equals
        )
    if isinstance(value, bool | str):
        return False
    return (sign.at_least is None or value >= sign.at_least) and (
        sign.at_most is None or value <= sign.at_most
    )


def holds(sign: Sign, seen: Seen, at: Instant) -> bool | None:
    """Whether it is in this state at an instant; None: not known (any more)."""
    if seen.at is None or seen.at.boot != at.boot:
        return None
    if at.mono_ms - seen.at.mono_ms > 1000 * _PERIODS * sign.every_s:
        return None
    return seen.matched

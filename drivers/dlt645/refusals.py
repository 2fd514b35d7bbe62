"""What one meter refuses, remembered and asked rarely. Pure.

An error answer names no item, so one alone marks nothing: it could be another
question's. Two in a row from the same question do. A meter that says why is believed:
what it does not have is asked again after ``RETRY_S``, what failed for another reason
after ``SOON_S``.

Error word: bits 0 to 2 by two public implementations, the others by descriptions of
DL/T 645-2007 only; the word of the 1997 edition is not known well enough to name.
"""

from __future__ import annotations

import msgspec

RETRY_S = 600.0
SOON_S = 60.0
STRIKES = 2

ERRORS = (
    "meter_error",
    "no_such_data",
    "not_authorised",
    "speed_fixed",
    "too_many_zones",
    "too_many_periods",
    "too_many_tariffs",
)
"""Bit of the error word -> the reason it gives."""


def named(word: int) -> str:
    """The reason that an error word gives: its lowest named bit, bit 0 last."""
    for bit in (1, 2, 3, 4, 5, 6):
        if word >> bit & 1:
            return ERRORS[bit]
    return ERRORS[0]


class _Record(msgspec.Struct):
    reason: str
    strikes: int
    due: float


class Refusals:
    """Identifiers that a meter refuses; time is passed in."""

    def __init__(self, retry_s: float = RETRY_S, soon_s: float = SOON_S) -> None:
        self._retry_s, self._soon_s = retry_s, soon_s
        self._records: dict[str, _Record] = {}

    def reason(self, di: str, now: float) -> str | None:
        """Why this is not asked now; None: it may be."""
        record = self._records.get(di)
        if record is None or record.strikes < STRIKES or record.due <= now:
            return None
        return record.reason

    def refused(
        self, di: str, reason: str, now: float, *, proved: bool = False
    ) -> None:
        """An error answer came to a question for this.

        Args:
            di: The identifier.
            reason: What the meter gave as its reason.
            now: Loop time.
            proved: The answer itself carried the identifier: once is enough.
        """
        record = self._records.get(di)
        strikes = STRIKES if proved else 1 + (record.strikes if record else 0)
        wait_s = self._soon_s if reason == ERRORS[0] else self._retry_s
        self._records[di] = _Record(reason, strikes, now + wait_s)

    def answered(self, di: str) -> None:
        """It brought data: whatever was held against it is forgotten."""
        self._records.pop(di, None)

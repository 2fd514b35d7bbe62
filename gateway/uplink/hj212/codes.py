"""What we answer to a request: whether it will be done (QnRtn), how it went (ExeRtn).

Source: HJ 212-2017, tables 6 and 7.
"""

from __future__ import annotations

from enum import IntEnum


class QnRtn(IntEnum):
    """In 9011, at once."""

    WILL_DO = 1
    REFUSED = 2
    PW = 3
    MN = 4
    ST = 5
    FLAG = 6
    QN = 7
    CN = 8
    UNKNOWN = 100


class ExeRtn(IntEnum):
    """In 9012, at the end."""

    DONE = 1
    FAILED = 2
    """Or nobody knows whether it was done."""
    CONDITION = 3
    TIMEOUT = 4
    BUSY = 5
    SYSTEM = 6
    NO_DATA = 100

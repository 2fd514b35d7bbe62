"""What a platform has on file of one device, and the times both speak of.

HJ 212 knows no time zones: everything is Beijing time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from simulators.hj212_tables import (
    DAY,
    HOUR,
    MINUTE,
    NOTICES,
    NOTICES_2025,
    RUNNING,
    UPLOADS,
    UPLOADS_2025,
)

if TYPE_CHECKING:
    from simulators.hj212_sm4 import Form

BEIJING = timezone(timedelta(hours=8))
NEW = 2025


@dataclass
class Account:
    """One device as it was registered; settings follow what the device was told."""

    mn: str
    st: str = "31"
    pw: str = "123456"
    version: int = 2017
    key: bytes | None = None
    """SM4; None: nothing is encrypted."""
    sealed: Form = "raw"
    factors: frozenset[str] | None = None
    """Codes that every frame must have; None: those of its first frame."""
    also_st: frozenset[str] = frozenset()
    """Other systems it may speak for: 51 and 52, process data."""
    overtime_s: float = 10.0
    recount: int = 3
    rtd_s: int = 30
    minute_min: int = 1
    execution_s: float = 60.0
    """How long a command may take from 9011, or from one frame of data to the next."""

    @property
    def new(self) -> bool:
        """It speaks HJ 212-2025."""
        return self.version == NEW

    @property
    def uploads(self) -> frozenset[int]:
        """What it may send by itself, to be confirmed by 9014."""
        return UPLOADS_2025 if self.new else UPLOADS

    @property
    def notices(self) -> frozenset[int]:
        """What it may send by itself, to be confirmed by 9013."""
        return NOTICES_2025 if self.new else NOTICES

    def length_s(self, cn: int) -> int:
        """Of one period; 0: the command has no periods."""
        return {
            MINUTE: 60 * self.minute_min,
            HOUR: 3600,
            DAY: 86400,
            RUNNING: 86400,
        }.get(cn, 0)


def stamp(utc_s: float) -> str:
    """``YYYYMMDDhhmmss``."""
    return datetime.fromtimestamp(utc_s, BEIJING).strftime("%Y%m%d%H%M%S")


def stamp_ms(utc_ms: int) -> str:
    """A QN: ``YYYYMMDDhhmmsszzz``."""
    return f"{stamp(utc_ms // 1000)}{utc_ms % 1000:03d}"


def seconds(text: str) -> int | None:
    """UTC seconds of 14 digits; None: it is no such time."""
    if re.fullmatch(r"[0-9]{14}", text) is None:
        return None
    try:
        local = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return int(local.astimezone(UTC).timestamp())


def qn_seconds(qn: str) -> float | None:
    """UTC seconds of a QN; None: it is none."""
    if re.fullmatch(r"[0-9]{17}", qn) is None:
        return None
    whole = seconds(qn[:14])
    return None if whole is None else whole + int(qn[14:]) / 1000


def is_aligned(cn: int, utc_s: int, minute_min: int) -> bool:
    """Whether a period of this command can begin then."""
    local = (utc_s + 8 * 3600) % 86400
    if cn == MINUTE:
        return local % (60 * minute_min) == 0
    return local % 3600 == 0 if cn == HOUR else local == 0

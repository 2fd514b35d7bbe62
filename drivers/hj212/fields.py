"""Names that may stand in a data segment's CP, and the form of what they hold.

The set is closed: with a check of eight bits, a frame whose names nobody knows is more
likely damage than news. A bus may know more names, those its devices' points ask for.

Source: HJ 212-2017, table 4; marked 2025: names of HJ 212-2025 as public
implementations have them, not confirmed in its text.
"""

from __future__ import annotations

import re
from datetime import datetime

NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?")
"""N14.2 is the widest the standard has; instruments print more decimals."""
_MARK = re.compile(r"[0-9A-Za-z]{1,2}")
_WORD = re.compile(r"[0-9A-Za-z]{0,32}")
_TIME = re.compile(r"[0-9]{14}([0-9]{3})?")
_CLOCK = re.compile(r"[0-9]{6}")

NUMBERS = frozenset(
    (
        "Rtd", "Min", "Avg", "Max", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax", "Cou",
        "Data", "DayData", "NightData", "RS", "RT",
        "SampleRd", "StandardValue", "ResultType", "CalibrationType", "SampleType",
        "QnRtn", "ExeRtn", "RtdInterval", "MinInterval", "OverTime", "ReCount",
        "VaseNo", "Ctime", "CTime", "Stime",
    )
)  # fmt: skip
TIMES = frozenset(
    (
        "DataTime", "SampleTime", "SystemTime", "RestartTime", "BeginTime", "EndTime",
        "SKCreateTime", "CompleteTime",
    )
)  # fmt: skip
WORDS = frozenset(("EFlag", "SN", "NewPW", "NewSK", "PolId", "InfoId"))
TEXT = "Info"
FLAG = "Flag"
_FORMS = {FLAG: _MARK, "CstartTime": _CLOCK, TEXT: re.compile(r".*")}

OF_FACTOR = frozenset(
    (
        "SampleTime", "Rtd", "Min", "Avg", "Max", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax",
        "Flag", "EFlag", "Cou", "Info", "SN", "Data", "DayData", "NightData", "RS",
        "RT",
        "CompleteTime", "SampleType", "SampleRd", "StandardValue", "ResultType",
        "CalibrationType",
    )
)  # fmt: skip
"""What stands behind a factor's hyphen; the last two lines: 2025."""
OF_FRAME = frozenset(
    (
        "DataTime", "SystemTime", "QnRtn", "ExeRtn", "RtdInterval", "MinInterval",
        "RestartTime", "BeginTime", "EndTime", "NewPW", "OverTime", "ReCount", "VaseNo",
        "CstartTime", "Ctime", "CTime", "Stime", "PolId", "InfoId",
        "SKCreateTime", "NewSK", "CompleteTime", "SampleType", "SampleRd",
        "StandardValue", "ResultType", "CalibrationType",
    )
)  # fmt: skip
"""What stands alone."""


def is_number(text: str) -> bool:
    """Whether this is a number as instruments write them: no exponent, no blank."""
    return NUMBER.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether this is ``YYYYMMDDhhmmss``, with or without ms, and on the calendar."""
    return bool(_TIME.fullmatch(text)) and read_time(text) is not None


def read_time(text: str) -> datetime | None:
    """The local time of 14 or 17 digits; None where there is no such time."""
    digits = [int(text[:4]), *(int(text[i : i + 2]) for i in range(4, 14, 2))]
    year, month, day, hour, minute, second = digits
    micro = int(text[14:17]) * 1000 if len(text) > 14 else 0  # noqa: PLR2004
    try:
        # Local to the site: what zone that is, is not in the frame.
        return datetime(year, month, day, hour, minute, second, micro)  # noqa: DTZ001
    except ValueError:
        return None


def fits(factor: str, field: str, value: str) -> bool:
    """Whether a value has the form its name promises.

    Args:
        factor: What stands before the hyphen, or nothing. Codes of HJ 212-2025 that
            begin with p hold working conditions, such as ``p99101-Rtd=St``.
        field: The name, without the factor.
        value: As it stands in the frame.
    """
    if field in TIMES:
        return is_time(value)
    if field in NUMBERS and not (field == "Rtd" and factor.startswith("p")):
        return is_number(value)
    form = _FORMS.get(field)
    if form is not None:
        return form.fullmatch(value) is not None
    # Words, working conditions, and whatever a bus knows beside the standard.
    return _WORD.fullmatch(value) is not None or is_number(value)

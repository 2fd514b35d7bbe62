"""What HJ 212 lists: commands, systems, return codes, letters, and forms of numbers.

Source: HJ 212-2017, tables 4 to 9 and annex B. What is said of HJ 212-2025 is as public
notes quote it; its full text could not be had.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

INTERACTION = "91"
"""ST of 9011 to 9014."""

REALTIME, FACILITIES, DAY, RUNNING, MINUTE, HOUR = 2011, 2021, 2031, 2041, 2051, 2061
PERIODS = (MINUTE, HOUR, DAY, RUNNING)
ASKED, DONE, NOTED, TAKEN = 9011, 9012, 9013, 9014
HEARTBEAT = 9015

UPLOADS = frozenset((1011, 2011, 2021, 2031, 2041, 2051, 2061, 2081, 3015, 3019, 3020))
UPLOADS_2025 = UPLOADS | {2013, 2052, 2062, 2111, 3022}
"""What a device sends by itself and 9014 confirms."""
NOTICES = frozenset((1013,))
NOTICES_2025 = NOTICES | {1001, 1014, HEARTBEAT}
"""What a device sends by itself and 9013 confirms."""
SEALED = frozenset((1014, 3020))
"""Beside 2000 to 2999: encrypted in 2025 (6.4.4)."""

FLAGS = {2017: frozenset("NFMSDCTB"), 2025: frozenset(("N", "D", "C", "M", "T", "Td"))}
"""Whether F, S and B go on in 2025 is not confirmed."""

READS = {
    REALTIME: frozenset(("Rtd", "ZsRtd", "Flag", "EFlag", "SampleTime", "Data")),
    FACILITIES: frozenset(("RS", "SampleTime", "Flag")),
    RUNNING: frozenset(("RT",)),
    **dict.fromkeys(
        (MINUTE, HOUR, DAY),
        frozenset(
            (
                *("Min", "Avg", "Max", "Cou", "ZsMin", "ZsAvg", "ZsMax"),
                *("Flag", "EFlag", "SampleTime", "Data", "DayData", "NightData"),
            )
        ),
    ),
}
"""What may stand behind a factor's code, by command."""
MEANS = frozenset(("Rtd", "Min", "Avg", "Max", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax"))
"""Those whose form annex B gives; a total (Cou) is of another unit."""
NUMBERS = MEANS | {"Cou", "RT", "Data", "DayData", "NightData"}

MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)

QN_RTN = {
    1: "will execute",
    2: "refused",
    3: "password",
    4: "MN",
    5: "ST",
    6: "Flag",
    7: "QN",
    8: "CN",
    9: "CRC",
    100: "unknown",
}

_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_HERE = Path(__file__).parent


def is_sealed(cn: int) -> bool:
    """Whether a device's CP of this command is encrypted in 2025."""
    return 2000 <= cn <= 2999 or cn in SEALED  # noqa: PLR2004 the standard's own range


@cache
def forms(version: int) -> dict[str, tuple[int, int]]:
    """Digits before and behind the point, by factor code."""
    told = yaml.safe_load((_HERE / "hj212_factors.yaml").read_text(encoding="utf-8"))
    found = dict(told[2017])
    if version == 2025:  # noqa: PLR2004 a year
        found |= told["changed_2025"]
    return {str(code): form_of(form) for code, form in found.items()}


def form_of(text: str) -> tuple[int, int]:
    """``N5.2`` as (5, 2).

    Raises:
        ValueError: Another form.
    """
    match = re.fullmatch(r"N([0-9]+)(?:\.([0-9]+))?", text)
    if match is None:
        raise ValueError(f"form of a number: expected N5.2 or N4, got {text!r}")
    return int(match[1]), int(match[2] or 0)


def misfit(text: str, form: tuple[int, int] | None) -> str:
    """What is wrong with a number of this form; empty: nothing. None: any decimal."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return f"no decimal number: {text!r}"
    if match[1] and not text.strip("-0."):
        return f"a negative zero: {text!r}"
    if form is None:
        return ""
    whole, behind = len(match[2]), len(match[3] or "")
    if whole > form[0] or behind > form[1]:
        return f"{text!r} is not N{form[0]}.{form[1]}"
    return ""

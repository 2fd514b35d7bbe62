"""HJ 212 points as they are written: factor, field, and the command that carries it.

- {name: so2, factor: a21026, unit: mg/m3}                 # CN=2011, a21026-Rtd
- {name: so2_converted, factor: a21026, field: ZsAvg, cn: 2051, unit: mg/m3}
- {name: cod, factor: w01018, factor_2005: "011", unit: mg/L}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from drivers.profiles.model import Point
from drivers.profiles.reading import closest

if TYPE_CHECKING:
    from drivers.profiles.reading import Section

KEYS = ("factor", "field", "cn", "factor_2005")
FIELDS = (
    "Rtd", "Min", "Avg", "Max", "Cou", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax",
    "Data", "DayData", "NightData", "RS", "RT", "Flag", "EFlag", "Info", "SN",
    "SampleTime", "CompleteTime", "SampleType", "SampleRd", "StandardValue",
    "ResultType", "CalibrationType",
)  # fmt: skip
"""What the standard has behind a factor's hyphen."""
WORDS = ("Flag", "EFlag", "Info", "SN", "SampleTime", "CompleteTime")
"""Fields whose value is text as it stands."""
COMMANDS = (2011, 2013, 2021, 2031, 2041, 2051, 2052, 2061, 2062, 2111)
_USUAL = {
    "Rtd": 2011, "ZsRtd": 2011, "RS": 2021, "RT": 2041, "DayData": 2031,
    "NightData": 2031, "Flag": 2011, "EFlag": 2011, "Info": 2011, "SN": 2011,
    "SampleTime": 2011,
}  # fmt: skip
_MINUTE = 2051
_FACTOR = re.compile(r"[0-9A-Za-z]{1,24}\Z")
_STANDARD = re.compile(r"[aw][0-9]{5}\Z")
_FIELD = re.compile(r"[0-9A-Za-z]{1,16}\Z")


class Hj212Point(Point, frozen=True, kw_only=True):
    """One field of one factor in one kind of frame."""

    factor: str
    """The factor's code, as sent: ``a21026``; letters count as they are."""
    field: str = "Rtd"
    cn: int = 2011
    factor_2005: str | None = None
    """Its code in frames of HJ/T 212-2005, such as ``011`` for COD."""

    @property
    def where(self) -> str:
        """What stands before its value in the frame."""
        return f"{self.factor}-{self.field}"

    @property
    def form(self) -> str:
        """The command of the frame."""
        return f"CN={self.cn}"


def read_hj212(section: Section) -> dict[str, Any]:
    """The fields that only an HJ 212 point has; None where absent or wrong."""
    factor = _word(section, "factor", required=True)
    field = _field(section)
    cn = section.integer("cn", 2000, 2999)
    if cn is not None and cn not in COMMANDS:
        choices = ", ".join(str(code) for code in COMMANDS)
        section.wrong("cn", "choice", choices=choices, found=str(cn))
    return {
        "factor": factor,
        "field": field,
        "cn": cn or _USUAL.get(field or "Rtd", _MINUTE),
        "factor_2005": _word(section, "factor_2005"),
        "code": None if section.has("code") else _code(factor),
    }


def needs_unit(section: Section) -> bool:
    """Whether a number without a unit would say nothing."""
    node = section.get("field")
    return node is None or node.value not in (*WORDS, "RS")


def _code(factor: str | None) -> str | None:
    """The factor, where it is a code of the standard and none that a maker chose."""
    return factor if factor is not None and _STANDARD.match(factor) else None


def _word(section: Section, key: str, *, required: bool = False) -> str | None:
    text = section.text(key, required=required)
    if text is not None and not _FACTOR.match(text):
        section.wrong(key, "hj212_code", found=text)
    return text


def _field(section: Section) -> str | None:
    """One of the standard's, or, with a warning, one that only the maker has."""
    text = section.text("field")
    if text is None or text in FIELDS:
        return text
    section.wrong(
        "field",
        "choice",
        choices=", ".join(FIELDS),
        found=text,
        meant=closest(text, FIELDS),
        warning=_FIELD.match(text) is not None,
    )
    return text

"""When the instrument says it took a record."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import TYPE_CHECKING, Final

from drivers.ascii.cut import field

if TYPE_CHECKING:
    from drivers.ascii.cut import Fields
    from drivers.profiles.dialogue import Cut, RecordTime

_MONTHS: Final = (
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN",
    "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
)  # fmt: skip
_WORD: Final = re.compile(r"YYYY|YY|MON|MM|DD|hh|mm|ss")
_DIGITS: Final = {
    "YYYY": r"(?P<YYYY>[0-9]{4})",
    "YY": r"(?P<YY>[0-9]{2})",
    "MON": r"(?P<MON>[A-Za-z]{3})",
}
_LONGEST: Final = 40
_LAST_HOUR: Final = 24


def sampled_ms(
    time: RecordTime, way: Cut, fields: Fields, zone: tzinfo = UTC
) -> int | None:
    """UTC milliseconds of the record; None: that is no time.

    Args:
        time: Where it stands, and how it is written.
        way: How the message was cut.
        fields: Of the message.
        zone: Of the instrument's clock, where the profile does not say.
    """
    told = [field(way, fields, name) for name in time.fields]
    if None in told:
        return None
    text = " ".join(str(each).strip() for each in told)
    found = _form(time.form).match(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    parts = found.groupdict()
    month = parts.get("MM")
    if month is None:
        name = parts["MON"].upper()
        if name not in _MONTHS:
            return None
        month = str(_MONTHS.index(name) + 1)
    hour = int(parts["hh"])
    if hour > _LAST_HOUR or (hour == _LAST_HOUR and int(parts["mm"])):
        return None
    year = int(parts.get("YYYY") or 2000 + int(parts["YY"]))
    minutes = time.zone_min
    own = zone if minutes is None else timezone(timedelta(minutes=minutes))
    try:
        local = datetime(
            year,
            int(month),
            int(parts["DD"]),
            hour % 24,
            int(parts["mm"]),
            int(parts.get("ss") or 0),
            tzinfo=own,
        )
        if hour == _LAST_HOUR:  # the end of a day, as some write it
            local += timedelta(days=1)
        return round(local.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


@cache
def _form(form: str) -> re.Pattern[str]:
    """The form as an expression of fixed lengths: nothing in it can be taken twice."""
    out, at = "", 0
    for match in _WORD.finditer(form):
        out += re.escape(form[at : match.start()])
        word = match[0]
        out += _DIGITS.get(word, f"(?P<{word}>[0-9]{{2}})")
        at = match.end()
    return re.compile(out + re.escape(form[at:]) + r"\Z")

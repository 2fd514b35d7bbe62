"""Moments as people type them: a date, a time of today, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from drivers.profiles.units import UnitError, parse_duration
from gateway.cli.exits import CliError, Exit
from gateway.texts import t

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\Z")
_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m")
_DAYS = {"today": 0, "yesterday": 1}


def moment(text: str, zone: ZoneInfo, now_ms: int) -> int:
    """UTC ms of ``2026-11-21 08:00``, ``08:00``, ``yesterday`` or ``7d`` (ago).

    Args:
        text: What was typed; ``T`` may stand between date and time.
        zone: Whose civil time is meant.
        now_ms: UTC ms now.

    Raises:
        CliError: It is none of these.
    """
    words = text.strip().replace("T", " ")
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if words in _DAYS:
        return _ms((today - timedelta(days=_DAYS[words])).replace(tzinfo=zone))
    if found := _TIME.match(words):
        hour, minute, second = (int(part or 0) for part in found.groups())
        return _ms(today.replace(hour=hour, minute=minute, second=second))
    for form in _FORMS:
        try:
            return _ms(datetime.strptime(words, form).replace(tzinfo=zone))
        except ValueError:
            continue
    try:
        return now_ms - round(1000 * parse_duration(words))
    except UnitError as exc:
        raise CliError(t("history.bad_moment", found=text), Exit.USAGE) from exc


def _ms(at: datetime) -> int:
    return round(at.timestamp()) * 1000

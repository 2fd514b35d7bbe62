"""The report's words that its table and its page share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.report.calendar import local
from gateway.texts import known, t

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from gateway.report.validity import Report


def when(t_ms: int, zone: ZoneInfo) -> str:
    """A moment, to the second where it is no whole minute."""
    at = local(t_ms, zone)
    return f"{at:%Y-%m-%d %H:%M:%S}" if t_ms % 60_000 else f"{at:%Y-%m-%d %H:%M}"


def cause_said(cause: str) -> str:
    """Why something was not asked."""
    key = f"cause.{cause}"
    return t(key) if known(key) else cause


def state_said(state: str) -> str:
    """The state that a person declared."""
    key = f"state.{state}"
    return t(key) if known(key) else state


def remarks(report: Report, zone: ZoneInfo) -> list[str]:
    """What a reader must know of how it was counted."""
    said = [t("report.how", unit=t(f"report.counted.{report.kind}"))]
    if report.from_ms >= report.made_ms:
        unit = t(f"report.counted.{report.kind}")
        said.append(t("report.nothing_kept", unit=unit))
    elif report.from_ms > report.since_ms:
        said.append(t("report.begins", since=when(report.from_ms, zone)))
    if report.made_ms < report.until_ms:
        said.append(t("report.unfinished", now=when(report.made_ms, zone)))
    if report.target is None:
        said.append(t("report.no_target_note"))
    elif not report.proves:
        said.append(t("report.never_proves", target=report.target))
    return said

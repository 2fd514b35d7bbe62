"""What a platform asked for, told to people: every change, every act, some refusals.

Passwords and keys are never shown, neither old ones nor new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.record import Event
from gateway.texts import LANGUAGES, both

if TYPE_CHECKING:
    from drivers.values import Value
    from gateway.clock import Instant
    from gateway.config.rights import Order
    from gateway.record import Severity
    from gateway.uplink.hj212.codes import ExeRtn

QUIET_MS = 60_000


def setting(target: str, name: str, old: object, new: object, at: Instant) -> Event:
    """A platform set one of the values it may set."""
    return _event(
        "platform_setting",
        "info",
        at,
        "event.platform_setting",
        {"target": target, "setting": name, "old": _shown(old), "new": _shown(new)},
        worded={"setting": f"hj212.setting.{name}"},
        key=f"{target}:{name}",
    )


def secret(target: str, name: str, at: Instant, *, weak: bool = False) -> Event:
    """A platform set a new ``password`` or ``key``; ``weak``: it is a pattern."""
    return _event(
        "platform_setting",
        "warning" if weak else "info",
        at,
        "event.platform_weak_key" if weak else "event.platform_secret",
        {"target": target, "setting": name},
        worded={"setting": f"hj212.setting.{name}"},
        key=f"{target}:{name}",
    )


def clock(target: str, said: str, ours: str, at: Instant, *, agrees: bool) -> Event:
    """A platform wants our clock to be set; it is not."""
    return _event(
        "platform_clock",
        "info" if agrees else "warning",
        at,
        "event.platform_clock_agrees" if agrees else "event.platform_clock",
        {"target": target, "said": said, "ours": ours},
        key=target,
    )


def acted(
    target: str, cn: int, order: Order, value: Value, result: ExeRtn, at: Instant
) -> Event:
    """A platform's command was written to an instrument, or was to be."""
    name = result.name.lower()
    return _event(
        "platform_command",
        "warning",
        at,
        "event.platform_command",
        {
            "target": target,
            "cn": cn,
            "point": order.point,
            "value": value,
            "result": name,
        },
        worded={"result": f"hj212.result.{name}", "command": f"hj212.command.{cn}"},
        key=f"{target}:{cn}:{order.device}.{order.point}",
        beside={"device": order.device},
    )


def refused(target: str, cn: int, why: str, count: int, at: Instant) -> Event:
    """A platform asked for what it may not have; ``count`` such since the last word."""
    return _event(
        "platform_refused",
        "warning",
        at,
        "event.platform_refused" if count == 1 else "event.platform_refused_again",
        {"target": target, "cn": cn, "reason": why, "count": count},
        worded={"reason": f"hj212.why.{why}"},
        key=f"{target}:{cn}",
    )


class Refusals:
    """Which refusals are told: the first of a kind, and how many followed it."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, str], tuple[int, int]] = {}

    def count(self, cn: int, why: str, mono_ms: int) -> int:
        """How many are to be told now; 0: none yet.

        Args:
            cn: The command.
            why: A word of ``hj212.why``.
            mono_ms: Monotonic clock, ms.
        """
        last, untold = self._told.get((cn, why), (mono_ms - QUIET_MS, 0))
        if mono_ms - last < QUIET_MS:
            self._told[cn, why] = (last, untold + 1)
            return 0
        self._told[cn, why] = (mono_ms, 0)
        return untold + 1


def _event(
    kind: str,
    severity: Severity,
    at: Instant,
    text: str,
    values: dict[str, Value],
    *,
    key: str,
    worded: dict[str, str] | None = None,
    beside: dict[str, str] | None = None,
) -> Event:
    words = {name: both(code) for name, code in (worded or {}).items()}
    said: dict[str, str] = {}
    for code in LANGUAGES:
        own = {name: word[code] for name, word in words.items()}
        said[code] = both(text, **{**values, **(beside or {}), **own})[code]
    return Event(
        id=f"{kind}:{key}:{at.boot}:{at.mono_ms}",
        type=kind,
        severity=severity,
        at=at,
        values=values,
        text=said,
        device=(beside or {}).get("device"),
    )


def _shown(value: object) -> Value:
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return str(value)

"""Maintenance windows in the running gateway: kept, and ended in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gateway.control import ControlError, Request
from gateway.judge.times import passed_ms
from gateway.judge.windows import (
    KINDS,
    LONGEST_S,
    MOST_TEXT,
    NOTE,
    SHORTEST_S,
    Kind,
    Window,
    Windows,
    planned_end,
)
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from gateway.app import App


class Wish(msgspec.Struct, kw_only=True):
    """What a person asks for."""

    who: str = ""
    why: str = ""
    for_s: float = 0.0
    state: str = "maintenance"


class Maintenance:
    """The windows of one gateway."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.windows = Windows(
            lambda note: app.buffer.remember(NOTE, note),
            app.buffer.recall(NOTE),
            now=app.clock.now,
        )
        self.windows.on_start = self._started

    async def run(self) -> None:
        """End each window in time."""
        await self.windows.run(self._app.record, lambda: self._app.site.devices)

    def commands(self) -> dict[str, Callable[[Request], Awaitable[Any]]]:
        """For the control socket."""
        return {
            "maintain-start": self.start,
            "maintain-end": self.end,
            "maintain-list": self.listed,
        }

    async def start(self, request: Request) -> dict[str, Any]:
        """Declare windows; answered once they are safe."""
        wish = _wish(request)
        state = wish.state
        if state not in KINDS:
            choices = ", ".join(KINDS)
            text = t("maintain.bad_state", choices=choices, found=state)
            raise ControlError("bad_state", text)
        kind: Kind = state
        who, why = _text("who", wish.who), _text("why", wish.why)
        if not SHORTEST_S <= wish.for_s <= LONGEST_S:
            text = t("maintain.bad_span", found=f"{wish.for_s:g} s")
            raise ControlError("bad_span", text)
        devices = self._named(request.devices or [])
        before = {window.id for window in self.windows.standing()}
        for record in self.windows.start(devices, kind, who, why, wish.for_s):
            self._app.record(record)
        new = [w for w in self.windows.standing() if w.id not in before]
        await self._app.buffer.remembered()
        return self._told([self._shown(window) for window in new])

    async def end(self, request: Request) -> dict[str, Any]:
        """End windows before their time."""
        wish = _wish(request)
        who = _text("who", wish.who) if wish.who else ""
        devices = None if request.devices is None else self._named(request.devices)
        ending = [
            window
            for window in self.windows.standing()
            if devices is None or window.device in devices
        ]
        if not ending:
            names = ", ".join(devices or ["*"])
            raise ControlError("no_window", t("maintain.none_of", names=names))
        shown = [self._shown(window) for window in ending]
        for record in self.windows.end(devices, who):
            self._app.record(record)
        await self._app.buffer.remembered()
        return self._told(shown)

    async def listed(self, _request: Request) -> dict[str, Any]:
        """What is in force."""
        return self._told([self._shown(w) for w in self.windows.standing()])

    def _told(self, windows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"windows": windows, "timezone": self._app.site.info.timezone}

    def _shown(self, window: Window) -> dict[str, Any]:
        at = self._app.clock.now()
        passed = passed_ms(window.since, at)
        left = window.length_ms - (at.mono_ms if passed is None else passed)
        return {
            "id": window.id,
            "device": window.device,
            "state": window.state,
            "who": window.who,
            "why": window.why,
            "since": window.since.wall_ms,
            "until": planned_end(window).wall_ms,
            "left_s": max(0.0, left / 1000),
        }

    def _named(self, devices: list[str]) -> list[str]:
        known, stations = self._app.site.devices, self._app.site.stations
        for name in devices:
            if name in stations:
                feeding = {f.device for f in stations[name].factors}
                names = " ".join(sorted(feeding))
                text = t("maintain.a_station", found=name, names=names)
                raise ControlError("no_device", text)
            if name not in known:
                names = ", ".join(known)
                text = t("control.no_device", found=name, names=names)
                raise ControlError("no_device", text)
        if not devices:
            raise ControlError("no_device", t("maintain.no_device_named"))
        return devices

    def _started(self, devices: Collection[str]) -> None:
        """Their buses hand their records to the judge from now on."""
        site = self._app.site
        self._app.rejudge({site.devices[name].bus for name in devices})


def _wish(request: Request) -> Wish:
    try:
        return msgspec.convert(request.options or {}, Wish)
    except msgspec.ValidationError as exc:
        text = t("control.bad_request", error=exc)
        raise ControlError("bad_request", text) from exc


def _text(key: str, said: str) -> str:
    """A name or a reason: a few words on one line."""
    text = said.strip()
    if not text or len(text) > MOST_TEXT or not text.isprintable():
        raise ControlError("bad_text", t("maintain.no_text", key=key, most=MOST_TEXT))
    return text

"""What the control socket's commands do with the running gateway."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import msgspec

from buffer import DiskTroubleError
from gateway.clock import ClockError
from gateway.commission.served import streams as commission_streams
from gateway.control import ControlError, ControlServer, Request, socket_path
from gateway.events import utc_text
from gateway.health import (
    Health,
    buffer_health,
    bus_health,
    device_health,
)
from gateway.history_served import Question, answers
from gateway.spread import HOURS_KEPT
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from gateway.app import App
    from gateway.bus_worker import BusWorker
    from gateway.config.model import Device

_PARTING_S = 0.05
"""``stop`` is answered before the caller is cut off with everybody else."""


class Answers:
    """One method a command."""

    def __init__(self, app: App) -> None:
        self._app = app

    def server(self) -> ControlServer:
        """The socket of this gateway, not listening yet."""
        trial = self._app.trial
        return ControlServer(
            socket_path(self._app.site.buffer.path),
            {
                "hello": self.hello,
                "health": self.health,
                "deliveries": self.deliveries,
                "read": self.read,
                "write": self.write,
                "buffer-stats": self.buffer_stats,
                "clock": self.clock,
                "snapshot": self._app.cameras.snapshot,
                "clock-confirm": self.clock_confirm,
                "reload": self.reload,
                "try": trial.answer_try,
                "keep": trial.answer_keep,
                "return": trial.answer_return,
                "stop": self.stop,
                **self._app.maintenance.commands(),
            },
            {
                "watch": self.watch,
                "history": self.history,
                **commission_streams(self._app),
            },
            whole=("reload", "try", "return"),
        )

    async def hello(self, _request: Request) -> dict[str, Any]:
        """Who is there."""
        site = self._app.site
        return {
            "gateway": site.gateway,
            "version": self._app.version,
            "pid": os.getpid(),
            "site": str(site.source) if site.source else None,
        }

    async def health(self, _request: Request) -> Health:
        """Everything about everything, now."""
        return health_of(self._app)

    async def deliveries(self, request: Request) -> dict[str, Any]:
        """The ledger of the last hours, and every target."""
        app, hours = self._app, min(request.hours or 24, HOURS_KEPT)
        return {
            "now_ms": app.clock.wall_ms(),
            "tz": app.site.info.timezone,
            "hours": hours,
            "targets": _targets(app),
            "lines": app.books.lines(hours),
        }

    async def buffer_stats(self, _request: Request) -> dict[str, Any]:
        """The store alone."""
        return buffer_health(self._app.buffer)

    async def clock(self, _request: Request) -> dict[str, Any]:
        """Whether the time is right, and what waits for it."""
        app = self._app
        backlog = (pump.health().backlog for pump in app.pumps.values())
        wait = max(backlog, default=0) if app.timekeeper.waiting else 0
        return {**app.timekeeper.report(), "records_wait": wait}

    async def clock_confirm(self, request: Request) -> dict[str, Any]:
        """The operator says that the system clock is right."""
        try:
            self._app.clock.confirm()
        except ClockError as exc:
            reason = t(f"reason.{exc.reason}")
            said = t("clock.refused", time=utc_text(exc.wall_ms), reason=reason)
            raise ControlError("bad_clock", said) from exc
        return await self.clock(request)

    async def read(self, request: Request) -> dict[str, Any]:
        """Ask a device now, between two exchanges of its bus."""
        worker, device = self._device(request.device)
        names = {point.name for point in device.points}
        for point in request.points or ():
            if point not in names:
                raise _no_point(device.name, point)
        at = self._app.clock.now()
        answer = await worker.read_now(device.name, request.points)
        return {
            "device": device.name,
            "bus": worker.name,
            "t": at.wall_ms,
            "answered": answer.answered,
            "values": answer.values,
            "q": answer.flaws,
            "raw": {name: raw.hex() for name, raw in (answer.raw or {}).items()},
            "detail": answer.detail,
            **answer.beside(),
        }

    async def write(self, request: Request) -> dict[str, Any]:
        """Write a writable point within its limits."""
        worker, device = self._device(request.device)
        if request.point not in {point.name for point in device.points}:
            raise _no_point(device.name, request.point)
        if request.value is None:
            raise ControlError("bad_request", t("control.bad_request", error="value"))
        await worker.write(device.name, request.point, request.value)
        return {"device": device.name, "point": request.point, "value": request.value}

    async def reload(self, _request: Request) -> dict[str, Any]:
        """Read the site file again."""
        return {"changes": await self._app.reload()}

    async def stop(self, _request: Request) -> dict[str, Any]:
        """End cleanly."""
        loop = asyncio.get_running_loop()
        loop.call_later(_PARTING_S, self._app.stop, "stop")
        return {"stopping": True}

    def watch(self, request: Request) -> AsyncGenerator[bytes]:
        """Records as they are stored."""
        for name in request.devices or ():
            self._device(name)
        return self._app.record.watch(request.devices)

    async def history(self, request: Request) -> AsyncGenerator[bytes]:
        """What the history answers to a question; see ``history_served``."""
        try:
            asked = msgspec.convert(request.options or {}, Question)
        except msgspec.ValidationError as exc:
            text = t("control.bad_request", error=exc)
            raise ControlError("bad_request", text) from exc
        history = self._app.history.opened
        if history is None:
            trouble = self._app.history.health().get("trouble")
            key = "history.not_open" if trouble else "history.no_stations"
            raise ControlError("no_history", t(key, error=trouble))
        try:
            async for part in answers(history, asked):
                yield part
        except DiskTroubleError as exc:
            raise ControlError("disk", str(exc)) from exc

    def _device(self, name: str | None) -> tuple[BusWorker, Device]:
        devices = self._app.site.devices
        device = devices.get(name or "")
        worker = self._app.workers.get(device.bus) if device else None
        if device is None or worker is None or device.name not in worker.units:
            names = ", ".join(devices)
            raise ControlError(
                "no_device", t("control.no_device", found=name, names=names)
            )
        return worker, device


def health_of(app: App) -> Health:
    """The whole gateway's health."""
    now, left_s = app.clock.now(), app.trial.left_s
    return Health(
        gateway=app.site.gateway,
        version=app.version,
        pid=os.getpid(),
        now_ms=now.wall_ms,
        uptime_s=app.tender.uptime_s(),
        clock=app.timekeeper.state,
        stuck=app.beats.late(asyncio.get_running_loop().time()),
        buses=[
            bus_health(worker, app.crew.restarts(f"bus:{name}"))
            for name, worker in app.workers.items()
        ],
        devices=[
            device_health(worker, unit)
            for worker in app.workers.values()
            for unit in worker.units.values()
        ],
        buffer=buffer_health(app.buffer),
        history=app.history.health(),
        averages=app.averager.health(),
        disk=app.tender.disk(),
        targets=_targets(app),
        cameras=app.cameras.health(),
        trial=None if left_s is None else {"left_s": round(left_s, 1)},
    )


def _targets(app: App) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(pump.health()) for pump in app.pumps.values()]


def _no_point(device: str, point: str | None) -> ControlError:
    return ControlError("no_point", t("control.no_point", device=device, found=point))

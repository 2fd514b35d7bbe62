"""The tasks inside the running gateway: the bus worker lends its port, slice by slice.

Nothing of it is imported before somebody asks: a gateway that is never commissioned
again pays nothing for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from drivers.errors import DriverError
from gateway.control import ControlError
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from gateway.app import App
    from gateway.bus_worker import BusWorker
    from gateway.commission.door import LentDoor, OpenRaw
    from gateway.config.model import Device
    from gateway.control import Request

    Stream = Callable[[Request], AsyncGenerator[bytes]]

T = TypeVar("T")

_ENCODE = msgspec.json.Encoder(enc_hook=str).encode


def streams(app: App) -> Mapping[str, Stream]:
    """The control socket's streams of commissioning, by their names."""
    return {
        "find": lambda request: _find(app, request),
        "decode": lambda request: _decode(app, request),
        "doctor": lambda request: _doctor(app, request),
        "measure": lambda request: _measure(app, request),
    }


async def _find(app: App, request: Request) -> AsyncGenerator[bytes]:
    from gateway.commission import tasks  # noqa: PLC0415 - see module
    from gateway.commission.door import setting_of  # noqa: PLC0415

    options = _options(request, tasks.FindOptions)
    worker = _worker(app, request)
    items = tasks.find_items(
        _door(app, worker, options.share),
        options,
        polled=_devices(worker),
        setting=setting_of(worker.conf),
    )
    async for item in _told(items):
        yield item


async def _decode(app: App, request: Request) -> AsyncGenerator[bytes]:
    from gateway.commission import tasks  # noqa: PLC0415 - see module
    from gateway.commission.door import setting_of  # noqa: PLC0415

    options = _options(request, tasks.DecodeOptions)
    worker = _worker(app, request)
    items = tasks.decode_items(
        _door(app, worker, options.share),
        setting_of(worker.conf),
        options,
        tcp=worker.conf.protocol == "modbus-tcp",
    )
    async for item in _told(items):
        yield item


async def _doctor(app: App, request: Request) -> AsyncGenerator[bytes]:
    from gateway.commission import tasks  # noqa: PLC0415 - see module

    options = _options(request, tasks.LookOptions)
    worker = _worker(app, request)
    counters: dict[str, int] = {}
    for device in _devices(worker):
        for name, count in worker.exchanges(device.address).items():
            if name in ("late_discarded", "foreign", "collision") and count:
                counters[name] = counters.get(name, 0) + int(count)
    items = tasks.doctor_items(
        _door(app, worker, options.share),
        worker.conf,
        _devices(worker),
        options,
        buses=app.site.buses.values(),
        counters=counters,
    )
    async for item in _told(items):
        yield item


async def _measure(app: App, request: Request) -> AsyncGenerator[bytes]:
    from gateway.commission import tasks  # noqa: PLC0415 - see module
    from gateway.commission.door import setting_of  # noqa: PLC0415

    options = _options(request, tasks.LookOptions)
    worker = _worker(app, request)
    items = tasks.measure_items(
        _door(app, worker, options.share),
        setting_of(worker.conf),
        _devices(worker),
        options,
        tcp=worker.conf.protocol == "modbus-tcp",
    )
    async for item in _told(items):
        yield item


async def _told(items: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    try:
        async for item in items:
            yield _ENCODE(item)
    except DriverError as exc:
        raise ControlError(exc.reason, str(exc)) from exc
    except OSError as exc:
        raise ControlError("bus_gone", exc.strerror or str(exc)) from exc
    finally:
        await items.aclose()


def _options(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.convert(request.options or {}, kind, strict=False)
    except msgspec.ValidationError as exc:
        text = t("control.bad_request", error=exc)
        raise ControlError("bad_request", text) from exc


def _worker(app: App, request: Request) -> BusWorker:
    worker = app.workers.get(request.bus or "")
    if worker is None:
        names = ", ".join(app.workers)
        text = t("find.no_bus", found=request.bus, names=names)
        raise ControlError("no_bus", text)
    return worker


def _devices(worker: BusWorker) -> list[Device]:
    return [unit.conf for unit in worker.units.values()]


def _door(app: App, worker: BusWorker, share: float) -> LentDoor:
    from gateway.commission.door import LentDoor  # noqa: PLC0415 - see module

    try:
        open_raw = app.ports.open_raw(worker.conf)
    except ValueError as exc:
        text = t("find.not_askable", bus=worker.name, endpoint=worker.conf.endpoint)
        raise ControlError("bad_request", text) from exc

    async def lend(work: Callable[[], Awaitable[T]]) -> T:
        if worker.link == "gone":
            await _why_gone(open_raw, worker)
        return await worker.lend(work)

    return LentDoor(lend, open_raw, min(max(share, 0.01), 1.0))


async def _why_gone(open_raw: OpenRaw, worker: BusWorker) -> None:
    """A port its owner cannot open either: opening it says why.

    Raises:
        OSError: What opening it says.
    """
    from gateway.commission.door import open_tap, setting_of  # noqa: PLC0415

    tap = await open_tap(open_raw, setting_of(worker.conf))
    tap.close()

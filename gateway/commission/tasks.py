"""The four tasks as streams of plain items, the same from a terminal and a socket.

Each item is a dict of JSON values with a ``kind``. Whoever runs one brings the door:
the running gateway lends its port, a terminal opens it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from drivers.profiles.library import load_profile, profile_names
from drivers.profiles.model import ModbusPoint
from gateway.commission.causes import causes
from gateway.commission.door import SHARE, Setting
from gateway.commission.evidence import hexed
from gateway.commission.examine import Examination
from gateway.commission.facts import facts_of, wants_of
from gateway.commission.finding import find
from gateway.commission.fingerprint import Span
from gateway.commission.measure import measure
from gateway.commission.recognise import Reader, recognise, recognise_meter
from gateway.commission.search import Plan, Search, State

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from drivers.profiles.model import Profile
    from gateway.commission.door import Door
    from gateway.config.model import Bus, Device

Item = dict[str, Any]


class FindOptions(msgspec.Struct, frozen=True):
    """What a search is told."""

    plan: Plan
    state: State | None = None
    share: float = SHARE
    identify: bool = False
    """Functions 17 and 43 may be tried on what was found."""
    recognise: bool = True


class DecodeOptions(msgspec.Struct, frozen=True):
    """Which registers to read."""

    address: int
    register: int
    table: Literal["holding", "input"] = "holding"
    count: int = 2
    setting: str = ""
    share: float = 1.0


class LookOptions(msgspec.Struct, frozen=True):
    """Of doctor and measure."""

    device: str | None = None
    share: float = 0.5


async def find_items(
    door: Door,
    options: FindOptions,
    *,
    polled: Iterable[Device] = (),
    setting: Setting | None = None,
) -> AsyncGenerator[Item]:
    """Search, then recognise what was found.

    Args:
        door: The way to the port.
        options: What to search.
        polled: Devices that a running gateway asks: they are left alone.
        setting: How the gateway asks them.
    """
    search = Search(options.state or State(options.plan))
    for conf in polled:
        if conf.address is not None:
            protocol = "dlt645" if isinstance(conf.address, str) else "modbus"
            search.known.add((protocol, conf.address, str(setting or "")))
    async for item in find(door, search):
        yield plain(item)
    found = search.state.found
    if options.recognise and found:
        loop = asyncio.get_running_loop()
        profiles = await loop.run_in_executor(None, library)
        for number, device in enumerate(found):
            yield {"kind": "recognising", "device": plain(device), "number": number}
            how = Setting.parse(device.setting) if device.setting else None
            if isinstance(device.address, str):
                matches = await recognise_meter(door, how, device.address, profiles)
            else:
                tcp = options.plan.over_tcp == "modbus-tcp"
                reader = Reader(door, how, device.address, tcp=tcp)
                matches = await recognise(
                    reader, profiles, ask_identity=options.identify
                )
            yield {
                "kind": "recognised",
                "device": plain(device),
                "matches": plain(matches[:5]),
            }
    yield {
        "kind": "end",
        "asked": search.done,
        "found": plain(found),
        "unclear": plain(search.state.unclear),
    }


async def decode_items(
    door: Door, setting: Setting | None, options: DecodeOptions, *, tcp: bool
) -> AsyncGenerator[Item]:
    """Read one span."""
    how = Setting.parse(options.setting) if options.setting else setting
    reader = Reader(door, how, options.address, tcp=tcp)
    span = Span(options.table, options.register, options.count)
    good = await reader.need(span)
    data = reader.memory.data(*span) if good else None
    yield {
        "kind": "decoded",
        "refused": span in reader.memory.refused,
        "data": None if data is None else data.hex(),
    }


async def doctor_items(
    door: Door,
    bus: Bus,
    devices: Sequence[Device],
    options: LookOptions,
    *,
    buses: Iterable[Bus] = (),
    counters: dict[str, int] | None = None,
) -> AsyncGenerator[Item]:
    """Gather evidence and name the causes."""
    points = {device.name: device.points for device in devices}
    examination = Examination(
        door,
        facts_of(bus, devices, buses),
        wants_of(devices, options.device),
        lambda name: registers_of(points.get(name, ())),
    )
    examination.evidence.counters.update(counters or {})
    async for step in examination.run():
        yield {"kind": "doing", "step": step}
    evidence = examination.evidence
    yield {
        "kind": "causes",
        "causes": plain(causes(evidence)),
        "subject": plain(evidence.subject),
        "trials": [
            {
                "what": trial.what,
                "address": trial.address,
                "setting": trial.setting,
                "sent": hexed(trial.sent),
                "received": hexed(trial.received, 48),
                "first_ms": trial.first_ms,
                "result": trial.result,
            }
            for trial in evidence.trials
        ],
        "overheard": [
            {"setting": h.setting, "seconds": h.seconds, "bytes": hexed(h.data, 64)}
            for h in evidence.overheard
        ],
    }


async def measure_items(
    door: Door,
    setting: Setting | None,
    devices: Iterable[Device],
    options: LookOptions,
    *,
    tcp: bool,
) -> AsyncGenerator[Item]:
    """Measure each device."""
    for want in wants_of(devices):
        if options.device in (None, want.device):
            yield {"kind": "measuring", "device": want.device}
            found = await measure(door, setting, want, tcp=tcp)
            yield {"kind": "measured", **plain(found)}


def library() -> list[Profile]:
    """Every profile that comes with the gateway; takes a second the first time."""
    return [load_profile(name) for name in profile_names()]


def registers_of(points: Iterable[object]) -> list[ModbusPoint]:
    """The Modbus points among them."""
    return [point for point in points if isinstance(point, ModbusPoint)]


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """A structure of ours as JSON values."""
    return msgspec.to_builtins(value, enc_hook=str)

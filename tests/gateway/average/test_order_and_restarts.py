"""Averages do not depend on the order of arrival, nor on restarts: property tests."""

from __future__ import annotations

import asyncio
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.record import decode
from tests.support.station_run import MemoryHistory, StationRun, site_of

if TYPE_CHECKING:
    from gateway.config.model import Site

START = 1_780_275_600_000 - 120_000
"""2026-06-01 08:58:00 in Beijing: an hour ends in between."""
MINUTE = 60_000
MINUTES = 4

SITE = """
gateway: g1
buffer: {path: data}
buses: {b: {protocol: modbus-tcp, tcp: "127.0.0.1:1502"}}
devices:
  cems:
    bus: b
    address: 1
    every: 5s
    points:
      - {name: so2, table: holding, address: "pdu:0", type: float32, unit: mg/m3}
      - {name: flow, table: holding, address: "pdu:6", type: float32, unit: m3/h}
  o2:
    bus: b
    address: 2
    every: 10s
    points:
      - {name: o2, table: holding, address: "pdu:4", type: float32, unit: "%"}
      - {name: noise, table: holding, address: "pdu:8", type: float32, unit: "dB[SPL]"}
  meter:
    bus: b
    address: 3
    every: 20s
    points:
      - {name: volume, table: holding, address: "pdu:4", type: float32, unit: m3}
stations:
  DA001:
    kind: flue_gas
    factors:
      so2: {from: cems.so2, code: a21026}
      o2: {from: o2.o2, code: a19001}
      flow: {from: cems.flow, code: a00000}
      noise: o2.noise
      volume: {from: meter.volume, counter: true, cou_unit: L}
    flue_gas: {reference_oxygen: 6}
"""


@cache
def site() -> Site:
    with tempfile.TemporaryDirectory() as folder:
        return site_of(Path(folder), SITE)


def schedule() -> list[tuple[str, int]]:
    """Every slot of every device."""
    run = StationRun(site(), START)
    found = set()
    for inlet in run.averager._books["DA001"].inlets:
        device = next(
            f.device for f in site().stations["DA001"].factors if f.name == inlet.name
        )
        slots = inlet.slots(START, START + MINUTES * MINUTE)
        found |= {(device, inlet.due(slot)) for slot in slots}
    return sorted(found, key=lambda one: one[1])


POINTS = {"cems": ("so2", "flow"), "o2": ("o2", "noise"), "meter": ("volume",)}
TENTHS = st.integers(0, 5000).map(lambda n: n / 10)


@st.composite
def scans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What came of a part of all slots, good or not, and how late in its slot."""
    found = []
    volume = 100.0
    for device, due in schedule():
        fate = draw(st.sampled_from(["good"] * 6 + ["bad", "doubtful", "state", "no"]))
        if fate == "no":
            continue
        values = {point: draw(TENTHS) for point in POINTS[device]}
        if device == "o2":
            values["o2"] = draw(st.integers(0, 220)) / 10
            values["noise"] = draw(st.integers(300, 900)) / 10
        if device == "meter":
            volume += draw(st.integers(0, 9))
            values["volume"] = volume
        one: dict[str, Any] = {
            "device": device,
            "t_ms": due + draw(st.integers(0, 999)),
        }
        first = POINTS[device][0]
        if fate == "bad":
            del values[first]
            one["bad"] = {first: "timeout"}
        elif fate == "doubtful":
            one["doubtful"] = {first: "out_of_range"}
        elif fate == "state":
            one["states"] = {first: "maintenance"}
        found.append({**one, "values": values})
    return found


def told(history: MemoryHistory) -> dict[tuple[str, str, int, int], Any]:
    """Everything but when it was worked out."""
    found = {}
    for key, data in history.kept.items():
        period: Any = decode(data)[0]
        found[key] = msgspec.structs.replace(period, at=None)
    return found


async def ends(run: StationRun) -> None:
    for minute in range(MINUTES):
        await run.tick(START + (minute + 1) * MINUTE + 10_000)


def plain(given_scans: list[dict[str, Any]]) -> MemoryHistory:
    run = StationRun(site(), START)
    for one in given_scans:
        run.scan(**one)
    asyncio.run(ends(run))
    return run.history


QUICK = settings(
    max_examples=200 if os.environ.get("ECOGATE_BARS") else 8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@QUICK
@given(st.data())
def test_the_order_of_arrival_does_not_matter(data: st.DataObject) -> None:
    sent = data.draw(scans())
    shuffled = data.draw(st.permutations(sent))
    twice = data.draw(st.lists(st.sampled_from(sent))) if sent else []

    assert told(plain(shuffled + twice)) == told(plain(sent))


@QUICK
@given(st.data())
def test_restarts_do_not_matter(data: st.DataObject) -> None:
    """At any moments; what was noted last is all that is left beside the history."""
    sent = data.draw(scans())
    last = START + MINUTES * MINUTE
    kills = sorted(data.draw(st.lists(st.integers(START, last), max_size=4)))

    async def with_restarts() -> MemoryHistory:
        run = StationRun(site(), START)
        left = sorted(sent, key=lambda one: int(one["t_ms"]))
        moments = [("kill", t) for t in kills]
        moments += [("end", START + (m + 1) * MINUTE + 10_000) for m in range(MINUTES)]
        for what, moment in sorted(moments, key=lambda one: one[1]):
            while left and left[0]["t_ms"] <= moment:
                one = left.pop(0)
                run.at(one["t_ms"])
                run.scan(**one)
            if what == "end":
                await run.tick(moment)
            else:
                run.at(moment)
                await run.averager.tick()
                run.averager.keep()
                run = run.killed(moment)
                await run.averager._tell_again()
        return run.history

    assert told(asyncio.run(with_restarts())) == told(plain(sent))

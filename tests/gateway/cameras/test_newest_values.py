"""Which values of the analyzers stand beside an alarm."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from drivers.values import Flaw
from gateway.cameras.newest_values import NewestValues
from gateway.clock import Instant
from gateway.record import Scan
from tests.support.virtual import run_virtual
from tests.support.watched_site import Watched, a_camera


def test_only_good_values_of_the_same_minute_stand_beside_an_alarm(tmp_path):
    async def main():
        camera = a_camera("yard-1", values=("bus-0-dev-1",))
        async with Watched(tmp_path, camera, devices=2) as site:
            await asyncio.sleep(5)
            process = site.vision["main"]
            process.sight("yard-1", "a1")
            await asyncio.sleep(1)
            site.endpoints["bus-0"].dead.add(1)
            await asyncio.sleep(75)
            process.sight("yard-1", "a2")
            await asyncio.sleep(2)
        return site

    site = run_virtual(main())

    first, second = [e["values"].get("at") for e in site.told("smoke_seen")]
    assert first == {"bus-0-dev-1.r0": 0, "bus-0-dev-1.r1": 1}
    assert second is None


@pytest.mark.parametrize(
    "more",
    [
        {"states": {"so2": "calibration"}},
        {"flags": {"so2": "C"}},
        {"flaws": {"so2": Flaw("bad", "timeout")}},
    ],
)
def test_a_value_of_a_calibration_is_no_value_of_that_minute(more):
    newest = NewestValues()
    newest.adopt([a_camera("yard-1", values=("cems-1",))])
    at = Instant(1_763_712_000_000, 1000, 1, trusted=True)
    note = newest.before([SimpleNamespace(name="cems-1")], lambda _: None)
    note(Scan("cems-1", at, {"so2": 35.0, "nox": 80.0}, flags={"nox": "N"}))
    both = newest.of(("cems-1",), at)
    note(Scan("cems-1", at, {"so2": 210.0, "nox": 81.0}, **more))

    assert both == {"cems-1.so2": 35.0, "cems-1.nox": 80.0}
    assert newest.of(("cems-1",), at) == {"cems-1.nox": 81.0}

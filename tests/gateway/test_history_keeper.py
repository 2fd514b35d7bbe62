"""A history that cannot be opened stops nothing, is told, and is tried again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from buffer import DiskTroubleError, History
from buffer.files import APPLICATION_ID, FORMAT_VERSION
from buffer.shelf import SPANS, name_of, start_of
from drivers.profiles.model import ModbusPoint
from gateway import history_keeper
from gateway.cli.status import report, well
from gateway.config.stations import Factor, Station
from gateway.history_keeper import AGAIN_S, HistoryKeeper
from tests.support.history_year import day, kept
from tests.support.virtual import run_virtual
from tests.support.virtual_site import VirtualSite, make_site

if TYPE_CHECKING:
    from pathlib import Path

    from buffer import Damage

START = 1_763_740_800_000
DEVICE = "bus-0-dev-1"


def site_with_station(folder: Path):
    site = make_site(folder, devices=1, points=0)
    point = ModbusPoint(
        name="so2", table="holding", address=0, type="uint16", unit="mg/m3"
    )
    device = msgspec.structs.replace(site.devices[DEVICE], points=(point,))
    factor = Factor(
        name="so2", device=DEVICE, point="so2", unit="mg/m3", decimals=1, every_ms=1000
    )
    station = Station(name="DA001", kind="flue_gas", factors=(factor,))
    return msgspec.structs.replace(
        site, devices={DEVICE: device}, stations={"DA001": station}
    )


def of_a_newer_release(folder: Path) -> list[Path]:
    """Headers that say so; one alone could be a flipped bit."""
    head = bytearray(4096)
    head[:16] = b"SQLite format 3\0"
    head[60:64] = (FORMAT_VERSION + 1).to_bytes(4, "big")
    head[68:72] = APPLICATION_ID.to_bytes(4, "big")
    folder.mkdir(parents=True)
    found = [folder / name_of(kind, start_of(kind, START)) for kind in SPANS]
    for path in found:
        path.write_bytes(head)
    return found


def nobody(_damage: Damage) -> None:
    raise AssertionError("nothing was damaged")


def test_a_gateway_starts_beside_a_history_of_a_newer_release(tmp_path, caplog) -> None:
    conf = site_with_station(tmp_path)
    newer = of_a_newer_release(conf.buffer.path / "history")
    before = [path.read_bytes() for path in newer]

    async def main():
        async with VirtualSite(tmp_path, conf) as site:
            await asyncio.sleep(150)
            health = site.app.health()
            records = [r for r in site.platform.records() if r["kind"] == "minute"]
            await site.stop()
        return health, records

    health, records = run_virtual(main())

    assert "expected store version" in health.history["trouble"]
    assert "install the newer release again" in report(health)
    assert not well(health)
    assert records  # averages are made and delivered all the same
    assert [path.read_bytes() for path in newer] == before
    said = [r for r in caplog.records if "is tried again" in r.getMessage()]
    assert len(said) == 1


def test_what_could_not_be_opened_is_tried_again(tmp_path, monkeypatch) -> None:
    conf, left = site_with_station(tmp_path), [3]

    async def moody(*args, **more):
        left[0] -= 1
        if left[0] >= 0:
            raise DiskTroubleError("the card does not answer")
        return await opened(*args, **more)

    opened = History.open
    monkeypatch.setattr(history_keeper.History, "open", moody)

    async def main():
        keeper = HistoryKeeper(lambda: conf, nobody)
        await keeper.open()
        trouble = keeper.health()
        nothing = await keeper.read("DA001", "minute", 0, START)
        keeper.mark("city", "DA001", "minute", START, proved=True)
        trying = asyncio.create_task(keeper.run())
        await asyncio.sleep(2 * AGAIN_S + 1)
        still = keeper.opened
        await asyncio.sleep(AGAIN_S)
        trying.cancel()
        await asyncio.wait({trying})
        health = keeper.health()
        await keeper.close()
        return trouble, nothing, still, health

    trouble, nothing, still, health = run_virtual(main())

    assert trouble == {"trouble": "the card does not answer"}
    assert nothing == []
    assert still is None
    assert health["trouble"] is None


async def test_periods_come_back_exactly_and_their_fate(tmp_path) -> None:
    conf = site_with_station(tmp_path)
    keeper = HistoryKeeper(lambda: conf, nobody)
    periods = list(day(START, minutes=10))
    await keeper.open()
    assert keeper.opened is not None
    await keeper.opened.put(kept(period) for period in periods)

    found = await keeper.read("DA001", "minute", START, START + 5 * 60_000)
    for minute, fate in enumerate(("sent", "written", "proved")):
        keeper.mark(
            "city",
            "DA001",
            "minute",
            START + minute * 60_000,
            proved=fate == "proved",
            written=fate == "written",
        )

    assert found == periods[:5]
    fates = await keeper.opened.fates("city", "DA001", "minute", 0, START * 2)
    assert [fate for _, _, fate in fates] == ["sent", "written", "proved"]
    await keeper.close()


@pytest.mark.parametrize("what", ["none", "file"])
async def test_a_site_without_stations_and_a_folder_that_is_a_file(
    tmp_path, what
) -> None:
    conf = site_with_station(tmp_path)
    if what == "none":
        conf = msgspec.structs.replace(conf, stations={})
    else:
        conf.buffer.path.mkdir(parents=True)
        (conf.buffer.path / "history").write_text("here")

    keeper = HistoryKeeper(lambda: conf, nobody)
    await keeper.open()

    assert keeper.opened is None
    assert bool(keeper.health()) == (what == "file")
    await keeper.close()

"""After applying what measure proposes, no read is lost any more."""

from __future__ import annotations

import asyncio
import random

import pytest

from drivers.errors import DriverError
from drivers.modbus import RtuBus, Span, Timing
from gateway.commission.door import OwnDoor, Setting
from gateway.commission.evidence import Want
from gateway.commission.measure import measure, propose_pause, propose_timeout
from simulators.station import RtuServer, Station
from simulators.units import MapUnit
from tests.support.uart_line import make_line, on_line
from tests.support.virtual import run_virtual


class Moody(RtuServer):
    """Takes its time within limits, and ignores whoever does not let it rest."""

    def __init__(self, station, rng, slow_s, rest_s):
        super().__init__(station)
        self.rng, self.slow_s, self.rest_s, self.ended = rng, slow_s, rest_s, 0.0

    def data_received(self, data):
        begun = self._loop.time() - len(data) * 10 / 9600
        if begun < self.ended + self.rest_s:
            return
        self.station._turnaround_s = self.slow_s * self.rng.uniform(0.7, 1.0)
        super().data_received(data)

    def _send(self, data):
        super()._send(data)
        self.ended = self._loop.time() + len(data) * 10 / 9600


@pytest.mark.parametrize("rest_s", [0.0, 0.03, 0.1, 0.2])
@pytest.mark.parametrize("slow_s", [0.05, 0.3, 0.9])
def test_no_read_fails_with_what_is_proposed(seed, slow_s, rest_s, count):
    reads = count(40, 400)

    async def main():
        words = {("holding", a): a for a in range(20)}
        station = Station([MapUnit(3, words)])
        moody = Moody(station, random.Random(seed), slow_s, rest_s)
        line = make_line([(moody, "9600 8N1")])
        door = OwnDoor(on_line(line))
        want = Want("probe", 3, 3, 0, 10)
        found = await measure(door, Setting(9600, "8N1"), want)
        await door.close()
        timing = Timing(
            found.timeout_proposed_ms / 1000, found.pause_proposed_ms / 1000
        )
        bus = RtuBus(
            "line", 9600, open_port=lambda factory: line.open(9600, "8N1", factory)
        )
        await bus.open()
        await asyncio.sleep(1)  # the device is still at rest from being measured
        failed = 0
        for n in range(reads):
            try:
                await bus.read(3, Span("holding", n % 5, 10, 0, 4), timing)
            except DriverError:
                failed += 1
        await bus.close()
        line.close()
        return found, failed

    found, failed = run_virtual(main())

    assert failed == 0, (seed, found)
    assert found.largest_ms <= 1000 * slow_s + 40
    assert found.pause_proposed_ms >= 1000 * rest_s * 0.9 - 10
    assert found.timeout_proposed_ms < 2 * 1000 * slow_s + 150


def test_a_silent_device_is_said_to_be_silent():
    async def main():
        line = make_line([])
        door = OwnDoor(on_line(line))
        found = await measure(door, Setting(9600, "8N1"), Want("gone", 9))
        await door.close()
        line.close()
        return found

    found = run_virtual(main())

    assert found.answered == 0
    assert found.timeout_proposed_ms is None


def test_proposals_are_round_and_above():
    assert propose_timeout([0.031]) == pytest.approx(0.1)
    assert propose_timeout([0.3, 0.4]) == pytest.approx(0.6)
    assert propose_pause(0.0) == 0.0
    assert propose_pause(0.1) == pytest.approx(0.13)

"""Contacts on a chip: state, every edge counted, and what to do when it fails."""

from __future__ import annotations

import errno
import inspect
import sys
from fractions import Fraction

import gpiod
import pytest

from drivers.errors import BusError, PointError
from drivers.gpio import GpioChip, GpioDevice
from drivers.profiles.gpio_points import GpioPoint
from drivers.values import Flaw, Quality
from tests.support.gpio_chip import QUEUE, FakeChip, FakeRequest

DOOR = GpioPoint(
    name="door", line=17, active_low=True, bias="pull_up", debounce_s=0.005
)
EDGES = GpioPoint(
    name="edges",
    line=17,
    active_low=True,
    bias="pull_up",
    debounce_s=0.005,
    count="both",
)
RAIN = GpioPoint(name="rain", line=27, count="falling", unit="1")


@pytest.fixture
def chip():
    return FakeChip()


@pytest.fixture
async def port(chip):
    port = GpioChip("/dev/gpiochip0", load=lambda: chip)
    await port.open()
    yield port
    await port.close()


async def scan(port, *points):
    return await GpioDevice("cabinet", port, points).scan([p.name for p in points])


async def test_a_line_is_set_up_as_its_point_says_and_read(chip, port):
    answer = await scan(port, DOOR)

    settings = chip.requests[0].settings
    assert answer.values == {"door": True}  # low, and low is on
    assert settings.direction == gpiod.line.Direction.INPUT
    assert settings.bias == gpiod.line.Bias.PULL_UP
    assert settings.active_low
    assert settings.debounce_period.total_seconds() == 0.005
    assert settings.edge_detection == gpiod.line.Edge.NONE
    chip.set(17, 1)
    assert (await scan(port, DOOR)).values == {"door": False}
    assert len(chip.requests) == 1


async def test_a_pulse_between_two_scans_is_counted(chip, port):
    before = await scan(port, DOOR, EDGES)
    chip.pulse(17)
    after = await scan(port, DOOR, EDGES)

    assert before.values == {"door": True, "edges": 0}
    assert after.values == {"door": True, "edges": 2}


@pytest.mark.parametrize("pulses", [QUEUE // 2, 5 * QUEUE, 100_000])
async def test_a_full_queue_loses_no_count(chip, port, pulses):
    await scan(port, EDGES)
    chip.pulse(17, pulses)

    assert (await scan(port, EDGES)).values == {"edges": 2 * pulses}
    assert port.stats().queue_overflows == (2 * pulses > QUEUE)


async def test_one_direction_only_is_counted_where_it_is_said(chip, port):
    chip.set(27, 1)
    await scan(port, RAIN)
    chip.pulse(27, 7)

    assert (await scan(port, RAIN)).values == {"rain": 7}


async def test_a_count_has_its_scale_exactly(chip, port):
    rain = GpioPoint(
        name="rain", line=27, count="falling", scale=Fraction(1, 5), unit="mm"
    )
    chip.set(27, 1)
    await scan(port, rain)
    chip.pulse(27, 3)

    assert repr((await scan(port, rain)).values["rain"]) == "0.6"


async def test_state_and_count_of_a_line_belong_together(chip, port):
    """An edge between counting and reading is in both or in neither."""
    await scan(port, DOOR, EDGES)
    chip.before_read = lambda: chip.set(17, 1)

    answer = await scan(port, DOOR, EDGES)

    assert answer.values == {"door": False, "edges": 1}


async def test_two_devices_share_a_line_without_taking_it_from_each_other(chip, port):
    await scan(port, EDGES)
    chip.pulse(17)
    await scan(port, DOOR)
    chip.pulse(17)

    assert (await scan(port, EDGES)).values == {"edges": 4}
    assert len(chip.requests) == 1


async def test_a_line_set_up_otherwise_after_a_reload_is_requested_anew(chip, port):
    await scan(port, DOOR)
    answer = await scan(port, GpioPoint(name="door", line=17))

    assert answer.values == {"door": False}
    assert [r.released for r in chip.requests] == [True, False]


async def test_a_line_that_cannot_be_had_costs_its_neighbours_nothing(chip, port):
    chip.busy.add(4)
    busy, absent = GpioPoint(name="b", line=4), GpioPoint(name="a", line="NOWHERE")

    answer = await scan(port, busy, DOOR, absent)

    assert answer.values == {"door": True}
    assert answer.answered
    assert answer.flaws == {
        "b": Flaw(Quality.BAD, "line_busy"),
        "a": Flaw(Quality.BAD, "line_absent"),
    }
    assert "gpioinfo" in answer.detail
    chip.busy.clear()
    assert (await scan(port, busy)).values == {"b": False}


async def test_a_line_without_an_interrupt_has_a_state_and_no_count(chip, port):
    chip.no_interrupt.add(17)

    answer = await scan(port, DOOR, EDGES)

    assert answer.values == {"door": True}
    assert answer.flaws == {"edges": Flaw(Quality.BAD, "unsupported")}


async def test_a_chip_that_is_pulled_out_is_a_bus_that_is_gone(chip, port):
    await scan(port, EDGES)
    chip.pulse(17)
    chip.gone = True
    with pytest.raises(BusError, match="gpiodetect"):
        await scan(port, EDGES)
    with pytest.raises(BusError):
        await port.open()

    chip.gone = False
    await port.open()

    # What happened meanwhile is not known: the count begins anew.
    assert (await scan(port, EDGES)).values == {"edges": 0}


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOENT, "gpiodetect"),
        (errno.EACCES, "group gpio"),
        (errno.ENOTTY, "cannot be used"),
    ],
)
async def test_a_chip_that_does_not_open_says_what_to_do(number, says):
    chip = FakeChip()
    chip.error = number
    port = GpioChip("/dev/gpiochip9", load=lambda: chip)

    with pytest.raises(BusError, match=says):
        await port.open()
    with pytest.raises(BusError, match="not open"):
        await port.exchange([])


async def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiod", None)

    with pytest.raises(BusError, match=r"pip install ecogate\[gpio\]"):
        await GpioChip("/dev/gpiochip0").open()


async def test_this_machine_without_a_chip_says_so():
    with pytest.raises(BusError, match="no such GPIO chip"):
        await GpioChip("/dev/gpiochip-none").open()


async def test_closing_gives_every_line_back_and_may_be_done_twice(chip):
    port = GpioChip("/dev/gpiochip0", load=lambda: chip)
    await port.open()
    await scan(port, DOOR)

    await port.close()
    await port.close()

    assert all(request.released for request in chip.requests)
    assert chip.opened == 0


async def test_nothing_is_ever_written(port):
    with pytest.raises(PointError):
        await GpioDevice("cabinet", port, [DOOR]).write("door", value=True)


def test_the_chip_in_memory_has_the_signatures_of_gpiod():
    pairs = [
        (FakeRequest, gpiod.LineRequest, ("get_value", "wait_edge_events", "release")),
        (FakeRequest, gpiod.LineRequest, ("read_edge_events",)),
        (FakeChip, gpiod.Chip, ("line_offset_from_id", "close")),
    ]
    for fake, real, names in pairs:
        for name in names:
            ours = inspect.signature(getattr(fake, name)).parameters
            theirs = inspect.signature(getattr(real, name)).parameters
            assert list(ours) == list(theirs), name
    asked = inspect.signature(gpiod.Chip.request_lines).parameters
    ours = inspect.signature(FakeChip.request_lines).parameters
    assert set(ours) <= set(asked)
    assert "line_seqno" in gpiod.EdgeEvent.__dataclass_fields__

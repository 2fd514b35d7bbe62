"""Each rule names its cause from its evidence, and nothing from none."""

from __future__ import annotations

import errno

import pytest

from drivers.modbus.wire import rtu_frame
from gateway.commission.causes import causes
from gateway.commission.door import OwnDoor, Setting
from gateway.commission.evidence import (
    BusFacts,
    Evidence,
    Overheard,
    Trial,
    Want,
    text_in,
)
from gateway.commission.examine import Examination
from gateway.commission.facts import facts_of, wants_of
from simulators.station import RtuServer, Station
from simulators.units import MapUnit
from simulators.wire import RefusedError
from tests.support.mistakes import (
    both,
    bus,
    device,
    examined,
    line_of,
    on,
    registers,
    server,
)
from tests.support.uart_line import meter
from tests.support.virtual import run_virtual

FACTS = BusFacts("line", "modbus-rtu", "/dev/line 9600 8N1", Setting(9600, "8N1"))
WANT = Want("meter-3", 3, 3, 0, 2)
SENT = rtu_frame(3, bytes.fromhex("0300000002"))


def trial(received=b"", what="asked", **more):
    return Trial(
        **{
            "what": what, "address": 3, "setting": "9600 8N1", "sent": SENT,
            "received": received, "first_ms": 30, "wait_s": 0.5, "count": 2, **more,
        }
    )  # fmt: skip


def evidence(*trials, facts=FACTS, **more):
    return Evidence(facts, [WANT], subject=WANT, trials=list(trials), **more)


def first(found):
    named = causes(found)
    return named[0].word if named else None


GOOD = rtu_frame(3, bytes.fromhex("030400070008"))


def test_good_answers_are_no_cause():
    assert first(evidence(*[trial(GOOD)] * 3)) is None
    assert first(Evidence(FACTS)) in (None, "silent")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("ENOENT", "port_gone"), ("EIO", "port_gone"), ("EACCES", "permission"),
        ("EBUSY", "port_busy"), ("ECONNREFUSED", "refused"),
    ],
)  # fmt: skip
def test_what_opening_a_port_says(name, word):
    assert first(evidence(open_error=name, open_text="x")) == word


def test_a_host_that_is_not_there_is_not_a_missing_adapter():
    facts = BusFacts("plc", "modbus-tcp", "10.0.0.9:502")

    assert first(evidence(facts=facts, open_error="EHOSTUNREACH")) == "unreachable"


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (10, "gateway_path"),
        (11, "gateway_path"),
        (5, "device_busy"),
        (6, "device_busy"),
    ],
)
def test_exceptions_that_say_it_themselves(code, word):
    answer = rtu_frame(3, bytes((0x83, code)))

    assert first(evidence(*[trial(answer)] * 3)) == word


def test_one_port_or_address_configured_twice():
    twin = BusFacts("line", "modbus-rtu", "/dev/line", FACTS.setting, twins=("line-b",))
    found = evidence(trial(GOOD))
    found.wants.append(Want("other", 3))

    assert first(evidence(trial(), facts=twin)) == "duplicate"
    assert first(found) == "duplicate_address"


def test_an_overloaded_line_and_a_late_counter():
    full = BusFacts("line", "modbus-rtu", "/dev/line", FACTS.setting, share=1.7)

    assert first(evidence(trial(GOOD), facts=full)) == "overload"
    assert (
        first(evidence(trial(GOOD), counters={"late_discarded": 4})) == "timeout_short"
    )


def test_a_talker_without_end_is_stuck():
    heard = Overheard("9600 8N1", 1.0, bytes(range(256)) * 4, 1)

    assert first(evidence(trial(), overheard=[heard])) == "stuck"


def test_a_cut_answer_is_recognised_by_its_checksum():
    for missing in (1, 2, 3):
        assert trial(GOOD[missing:]).cut == missing
        assert first(evidence(*[trial(GOOD[missing:])] * 3)) == "turnaround"
    assert trial(GOOD).cut == 0
    assert trial(b"\x55" + GOOD[4:]).cut == 0


def test_text_is_told_from_other_bytes():
    assert text_in(b"$GNRMC,093500.00,A,3937.8,N*5A\r\n").kind == "nmea"
    assert text_in(b"PM2.5 012.3 ug/m3\r\n").kind == "ascii"
    assert text_in(GOOD * 3) is None
    assert text_in(b"") is None


def run(world):
    """What is named first in a world."""

    async def main():
        return await examined_world(world())

    return run_virtual(main())


async def examined_world(world):
    examination = Examination(
        OwnDoor(world.open_raw),
        facts_of(world.bus, world.devices),
        wants_of(world.devices, world.only),
        lambda name: next(d.points for d in world.devices if d.name == name),
    )
    async for _ in examination.run():
        pass
    if world.line is not None:
        world.line.close()
    return examination.evidence


def test_a_healthy_line_is_well():
    assert first(run(lambda: on(line_of(*both())))) is None


def test_swapped_wires_of_a_biased_line_are_named_first():
    world = run(lambda: on(line_of(*both(), swapped=True, biased=True)))

    assert first(world) == "swapped"


def test_a_line_held_low_does_not_pass_for_well():
    def world():
        line = line_of(*both())
        line.hold_low()
        return on(line)

    assert first(run(world)) in ("swapped", "silent", "stuck")


def test_one_silent_device_among_others_is_told_from_a_dead_line():
    said = [
        device("meter-3", 3, "eastron-sdm630"),
        device("gone", 9, points=registers(2)),
    ]

    assert first(run(lambda: on(line_of(both()[0]), devices=said))) == "one_silent"


def test_a_busy_device_says_so_itself():
    class Busy(MapUnit):
        def read(self, table, address, count, *, aside):
            raise RefusedError(6)

    said = [device("probe", 3, points=registers(4))]
    world = run(lambda: on(line_of((server(Busy(3, {})), "9600 8N1")), devices=said))

    assert first(world) == "device_busy"


def test_a_meter_set_to_another_speed_than_its_bus():
    said = [device("meter", "000006605518")]

    def world_of():
        line = line_of((meter("000006605518"), "9600 8E1"))
        return on(line, bus("dlt645", "2400 8E1", timeout_s=1.0), said)

    world = run(world_of)

    assert first(world) == "speed"
    assert causes(world)[0].values["found"] == "9600 8E1"


def test_evidence_is_quoted_with_every_cause_but_silence():
    for mistake in (
        "speed",
        "two-devices",
        "word-order",
        "timeout-short",
        "gnss-stream",
    ):
        found, _, _ = run_virtual(examined(mistake))
        assert found[0].proofs, mistake


def test_an_examination_is_read_only():
    """Every frame that leaves is a read: function 1 to 4, 11H or 13H, or its ASCII."""

    async def main():
        world = on(line_of((RtuServer(Station([])), "9600 8N1")))
        await examined_world(world)
        return world.line.sent

    for _, _, data in run_virtual(main()):
        if data.startswith(b":"):
            assert data[3:5] in (b"03", b"04"), data
        elif data.startswith(b"\xfe"):
            assert data[12] in (0x11, 0x13), data
        else:
            assert data[1] in (3, 4), data


def test_errno_words_are_real():
    for name in ("ENOENT", "EACCES", "EBUSY", "ECONNREFUSED", "EIO"):
        assert hasattr(errno, name)

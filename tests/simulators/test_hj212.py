"""Instruments that push, and what arrives of them: all that is believed is true."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from drivers.hj212.crc import crc16
from drivers.hj212.device import Hj212Device
from drivers.hj212.frame import FrameFinder
from drivers.hj212.listener import listening_port, tcp_port
from drivers.hj212.segment import parse
from drivers.profiles.library import load_profile
from drivers.values import Quality
from gateway.config.loader import load_site
from gateway.ports import make_bus, make_device
from simulators.hj212 import Caller, Pushing, Talk, make_instruments, obey
from simulators.hj212 import parse as parse_options
from simulators.hj212_codec import Hearing, check_of, framed
from simulators.hj212_faults import Fault
from simulators.hj212_instrument import Instrument
from tests.support.spawn import Spawned
from tests.support.virtual import running_loop, virtual

ZONE = ZoneInfo("Asia/Shanghai")
PROFILES = (
    "generic-hj212-dust-noise",
    "generic-hj212-cems",
    "generic-hj212-water",
)


def test_two_codecs_written_apart_agree(seed):
    rng = random.Random(seed)
    for _ in range(200):
        data = rng.randbytes(rng.randrange(200))
        assert check_of(data) == f"{crc16(data):04X}"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("dialect", ["2005", "2017", "2025"])
def test_what_an_instrument_says_is_read_as_the_standard_has_it(profile, dialect):
    one = Instrument("88888880000001", load_profile(profile), dialect=dialect)
    frames = one.real_time(1_717_200_000.0)
    frames += one.period(2051, 1_717_200_060.0, 1_717_200_000, 1_717_200_060)

    for sent in frames:
        (frame,) = FrameFinder().feed(sent.data)
        segment, noted = parse(frame.segment)
        assert segment.version == int(dialect)
        assert segment.wants_answer is (dialect != "2005")
        expected = {"no_qn", "no_flag"} if dialect == "2005" else {"mn_form"}
        assert set(noted) == expected


def test_long_messages_leave_in_packets():
    one = Instrument("1", load_profile(PROFILES[1]), split=300)

    frames = one.real_time(1_717_200_000.0)

    assert len(frames) > 1
    assert all(len(frame.data) < 460 for frame in frames)
    assert b"PNUM=%d;PNO=2;" % len(frames) in frames[1].data


def test_the_simulator_knows_a_right_answer():
    right = framed("QN=20240601080001000;ST=91;CN=9014;PW=1;MN=A;Flag=4;CP=&&&&")
    hearing = Hearing()

    assert [heard.qn for heard in hearing.feed(right[:20])] == []
    assert [heard.qn for heard in hearing.feed(right[20:])] == ["20240601080001000"]
    for wrong in (right.replace(b"9014", b"9012"), b"hello " * 3, right.lower()):
        hearing.feed(wrong)
    assert len(hearing.wrong) == 3


async def devices_of(port, mns, profile, timeout_s):
    loaded = load_profile(profile)
    return [
        Hj212Device(mn, mn, port, loaded.points, timeout_s=timeout_s, zone=ZONE)
        for mn in mns
    ]


@pytest.mark.parametrize("dialect", ["2005", "2017", "2025"])
@pytest.mark.parametrize("together", [False, True])
@virtual
async def test_every_fault_brings_nothing_but_the_truth(dialect, together, count):
    loop = running_loop()
    began = loop.time()

    def utc_s():
        return 1_717_200_000.0 + loop.time() - began

    mns = [f"8888888000000{n}" for n in range(1, 4)]
    profile = load_profile(PROFILES[0])
    instruments = [
        Instrument(mn, profile, dialect=dialect, seed=n, split=200)
        for n, mn in enumerate(mns)
    ]
    pushing = Pushing(faults=tuple(Fault), share=0.5, utc_s=utc_s, seed=7)
    port = listening_port("127.0.0.1", 9001, answer=True)
    await port.open()
    devices = await devices_of(port, mns, PROFILES[0], 2.0)
    groups = [instruments] if together else [[one] for one in instruments]
    callers = [Caller("127.0.0.1", 9001, group, pushing) for group in groups]
    counted: Counter[str] = Counter()
    taken = set()
    for_s = count(900, 6 * 3600)
    while loop.time() < began + for_s:
        for device, one in zip(devices, instruments, strict=True):
            answer = await device.scan([point.name for point in device.points])
            for name, value in answer.values.items():
                sampled_ms = answer.sampled[name]
                assert (one.mn, name, sampled_ms) not in taken, "twice the same"
                taken.add((one.mn, name, sampled_ms))
                assert value == pytest.approx(one.value(name, sampled_ms / 1000))
                counted["right"] += 1
            counted.update(flaw.reason for flaw in answer.flaws.values())
        await asyncio.sleep(1.0)
    for caller in callers:
        await caller.close()
    stats = port.stats(mns[0])
    await port.close()

    assert counted["right"] > for_s
    assert set(counted) <= {"right", "no_data", "not_sent"}
    assert stats.deviations.keys() >= {"no_tail", "printed_tail", "blanks"}
    assert stats.refused.keys() >= {"crc", "cut_short"}
    assert stats.taken + stats.superseded > for_s / 30
    assert not pushing.counts.wrong
    if dialect != "2005":
        assert pushing.counts.answered > for_s / 3
        assert pushing.counts.resent > for_s / 30, "what is damaged is not confirmed"


@virtual
async def test_a_mark_and_silence_by_command():
    loop = running_loop()
    options = parse_options(["--serve", "9002", "--instrument", "A"])
    instruments = make_instruments(options)
    pushing = Pushing(utc_s=loop.time)
    server = await loop.create_server(
        lambda: Talk(instruments, pushing), "127.0.0.1", 9002
    )
    port = tcp_port("127.0.0.1", 9002, answer=True)
    (device,) = await devices_of(port, ["A"], PROFILES[0], 6.0)
    await port.open()
    names = [point.name for point in device.points]

    assert (await device.scan(names)).flaws == {}
    assert obey("flag A D", instruments, pushing) == "ok"
    answer = await device.scan(names)
    assert {f.reason for f in answer.flaws.values()} == {"instrument_fault"}
    obey("flag A C", instruments, pushing)
    answer = await device.scan(names)
    assert {f.quality for f in answer.flaws.values()} == {Quality.UNCERTAIN}
    assert set(answer.flags.values()) == {"C"}
    obey("silent A", instruments, pushing)
    await device.scan(names)
    answer = await device.scan(names)
    assert {f.reason for f in answer.flaws.values()} == {"no_data"}
    assert json.loads(obey("stats", instruments, pushing))["frames"] > 2
    assert "no such command" in obey("dance", instruments, pushing)
    await port.close()
    server.close()
    await asyncio.sleep(0.1)


SITE = """
gateway: site-1
buffer: {{path: buffer}}
buses:
  push: {{protocol: hj212, listen: "127.0.0.1:{port}"}}
devices:
  dust:
    {{bus: push, address: "88888880000001", profile: {profile}, every: 1s}}
  other:
    bus: push
    address: "88888880000002"
    every: 1s
    points:
      - {{name: pm10, factor: a34002, unit: ug/m3}}
      - {{name: pm10_mean, factor: a34002, field: Avg, unit: ug/m3}}
"""


async def test_a_site_file_hears_a_process_of_instruments(tmp_path):
    free = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    number = free.sockets[0].getsockname()[1]
    free.close()
    await free.wait_closed()
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(port=number, profile=PROFILES[0]), encoding="utf-8")
    site = load_site(file)
    bus = site.buses["push"]
    assert bus.answers
    port = make_bus(bus)
    await port.open()
    devices = {
        name: make_device(conf, bus, port) for name, conf in site.devices.items()
    }
    options = ("--every", 1, "--minute", 2, "--connect", f"127.0.0.1:{number}")
    both = ("--instrument", "88888880000001", "--instrument", "88888880000002")
    with Spawned("simulators.hj212", *options, *both) as process:
        dust = await patiently(devices["dust"], 9)
        other = await patiently(devices["other"], 2)
        assert process.stop() == 0
    counts = json.loads(process.output)
    stats = port.stats("88888880000001")
    await port.close()

    profile = load_profile(PROFILES[0])
    one = Instrument("88888880000001", profile)
    for name, value in dust.values.items():
        assert value == pytest.approx(one.value(name, dust.sampled[name] / 1000))
    assert set(other.values) == {"pm10", "pm10_mean"}
    assert counts["answered"] >= 2
    assert counts["wrong"] == 0
    assert stats.frames >= 1
    assert stats.strangers == {}


async def patiently(device, many):
    """The first answer with so many good values: the process starts when it can."""
    names = [point.name for point in device.points]
    async with asyncio.timeout(20):
        while True:
            answer = await device.scan(names)
            if len(answer.values) >= many:
                return answer


def test_a_process_says_what_it_wants():
    for argv in ([], ["--serve", "0", "--dialect", "2030"]):
        with pytest.raises(SystemExit):
            parse_options(argv)
    assert parse_options(["--serve", "0"]).instrument == ["88888880000001"]

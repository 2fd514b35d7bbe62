"""A line of meters in virtual time: what is believed, what is not, what is asked."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from drivers.byte_line import ByteLine
from drivers.dlt645 import Dlt645Device, Dlt645Line, Timing
from drivers.dlt645.ghosts import SPACING_S
from drivers.dlt645.line import HOLD_S
from drivers.dlt645.timekeeping import CHINA, TimeKeeper, near_midnight
from drivers.errors import (
    BadFrameError,
    BusError,
    PointError,
    PointUnsupportedError,
    ProfileError,
    ResponseTimeoutError,
    UnprovableError,
)
from drivers.profiles.dlt645_items import Item, Part, items
from drivers.profiles.dlt645_points import Dlt645Point
from drivers.profiles.library import load_profile
from drivers.values import Flaw, Quality
from simulators import dlt645_codec as codec
from simulators.dlt645_meter import Numbered, ProfileMeter, SerialMeter
from simulators.dlt645_station import MeterServer, MeterStation
from tests.support.virtual import run_virtual, running_loop, serial_pace

ONE, TWO = "123456789012", "123456780012"
TIMING = Timing(timeout_s=1.0)


def point(name, di, **keys):
    return Dlt645Point(name=name, item=items()[di], **keys)


ENERGY = point("energy", "00010000")
CURRENTS = [point(f"i{n}", f"02020{n}00") for n in (1, 2, 3)]


class Scripted(asyncio.Protocol):
    """A meter that says what it is told to, whatever it was asked."""

    def __init__(self, say):
        self.say = say

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.say(self, data)

    def after(self, delay, frame):
        asyncio.get_running_loop().call_later(delay, self.transport.write, frame)


def answer(di, data, address=ONE, code=0x91):
    return codec.dressed(address, code, bytes.fromhex(di)[::-1] + data)


def on_line(body, serve, *, baud=0, **options):
    """Run body(line) against what ``serve`` makes for each opening."""

    async def main():
        wire = running_loop().line("line", serial_pace(baud) if baud else None)
        wire.attach(serve)
        line = Dlt645Line(ByteLine("line", wire.open_port), **options)
        await line.open()
        try:
            return await body(line)
        finally:
            await line.close()

    return run_virtual(main())


def scripted(body, say, **options):
    return on_line(body, lambda: Scripted(say), **options)


def metered(body, station, **options):
    return on_line(body, lambda: MeterServer(station), **options)


def meters(*addresses, profile="generic-dlt645-3p4w", **keys):
    chosen = load_profile(profile)
    return [
        ProfileMeter(address, chosen, utc_s=lambda: 1.7e9, **keys)
        for address in addresses
    ]


# -- what is believed ---------------------------------------------------------


def test_only_the_meter_the_item_and_the_function_asked_for_answer():
    def say(meter, _data):
        right = answer("00010000", codec.bcd(4711, 4))
        for at, frame in enumerate(
            (
                answer("00010000", codec.bcd(1, 4), TWO),
                answer("00020000", codec.bcd(2, 4)),
                answer("00010000", codec.bcd(3, 4), code=0x92),
                answer("00010000", codec.bcd(4, 4), code=0x11),
                right[:-2] + bytes((right[-2] ^ 1, 0x16)),
                b"\x68\x68",
                right,
            )
        ):
            meter.after(0.01 * at, frame)

    async def body(line):
        device = Dlt645Device("m", ONE, line, [ENERGY], TIMING)
        return await device.scan(["energy"], want_raw=True), line.stats(ONE)

    got, stats = scripted(body, say)

    assert got.values == {"energy": 47.11}
    assert got.raw == {"energy": codec.bcd(4711, 4)}
    assert got.answered
    assert (stats.good, stats.foreign, stats.unexpected, stats.echo) == (1, 1, 2, 1)


def test_an_echo_of_the_question_is_skipped():
    def say(meter, data):
        meter.transport.write(data)
        meter.after(0.05, answer("00010000", codec.bcd(5, 4)))

    async def body(line):
        return (await line.exchange(ONE, "00010000", TIMING)).data, line.stats(ONE)

    data, stats = scripted(body, say)

    assert data == codec.bcd(5, 4)
    assert stats.echo == 1


def test_damage_is_told_from_silence():
    frame = answer("00010000", codec.bcd(5, 4))
    spoiled = frame[:-2] + bytes((frame[-2] ^ 1, 0x16))
    told = [spoiled, b"", frame[:-4]]

    async def body(line):
        said = []
        for di in ("00010000", "00020000", "00030000"):
            try:
                await line.exchange(ONE, di, TIMING)
            except (BadFrameError, ResponseTimeoutError) as exc:
                said.append((type(exc).__name__, exc.received))
        return said

    said = scripted(body, lambda meter, _data: meter.after(0.05, told.pop(0) or b""))

    assert said == [
        ("BadFrameError", spoiled),
        ("ResponseTimeoutError", b""),
        ("ResponseTimeoutError", frame[:-4]),
    ]


def test_a_late_answer_is_never_the_next_question_s():
    """The same item is asked again only once its answer can be no other."""
    asked = []

    def say(meter, data):
        asked.append(running_loop().time())
        number = len(asked)
        meter.after(
            3.0 if number == 1 else 0.1, answer("00010000", codec.bcd(number, 4))
        )

    async def body(line):
        loop = running_loop()
        with pytest.raises(ResponseTimeoutError):
            await line.exchange(ONE, "00010000", TIMING)
        assert line.haunted(ONE, "00010000")
        assert not line.haunted(ONE, "00020000")
        with pytest.raises(UnprovableError, match="an earlier answer may still come"):
            await line.exchange(ONE, "00010000", TIMING)
        await asyncio.sleep(2.5)  # the late one comes, and is laid to rest
        assert not line.haunted(ONE, "00010000")
        began = loop.time()
        reply = await line.exchange(ONE, "00010000", TIMING)
        return reply.data, line.stats(ONE), loop.time() - began

    data, stats, took = scripted(body, say)

    assert data == codec.bcd(2, 4)
    assert len(asked) == 2
    assert (stats.late_discarded, stats.unprovable, stats.timeout) == (1, 1, 1)
    # The last word about this item is half a second ago before it is asked.
    assert took <= SPACING_S + 0.2


def test_a_ghost_that_never_comes_is_forgotten():
    def say(meter, _data):
        if running_loop().time() > 1010:
            meter.after(0.1, answer("00010000", codec.bcd(9, 4)))

    async def body(line):
        with pytest.raises(ResponseTimeoutError):
            await line.exchange(ONE, "00010000", TIMING)
        await asyncio.sleep(11.0)
        return (await line.exchange(ONE, "00010000", TIMING)).data

    assert scripted(body, say) == codec.bcd(9, 4)


def test_an_answer_that_comes_twice_is_one():
    asked = []

    def say(meter, _data):
        asked.append(1)
        frame = answer("00010000", codec.bcd(len(asked), 4))
        meter.after(0.05, frame)
        meter.after(0.25, frame)

    async def body(line):
        said = []
        for _ in range(4):
            reply = await line.exchange(ONE, "00010000", TIMING)
            said.append(reply.data)
        return said, line.stats(ONE)

    said, stats = scripted(body, say)

    assert said == [codec.bcd(n, 4) for n in (1, 2, 3, 4)]
    assert stats.unexpected >= 3


def test_an_answer_to_a_question_of_the_last_connection_is_none():
    asked = []

    def say(meter, _data):
        asked.append(meter)
        if len(asked) == 1:
            meter.transport.abort()
        else:
            meter.after(0.1, answer("00010000", codec.bcd(8, 4)))

    async def body(line):
        with pytest.raises(BusError):
            await line.exchange(ONE, "00010000", TIMING)
        await line.open()
        with pytest.raises(UnprovableError):
            await line.exchange(ONE, "00010000", TIMING)
        assert len(asked) == 1

    scripted(body, say)


def test_a_question_that_was_cut_off_leaves_a_ghost():
    async def body(line):
        task = asyncio.create_task(line.exchange(ONE, "00010000", TIMING))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert line.haunted(ONE, "00010000")

    scripted(body, lambda _meter, _data: None)


# -- error answers ------------------------------------------------------------


def test_an_error_answer_has_its_bit_s_name_and_is_asked_rarely():
    station = MeterStation(meters(ONE, refuse=["02800002"]), turnaround_s=0.05)
    frequency = point("f", "02800002")

    async def body(line):
        device = Dlt645Device("m", ONE, line, [frequency, ENERGY], TIMING)
        said = []
        for _ in range(6):
            got = await device.scan(["f", "energy"])
            said.append(got.flaws)
            assert got.answered
            assert set(got.values) == {"energy"}
            await asyncio.sleep(5)
        asked = sum(1 for r in station.requests if r.data == b"\x02\x00\x80\x02")
        await asyncio.sleep(600)
        await device.scan(["f", "energy"])
        later = sum(1 for r in station.requests if r.data == b"\x02\x00\x80\x02")
        return said, asked, later

    said, asked, later = metered(body, station)

    assert said == [{"f": Flaw(Quality.BAD, "no_such_data")}] * 6
    assert (asked, later) == (2, 3)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (0x01, "meter_error"),
        (0x02, "no_such_data"),
        (0x04, "not_authorised"),
        (0x08, "speed_fixed"),
        (0x10, "too_many_zones"),
        (0x20, "too_many_periods"),
        (0x40, "too_many_tariffs"),
        (0x80, "meter_error"),
        (0x03, "no_such_data"),
    ],
)
def test_error_words_by_name(word, reason):
    def say(meter, _data):
        meter.after(0.05, codec.dressed(ONE, 0xD1, bytes((word,))))

    async def body(line):
        with pytest.raises(PointUnsupportedError) as caught:
            await line.exchange(ONE, "00010000", TIMING)
        return caught.value.reason

    assert scripted(body, say) == reason


def test_an_error_that_may_be_an_earlier_question_s_marks_nothing():
    def say(meter, data):
        if data[14:18] == b"\x33\x33\x34\x33":
            return  # 00010000 meets silence: a ghost
        meter.after(0.05, codec.dressed(ONE, 0xD1, b"\x02"))

    async def body(line):
        device = Dlt645Device("m", ONE, line, [ENERGY, *CURRENTS[:1]], TIMING)
        await device.scan(["energy"])
        got = await device.scan(["i1"])
        assert device._refusals.reason("02020100", running_loop().time()) is None
        return got

    got = scripted(body, say)

    assert got.flaws == {"i1": Flaw(Quality.BAD, "unprovable")}
    assert got.answered


# -- blocks and following frames ----------------------------------------------


def test_a_block_is_asked_once_for_all_its_points():
    station = MeterStation(meters(ONE), turnaround_s=0.05)

    async def body(line):
        device = Dlt645Device("m", ONE, line, [*CURRENTS, ENERGY], TIMING)
        return await device.scan(["i1", "i2", "i3", "energy"])

    got = metered(body, station)

    assert len(got.values) == 4
    asked = [r.data[::-1].hex().upper() for r in station.requests]
    assert asked == ["0202FF00", "00010000"]


def test_a_meter_without_blocks_is_asked_item_by_item():
    station = MeterStation(meters(ONE, block=False), turnaround_s=0.05)

    async def body(line):
        device = Dlt645Device("m", ONE, line, CURRENTS, TIMING)
        first = await device.scan(["i1", "i2", "i3"])
        for _ in range(3):
            await asyncio.sleep(10)
            again = await device.scan(["i1", "i2", "i3"])
        return first, again

    first, again = metered(body, station)

    assert set(first.values) == set(again.values) == {"i1", "i2", "i3"}
    assert not first.flaws
    asked = [r.data[::-1].hex().upper() for r in station.requests]
    assert asked.count("0202FF00") == 2
    assert asked.count("02020100") == 4


def test_a_block_of_another_length_is_not_taken_apart():
    """Two of three phases: nobody says which."""

    def say(meter, data):
        di = bytes((b - 0x33) & 0xFF for b in data[14:18])
        item = codec.bcd(1234, 3)
        block = di == b"\x00\xff\x02\x02"
        meter.after(0.05, codec.dressed(ONE, 0x91, di + item * (2 if block else 1)))

    async def body(line):
        device = Dlt645Device("m", ONE, line, CURRENTS, TIMING)
        return await device.scan(["i1", "i2", "i3"]), line.stats(ONE)

    got, stats = scripted(body, say)

    assert got.values == {"i1": 1.234, "i2": 1.234, "i3": 1.234}
    assert stats.good == 4


def test_a_meter_with_fewer_tariffs_has_no_value_of_the_others():
    tariffs = [point(f"t{n}", f"00010{n}00") for n in range(5)]

    def say(meter, _data):
        three = b"".join(codec.bcd(n, 4) for n in (300, 100, 200))
        meter.after(0.05, answer("0001FF00", three))

    async def body(line):
        device = Dlt645Device("m", ONE, line, tariffs, TIMING)
        return await device.scan([p.name for p in tariffs])

    got = scripted(body, say)

    assert got.values == {"t0": 3.0, "t1": 1.0, "t2": 2.0}
    assert got.flaws == {
        "t3": Flaw(Quality.BAD, "not_available"),
        "t4": Flaw(Quality.BAD, "not_available"),
    }


def test_a_haunted_item_is_had_through_its_block():
    """And a haunted block through its items: another identifier, another question."""
    station = MeterStation(meters(ONE), turnaround_s=0.05)

    async def body(line):
        device = Dlt645Device("m", ONE, line, CURRENTS, TIMING)
        station.dead.add(ONE)
        assert (await device.scan(["i1"])).flaws["i1"].reason == "timeout"
        station.dead.clear()
        one = await device.scan(["i1"])
        station.dead.add(ONE)
        await device.scan(["i1", "i2"])
        station.dead.clear()
        two = await device.scan(["i2", "i3"])
        return one, two

    one, two = metered(body, station)

    assert set(one.values) == {"i1"}
    assert set(two.values) == {"i2", "i3"}


@pytest.mark.parametrize("frame_bytes", [7, 20, 59, 60])
def test_an_item_in_several_frames_is_put_together(frame_bytes):
    station = MeterStation(meters(ONE), turnaround_s=0.05, frame_bytes=frame_bytes)
    opening = Dlt645Point(name="cover", item=items()["03300D01"], part="start")
    meter = station.meters[0]
    meter._known.add("03300D01")

    async def body(line):
        device = Dlt645Device("m", ONE, line, [opening], TIMING)
        return await device.scan(["cover"]), line.stats(ONE)

    got, stats = metered(body, station)

    assert got.values == {"cover": "2023-11-15T06:13:20"}
    assert stats.following == -(-60 // frame_bytes) - 1


def test_following_frames_are_counted_and_bounded():
    def say(meter, data):
        di = b"\x00\x00\x01\x00"
        seq = bytes(((data[18] - 0x33) & 0xFF,)) if data[12] == 0x12 else b""
        code = 0xB2 if seq else 0xB1
        meter.after(0.01, codec.dressed(ONE, code, di + b"\x11" * 4 + seq))

    async def body(line):
        with pytest.raises(BadFrameError, match="more than 16 frames"):
            await line.exchange(ONE, "00010000", TIMING)

    scripted(body, say)


def test_a_following_frame_of_another_number_is_not_put_in():
    def say(meter, data):
        di = b"\x00\x00\x01\x00"
        if data[12] == 0x11:
            meter.after(0.01, codec.dressed(ONE, 0xB1, di + b"\x11\x11"))
        else:
            meter.after(0.01, codec.dressed(ONE, 0x92, di + b"\x99\x99\x02"))

    async def body(line):
        with pytest.raises(ResponseTimeoutError):
            await line.exchange(ONE, "00010000", TIMING)

    scripted(body, say)


# -- values -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("di", "data", "value"),
    [
        ("02010100", "FFFF", "not_available"),
        ("04000503", "FFFF", "not_available"),
        ("02010100", "A023", "bad_bcd"),
        ("02010100", "00", "bad_length"),
        ("02020100", "458380", -8.345),
        ("00000000", "00000080", "sign_unknown"),
        ("00010000", "99999999", 999999.99),
        ("04000102", "606060", "bad_time"),
        ("04000101", "00000000", "not_available"),
        ("04000101", "06311318", "bad_time"),
        ("04000404", "FFFFFFFFFFFF", "not_available"),
        ("04000404", "07FF41202020", "bad_text"),
        ("02060000", "0110", 1.001),
        ("02800007", "0580", "sign_unknown"),
    ],
)
def test_a_value_or_why_there_is_none(di, data, value):
    def say(meter, _data):
        meter.after(0.05, answer(di, bytes.fromhex(data)))

    async def body(line):
        device = Dlt645Device("m", ONE, line, [point("x", di)], TIMING)
        return await device.scan(["x"])

    got = scripted(body, say)

    if isinstance(value, str):
        assert got.flaws == {"x": Flaw(Quality.BAD, value)}
        assert not got.values
    else:
        assert got.values == {"x": value}
    assert got.answered


def test_ratios_apply_once_and_where_they_belong():
    data = {
        "02010100": codec.bcd(1000, 2),
        "02020100": codec.bcd(5000, 3),
        "02030000": codec.bcd(8660, 3, minus=True),
        "00010000": codec.bcd(123456, 4),
        "02060000": codec.bcd(985, 2),
        "02800002": codec.bcd(5002, 2),
    }

    def say(meter, asked):
        di = bytes((b - 0x33) & 0xFF for b in asked[14:18])[::-1].hex().upper()
        meter.after(0.05, answer(di, data[di]))

    points = [
        point("u", "02010100"),
        point("i", "02020100"),
        point("p", "02030000", scale=Fraction(1000), unit="W"),
        point("e", "00010000"),
        point("pf", "02060000"),
        point("f", "02800002"),
    ]

    async def body(line):
        device = Dlt645Device(
            "m", ONE, line, points, TIMING, ct=Fraction(40), pt=Fraction(100)
        )
        return await device.scan([p.name for p in points])

    got = scripted(body, say)

    assert got.values == {
        "u": 10_000.0,
        "i": 200.0,
        "p": -3_464_000.0,
        "e": 4_938_240.0,
        "pf": 0.985,
        "f": 50.02,
    }


def test_bits_enums_and_limits():
    word = point("w", "04000503", bits={4: "relay_open", 3: "programming"})
    speed = point("s", "04000703", enum={8: "2400", 32: "9600"})
    odd = point("o", "04000704", enum={8: "2400"})
    volts = point("u", "02010100", minimum=200.0, maximum=240.0)
    data = {
        "04000503": b"\x10\x00",
        "04000703": b"\x08",
        "04000704": b"\x09",
        "02010100": codec.bcd(1999, 2),
    }

    def say(meter, asked):
        di = bytes((b - 0x33) & 0xFF for b in asked[14:18])[::-1].hex().upper()
        meter.after(0.05, answer(di, data[di]))

    async def body(line):
        device = Dlt645Device("m", ONE, line, [word, speed, odd, volts], TIMING)
        return await device.scan(["w", "s", "o", "u"])

    got = scripted(body, say)

    assert got.values == {
        "w": 16,
        "w.relay_open": True,
        "w.programming": False,
        "s": "2400",
        "u": 199.9,
    }
    assert got.flaws == {
        "o": Flaw(Quality.BAD, "not_in_enum"),
        "u": Flaw(Quality.UNCERTAIN, "out_of_range"),
    }


def test_an_identifier_of_one_s_own():
    own = Dlt645Point(
        name="x", item=Item(di="02818101", parts=(Part(format="XX.XX", sign="yes"),))
    )

    async def body(line):
        return await Dlt645Device("m", ONE, line, [own], TIMING).scan(["x"])

    frame = answer("02818101", codec.bcd(1234, 2, minus=True))
    got = scripted(body, lambda meter, _data: meter.after(0.05, frame))

    assert got.values == {"x": -12.34}


# -- addresses ----------------------------------------------------------------


def test_at_any_address_nobody_else_answers_later():
    who = [ONE, ONE, TWO]

    def say(meter, _data):
        meter.after(0.05, answer("00010000", codec.bcd(7, 4), who.pop(0)))

    async def body(line):
        device = Dlt645Device("m", "A" * 12, line, [ENERGY], TIMING)
        said = []
        for _ in range(3):
            got = await device.scan(["energy"])
            said.append((got.values, got.flaws, got.detail))
            await asyncio.sleep(5)
        return said

    said = scripted(body, say)

    assert [values for values, _, _ in said] == [{"energy": 0.07}] * 2 + [{}]
    assert said[2][1] == {"energy": Flaw(Quality.BAD, "other_meter")}
    assert f"meter {TWO} answers where {ONE} did" in said[2][2]


# -- 1997 ---------------------------------------------------------------------


def test_the_edition_of_1997_is_asked_by_its_own_codes():
    profile = load_profile("generic-dlt645-1997")
    station = MeterStation(
        meters(ONE, profile=profile.profile, missing=["B613"]), turnaround_s=0.05
    )

    async def body(line):
        device = Dlt645Device("m", ONE, line, profile.points, TIMING)
        return await device.scan([p.name for p in profile.points])

    got = metered(body, station)

    assert got.flaws == {"voltage_l3": Flaw(Quality.BAD, "not_available")}
    assert len(got.values) == len(profile.points) - 1
    assert {asked.code for asked in station.requests} == {1}


# -- a slow line, a dead meter ------------------------------------------------


def test_at_2400_baud_a_scan_takes_the_wire_s_time():
    station = MeterStation(meters(ONE), turnaround_s=0.05)

    async def body(line):
        device = Dlt645Device("m", ONE, line, [ENERGY, *CURRENTS], TIMING)
        return await device.scan(["energy", "i1", "i2", "i3"])

    async def main():
        wire = running_loop().line("slow", serial_pace(2400, 11, 1))
        wire.attach(lambda: MeterServer(station))
        line = Dlt645Line(ByteLine("slow", wire.open_port, char_s=11 / 2400))
        await line.open()
        began = running_loop().time()
        try:
            return await body(line), running_loop().time() - began
        finally:
            await line.close()

    got, took = run_virtual(main())

    assert len(got.values) == 4
    assert 0.35 < took < 0.7


def test_silence_ends_a_scan_and_a_probe_waits_as_long_as_a_meter_needs():
    station = MeterStation(meters(ONE), turnaround_s=0.4)

    async def body(line):
        device = Dlt645Device("m", ONE, line, [ENERGY, *CURRENTS], TIMING)
        station.dead.add(ONE)
        loop, began = running_loop(), running_loop().time()
        dead = await device.scan(["energy", "i1", "i2", "i3"])
        took = loop.time() - began
        assert device.worst_case_s(["energy"]) == 1.0
        station.dead.clear()
        # 50 ms are not enough for any meter: the probe would never find it alive.
        back = await device.scan(["energy", "i1", "i2", "i3"], wait_s=0.05)
        return dead, took, back

    dead, took, back = metered(body, station)

    assert {flaw.reason for flaw in dead.flaws.values()} == {"timeout"}
    assert not dead.answered
    assert took == pytest.approx(1.0, abs=0.1)
    assert back.answered
    # The energy that met silence comes through its block.
    assert set(back.values) == {"energy", "i1", "i2", "i3"}


def test_a_meter_is_never_written():
    async def body(line):
        device = Dlt645Device("m", ONE, line, [ENERGY], TIMING)
        with pytest.raises(PointError) as caught:
            await device.write("energy", 0)
        return caught.value.reason

    station = MeterStation(meters(ONE))
    assert metered(body, station) == "not_writable"
    assert not station.requests


# -- the clock ----------------------------------------------------------------


def clocked(meter_ahead_s, *, allowed=True, start="2026-11-22T10:00:00", trusted=True):
    """Scans for 26 h; what was asked, and the line's keeper."""
    base = datetime.fromisoformat(start)

    class Clocked(ProfileMeter):
        set_by = 0.0

    async def main():
        loop = running_loop()
        begun = loop.time()

        def utc_s():
            return (
                (base - timedelta(hours=8)).replace(tzinfo=CHINA).timestamp()
                + 8 * 3600
                + loop.time()
                - begun
            )

        chosen = load_profile("generic-dlt645-3p4w")
        station = MeterStation(
            [
                Clocked(a, chosen, utc_s=lambda ahead=ahead: utc_s() + ahead)
                for a, ahead in zip((ONE, TWO), meter_ahead_s, strict=True)
            ],
            turnaround_s=0.05,
        )
        wire = loop.line("line")
        wire.attach(lambda: MeterServer(station))
        line = Dlt645Line(ByteLine("line", wire.open_port), may_set_time=allowed)
        line.use_clock(lambda: round(utc_s() * 1000) if trusted else None)
        await line.open()
        devices = [Dlt645Device(a, a, line, [ENERGY], TIMING) for a in (ONE, TWO)]
        for _ in range(26):
            for device in devices:
                got = await device.scan(["energy"])
                assert got.values
            await asyncio.sleep(3600)
        await line.close()
        return station

    return run_virtual(main())


def sent_times(station):
    return [r for r in station.requests if r.code == codec.TIME]


def test_the_time_is_broadcast_once_a_day_where_it_is_allowed():
    station = clocked((40.0, -3.0))

    times = sent_times(station)
    assert len(times) == 2  # this day and the next
    assert times[0].address == "9" * 12
    sent = datetime.strptime(times[0].data[::-1].hex(), "%y%m%d%H%M%S")  # noqa: DTZ007
    due = datetime.fromisoformat("2026-11-22T10:00:00")
    assert abs((sent - due).total_seconds()) < 5


@pytest.mark.parametrize(
    ("ahead", "options"),
    [
        ((40.0, -3.0), {"allowed": False}),
        ((40.0, -3.0), {"trusted": False}),
        ((40.0, 400.0), {}),
        ((2.0, -3.0), {}),
    ],
    ids=["not allowed", "untrusted clock", "one is far off", "nothing to gain"],
)
def test_the_time_is_not_broadcast(ahead, options):
    station = clocked(ahead, **options)

    assert not sent_times(station)
    codes = {r.code for r in station.requests}
    assert codes == {0x11}


def test_not_near_midnight_and_not_before_every_clock_was_read():
    keeper = TimeKeeper()
    keeper.meters = {ONE, TWO}
    day = datetime.fromisoformat("2026-11-22T00:05:00")
    assert near_midnight(day)
    assert near_midnight(day.replace(hour=23, minute=55))
    noon = day.replace(hour=12)
    assert not near_midnight(noon)
    keeper.saw(ONE, 20.0, noon)
    assert not keeper.due(noon)
    keeper.saw(TWO, 0.0, noon)
    assert keeper.due(noon)
    assert not keeper.due(noon.replace(hour=23, minute=57))
    keeper.saw(TWO, 0.0, noon)
    keeper.sent(noon)
    assert not keeper.due(noon)


async def test_without_leave_no_time_can_be_sent():
    line = Dlt645Line(ByteLine("line", lambda _factory: None))

    with pytest.raises(ProfileError, match="broadcast_time"):
        await line.broadcast_time(datetime(2026, 11, 22))  # noqa: DTZ001


def test_whatever_is_scanned_only_questions_leave():
    """Every profile, every fault of a meter: the control codes on the wire."""
    station = MeterStation(
        [
            *meters(ONE, block=False, refuse=["02800002"]),
            SerialMeter(TWO, book := [], lambda: 0.0),
        ],
        turnaround_s=0.05,
        frame_bytes=10,
    )

    async def body(line):
        points = load_profile("generic-dlt645-3p4w").points
        for address in (ONE, TWO, "202500000000"):
            device = Dlt645Device("m", address, line, points, TIMING)
            await device.scan([p.name for p in points])

    metered(body, station)

    assert {asked.code for asked in station.requests} <= {0x11, 0x12}
    assert len(station.requests) > 50
    assert all(isinstance(entry, Numbered) for entry in book)
    assert HOLD_S >= SPACING_S

"""A receiver that speaks unasked, asked on schedule: on virtual lines."""

from __future__ import annotations

import asyncio

import pytest

from drivers.errors import BusError, PointError
from drivers.gnss import GnssDevice, GnssPort
from drivers.gnss.sentence import checksum
from drivers.profiles.gnss_points import GIVES, GnssPoint
from drivers.profiles.library import load_profile
from drivers.values import Flaw, Quality
from gateway.release import RELEASED_MS
from simulators.receiver import Receiver, Spell, Trouble
from simulators.receivers import GpsdStream, Output, ReceiverStream
from tests.support.virtual import running_loop, virtual

START = RELEASED_MS + 30 * 86_400_000
EVERYTHING = tuple(GnssPoint(name=of, of=of, unit=g.unit) for of, g in GIVES.items())
BAD, UNCERTAIN = Quality.BAD, Quality.UNCERTAIN


class Bench:
    """A receiver on a line in memory, its port and a device before it."""

    def __init__(self, receiver=None, output=None, points=EVERYTHING, **how):
        loop = running_loop()
        self.receiver = receiver or Receiver(START, sigma=1.5)
        self.born = loop.time()
        gpsd = how.pop("gpsd", False)
        kind = GpsdStream if gpsd else ReceiverStream
        self.line = loop.line("gnss")
        self.line.attach(
            lambda: kind(self.receiver, output or Output(), lambda: self.born)
        )
        self.port = GnssPort(
            "gnss", self.line.open_port, gpsd=gpsd, past_ms=RELEASED_MS
        )
        self.names = [point.name for point in points]
        self.device = GnssDevice(
            "gnss-1", self.port, points, timeout_s=how.pop("timeout_s", 2.0), **how
        )

    async def __aenter__(self):
        await self.port.open()
        return self

    async def __aexit__(self, *exc):
        await self.port.close()

    @property
    def life(self):
        return asyncio.get_running_loop().time() - self.born

    async def scan(self, names=None, **how):
        return await self.device.scan(names or self.names, **how)


@virtual
async def test_every_point_is_told():
    async with Bench() as bench:
        await asyncio.sleep(5)
        answer = await bench.scan(want_raw=True)

        latitude, longitude, _ = bench.receiver.truth(bench.life)
        assert answer.answered
        assert answer.values["latitude"] == pytest.approx(latitude, abs=1e-6)
        assert answer.values["longitude"] == pytest.approx(longitude, abs=1e-6)
        assert answer.values["fix"] == 1
        assert answer.values["datum"] == "WGS-84"
        assert answer.values["satellites_used"] == 22
        assert answer.values["used_beidou"] == 12
        assert answer.values["used_glonass"] == 0
        assert answer.values["share_beidou"] == 54.5
        assert answer.values["in_view_beidou"] == 12
        assert answer.values["accuracy"] == pytest.approx(2.121)
        assert answer.values["time_valid"] is True
        # Never told by this receiver: no lists of these systems, no course at rest.
        assert answer.flaws == {
            name: Flaw(BAD, "not_sent")
            for name in (
                "course", "in_view_glonass", "in_view_galileo", "in_view_qzss",
                "in_view_navic", "in_view_sbas", "in_view_other",
            )
        }  # fmt: skip
        assert answer.raw["latitude"].startswith(b"$GNRMC,")
        assert answer.raw["altitude"].startswith(b"$GNGGA,")
        assert answer.raw["used_beidou"].startswith(b"$GNGSA,")
        assert set(answer.values) | set(answer.flaws) == set(bench.names)


@virtual
async def test_an_age_and_a_time_go_with_it():
    async with Bench() as bench:
        await asyncio.sleep(5.3)
        answer = await bench.scan()

        assert answer.age_ms["latitude"] == pytest.approx(300, abs=2)
        assert answer.sampled["latitude"] == START + 5000
        assert answer.own_time.utc_ms == START + 5000
        assert answer.own_time.loop_s == pytest.approx(bench.born + 5.0, abs=0.002)


@virtual
async def test_the_same_measurement_is_never_taken_twice():
    async with Bench() as bench:
        await asyncio.sleep(3.5)
        told = [await bench.scan() for _ in range(4)]

        times = [answer.sampled["latitude"] for answer in told]
        assert times == [START + 1000 * n for n in (3, 4, 5, 6)]
        # What was waited for is of the moment when it came.
        assert told[1].waited_s == pytest.approx(0.5, abs=0.1)
        assert told[1].age_ms["latitude"] == 0


@virtual
async def test_points_asked_at_different_times_do_not_take_from_each_other():
    async with Bench() as bench:
        await asyncio.sleep(3.5)
        one = await bench.scan(["latitude", "longitude"])
        two = await bench.scan(["hdop"])

        assert one.waited_s == two.waited_s == 0


@virtual
async def test_what_was_overtaken_is_counted():
    async with Bench(output=Output(rate_hz=10)) as bench:
        for _ in range(5):
            await asyncio.sleep(1)
            assert (await bench.scan()).values

        stats = bench.port.stats()
        assert stats.epochs == pytest.approx(50, abs=2)
        assert stats.superseded == pytest.approx(36, abs=2)
        assert stats.bad_checksum == stats.malformed == stats.stragglers == 0


@virtual
async def test_silence_is_no_data_and_what_is_old_is_not_taken():
    receiver = Receiver(START, spells=[Spell(Trouble.SILENT, 5, 60)])
    async with Bench(receiver) as bench:
        await asyncio.sleep(10)
        before = bench.life
        answer = await bench.scan()

        assert bench.life - before == pytest.approx(2.0)
        assert not answer.answered
        assert answer.flaws == dict.fromkeys(bench.names, Flaw(BAD, "no_data"))
        await asyncio.sleep(55)
        assert (await bench.scan()).values


@virtual
async def test_a_probe_of_a_dead_receiver_does_not_wait():
    async with Bench(Receiver(START, spells=[Spell(Trouble.SILENT, 0, 60)])) as bench:
        before = bench.life
        answer = await bench.scan(wait_s=0.05)

        assert not answer.answered
        assert bench.life - before == pytest.approx(0.05)


@virtual
async def test_without_a_fix_it_still_answers():
    receiver = Receiver(START, spells=[Spell(Trouble.NO_FIX, 0, 60)])
    async with Bench(receiver) as bench:
        await asyncio.sleep(3)
        answer = await bench.scan()

        assert answer.answered
        assert answer.flaws["latitude"] == Flaw(BAD, "no_fix")
        assert answer.flaws["time"] == Flaw(BAD, "no_fix")
        assert answer.values["fix"] == 0
        assert answer.values["time_valid"] is False
        assert answer.values["satellites_used"] == 0
        assert answer.values["satellites_in_view"] == 22
        assert answer.own_time is None
        assert answer.sampled is None


@virtual
async def test_what_is_only_reckoned_is_uncertain():
    receiver = Receiver(START, spells=[Spell(Trouble.ESTIMATED, 0, 60)])
    async with Bench(receiver) as bench:
        await asyncio.sleep(3)
        answer = await bench.scan()

        assert answer.flaws["latitude"] == Flaw(UNCERTAIN, "estimated")
        assert "latitude" in answer.values
        assert answer.own_time is None


@virtual
async def test_a_leap_of_weeks_is_told_and_its_time_not_offered():
    receiver = Receiver(START, spells=[Spell(Trouble.LEAP_WEEKS, 10, 60)])
    async with Bench(receiver) as bench:
        told = []
        for _ in range(20):
            await asyncio.sleep(1)
            told.append(await bench.scan())

        flawed = [a for a in told if "time" in a.flaws]
        assert {a.flaws["time"].reason for a in flawed} == {"week_rollover"}
        assert len(flawed) >= 9
        assert all(a.own_time is None for a in flawed)
        assert [a.flaws.get("latitude") for a in flawed[:3]] == [
            Flaw(BAD, "week_rollover")
        ] * 3


@virtual
async def test_a_cold_start_has_an_impossible_date():
    async with Bench(Receiver(START, spells=[Spell(Trouble.COLD, 0, 99)])) as bench:
        await asyncio.sleep(3)
        answer = await bench.scan()

        assert answer.flaws["time"] == Flaw(BAD, "impossible_date")
        assert answer.own_time is None
        assert "latitude" in answer.values


@pytest.mark.parametrize(
    ("output", "reason", "advice"),
    [
        (Output(baud=9600, at_baud=38400), "no_sentences", "the speed is wrong"),
        (Output(baud=38400, at_baud=9600), "no_sentences", "the speed is wrong"),
        (Output(binary_only=True), "binary_only", "only UBX frames"),
    ],
)
def test_what_is_wrong_is_named(output, reason, advice):
    @virtual
    async def run():
        async with Bench(output=output) as bench:
            await asyncio.sleep(3)
            answer = await bench.scan()

            assert not answer.answered
            assert {flaw.reason for flaw in answer.flaws.values()} == {reason}
            assert advice in answer.detail
            assert "received" in answer.detail

    run()


@virtual
async def test_binary_between_the_sentences_costs_nothing():
    async with Bench(output=Output(binary=True, rate_hz=5)) as bench:
        await asyncio.sleep(4)
        for _ in range(5):
            await asyncio.sleep(0.2)
            assert "latitude" in (await bench.scan()).values

        stats = bench.port.stats()
        assert stats.skipped_bytes > 5000
        assert stats.bad_checksum == stats.refused_fixes == 0


@virtual
async def test_a_slow_line_gives_whole_epochs_too():
    async with Bench(output=Output(baud=9600, talker="BD")) as bench:
        for _ in range(6):
            await asyncio.sleep(1)
            answer = await bench.scan()
        assert answer.values["in_view_beidou"] == 12
        assert bench.port.stats().stragglers == 0


@virtual
async def test_beidou_alone():
    async with Bench(Receiver(START, systems=("GB",))) as bench:
        await asyncio.sleep(3)
        answer = await bench.scan()

        assert answer.values["share_beidou"] == 100.0
        assert answer.values["used_gps"] == 0


@virtual
async def test_a_lost_port_is_a_bus_error_also_for_who_waits():
    async with Bench() as bench:
        await asyncio.sleep(3.5)
        await bench.scan()
        waiting = asyncio.create_task(bench.scan())
        await asyncio.sleep(0.1)
        bench.line.unplug()

        with pytest.raises(BusError):
            await waiting
        with pytest.raises(BusError):
            await bench.scan()
        with pytest.raises(BusError):
            await bench.port.open()
        bench.line.plug()
        await bench.port.open()
        assert (await bench.scan()).values
        assert bench.port.stats().sentences > 30


@virtual
async def test_gpsd_gives_the_same_points():
    async with Bench(gpsd=True, datum="CGCS2000") as bench:
        await asyncio.sleep(3.2)
        answer = await bench.scan()

        assert answer.values["latitude"] == 39.63041
        assert answer.values["datum"] == "CGCS2000"
        assert answer.values["used_beidou"] == 12
        assert answer.own_time.utc_ms == START + 3000


@virtual
async def test_gpsd_without_a_receiver_is_named():
    receiver = Receiver(START, spells=[Spell(Trouble.SILENT, 0, 99)])
    async with Bench(receiver, gpsd=True) as bench:
        answer = await bench.scan()

        assert {flaw.reason for flaw in answer.flaws.values()} == {"no_data"}
        assert "gpsd knows no receiver" in answer.detail


@virtual
async def test_kinds_of_fix_are_words_where_the_profile_says_so():
    profile = load_profile("generic-gnss")
    points = profile.points
    async with Bench(Receiver(START, quality=4), points=points) as bench:
        await asyncio.sleep(3)
        assert (await bench.scan()).values["fix"] == "rtk_fixed"


@virtual
async def test_nothing_of_a_receiver_is_written():
    async with Bench() as bench:
        with pytest.raises(PointError, match="nothing is written to a receiver"):
            await bench.device.write("latitude", 1.0)
        assert bench.device.worst_case_s(["latitude"]) == 2.0


@virtual
async def test_a_look_takes_nothing_from_the_slots():
    async with Bench() as bench:
        await asyncio.sleep(5.5)
        looked = await bench.scan(["latitude"], want_raw=True)
        first = await bench.scan(["latitude"])
        second = await bench.scan(["latitude"])

        assert looked.sampled == first.sampled != second.sampled


def said(*bodies):
    return b"".join(
        b"$%s*%02X\r\n" % (body, checksum(body)) for body in map(str.encode, bodies)
    )


class Speaker(asyncio.Protocol):
    """Says what a test wants."""

    def connection_made(self, transport):
        self.say = transport.write


@pytest.mark.parametrize("time", ["", "000000.00"], ids=["no time", "one that stands"])
def test_a_receiver_that_knows_no_time_yet_answers_that_it_has_no_fix(time):
    @virtual
    async def work():
        speaker = Speaker()
        line = running_loop().line("gnss")
        line.attach(lambda: speaker)
        port = GnssPort("gnss", line.open_port, past_ms=RELEASED_MS)
        await port.open()
        device = GnssDevice("gnss-1", port, EVERYTHING, timeout_s=2.0)
        names = [point.name for point in EVERYTHING]
        for second in range(6):
            speaker.say(
                said(
                    f"GNRMC,{time},V,,,,,,,,,,N",
                    f"GNGGA,{time},,,,,0,00,99.99,,,,,,",
                    "GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99,1",
                    "GPGSV,1,1,01,05,,,30,1",
                    f"GNGLL,,,,,{time},V,N",
                )
            )
            await asyncio.sleep(1)
            if second == 1:
                continue  # within the second of a first word, nothing is told again
            answer = await device.scan(names, wait_s=0.1)
            assert answer.answered
            assert answer.flaws["latitude"] == Flaw(BAD, "no_fix")
            assert answer.values["fix"] == 0
            assert answer.values["time_valid"] is False
            assert answer.own_time is None
        fix = "3937.8246,N,11810.8072,E"
        for second in range(4):
            at = f"0552{second:02d}.00"
            speaker.say(
                said(f"GNRMC,{at},A,{fix},0.0,,050827,,,A", "GNRMC,,V,,,,,,,,,,N")
                + said(f"GNGGA,{at},{fix},1,12,0.8,50.0,M,0.0,M,,")
            )
            await asyncio.sleep(0.5)
            speaker.say(said("GNRMC,,V,,,,,,,,,,N"))
            await asyncio.sleep(0.4)
            answer = await device.scan(names, wait_s=0.1)
            if second:  # a date has two witnesses
                assert "latitude" in answer.values, "a stray word ends no fix"
        await port.close()

    work()

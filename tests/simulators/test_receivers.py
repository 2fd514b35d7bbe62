"""The receivers of the simulator say what another parser understands."""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
import time

import pynmea2
import pytest

from simulators import nmea
from simulators.receiver import WEEK_MS, Receiver, Spell, Trouble
from simulators.receivers import Output, ReceiverStream, gpsd_reports, misheard, parse
from tests.support.spawn import Spawned
from tests.support.virtual import running_loop, virtual

START = 1_786_000_000_000
ROUTE = ((39.63, 118.18), (39.64, 118.19), (39.64, 118.21))


def said(receiver, at_s=0.0, **how):
    return [
        pynmea2.parse(line.decode().strip(), check=True)
        for line in nmea.burst(receiver.moment(at_s), **how)
    ]


def test_pynmea2_reads_what_it_says():
    receiver = Receiver(START, ROUTE, 12.0, ("GP", "GL", "GA", "GB"), sigma=1.5)

    by_type = {s.sentence_type: s for s in said(receiver, 30.0)}

    latitude, longitude, course = receiver.truth(30.0)
    for kind in ("RMC", "GGA", "GLL"):
        assert by_type[kind].latitude == pytest.approx(latitude, abs=1e-7)
        assert by_type[kind].longitude == pytest.approx(longitude, abs=1e-7)
    assert by_type["RMC"].datetime.timestamp() * 1000 == START + 30_000
    assert by_type["RMC"].true_course == pytest.approx(course, abs=0.01)
    assert by_type["RMC"].spd_over_grnd * nmea.KNOT_MS == pytest.approx(12.0, abs=1e-3)
    assert by_type["GGA"].num_sats == "12"
    assert by_type["ZDA"].year == 2026


def test_lists_name_every_satellite_once():
    receiver = Receiver(START, systems=("GP", "GB"))
    lists = [s for s in said(receiver) if s.sentence_type == "GSV"]

    for system, seen in receiver.moment(0).sky.items():
        ours = [s for s in lists if s.talker == system]
        assert {s.num_messages for s in ours} == {str(len(ours))}
        numbers = [n for s in ours for n in s.data[3:-1:4]]
        assert numbers == [f"{one.number:02d}" for one in seen]


def test_it_drives_there_and_back():
    receiver = Receiver(START, ROUTE, 20.0)
    whole = sum(receiver._legs)

    assert receiver.truth(0)[:2] == ROUTE[0]
    assert receiver.truth(whole / 20)[:2] == pytest.approx(ROUTE[-1])
    assert receiver.truth(2 * whole / 20)[:2] == pytest.approx(ROUTE[0])
    one, two = receiver.truth(10), receiver.truth(11)
    north = math.radians(two[0] - one[0]) * 6_371_000
    east = math.radians(two[1] - one[1]) * 6_371_000 * math.cos(math.radians(one[0]))
    assert math.hypot(north, east) == pytest.approx(20.0, rel=0.01)


@pytest.mark.parametrize(
    ("trouble", "status", "quality"),
    [
        (Trouble.NO_FIX, "V", 0),
        (Trouble.SIMULATED, "A", 8),
        (Trouble.ESTIMATED, "A", 6),
        (Trouble.LEAP_WEEKS, "A", 1),
    ],
)
def test_troubles(trouble, status, quality):
    receiver = Receiver(START, spells=[Spell(trouble, 10, 20)])
    before, during = (
        {s.sentence_type: s for s in said(receiver, at)} for at in (9.0, 10.0)
    )

    assert (before["RMC"].status, before["GGA"].gps_qual) == ("A", 1)
    assert (during["RMC"].status, during["GGA"].gps_qual) == (status, quality)
    if trouble is Trouble.LEAP_WEEKS:
        apart = before["RMC"].datetime - during["RMC"].datetime
        assert round(apart.total_seconds()) * 1000 == 1024 * WEEK_MS - 1000


def test_a_jammer_takes_all_satellites_within_seconds():
    receiver = Receiver(START, spells=[Spell(Trouble.JAM, 10, 60)])
    used = [
        sum(map(len, receiver.moment(at).used.values())) for at in (9.0, 10.5, 13.0)
    ]

    assert used[0] > used[1] > used[2] == 0
    assert all(s.snr == 0 for s in receiver.moment(13.0).sky["GB"])


def test_gpsd_s_reports_are_json_of_one_time():
    reports = [
        json.loads(r) for r in gpsd_reports(Receiver(START, sigma=1.0).moment(0))
    ]

    assert [r["class"] for r in reports] == ["SKY", "GST", "TPV"]
    assert len({r["time"] for r in reports}) == 1


def test_a_port_at_another_speed_hears_something_else():
    data = b"$GNRMC,055234.200,A,4739.71890,N\r\n"

    assert misheard(data, 9600, 9600) == data
    assert b"$GN" not in misheard(data, 9600, 4800)


@virtual
async def test_bytes_take_their_time_on_the_line():
    loop = running_loop()
    line, came = loop.line("gnss"), []

    class Ear:
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            came.append((loop.time(), data))

        def connection_lost(self, exc):
            pass

    born = loop.time()
    line.attach(
        lambda: ReceiverStream(Receiver(START), Output(baud=9600), lambda: born)
    )
    line.open_port(Ear)
    await asyncio.sleep(1.99)
    size = sum(len(data) for _, data in came)
    assert came[0][0] - born == pytest.approx(1.016, abs=0.002)
    assert came[-1][0] - came[0][0] == pytest.approx(size / 960, abs=0.02)
    line.near.close()
    await asyncio.sleep(0)


def test_it_says_where_it_is_and_speaks_there(tmp_path):
    link = tmp_path / "gnss"
    args = ("--pty", link, "--tcp", 0, "--gpsd", 0, "--rate", 5, "--baud", 0)
    with Spawned("simulators.receivers", *args) as process:
        number = process.ready["port"]
        with socket.create_connection(("127.0.0.1", number), timeout=5) as wire:
            assert wire.recv(300).startswith(b"$GNRMC,")
        with socket.create_connection(
            ("127.0.0.1", process.ready["gpsd_port"]), timeout=5
        ) as wire:
            assert b'"VERSION"' in wire.recv(300)
            wire.sendall(b'?WATCH={"enable":true,"json":true};\n')
            heard = b""
            while b'"TPV"' not in heard:
                heard += wire.recv(4096)
        port = os.open(link, os.O_RDONLY | os.O_NOCTTY)
        assert os.read(port, 300).startswith(b"$GNRMC,")
        os.close(port)
        # Its time is ours, in whole fifths of a second.
        assert abs(process.ready["start_utc_ms"] - time.time() * 1000) < 20_000
        assert process.stop() == 0
    assert not link.is_symlink()


@pytest.mark.parametrize(
    "wrong",
    [[], ["--pty", "x", "--trouble", "rain@1-2"], ["--tcp", "0", "--quality", "9"]],
)
def test_options_that_make_no_receiver_are_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        parse(wrong)

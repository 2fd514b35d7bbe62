"""Bar 2: recorded receivers give exactly their fixes, damaged ones never a wrong one.

And the receivers' share of bar 3: whatever comes, nothing is raised, nothing grows, and
no sentence with a wrong checksum is used.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
import tracemalloc
from datetime import UTC, datetime
from functools import reduce
from operator import xor

import pynmea2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from drivers.gnss import GnssDevice, serial_port
from drivers.gnss.decode import decode
from drivers.gnss.reader import NmeaReader
from drivers.gnss.sentence import Framer
from drivers.profiles.library import load_profile
from gateway.release import RELEASED_MS
from tests.conftest import BARS
from tests.support.gnss_logs import (
    EXPECTED,
    LOGS,
    Joint,
    accepted,
    epochs,
    fixes,
    lies,
    log,
    lucky_joints,
)
from tests.support.spawn import Spawned

AROUND = 300
"""Bytes to both sides of a damage that are read: three sentences and more."""


def utc_ms(text):
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def by_pynmea2(name):
    """Time and place of every RMC fix, by another parser; in order, each once.

    Where two talkers tell the same instant one after the other, it is one fix.
    """
    found = []
    for line in log(name).split(b"\n"):
        text = line[line.rfind(b"$") :].decode("ascii", "replace").strip()
        try:
            said = pynmea2.parse(text, check=True)
        except pynmea2.ParseError:
            continue
        if getattr(said, "sentence_type", "") != "RMC" or said.status != "A":
            continue
        if not said.datestamp or not said.lat:
            continue
        told = datetime.combine(said.datestamp, said.timestamp).replace(tzinfo=UTC)
        utc = round(told.timestamp() * 1000)
        if not found or found[-1][0] != utc:
            found.append((utc, (said.latitude, said.longitude)))
    return found


@pytest.mark.parametrize("name", LOGS)
def test_every_log_gives_exactly_its_fixes(name):
    expected = EXPECTED[name]
    found, reader = epochs(log(name))
    fixed = [epoch for epoch in found if epoch.place]

    assert sum(epoch.rmc_fixes for epoch in fixed) == expected["rmc_fixes"]
    assert reader.framer.good == expected["good"]
    for epoch, key in ((fixed[0], "first_rmc"), (fixed[-1], "last_rmc")):
        said = expected[key]
        assert epoch.utc_ms == utc_ms(said["time"])
        assert epoch.place == pytest.approx((said["lat"], said["lon"]), abs=1e-8)
        assert epoch.time_flaw == ""
    theirs = by_pynmea2(name)
    assert [epoch.utc_ms for epoch in fixed] == [utc for utc, _ in theirs]
    for epoch, (_, place) in zip(fixed, theirs, strict=True):
        assert epoch.place == pytest.approx(place, abs=1e-8)


def test_single_bytes_cut_or_flipped_make_no_sentence(seed, count, figure):
    rng = random.Random(seed)
    originals = {name: set(accepted(log(name))) for name in LOGS}
    cases, wrong, lost = count(8_000, 1_000_000), [], 0
    for number in range(cases):
        name = rng.choice(LOGS)
        data = log(name)
        at = rng.randrange(len(data))
        since = data.rfind(b"\n", 0, max(0, at - AROUND)) + 1
        kind = rng.random()
        if kind < 0.3:
            put = b""
        elif kind < 0.7:
            put = bytes((data[at] ^ 1 << rng.randrange(8),))
        else:
            put = rng.choice((b"$", b"!", b"*", b",", b"\r", b"\n", b"\\")) or b""
        piece = data[since:at] + put + data[at + 1 : at + AROUND]
        used = accepted(piece)
        wrong += [(name, at, put, s) for s in used if s not in originals[name]]
        if number % 10 == 0:
            lost = max(lost, len(accepted(data[since : at + AROUND])) - len(used))

    figure("cases", cases)
    figure("sentences_that_were_not_there", len(wrong))
    figure("sentences_lost_at_most", lost)
    assert not wrong, (seed, wrong[:3])
    assert lost <= 2, seed


def test_logs_joined_at_random_places_make_no_wrong_fix(seed, count, figure):
    rng = random.Random(seed)
    cases, wrong, found = count(500, 100_000), [], 0
    for _ in range(cases):
        left, entered = rng.choice(LOGS), rng.choice(LOGS)
        joint = Joint(
            left,
            rng.randrange(len(log(left))),
            entered,
            rng.randrange(len(log(entered))),
        )
        fixed = fixes(joint.bytes(around=4_000))
        found += len(fixed)
        wrong += [(joint, lie) for lie in lies(fixed, left, entered)]

    figure("joints", cases)
    figure("fixes", found)
    figure("wrong_fixes", len(wrong))
    assert not wrong, (seed, wrong[:3])


def test_joints_that_pass_the_checksum_make_no_wrong_fix(seed, count, figure):
    """The one joint in 256 that a checksum lets through, looked for on purpose."""
    rng = random.Random(seed)
    joints = lucky_joints(every=count(40, 2))
    chosen = rng.sample(joints, min(len(joints), count(400, 60_000)))
    wrong = [
        (joint, lie)
        for joint in chosen
        for lie in lies(fixes(joint.bytes(around=3_000)), joint.left, joint.entered)
    ]

    figure("joints", len(chosen))
    figure("wrong_fixes", len(wrong))
    assert len(chosen) >= 300
    assert not wrong, (seed, wrong[:3])


def test_mutated_streams_raise_nothing_and_use_no_bad_check(seed, count, figure):
    rng = random.Random(seed)
    mutations = count(20_000, 1_000_000)
    done = 0
    while done < mutations:
        data = bytearray(log(rng.choice(LOGS)))
        start = rng.randrange(len(data))
        piece = data[start : start + 2_000]
        for _ in range(rng.randrange(1, 60)):
            at = rng.randrange(len(piece))
            roll = rng.random()
            if roll < 0.6:
                piece[at] = rng.randrange(256)
            elif roll < 0.8:
                del piece[at : at + rng.randrange(1, 4)]
            else:
                piece[at:at] = rng.choice((b"$", b"*", b"\r\n", b"$GNRMC,", b"9999.9"))
            done += 1
            if not piece:
                break
        check(bytes(piece))
    figure("mutations", done)


def check(data):
    """Nothing is raised, and what is used has its checksum."""
    for sentence in Framer().feed(data):
        body, _, digits = sentence.line[1:].partition(b"*")
        assert reduce(xor, body, 0) == int(digits, 16)
        decode(sentence)
    for epoch in epochs(data)[0]:
        if epoch.place is not None:
            latitude, longitude = epoch.place
            assert -90 <= latitude <= 90
            assert -180 <= longitude <= 180


_PARTS = (
    b"$GNRMC,120000.00,A,3937.8,N,11810.8,E,0.1,9.0,050826,,,A,V",
    b"$GPGGA,", b"*", b"\r\n", b"$", b"!", b",", b"9999.9", b"*00\r\n", b"*2B\n", b"A",
    b"$GNGLL,3937.8,N,11810.8,E,120000.00,A,A*7E\r\n", b"\xb5b\x01", b"\x00", b"\\",
    b"$GNGSV,1,1,01,01,02,003,04*7B\r\n",
)  # fmt: skip
_STREAMS = 20


@settings(
    max_examples=1_000,
    phases=[Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.binary(min_size=6 * _STREAMS, max_size=6 * _STREAMS))
def test_made_up_streams_raise_nothing_and_use_no_bad_check(recipe):
    """20,000 streams: an example is twenty, each of six parts or bytes."""
    for start in range(0, len(recipe), 6):
        parts = (
            _PARTS[byte % 16] if byte < 0xC0 else bytes((byte,))
            for byte in recipe[start : start + 6]
        )
        check(b"".join(parts))


def test_memory_stays_bounded_and_time_linear(figure):
    rng = random.Random(1)
    hostile = [
        b"$GNRMC,",
        b"$",
        bytes(rng.randrange(256) for _ in range(5000)),
        b"$GNGGA,120000.00,3937.8,N,11810.8,E,1,08,1.0,30.0,M,,M,,*7A\r\n",
        b"$GNGSV,9,1,36,01,02,003,04*7C\r\n",
        log("ublox-zed-f9t-ubx_nmea_l5.log"),
    ]
    tracemalloc.start()
    for piece in hostile:
        reader = NmeaReader()
        block = (piece * (20_000 // len(piece) + 1))[:20_000]
        reader.feed(block)
        gc.collect()  # with it go the interpreter's own lists of free tuples
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(4):
            reader.feed(block)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 50_000, piece[:20]
    tracemalloc.stop()

    worst = 0.0
    for piece in hostile:
        reader = NmeaReader()
        began = time.process_time()
        reader.feed((piece * (400_000 // len(piece) + 1))[:400_000])
        worst = max(worst, time.process_time() - began)
    figure("seconds_for_400_kB_at_worst", round(worst, 3))
    assert worst < 2.0


async def test_a_receiver_at_ten_a_second_costs_a_hundredth_of_a_core(
    tmp_path, count, figure
):
    """The driver's processor time, on a pty, with every sentence a receiver has."""
    profile = load_profile("generic-gnss")
    link, seconds = tmp_path / "gnss", count(1.0, 20.0)
    args = (
        *("--pty", link, "--rate", 10, "--baud", 115_200, "--systems", "GP,GL,GA,GB"),
        *("--sigma", 1.5, "--speed", 12, "--route", "39.63,118.18/39.64,118.19"),
    )
    with Spawned("simulators.receivers", *args):
        port = serial_port(str(link), 115_200, "8N1", past_ms=RELEASED_MS)
        device = GnssDevice("gnss-1", port, profile.points, timeout_s=2.0)
        await port.open()
        try:
            await ask(device, 0.3, 10)  # it settles; everything is imported
            often = await ask(device, seconds, 10)
            once = await ask(device, seconds, 1)
            stats = port.stats()
        finally:
            await port.close()

    figure("share_of_a_core_asked_once_a_second", round(once, 4))
    figure("share_of_a_core_asked_ten_times_a_second", round(often, 4))
    figure("sentences", stats.sentences)
    assert stats.bad_checksum == stats.refused_fixes == 0
    assert once <= (0.01 if BARS else 0.1)


async def ask(device, seconds, times_a_second):
    """Share of a core that it takes to ask so often."""
    loop = asyncio.get_running_loop()
    names = list(device._points)
    began, cpu = loop.time(), time.process_time()
    while loop.time() - began < seconds:
        await asyncio.sleep(1 / times_a_second - 0.01)
        answer = await device.scan(names)
        assert answer.values["fix"] == "single"
        assert "latitude" in answer.values
    return (time.process_time() - cpu) / (loop.time() - began)

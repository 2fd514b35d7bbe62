"""gpsd's reports make the same epochs, and nothing of its own guessing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gnss.gpsd import LONGEST, GpsdReader
from simulators.receiver import Receiver, Spell, Trouble
from simulators.receivers import gpsd_reports

START = 1_786_000_000_000
TPV = {
    "class": "TPV", "device": "/dev/ttyS1", "mode": 3, "lat": 39.63041,
    "lon": 118.18012, "time": "2026-08-05T05:52:34.000Z", "altMSL": 31.0,
}  # fmt: skip


def read(*reports):
    reader = GpsdReader()
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in reports]
    found = reader.feed(b"".join(line.strip() + b"\r\n" for line in lines))
    return found + reader.end(), reader


def one(**changed):
    said = {key: value for key, value in (TPV | changed).items() if value is not None}
    ((epoch,), _) = read(said)
    return epoch


def test_an_epoch_holds_what_gpsd_reports_of_one_time():
    receiver = Receiver(START, sigma=1.5)

    found, reader = read(
        *(r for n in range(3) for r in gpsd_reports(receiver.moment(n)))
    )

    assert [e.utc_ms for e in found] == [START, START + 1000, START + 2000]
    assert found[0].used == {"gps": 10, "beidou": 12}
    assert found[0].accuracy_m == pytest.approx(2.121)
    assert found[0].place == receiver.truth(0)[:2]
    assert reader.good == 9


def test_accuracy_that_gpsd_made_up_is_not_taken():
    assert one(eph=7.6, epx=3.1, epy=3.2).accuracy_m is None


@pytest.mark.parametrize(
    ("changed", "flaw"),
    [
        ({"mode": 1}, "no_fix"),
        ({"mode": 0}, "no_fix"),
        ({"lat": None}, "no_fix"),
        ({"lat": 91.0}, "impossible_position"),
        ({"lat": 0.0, "lon": 0.0}, "impossible_position"),
        ({"status": 8}, "simulated"),
        ({"time": None}, "not_sent"),
        ({"time": "yesterday"}, "not_sent"),
    ],
)
def test_what_is_no_fix(changed, flaw):
    epoch = one(**changed)

    assert (epoch.place, epoch.flaw) == (None, flaw)
    assert epoch.time_flaw


def test_kinds_of_fix():
    assert [one(status=n).kind for n in (None, 1, 2, 3, 4, 5)] == [None, 1, 2, 4, 5, 6]
    assert one(status=5).doubt == "estimated"
    assert one(datum="P90").doubt == "other_datum"
    assert one(mode=2).flat


def test_the_last_report_of_one_time_counts():
    found, _ = read(
        {"class": "TPV", "mode": 1, "time": TPV["time"]}, TPV | {"device": ""}
    )

    assert [e.place for e in found] == [(39.63041, 118.18012)]


def test_a_sky_of_another_time_is_not_of_this_epoch():
    seen = [{"PRN": 5, "used": True, "gnssid": 3, "svid": 5}]
    sky = TPV | {"class": "SKY", "time": "2026-08-05T05:52:33Z", "satellites": seen}

    ((epoch,), _) = read(sky, TPV)

    assert epoch.used is None


def test_a_second_receiver_behind_the_same_gpsd_is_counted_and_not_read():
    found, reader = read(TPV, TPV | {"device": "/dev/ttyS2", "lat": 12.0})

    assert [e.place for e in found] == [(39.63041, 118.18012)]
    assert reader.other == 1


def test_silence_is_heeded():
    receiver = Receiver(START, spells=[Spell(Trouble.NO_FIX, 1, 2)])
    found, _ = read(*(r for n in range(3) for r in gpsd_reports(receiver.moment(n))))

    assert [e.flaw for e in found] == ["", "no_fix", ""]


def test_lines_that_never_end_are_dropped():
    reader = GpsdReader()

    for _ in range(100):
        assert reader.feed(b"x" * 4096) == []
        assert len(reader._rest) <= LONGEST
    assert reader.malformed


@given(st.lists(st.binary(max_size=40) | st.sampled_from(
    [b'{"class":"TPV","mode":3,"lat":"x"}', b'{"class":"TPV","mode":9e999}', b"[" * 30,
     b'{"class":"SKY","satellites":[{"PRN":1e300}]}', b"null", b"3", b'{"class":5}']
), max_size=6))  # fmt: skip
def test_hostile_lines_raise_nothing_and_make_no_place(lines):
    found, _ = read(*lines, b"")

    assert not any(epoch.place for epoch in found)


@pytest.mark.parametrize("wrong", [{"track": 720.0}, {"track": -1.0}, {"speed": -5.0}])
def test_what_no_course_and_no_speed_can_be_is_none(wrong):
    (name,) = wrong
    right = one(track=90.0, speed=5.0)
    assert (right.course_deg, right.speed_ms) == (90.0, 5.0)

    epoch = one(**wrong)

    assert {"track": epoch.course_deg, "speed": epoch.speed_ms}[name] is None

"""What a platform is told, to the digit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from msgspec.structs import replace

from gateway.aggregate import FactorPeriod, Period
from gateway.config.model import FactorMap, Hj212Target
from gateway.config.stations import Station
from gateway.record import Scan, encode
from gateway.uplink.hj212.civil import Civil, Numbers
from gateway.uplink.hj212.frames import Frames
from tests.support.hj212_home import (
    AT,
    MINUTE_MS,
    MN,
    STATION,
    T0_MS,
    FixedBoard,
    Newest,
    factor,
    period,
)

TARGET = Hj212Target(
    name="city", host="127.0.0.1", port=1, mn=MN, station="DA001", st="31"
)


def frames(station=STATION, board=None, **keys):
    """Of the target with these keys."""
    target = replace(TARGET, **keys)
    return Frames(target, station, Civil("Asia/Shanghai"), board or FixedBoard())


def names(upload):
    """Everything an upload says."""
    return dict(pair for item in upload.items for pair in item)


def full(**more):
    """A minute with every number there is."""
    number = FactorPeriod(
        avg=Fraction(1234567, 10**5),
        min=Fraction(11),
        max=Fraction(139, 10),
        cou=Fraction(44445, 10**6),
        zs_avg=Fraction(1425, 100),
        n=12,
        of=12,
        marks={"valid": 12},
        mark="valid",
        **more,
    )
    # Half to even, from the exact number.
    figures = {
        "avg": "12.3",
        "min": "11.0",
        "max": "13.9",
        "cou": "0.044",
        "zs_avg": "14.2",
    }
    return Period(
        kind="minute",
        station="DA001",
        t_ms=T0_MS,
        until_ms=T0_MS + MINUTE_MS,
        factors={"so2": number},
        figures={"so2": figures},
        at=AT,
    )


def test_the_stations_own_format_gives_the_records_own_digits_in_the_standards_order():
    (upload,) = frames().period(full())

    assert upload.cn == 2051
    assert upload.items == (
        (("DataTime", "20251201080000"),),
        (
            ("a21026-Cou", "0.044"),
            ("a21026-Min", "11.0"),
            ("a21026-Avg", "12.3"),
            ("a21026-Max", "13.9"),
            ("a21026-ZsAvg", "14.2"),
            ("a21026-Flag", "N"),
        ),
    )


def test_another_unit_is_rounded_once_and_from_the_exact_number():
    wants = FactorMap(code="a99", unit="ug/m3", decimals=0, cou_unit="g")
    (upload,) = frames(factors={"so2": wants}).period(full())

    said = names(upload)
    assert said["a99-Avg"] == "12346"  # 12345.67, not 12300
    assert said["a99-Cou"] == "44.445"
    assert said["a99-ZsAvg"] == "14250"


@pytest.mark.parametrize("keys", [{}, {"version": 2025}, {"only": ("dust",)}])
def test_a_stored_record_comes_to_the_same_as_the_period(keys):
    for one in (full(), period(so2="1.0", dust=None, mark="fault"), period(rev=2)):
        made = frames(**keys)
        found = made.stored(encode(one, "0000002a"))

        assert list(found.uploads) == list(made.period(one, rf=one.rev > 0))
        assert found.key == ("minute", "DA001", T0_MS, one.rev)
    assert made.stored(encode(Scan("d", AT, {"x": 1.0}), "0000002a")).key is None


@pytest.mark.parametrize(
    ("kind", "cn"), [("minute", 2051), ("hour", 2061), ("day", 2031)]
)
def test_each_period_has_its_command_and_is_labelled_by_its_start(kind, cn):
    (upload,) = frames().period(period(kind=kind, so2="1.0"))

    assert (upload.cn, names(upload)["DataTime"]) == (cn, "20251201080000")


def test_a_factor_without_a_value_is_never_told_a_number():
    missing = period(so2=None, dust="1.00")

    (told,) = frames().period(missing)
    assert {k: v for k, v in names(told).items() if "a21026" in k} == {
        "a21026-Flag": "D"
    }
    (told,) = frames(absent="leave_out").period(missing)
    assert not [k for k in names(told) if "a21026" in k]


def test_the_letter_is_by_the_targets_table_and_rules():
    nine = period(so2="1.0")
    parts = replace(
        nine.factors["so2"], n=8, marks={"valid": 8, "maintenance": 4}, mark="fault"
    )
    nine = replace(nine, factors={"so2": parts})

    assert names(frames().period(nine)[0])["a21026-Flag"] == "D"
    half = {"minute": Fraction(1, 2)}
    assert names(frames(validity=half).period(nine)[0])["a21026-Flag"] == "N"
    most = {"minute": Fraction(9, 10)}
    (told,) = frames(validity=most).period(period(so2="1.0"))
    assert names(told)["a21026-Flag"] == "N"  # all twelve are valid


def test_facilities_have_frames_of_their_own():
    station = replace(
        STATION,
        factors=(
            *STATION.factors,
            factor("fan", "SB1", unit="1", decimals=0),
            factor("ran", "SB2", unit="h", decimals=0, cou_unit="h", cou_decimals=2),
        ),
    )
    board = FixedBoard(fan=Newest(Fraction(1), T0_MS), ran=Newest(None, T0_MS))
    made = frames(station, board)
    day = period(kind="day", so2="1.0")
    hours = FactorPeriod(cou=Fraction(47, 2), n=24, of=24, mark="valid")
    day = replace(day, factors={**day.factors, "ran": hours})

    state = made.facilities(T0_MS + 1000)
    assert names(state) == {"DataTime": "20251201080000", "SB1-RS": "1"}
    assert [u.cn for u in made.period(day)] == [2031, 2041]
    assert names(made.period(day)[1])["SB2-RT"] == "23.50"
    assert "SB" not in str(made.realtime(T0_MS))
    assert made.facilities(T0_MS + 3_600_000) is None  # nobody knows what it is now


def test_levels_of_noise_have_names_of_their_own():
    levels = {"l10": Fraction(60), "l50": Fraction(55), "ld": Fraction(50)}
    station = Station(
        name="DA001",
        kind="noise",
        factors=(factor("la", "LA", unit="dB[SPL]"),),
    )
    found = FactorPeriod(
        avg=Fraction(57), min=Fraction(40), max=Fraction(70), extra=levels, n=60, of=60,
        mark="valid",
    )  # fmt: skip
    one = replace(period(), factors={"la": found}, figures={})
    made = frames(station, FixedBoard(la=Newest(Fraction(501, 10), T0_MS)), st="23")

    minute = names(made.period(one)[0])
    assert minute == {
        "DataTime": "20251201080000",
        "L10-Data": "60.0",
        "L50-Data": "55.0",
        "LMx-Data": "70.0",
        "LMn-Data": "40.0",
        "Leq-Data": "57.0",
        "Leq-Flag": "N",
    }
    assert names(made.period(replace(one, kind="day"))[0])["Ld-DayData"] == "50.0"
    assert names(made.realtime(T0_MS))["LA-Rtd"] == "50.1"


def test_a_value_that_is_too_old_is_told_as_missing_and_never_as_of_now():
    board = FixedBoard(
        so2=Newest(Fraction(5), T0_MS - 60_000, zs=Fraction(6)),
        dust=Newest(Fraction(7), T0_MS),
    )
    said = names(frames(board=board).realtime(T0_MS + 500))

    assert said == {
        "DataTime": "20251201080000",
        "a21026-Flag": "D",
        "a34013-Rtd": "7.00",
        "a34013-Flag": "N",
    }
    board["dust"] = Newest(Fraction(7), T0_MS + 3_600_000)
    assert "a34013-Rtd" not in names(frames(board=board).realtime(T0_MS))
    assert frames().realtime(T0_MS) is None


def test_a_result_that_stands_goes_with_the_time_it_was_taken():
    cod = factor("cod", "w01018", holds_ms=4 * 3_600_000)
    station = replace(STATION, kind="water", factors=(cod,))
    board = FixedBoard(
        cod=Newest(Fraction(31), T0_MS, sampled_ms=T0_MS - 2 * 3_600_000)
    )
    made = frames(station, board, st="32")

    said = names(made.realtime(T0_MS))
    assert said["w01018-SampleTime"] == "20251201060000"
    assert said["w01018-Rtd"] == "31.0"
    assert "w01018-Rtd" not in names(made.realtime(T0_MS + 3 * 3_600_000))


def test_a_working_condition_is_told_as_its_word():
    word = factor("boiler", "p99101", unit="1", decimals=0, states=True)
    station = replace(STATION, kind="conditions", factors=(word,))
    made = frames(station, FixedBoard(boiler=Newest("St", T0_MS)), st="45")

    assert names(made.realtime(T0_MS))["p99101-Rtd"] == "St"


def test_qns_are_never_given_twice_whatever_the_clock_does():
    walls = iter([T0_MS] * 5 + [T0_MS - 30_000] * 5 + [T0_MS + 10, T0_MS - 3_600_000])
    numbers = Numbers(lambda: next(walls), Civil("Asia/Shanghai"))

    given = [numbers.next() for _ in range(12)]

    assert given[0] == "20251201080000000"
    assert len(set(given)) == 12
    assert given[:11] == sorted(given[:11])
    assert given[11] == "20251201070000000"  # an hour is no tick: the clock is followed


def test_no_qn_is_one_that_the_platform_asks_with():
    numbers = Numbers(lambda: T0_MS, Civil("Asia/Shanghai"))
    numbers.taken("20251201080000001")
    numbers.taken("20251201080000002")

    given = [numbers.next() for _ in range(2)]

    assert given == ["20251201080000000", "20251201080000003"]


def test_civil_time_is_the_sites_whatever_its_zone():
    assert Civil("Asia/Shanghai").time(T0_MS) == "20251201080000"
    assert Civil("Asia/Kathmandu").time(T0_MS + 1500) == "20251201054501"
    assert Civil("Asia/Shanghai").qn(T0_MS + 1507) == "20251201080001507"


# -- what was kept under another site file ------------------------------------


@pytest.mark.parametrize("kept", ["own", "converted"])
def test_numbers_kept_in_another_unit_are_told_in_the_platforms(kept):
    """A site file said mg/m3, then ug/m3: 12.34567 mg/m3 was told as 12.3 ug/m3."""
    old = full(unit="mg/m3", cou_unit="kg")
    now = replace(
        STATION,
        factors=(replace(STATION.factors[0], unit="ug/m3", cou_unit="g"),),
    )
    keys = {} if kept == "own" else {"factors": {"so2": FactorMap(decimals=2)}}
    made = frames(now, **keys)
    new = replace(
        old, factors={"so2": replace(full().factors["so2"], unit="ug/m3", cou_unit="g")}
    )

    said = names(made.stored(encode(old, "00000001")).uploads[0])
    assert said["a21026-Avg"] == ("12345.7" if kept == "own" else "12345.67")
    assert said["a21026-ZsAvg"] == ("14250.0" if kept == "own" else "14250.00")
    assert said["a21026-Cou"] == "44.445"
    assert said["a21026-Flag"] == "N"
    assert said == names(made.period(old)[0])
    later = names(made.stored(encode(new, "00000002")).uploads[0])
    assert later["a21026-Avg"] == ("12.3" if kept == "own" else "12.35")
    again = made.stored(encode(old, "00000001")).uploads
    assert names(again[0]) == said


def test_numbers_of_another_quantity_are_not_told():
    old = full(unit="%", cou_unit="")

    said = names(frames().stored(encode(old, "00000001")).uploads[0])

    assert {k: v for k, v in said.items() if "Cou" not in k} == {
        "DataTime": "20251201080000",
        "a21026-Flag": "D",
    }


def test_a_newest_value_in_another_unit_is_no_realtime_value():
    board = FixedBoard(so2=Newest(Fraction(5000), T0_MS, unit="ug/m3"))

    said = names(frames(board=board).realtime(T0_MS))

    assert said["a21026-Flag"] == "D"
    assert "a21026-Rtd" not in said


def test_after_a_clock_was_set_back_no_frame_tells_of_the_future():
    """Seen in a virtual month: DataTime eleven seconds behind its QN."""
    board = FixedBoard(so2=Newest(Fraction(12), T0_MS + 11_000))

    early = names(frames(board=board).realtime(T0_MS))
    then = names(frames(board=board).realtime(T0_MS + 11_000))

    assert "a21026-Rtd" not in early
    assert early["DataTime"] < then["DataTime"]
    assert then["a21026-Rtd"] == "12.0"


def test_a_platform_of_the_version_gets_the_stations_own_marks():
    """It was told D where MQTT had the F of ``2017-commonest``."""
    still = period(mark="stopped")
    marks = {"stopped": 60}
    still = replace(
        still,
        factors={"so2": replace(still.factors["so2"], n=0, of=60, marks=marks)},
    )
    station = replace(STATION, rules="2017-commonest")

    (told,) = frames(station).period(still)
    (other,) = frames(station, version=2025).period(still)

    assert names(told)["a21026-Flag"] == "F"
    assert names(other)["a21026-Flag"] == "D"


@pytest.mark.parametrize(
    ("keys", "ran", "said"),
    [
        ({"unit": "min", "counter": True}, Fraction(1410), "23.500"),
        ({"unit": "h", "counter": True}, Fraction(47, 2), "23.500"),
        ({"unit": "h", "cou_unit": "s"}, Fraction(84600), "23.500"),
        ({"unit": "kW.h", "counter": True}, Fraction(47, 2), None),
    ],
)
@pytest.mark.parametrize("kept", [False, True])
def test_running_time_is_told_in_hours_or_not_at_all(keys, ran, said, kept):
    """A counter of minutes was told as so many hours."""
    fan = factor("fan", "SB1", decimals=0, **keys)
    made = frames(replace(STATION, factors=(fan,)))
    number = FactorPeriod(
        cou=ran,
        n=24,
        of=24,
        mark="valid",
        unit=fan.unit,
        cou_unit=fan.cou_unit or fan.unit,
    )
    day = replace(
        period(kind="day"),
        factors={"fan": number},
        figures={"fan": {"cou": str(float(ran))}},
    )

    uploads = made.stored(encode(day, "00000001")).uploads if kept else made.period(day)

    told = [names(upload).get("SB1-RT") for upload in uploads if upload.cn == 2041]
    own = str(float(ran)) if keys["unit"] == "h" and "cou_unit" not in keys else said
    assert told == ([] if said is None else [own])

"""Each scan says where the station was at its second, or why nobody can say."""

from __future__ import annotations

from drivers.values import Flaw, Quality
from gateway.clock import Instant
from gateway.judge.fix import Fix, NoFix, fix_of
from gateway.judge.position import Whereabouts
from gateway.record import Scan


def at(ms, boot="00000001"):
    return Instant(1_763_712_000_000 + ms, ms, boot, True)


def whereabouts(*moments):
    known = Whereabouts(2.0)
    for moment in moments:
        known.add(moment)
    return known


def test_the_nearest_fix_is_taken_with_its_age():
    known = whereabouts(Fix(at(1000), 118.1, 39.1), Fix(at(2000), 118.2, 39.2))

    assert known.at(at(1400)) == {
        "lon": 118.1, "lat": 39.1, "datum": "WGS-84", "age_ms": 400,
    }  # fmt: skip
    assert known.at(at(1700))["age_ms"] == -300
    assert known.at(at(4000))["lon"] == 118.2


def test_an_older_fix_is_never_taken_silently():
    known = whereabouts(Fix(at(1000), 118.1, 39.1))

    assert known.at(at(3000))["age_ms"] == 2000
    assert known.at(at(3001)) == {"none": "too_old"}


def test_where_the_receiver_had_no_fix_an_older_one_is_no_answer():
    known = whereabouts(Fix(at(1000), 118.1, 39.1), NoFix(at(2000), "no_fix", True))

    assert known.at(at(1400))["lon"] == 118.1
    assert known.at(at(1600)) == {"none": "no_fix"}


def test_before_the_first_fix_and_in_another_boot_there_is_none():
    assert whereabouts().at(at(0)) == {"none": "no_position"}
    assert whereabouts(Fix(at(1000), 1.0, 2.0)).at(at(1000, "00000002")) == {
        "none": "too_old"
    }


def test_a_fix_is_taken_out_of_a_scan_at_the_moment_its_data_came():
    values = {
        "latitude": 39.1, "longitude": 118.1, "altitude": 12.0, "hdop": 0.8,
        "fix": "rtk_fixed", "datum": "CGCS2000", "accuracy": 0.02,
    }  # fmt: skip
    scan = Scan("g", at(5000), values, age_ms={"latitude": 300, "longitude": 300})

    assert fix_of(scan) == Fix(
        at(4700), 118.1, 39.1, 12.0, 0.02, 0.8, "rtk_fixed", "CGCS2000"
    )


def test_a_bad_or_uncertain_position_is_no_fix():
    bad = {"latitude": Flaw(Quality.BAD, "no_fix")}
    doubtful = {"longitude": Flaw(Quality.UNCERTAIN, "out_of_range")}

    assert fix_of(Scan("g", at(1), {}, bad)) == NoFix(at(1), "no_fix", answered=False)
    scan = Scan("g", at(1), {"latitude": 39.0, "longitude": 500.0}, doubtful)
    assert fix_of(scan) == NoFix(at(1), "out_of_range", answered=True)
    assert fix_of(Scan("g", at(1), {"satellites_used": 7})) is None

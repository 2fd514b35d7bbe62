"""No fix for long, and jamming as a suspicion: what is told, and what is not."""

from __future__ import annotations

from gateway.clock import Instant
from gateway.config.places import Reception
from gateway.judge import reception
from gateway.judge.reception import Sky, State, sky_of
from gateway.record import Scan

ALL = frozenset({"used_gps", "used_beidou"})
FULL, NOTHING = Sky(14, 20, ALL), Sky(0, 18, frozenset())


def at(s):
    return Instant(1_763_712_000_000 + 1000 * s, 1000 * s, "00000001", True)


def run(watch, seconds):
    """``seconds``: (fixed, sky) of each second."""
    state, told, found = State(), set(), []
    for n, (fixed, sky) in enumerate(seconds):
        state, each = reception.step(
            watch, state, at(n), sky, frozenset(told), fixed=fixed
        )
        for one in each:
            (told.add if one.raised else told.discard)(one.what)
            found.append((one.what, one.raised, one.at))
    return found


def test_no_fix_is_told_after_its_time_and_ends_with_a_lasting_fix():
    sky = Sky(3, 8, frozenset())
    seconds = [(True, sky)] * 30 + [(False, sky)] * 400
    seconds += [(True, sky)] * 3 + [(False, sky)] * 2 + [(True, sky)] * 30

    found = run(Reception(no_fix_s=300), seconds)

    assert found == [("no_fix", True, at(30)), ("no_fix", False, at(435))]


def test_never_means_never():
    assert run(Reception(no_fix_s=None), [(False, None)] * 5000) == []


def test_a_sudden_silence_of_every_system_is_a_suspicion():
    seconds = [(True, FULL)] * 100 + [(False, NOTHING)] * 100 + [(True, FULL)] * 100

    found = run(Reception(), seconds)

    assert found == [
        ("jamming_suspected", True, at(100)),
        ("jamming_suspected", False, at(200)),
    ]


def test_a_short_silence_as_under_a_bridge_is_none():
    seconds = [(True, FULL)] * 100 + [(False, NOTHING)] * 8 + [(True, FULL)] * 100

    assert run(Reception(), seconds) == []


def test_one_system_that_fails_alone_is_none():
    gps_gone = Sky(2, 20, frozenset({"used_beidou"}))
    seconds = [(True, FULL)] * 100 + [(True, gps_gone)] * 100

    assert run(Reception(), seconds) == []


def test_reception_that_fades_is_none():
    fading = [(True, Sky(4, 20, ALL))] * 30 + [(False, NOTHING)] * 200

    assert run(Reception(), [(True, FULL)] * 100 + fading) == []


def test_without_a_good_minute_before_there_is_nothing_to_compare():
    assert run(Reception(), [(True, FULL)] * 20 + [(False, NOTHING)] * 100) == []


def test_it_can_be_switched_off():
    seconds = [(True, FULL)] * 100 + [(False, NOTHING)] * 100

    assert run(Reception(jamming=False), seconds) == []


def test_the_sky_is_read_from_the_names_a_receiver_gives():
    values = {
        "satellites_used": 9, "satellites_in_view": 14,
        "used_beidou": 6, "used_gps": 3, "used_glonass": 0,
    }  # fmt: skip

    assert sky_of(Scan("g", at(0), values)) == Sky(9, 14, ALL)
    assert sky_of(Scan("g", at(0), {"latitude": 1.0})) is None

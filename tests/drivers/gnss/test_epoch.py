"""A position comes from sentences of one instant that agree, or from none."""

from __future__ import annotations

from itertools import chain

import msgspec
import pytest

from drivers.gnss.reader import NmeaReader
from drivers.gnss.witness import Witnesses
from simulators import nmea
from simulators.receiver import Receiver, Spell, Trouble
from tests.support.gnss_logs import EXPECTED, LOGS, epochs, log

START = 1_786_000_000_000
STILL = Receiver(START, systems=("GP", "GB"))


def read(*lines):
    reader = NmeaReader()
    found = reader.feed(b"".join(lines))
    return found + reader.end()


def burst(at_s, receiver=STILL, **changed):
    return nmea.burst(receiver.moment(at_s)._replace(**changed))


def steady(*changed_bursts):
    """Four good seconds, then what is asked about, then another good one."""
    count = len(changed_bursts)
    good = [line for second in range(4) for line in burst(second)]
    return [*good, *chain.from_iterable(changed_bursts), *burst(4 + count)]


def swap(lines, kind, made):
    return [made if line[3:6] == kind else line for line in lines]


def at(found, second):
    (epoch,) = [e for e in found if e.time_ms == (START + 1000 * second) % 86_400_000]
    return epoch


def test_a_good_receiver_is_believed_from_its_second_epoch_or_its_first():
    found = read(*burst(0), *burst(1))

    assert [bool(epoch.place) for epoch in found] == [True, True]
    latitude, longitude, _ = STILL.truth(0)
    assert found[0].place == pytest.approx((latitude, longitude), abs=1e-6)
    assert found[0].utc_ms == START


def test_places_that_differ_are_no_place():
    moved = STILL.moment(4)._replace(latitude=39.64)
    found = read(*steady(swap(burst(4), b"GGA", nmea.gga(moved, "GN"))))

    assert at(found, 4).flaw == "sentences_disagree"
    assert at(found, 4).place is None
    assert at(found, 5).place


def test_one_sentence_that_denies_is_enough():
    lost = STILL.moment(4)._replace(quality=0)
    for kind, made in ((b"GGA", nmea.gga), (b"RMC", nmea.rmc), (b"GLL", nmea.gll)):
        found = read(*steady(swap(burst(4), kind, made(lost, "GN"))))

        assert at(found, 4).flaw == "sentences_disagree", kind


def test_dates_that_differ_are_no_date():
    other = STILL.moment(4)._replace(utc_ms=START + 4000 + 86_400_000)
    found = read(*steady(swap(burst(4), b"ZDA", nmea.zda(other, "GN"))))

    assert at(found, 4).place
    assert (at(found, 4).utc_ms, at(found, 4).time_flaw) == (None, "sentences_disagree")


def test_a_day_that_does_not_exist_is_no_date():
    lines = [
        nmea.sentence(
            f"GNRMC,12000{n}.00,A,3937.8,N,11810.8,E,0.0,,310226,,,A,V"
        )
        + nmea.sentence(f"GNGGA,12000{n}.00,3937.8,N,11810.8,E,1,08,1.0,30.0,M,,M,,")
        for n in range(4)
    ]  # fmt: skip

    found = read(*lines)

    assert all(epoch.place for epoch in found)
    assert {epoch.time_flaw for epoch in found} == {"impossible_date"}


def test_sentences_of_two_instants_are_never_one_epoch():
    one, two = burst(4), burst(5)
    mixed = [one[0], two[2], *two[3:]]  # RMC of 4, GGA and the rest of 5

    found = read(*steady(mixed, []))

    assert {e.time_ms for e in found if e.place} == {
        (START + 1000 * second) % 86_400_000 for second in (0, 1, 2, 3, 4, 6)
    }
    assert at(found, 4).altitude_m is None


@pytest.mark.parametrize(
    ("trouble", "flaw", "doubt", "kind"),
    [
        (Trouble.NO_FIX, "no_fix", "", 0),
        (Trouble.SIMULATED, "simulated", "", 8),
        (Trouble.ESTIMATED, "", "estimated", 6),
    ],
)
def test_what_the_receiver_says_of_its_fix_is_heeded(trouble, flaw, doubt, kind):
    receiver = Receiver(START, spells=[Spell(trouble, 0, 99)])
    found = read(*(line for n in range(4) for line in burst(n, receiver)))

    assert {(e.flaw, e.doubt, e.kind) for e in found} == {(flaw, doubt, kind)}
    assert all((e.place is None) == bool(flaw) for e in found)


def test_a_receiver_without_rmc_is_read_by_gga_and_zda():
    lines = [
        line for n in range(20) for line in burst(n) if line[3:6] in (b"GGA", b"ZDA")
    ]
    found = [epoch for epoch in read(*lines) if epoch.place]

    assert len(found) >= 8
    assert found[-1].utc_ms == START + 19_000


def test_another_datum_makes_places_uncertain():
    dtm = nmea.sentence("GNDTM,P90,,0.000002,S,0.000005,E,0.0,W84")

    found = read(*burst(0), *burst(1), dtm, *burst(2))

    assert [epoch.doubt for epoch in found] == ["", "other_datum", "other_datum"]


def test_two_dimensions_are_noticed():
    flat = nmea.sentence("GNGSA,A,2,01,03,05,,,,,,,,,,2.1,1.9,1.0,1")
    lines = [flat if line[3:6] == b"GSA" else line for line in burst(0)]

    assert read(*lines, *burst(1))[0].flat


def test_satellites_count_once_however_often_they_are_named():
    sky = [
        nmea.sentence("GNGSA,A,3,01,03,,,,,,,,,,,1.5,0.9,1.2,1"),
        nmea.sentence("GPGSA,A,3,01,03,,,,,,,,,,,1.5,0.9,1.2,1"),
        nmea.sentence("GNGSA,A,3,01,03,06,,,,,,,,,,1.5,0.9,1.2,4"),
        nmea.sentence("BDGSA,A,3,01,03,06,,,,,,,,,,1.5,0.9,1.2"),
        nmea.sentence("GBGSV,1,1,03,01,40,120,40,03,40,120,40,06,10,020,,1"),
        nmea.sentence("GBGSV,1,1,02,01,40,120,41,03,40,120,38,B"),
    ]
    plain = [line for line in burst(0) if line[3:6] not in (b"GSA", b"GSV")]

    (epoch, _) = read(*plain[:-1], *sky, plain[-1], *burst(1))

    assert epoch.used == {"gps": 2, "beidou": 3}
    assert epoch.in_view == {"beidou": 3}


def test_a_list_of_satellites_with_a_hole_is_not_counted():
    lines = burst(0)
    second = next(n for n, line in enumerate(lines) if line.startswith(b"$GPGSV,3,2"))
    del lines[second]

    assert read(*lines, *burst(1))[0].in_view is None


def test_one_sentence_alone_waits_for_the_next_instant():
    only = [nmea.rmc(STILL.moment(n), "GN") for n in range(3)]
    reader = NmeaReader()

    assert reader.feed(only[0] + only[1]) == []
    first, *_ = reader.feed(only[2])
    assert (first.utc_ms, bool(first.place)) == (START, True)
    assert [bool(e.place) for e in reader.end()] == [True]


def test_one_sentence_that_nothing_bears_out_is_unconfirmed():
    far = STILL.moment(0)._replace(latitude=12.0)
    only = [nmea.rmc(far, "GN"), *(nmea.rmc(STILL.moment(n), "GN") for n in (1, 2))]

    assert [e.flaw for e in read(*only)] == ["unconfirmed", "", ""]


def test_a_lone_date_needs_a_neighbour_of_the_same_journey():
    (epoch, *_) = read(*burst(0), *burst(1))
    alone = msgspec.structs.replace(epoch, date_witnesses=1)
    far = msgspec.structs.replace(
        epoch,
        place=(12.0, 100.0),
        utc_ms=START + 60_000,
        time_ms=epoch.time_ms + 60_000,
    )
    witnesses = Witnesses()

    assert witnesses.hear(alone) == []
    assert [e.flaw for e in witnesses.hear(far)] == ["unconfirmed", ""]


def test_an_end_that_was_learned_is_given_up_when_it_was_none():
    reader = NmeaReader()
    found = []
    for second in range(40):
        lines = burst(second)
        if second % 4 == 3:  # now and then something more behind the usual end
            lines += nmea.gsv(STILL.moment(second))
        for line in lines:
            found += reader.feed(line)
    found += reader.end()

    assert [e.utc_ms for e in found] == [START + 1000 * n for n in range(40)]
    assert all(e.place for e in found)


@pytest.mark.parametrize("name", LOGS)
def test_pieces_of_a_log_make_no_difference(name):
    whole, _ = epochs(log(name))
    pieces, _ = epochs(log(name), chunk=23)

    assert pieces == whole
    assert sum(e.rmc_fixes for e in whole if e.place) == EXPECTED[name]["rmc_fixes"]


def test_yesterday_at_this_time_bears_nothing_out():
    day = 86_400_000
    (epoch, *_) = read(*burst(0), *burst(1))
    alone = msgspec.structs.replace(
        epoch,
        place_witnesses=1,
        utc_ms=START + day + 2000,
        time_ms=epoch.time_ms + 2000,
    )
    witnesses = Witnesses()

    assert witnesses.hear(epoch) == [epoch]
    assert witnesses.hear(alone) == []


def test_lists_that_come_before_the_time_count_once_that_is_usual():
    reader = NmeaReader()
    found = []
    for second in range(8):
        lines = burst(second)
        sky = [line for line in lines if line[3:6] in (b"GSA", b"GSV")]
        rest = [line for line in lines if line[3:6] not in (b"GSA", b"GSV")]
        found += reader.feed(b"".join(sky), second + 0.1)
        found += reader.feed(b"".join(rest), second + 0.4)
        found += reader.idle()

    assert [epoch.used is not None for epoch in found[2:]] == [True] * 6
    assert [epoch.came_s for epoch in found[:4]] == [0.4, 1.4, 2.1, 3.1]

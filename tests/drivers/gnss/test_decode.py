"""Fields are read as the standard means them, and as another parser reads them."""

from __future__ import annotations

import pynmea2
import pytest

from drivers.gnss.decode import decode, place_of, time_of_day
from drivers.gnss.sentence import KNOWN, Framer, Sentence
from tests.support.gnss_logs import EXPECTED, LOGS, log


def read(kind, fields):
    return decode(Sentence("GN", kind, fields.encode(), 0.0, b""))


def reports(name):
    for sentence in Framer().feed(log(name)):
        yield sentence, decode(sentence)


@pytest.mark.parametrize("name", LOGS)
def test_every_sentence_of_a_known_type_has_its_form(name):
    for sentence, report in reports(name):
        assert (report is not None) == (sentence.type in KNOWN), sentence


@pytest.mark.parametrize("name", LOGS)
def test_fixes_are_counted_as_others_count_them(name):
    found = {"rmc_fixes": 0, "gga_fixes": 0, "gns_fixes": 0}
    for sentence, report in reports(name):
        if sentence.type == "RMC":
            fix = report.valid and report.mode != "N" and report.place and report.date
            found["rmc_fixes"] += bool(fix)
        elif sentence.type == "GGA":
            found["gga_fixes"] += bool(report.quality and report.place)
        elif sentence.type == "GNS":
            found["gns_fixes"] += bool(report.modes.strip("N") and report.place)

    assert found == {key: EXPECTED[name][key] for key in found}


@pytest.mark.parametrize("name", LOGS)
def test_pynmea2_reads_the_same(name):
    """A second opinion on everything it has a name for."""
    for sentence, report in reports(name):
        if report is None or sentence.talker == "PQ":
            continue
        theirs = pynmea2.parse(sentence.line.decode(), check=True)
        if sentence.type in ("RMC", "GGA", "GNS", "GLL") and report.place:
            assert report.place == pytest.approx(
                (theirs.latitude, theirs.longitude), abs=1e-8
            )
        if getattr(report, "time_ms", None) is not None:
            told = theirs.timestamp
            seconds = (told.hour * 60 + told.minute) * 60 + told.second
            ours = divmod(report.time_ms, 1000)
            assert ours == (seconds, told.microsecond // 1000)
        if sentence.type == "RMC":
            assert report.knots == pytest.approx(theirs.spd_over_grnd)
            assert report.course == pytest.approx(theirs.true_course)
            year, month, day = report.date
            assert (year, month, day) == (
                theirs.datestamp.year,
                theirs.datestamp.month,
                theirs.datestamp.day,
            )
        elif sentence.type == "GGA":
            assert report.quality == theirs.gps_qual
            assert report.altitude == pytest.approx(theirs.altitude)
            assert report.satellites == int(theirs.num_sats)
        elif sentence.type == "GSV":
            assert report.in_view == int(theirs.num_sv_in_view)


# Each is taken by pynmea2 1.19 as a value; see docs/adr/0009-nmea.md.
@pytest.mark.parametrize(
    "place",
    [
        ("9999.9", "N", "12219.5", "W"),
        ("4799.9", "N", "12219.5", "W"),
        ("4739.7", "N", "12299.9", "W"),
        ("9000.1", "N", "12219.5", "W"),
        ("4739.7", "N", "18000.1", "W"),
        ("4739.7", "", "12219.5", "W"),
        ("", "N", "", "W"),
        ("0000.0000", "N", "00000.0000", "E"),
        ("47.397", "N", "12219.5", "W"),
        ("4739.7", "N", "2219.5", "W"),
    ],
)
def test_what_cannot_be_a_place_is_none(place):
    assert place_of(*(text.encode() for text in place)) is None


def test_a_place_is_the_nearest_number_to_what_was_meant():
    assert place_of(b"3937.8246", b"S", b"11810.8072", b"E") == (
        -39.63041,
        118.180120,
    )


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        (b"", None),
        (b"235960", 86_400_000),
        (b"120060", None),
        (b"250000", None),
        (b"055234.2", 21_154_200),
        (b"055234.2001", 21_154_200),
    ],
)
def test_times_of_day(text, ms):
    assert time_of_day(text) == ms


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("RMC", "055234,A,4739.7,N,12219.5,W,0.0,286.3,050826,,,A,V,more"),
        ("RMC", "055234,A,4739.7,X,12219.5,W,0.0,286.3,050826,,,A,V"),
        ("RMC", "055234,B,4739.7,N,12219.5,W,0.0,286.3,050826,,,A,V"),
        ("RMC", "055234,A,4739.7,N,12219.5,W,0.0,286.3,5826,,,A,V"),
        ("RMC", "0552,A,4739.7,N,12219.5,W,0.0,286.3,050826,,,A,V"),
        ("GGA", "055234,4739.7,N,12219.5,W,,14,0.9,76.5,M,-21.6,M,,"),
        ("GGA", "055234,4739.7,N,12219.5,W,1,14,0.9,76.5,M,-21.6,M"),
        ("GSA", "A,3,02,07,1.5,0.9,1.2,1"),
        ("GSV", "3,4,10,71,23,216,,1"),
        ("GSV", "0,1,10,71,23,216,,1"),
        ("ZDA", "055234,5,08,2026,00,00"),
        ("GST", "055234,1,2,3"),
        ("XXX", "1"),
    ],
)
def test_what_has_not_its_form_is_not_read(kind, fields):
    assert read(kind, fields) is None


def test_ids_of_nmea_4_11_are_read():
    assert read("GSA", "A,3,13,27,37,,,,,,,,,,1.5,0.9,1.2,4").system == "4"
    gsv = read("GSV", "1,1,03,13,19,043,17,27,38,127,33,37,36,091,24,1")
    assert (gsv.signal, gsv.numbers) == ("1", (13, 27, 37))
    padded = read("GSV", "3,3,10,71,05,204,18,,,,,,,,,1")
    assert (padded.signal, padded.numbers) == ("1", (71,))

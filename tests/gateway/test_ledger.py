"""Every slot and record is entered once, in the hour both ends of the line work out."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from buffer import Entry, PriorityClass
from drivers.values import Flaw, Quality
from gateway.clock import Instant
from gateway.ledger import UNDATED, DeliveryLedger, Row
from gateway.ledger_days import tell_days
from gateway.ledger_notes import LedgerNotes
from gateway.media import Media
from gateway.record import Event, Gap, Lost, Scan, encode
from gateway.spread import HOUR_MS, by_hour
from tests.support.virtual_site import make_site

HOUR = 489_920
"""2025-11-21T08:00Z, 16:00 in Shanghai."""
T = HOUR * HOUR_MS
META = "9c41d07a"
DEV = "bus-0-dev-1"


def at(ms=0, *, trusted=True):
    return Instant(T + ms, 86_400_000 + ms, "0a0b0c0d", trusted)


def a_ledger(tmp_path):
    ledger = DeliveryLedger()
    ledger.adopt(META, make_site(tmp_path, devices=2, points=10))
    return ledger


def enter(ledger, record, t_ms=None):
    end = getattr(record, "until", None) or getattr(record, "since", None) or record.at
    ledger.stored(record, t_ms or end.wall_ms, getattr(record, "device", ""), META)


def a_gap(since, until, slots, *, is_open=False, trusted=True):
    return Gap(
        DEV,
        ("*",),
        at(since, trusted=trusted),
        at(until, trusted=trusted),
        slots,
        "backed_off",
        open=is_open,
    )


def test_a_part_of_a_picture_is_a_record_of_its_camera(tmp_path):
    ledger = a_ledger(tmp_path)
    made = Media(
        event="north-1",
        n=1,
        part=1,
        parts=1,
        offset=0,
        size=1,
        sha256="0" * 64,
        type="image/jpeg",
        role="at",
        annotated=False,
        camera="north",
        name="a.jpg",
        at=at(),
        data=b"x",
    )
    ledger.stored(made, at().wall_ms, "north", META)
    entry = Entry(1, PriorityClass.EVIDENCE, at().wall_ms, "north", encode(made, META))
    ledger.sent("city", [entry])
    ledger.proved("city", [entry])

    assert ledger.rows == {("north", HOUR): Row(records=1)}
    assert ledger.books["city"][("north", HOUR)][:2] == [1, 1]


@given(
    t=st.integers(0, 10 * HOUR_MS),
    length=st.integers(0, 50 * HOUR_MS),
    count=st.integers(0, 3000),
)
def test_a_span_falls_to_the_hours_as_its_rule_says(t, length, count):
    expected = Counter((t + k * length // count) // HOUR_MS for k in range(count))

    assert dict(by_hour(t, t + length, count)) == expected


def test_values_bad_readings_and_gaps_are_all_that_was_scheduled(tmp_path):
    ledger = a_ledger(tmp_path)
    bad = Flaw(Quality.BAD, "timeout")
    enter(ledger, Scan(DEV, at(), {f"r{i}": 1 for i in range(10)}))
    enter(
        ledger,
        Scan(
            DEV,
            at(1000),
            {f"r{i}": 1 for i in range(8)},
            {"r8": bad, "r9": bad, "r0": Flaw(Quality.UNCERTAIN, "out_of_range")},
        ),
    )
    enter(ledger, a_gap(2000, 5000, 3))

    assert ledger.row(DEV, HOUR) == Row(records=3, value=18, bad=2, gap=30)
    assert ledger.row(DEV, HOUR).scheduled == 50


def test_switches_in_a_word_of_bits_do_not_count_again(tmp_path):
    ledger = a_ledger(tmp_path)
    flaws = {"state": Flaw(Quality.BAD, "x"), "state.door": Flaw(Quality.BAD, "x")}
    enter(ledger, Scan(DEV, at(), {"r1": 1}, flaws))

    assert ledger.row(DEV, HOUR) == Row(records=1, value=1, bad=1)


def test_a_gap_told_again_replaces_what_it_said_before(tmp_path):
    ledger = a_ledger(tmp_path)
    start, end = HOUR_MS - 600_000, HOUR_MS + 600_000
    enter(ledger, a_gap(start, start + 1000, 1, is_open=True))
    enter(ledger, a_gap(start, start + 900_000, 900, is_open=True))
    enter(ledger, a_gap(start, end, 1200))

    assert ledger.row(DEV, HOUR).gap == 6000
    assert ledger.row(DEV, HOUR + 1).gap == 6000
    assert ledger.tellings == {}


def test_what_no_trusted_clock_dated_has_no_hour_until_it_is_told_with_one(tmp_path):
    ledger = a_ledger(tmp_path)
    enter(ledger, Scan(DEV, at(trusted=False), {"r0": 1}))
    enter(ledger, a_gap(0, 3000, 3, trusted=False))
    assert ledger.row(DEV, UNDATED) == Row(records=2, value=1, gap=30)

    enter(ledger, a_gap(0, 3000, 3))

    assert ledger.row(DEV, UNDATED) == Row(records=2, value=1)
    assert ledger.row(DEV, HOUR) == Row(records=1, gap=30)


def test_a_loss_is_entered_once_however_often_it_is_stated(tmp_path):
    ledger = a_ledger(tmp_path)
    lost = Lost(1, 90, T, T + 2 * HOUR_MS, {DEV: 90}, "evicted", True, 90, at())
    unsure = Lost(91, 99, 0, 0, {}, "unclean_stop", False, 9, at())
    for one in (lost, lost, unsure):
        ledger.loss(one)

    assert [ledger.row(DEV, HOUR + h).lost for h in range(3)] == [45, 45, 0]
    assert ledger.row("", UNDATED).unsure == 9
    assert ledger.row("", HOUR).records == 3


def test_each_target_has_a_book_of_its_own(tmp_path):
    ledger = a_ledger(tmp_path)
    scan = encode(Scan(DEV, at(), {"r0": 1}), META)
    event = encode(
        Event(id="x", type="x", severity="info", at=at(), until=at(1, trusted=False)),
        META,
    )
    entries = [
        Entry(1, PriorityClass.LIVE, T, DEV, scan),
        Entry(2, PriorityClass.EVENT, T + 1, "", event),
    ]
    ledger.sent("a", entries)
    ledger.sent("a", entries[:1])
    ledger.proved("a", entries)
    ledger.lost("b", entries[:1], "filtered")
    ledger.lost("b", entries[1:], "too large")
    ledger.written("c", entries[:1])

    dated, undated = (DEV, HOUR), ("", UNDATED)
    assert ledger.books["a"] == {dated: [2, 1, 0, 0, 0], undated: [1, 1, 0, 0, 0]}
    assert ledger.books["b"] == {dated: [0, 0, 0, 1, 0], undated: [0, 0, 1, 0, 0]}
    assert ledger.books["c"] == {dated: [0, 0, 0, 0, 1]}


class Store(dict):
    def remember(self, key, value):
        if value is None:
            self.pop(key, None)
        else:
            self[key] = value

    def notes(self, ledger):
        return LedgerNotes(ledger, remember=self.remember, recall=self.get)


def filled(tmp_path):
    ledger = a_ledger(tmp_path)
    scan = Scan(DEV, at(), {"r0": 1})
    enter(ledger, scan)
    enter(ledger, a_gap(1000, 2000, 1, is_open=True))
    data = encode(scan, META)
    ledger.proved("a", [Entry(1, PriorityClass.LIVE, T, DEV, data)] * 2)
    ledger.loss(Lost(1, 2, T, T, {DEV: 2}, "evicted", True, 2, at()))
    return ledger


def test_after_a_clean_stop_the_ledger_goes_on_as_it_was(tmp_path):
    store, ledger = Store(), filled(tmp_path)
    store.notes(ledger).save(T + 60_000, clean=True)

    found = a_ledger(tmp_path)
    store.notes(found).load(T + 120_000, ended_ms=T + 60_000)

    assert found.rows == ledger.rows
    assert found.books == ledger.books
    assert found.tellings == ledger.tellings
    assert found.losses == ledger.losses
    assert found.incomplete == set()
    enter(found, a_gap(1000, 4000, 3))
    assert found.row(DEV, HOUR).gap == 30


def test_after_a_kill_the_hours_it_touched_are_incomplete(tmp_path):
    store, ledger = Store(), filled(tmp_path)
    store.notes(ledger).save(T + 60_000)

    found = a_ledger(tmp_path)
    later = T + 100 * HOUR_MS
    store.notes(found).load(later, ended_ms=T + 10 * 60_000)

    assert found.incomplete == {HOUR, HOUR + 1}
    assert found.rows == ledger.rows


def test_notes_that_are_damaged_are_said_to_be_incomplete(tmp_path, caplog):
    store, ledger = Store(), filled(tmp_path)
    store.notes(ledger).save(T, clean=True)
    store[f"ledger:{HOUR}"] = b"\xc1"
    found = DeliveryLedger()
    store.notes(found).load(T, ended_ms=T)
    assert found.incomplete == {HOUR}
    assert "cannot be read" in caplog.text

    store["ledger"] = b"\xc1"
    found = DeliveryLedger()
    store.notes(found).load(T, ended_ms=T)
    assert found.incomplete == {HOUR}


def test_a_day_is_that_of_the_site_and_told_again_only_when_it_changed(tmp_path):
    ledger, told = filled(tmp_path), {}
    del ledger.rows["", HOUR]
    assert list(tell_days(ledger, told, "Asia/Shanghai", at(8 * HOUR_MS))) == []
    after = at(8 * HOUR_MS + 15 * 60_000)

    (day,) = tell_days(ledger, told, "Asia/Shanghai", after)

    assert (day.device, day.day, day.tz) == (DEV, "2025-11-21", "Asia/Shanghai")
    assert (day.t_ms, day.until_ms) == (T - 16 * HOUR_MS, T + 8 * HOUR_MS)
    assert (day.scheduled, day.value, day.gap, day.records) == (11, 1, 10, 2)
    assert (day.lost, day.targets) == (2, {"a": {"proved": 2}})
    assert list(tell_days(ledger, told, "Asia/Shanghai", at(30 * HOUR_MS))) == []
    data = encode(Scan(DEV, at(), {"r0": 1}), META)
    ledger.proved("b", [Entry(1, PriorityClass.LIVE, T, DEV, data)])
    (again,) = tell_days(ledger, told, "Asia/Shanghai", at(33 * HOUR_MS))
    assert again.targets == {"a": {"proved": 2}, "b": {"proved": 1}}


def test_nothing_is_told_while_nobody_knows_the_time_and_then_what_has_none(tmp_path):
    ledger, told = a_ledger(tmp_path), {}
    enter(ledger, Scan(DEV, at(trusted=False), {"r0": 1}))
    assert not list(tell_days(ledger, told, "UTC", at(trusted=False)))

    (undated,) = tell_days(ledger, told, "UTC", at(5000))

    assert (undated.day, undated.value) == ("", 1)
    assert undated.t_ms == undated.until_ms == T + 5000
    assert not list(tell_days(ledger, told, "UTC", at(5000)))


def test_old_rows_go_once_their_day_is_told(tmp_path):
    ledger = filled(tmp_path)
    late = T + 100 * HOUR_MS
    ledger.prune(late, lambda _hour: False)
    assert (DEV, HOUR) in ledger.rows

    ledger.prune(late, lambda _hour: True)

    assert not ledger.rows
    assert not ledger.books["a"]


def test_a_record_that_nobody_can_read_is_counted_undated():
    ledger = DeliveryLedger()

    for data in (b"", b"\x01\x01", b"\x01\x01\xff" + bytes(10)):
        ledger.lost("p", [Entry(1, PriorityClass.LIVE, T, "d", data)], "refused")

    assert set(ledger.books["p"]) == {("d", UNDATED)}

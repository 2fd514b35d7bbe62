from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import Instant
from gateway.schedule import Slots
from gateway.slots import RESTATE_S, SlotLine

WALL = 1_763_712_000.0


def when(moment):
    return Instant(round((moment + WALL) * 1000), round(moment * 1000), "0" * 8, True)


def ledger(every=1.0, part=0.25):
    return SlotLine("fan-2", ("*",), Slots(every, part * every, 100.0, WALL), when)


steps = st.lists(
    st.tuples(
        st.floats(0.0, 5.0),
        st.sampled_from(["ask", "skip", "skip", "close", "realign", "nothing"]),
        st.sampled_from(["bus_gone", "backed_off", "maintenance"]),
    ),
    max_size=60,
)


@given(steps, st.sampled_from([0.1, 1.0, 2.5]))
def test_every_slot_is_asked_or_in_one_gap(plan, every):
    book = ledger(every)
    now, told, asked = 100.0, {}, 0

    def tell(gaps):
        for gap in gaps:
            told[gap.since.mono_ms] = gap

    for pause, what, cause in plan:
        now += pause
        if what == "ask":
            asked += book.open_slot(now)
            tell(book.ask(now))
        elif what == "skip":
            tell(book.skip(now, cause))
        elif what == "close":
            tell(book.close(now, cause))
        elif what == "realign":
            book.slots.realign(book.next, WALL + pause * 1234.5)
        assert book.next == book.asked + book.unasked
    tell(book.close(now, "maintenance"))

    assert asked == book.asked
    assert book.next >= book.slots.current(now)
    assert sum(gap.slots for gap in told.values()) == book.unasked
    assert not any(gap.open for gap in told.values())


def test_a_slot_can_be_asked_until_the_next_is_due():
    book = ledger()
    book.ask(100.0)

    late = book.slots.due(1) + 0.9

    assert book.ask(late) == []
    assert (book.asked, book.unasked) == (2, 0)


def test_slots_missed_while_the_bus_was_busy_are_one_ended_overrun_gap():
    book = ledger()
    book.ask(100.0)

    (gap,) = book.ask(book.slots.due(4) + 0.1)

    assert (gap.cause, gap.slots, gap.open) == ("overrun", 3, False)
    assert gap.since == when(book.slots.due(1))
    assert gap.until == when(book.slots.due(4))


def test_a_gap_is_told_when_it_opens_every_ten_minutes_and_when_it_ends():
    book = ledger()
    book.ask(100.0)
    told, now = [], 100.0

    while now < 100.0 + 25 * 60:
        now = max(now + 0.5, min(book.wake(), now + 60))
        told += book.skip(now, "backed_off")
    told += book.ask(now)

    assert [gap.open for gap in told] == [True, True, True, False]
    assert len({gap.since for gap in told}) == 1
    assert [gap.slots for gap in told] == sorted(gap.slots for gap in told)
    assert told[0].slots == 1
    assert told[1].until.mono_ms - told[0].until.mono_ms >= RESTATE_S * 1000 - 1000
    assert told[-1].slots == book.unasked


def test_another_cause_ends_the_gap_and_opens_the_next_without_a_hole():
    book = ledger()
    book.ask(100.0)
    book.skip(book.slots.due(3), "backed_off")

    ended = book.close(book.slots.due(5), "backed_off")
    opened = book.skip(book.slots.due(8), "bus_gone")

    assert [gap.cause for gap in ended + opened] == ["backed_off", "bus_gone"]
    assert ended[0].until == opened[0].since
    assert ended[0].slots + opened[0].slots == book.unasked == 7


def test_a_probe_in_a_window_that_was_asked_takes_no_second_slot():
    book = ledger()
    book.ask(100.0)

    assert not book.open_slot(100.3)
    assert book.ask(100.3) == []
    assert book.asked == 1

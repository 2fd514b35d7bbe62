"""Packets and frames of one time belong together; what was taken is not given again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from drivers.hj212.cp import SegmentError
from drivers.hj212.deviations import Refusal
from drivers.hj212.inbox import Inbox
from drivers.hj212.measurement import Measurement
from drivers.hj212.packets import MOST_OPEN, WAIT_S, Joiner
from drivers.hj212.segment import Segment

AT = datetime(2024, 6, 1, 8, 0)  # noqa: DTZ001 - as frames have it


def packet(pno, pnum=3, *, time="20240601080000", qn=None, mn="A", **values):
    items = tuple(((f"{name}-Rtd", str(value)),) for name, value in values.items())
    if time:
        items = ((("DataTime", time),), *items)
    return Segment(
        qn=qn or f"2024060108000000{pno % 10}",
        st="31",
        cn=2011,
        pw="123456",
        mn=mn,
        flag=6,
        pnum=pnum,
        pno=pno,
        items=items,
    )


def values(measurements):
    return [dict(m.values) for m in measurements]


def test_packets_of_one_time_are_one_measurement():
    joiner = Joiner()

    assert joiner.add(packet(1, a=1), 0.0) == []
    assert joiner.add(packet(2, b=2), 0.1) == []
    (whole,) = joiner.add(packet(3, c=3), 0.2)

    assert whole.values == {"a-Rtd": "1", "b-Rtd": "2", "c-Rtd": "3"}
    assert whole.arrived_s == 0.0


def test_packets_of_other_times_are_measurements_of_their_own():
    joiner = Joiner()

    assert joiner.add(packet(1, 2, time="20240601080000", a=1), 0.0) == []
    first, second = joiner.add(packet(2, 2, time="20240601081000", a=2), 0.1)

    assert (first.values, second.values) == ({"a-Rtd": "1"}, {"a-Rtd": "2"})
    assert first.data_time != second.data_time


def test_a_packet_without_a_time_follows_only_its_own_question():
    joiner = Joiner()
    joiner.add(packet(1, 2, qn="20240601080000001", a=1), 0.0)

    (whole,) = joiner.add(packet(2, 2, time="", qn="20240601080000001", b=2), 0.1)
    assert whole.values == {"a-Rtd": "1", "b-Rtd": "2"}

    joiner.add(packet(1, 2, qn="20240601080000001", a=1), 0.2)
    with pytest.raises(SegmentError) as caught:
        joiner.add(packet(2, 2, time="", qn="20240601080000002", b=2), 0.3)
    assert caught.value.cause is Refusal.NO_DATA_TIME
    assert values(joiner.overdue(0.2 + WAIT_S)) == [{"a-Rtd": "1"}]


@pytest.mark.parametrize(
    "other",
    [
        packet(3, b=2),
        packet(2, 4, b=2),
        packet(2, a=2),
        packet(1, b=2),
    ],
    ids=["a number left out", "another count", "the same name", "from the start"],
)
def test_whatever_breaks_the_row_ends_it(other):
    joiner = Joiner()
    joiner.add(packet(1, a=1), 0.0)

    told = values(joiner.add(other, 0.1)) + values(joiner.overdue(99.0))

    assert told[0] == {"a-Rtd": "1"}
    assert len(told) == 2


def test_packets_of_two_instruments_are_told_apart():
    joiner = Joiner()
    joiner.add(packet(1, 2, mn="A", a=1), 0.0)
    joiner.add(packet(1, 2, mn="B", a=9), 0.0)

    (of_b,) = joiner.add(packet(2, 2, mn="B", b=8), 0.1)
    (of_a,) = joiner.add(packet(2, 2, mn="A", b=2), 0.1)

    assert of_b.values == {"a-Rtd": "9", "b-Rtd": "8"}
    assert of_a.values == {"a-Rtd": "1", "b-Rtd": "2"}


def test_the_rest_that_comes_too_late_is_none():
    joiner = Joiner()
    joiner.add(packet(1, 2, a=1), 0.0)

    first, second = joiner.add(packet(2, 2, b=2), WAIT_S + 1)

    assert (first.values, second.values) == ({"a-Rtd": "1"}, {"b-Rtd": "2"})


def test_messages_that_wait_are_bounded():
    joiner = Joiner()
    ended = []
    for number in range(3 * MOST_OPEN):
        ended += joiner.add(packet(1, 2, mn=f"M{number}", a=number), 0.0)

    assert len(ended) == 2 * MOST_OPEN
    assert len(joiner.overdue(WAIT_S)) == MOST_OPEN


# -- the inbox ------------------------------------------------------------------


def told(
    at_s=0.0, *, cn=2011, qn="20240601080000000", rf=False, arrived_s=0.0, **named
):
    return Measurement(
        mn="A",
        st="31",
        cn=cn,
        version=2017,
        qn=qn,
        rf=rf,
        data_time=AT + timedelta(seconds=at_s),
        values={f"{name}-Rtd": str(value) for name, value in named.items()},
        arrived_s=arrived_s,
    )


def inbox(*wanted):
    return Inbox("A", (), wanted or (2011,))


def test_the_newest_is_taken_once():
    box = inbox()
    box.offer(told(0, a=1))
    box.offer(told(5, a=2))

    assert box.take((2011,))[2011].values == {"a-Rtd": "2"}
    assert box.take((2011,)) == {}
    assert (box.tally.superseded, box.tally.taken) == (1, 1)


def test_commands_are_apart():
    box = inbox(2011, 2051)
    box.offer(told(0, a=1))
    box.offer(told(-60, cn=2051, a=9))
    box.offer(told(-3600, cn=2061, a=7))

    assert box.has((2011, 2051))
    assert not box.has((2061,))
    assert {cn: m.values["a-Rtd"] for cn, m in box.take((2011, 2051)).items()} == {
        2011: "1",
        2051: "9",
    }
    assert box.tally.unwanted == 1


def test_what_comes_again_is_no_measurement():
    box = inbox()
    box.offer(told(0, a=1, b=2))
    box.take((2011,))

    box.offer(told(0, a=1, b=2, qn="20240601080001000"))
    box.offer(told(0, b=2))

    assert box.take((2011,)) == {}
    assert box.tally.repeated == 2


def test_frames_of_one_time_that_bring_different_factors_are_one():
    box = inbox()
    box.offer(told(0, a=1, arrived_s=1.0))
    box.offer(told(0, b=2, arrived_s=1.2))

    assert box.take((2011,))[2011].values == {"a-Rtd": "1", "b-Rtd": "2"}
    box.offer(told(0, a=1, arrived_s=1.3))
    assert box.take((2011,)) == {}, "half of it is not new"


def test_two_times_are_never_one():
    box = inbox()
    box.offer(told(0, a=1))
    box.offer(told(1, b=2))

    assert box.take((2011,))[2011].values == {"b-Rtd": "2"}


def test_what_is_long_apart_is_not_put_together():
    box = inbox()
    box.offer(told(0, a=1, arrived_s=0.0))
    box.offer(told(0, b=2, arrived_s=11.0))

    assert box.take((2011,))[2011].values == {"b-Rtd": "2"}


def test_history_is_not_now():
    box = inbox()
    box.offer(told(600, a=1, qn="20240601081000000"))
    box.take((2011,))

    box.offer(told(0, a=2, qn="20240601081001000"))
    box.offer(told(1200, a=2, qn="20240601082000000", rf=True))

    assert box.take((2011,)) == {}
    assert box.tally.history == 2


def test_a_frame_that_is_sent_again_keeps_its_qn_and_is_not_now():
    box = inbox()
    box.offer(told(0, a=1, qn="20240601080000000"))
    box.offer(told(10, a=3, qn="20240601080010000", arrived_s=10.0))
    box.take((2011,))

    box.offer(told(5, a=2, qn="20240601080005000", arrived_s=15.0))
    box.offer(told(0, a=1, qn="20240601080000000", arrived_s=10_000.0))

    assert box.take((2011,)) == {}
    assert box.tally.history == 2


def test_what_is_told_again_with_more_gives_only_what_is_more():
    box = inbox()
    box.offer(told(0, a=1))
    box.take((2011,))

    box.offer(told(0, a=1, b=2))
    assert box.take((2011,))[2011].values == {"b-Rtd": "2"}
    box.offer(told(0, a=1, b=3))
    assert box.take((2011,))[2011].values == {"a-Rtd": "1", "b-Rtd": "3"}


def test_a_mark_stays_with_what_is_more():
    box = inbox()
    first = replace(
        told(0), values={"a-Rtd": "1", "a-Flag": "D", "b-Rtd": "5", "b-Flag": "N"}
    )
    box.offer(first)
    box.take((2011,))
    box.offer(replace(first, values={**first.values, "a-Max": "3"}))

    assert box.take((2011,))[2011].values == {"a-Max": "3", "a-Flag": "D"}
    box.offer(replace(first, values={"b-Rtd": "5", "b-Flag": "N", "a-Max": "3"}))
    assert box.take((2011,)) == {}


def test_a_clock_set_back_is_heard_when_nothing_newer_comes():
    box = inbox()
    box.offer(told(7200, a=1))
    box.take((2011,))

    box.offer(told(0, a=2, arrived_s=599.0))
    assert box.take((2011,)) == {}
    box.offer(told(5, a=3, arrived_s=601.0))
    assert box.take((2011,))[2011].values == {"a-Rtd": "3"}
    box.offer(told(10, a=4, arrived_s=606.0))
    assert box.take((2011,))[2011].values == {"a-Rtd": "4"}


def test_who_goes_on_in_its_own_rhythm_speaks():
    box = inbox(2011, 2051)
    assert not box.speaks(0.0)
    box.offer(told(0, cn=2051, a=1, arrived_s=0.0))
    assert not box.speaks(1.0), "one frame is no rhythm"
    box.offer(told(60, cn=2051, a=2, arrived_s=60.0))
    box.offer(told(60, cn=2051, b=2, arrived_s=60.1))
    assert box.speaks(60.1 + 150)
    assert not box.speaks(60.1 + 151)

    for second in range(61, 71):
        box.offer(told(second, a=3, arrived_s=float(second)))
    assert box.speaks(72.5)
    assert not box.speaks(73.0), "the shorter one counts"
    for minute in range(2, 5):
        box.offer(told(60 * minute, cn=2051, a=minute, arrived_s=60.0 * minute))
    assert box.speaks(300.0), "the shorter one was given up"

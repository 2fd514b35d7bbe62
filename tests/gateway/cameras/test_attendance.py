"""When a process is killed, replaced, started again: decisions alone."""

from __future__ import annotations

import pytest

from gateway.cameras.attendance import (
    BEAT_S,
    HELLO_S,
    PATIENCE_S,
    PAUSES_S,
    REFUSED_S,
    SETTLED_S,
    Attendance,
    Pauses,
)
from vision.messages import Beat

MEMORY = 400_000_000


def attended(rss=100_000_000, stuck=(), recycled_s=None):
    found = Attendance(0.0, MEMORY, recycled_s)
    found.greeted = True
    found.heard(0.0, Beat(rss_bytes=rss, cameras=(), stuck=stuck))
    return found


def test_before_its_hello_it_has_more_time():
    fresh = Attendance(0.0, MEMORY, None)

    assert fresh.verdict(HELLO_S - 1, 0) == "fine"
    assert fresh.verdict(HELLO_S, 0) == "hangs"


def test_silent_it_hangs():
    assert attended().verdict(BEAT_S - 0.1, 0) == "fine"
    assert attended().verdict(BEAT_S, 0) == "hangs"


def test_any_word_is_a_sign_of_life():
    found = attended()
    found.heard(8.0)

    assert found.verdict(BEAT_S, 0) == "fine"


@pytest.mark.parametrize(
    ("rss", "alarms", "verdict"),
    [
        (400_000_000, 0, "fine"),
        (400_000_001, 0, "recycle"),
        (400_000_001, 1, "fine"),
        (600_000_000, 1, "fine"),
        (600_000_001, 1, "recycle"),
    ],
)
def test_memory(rss, alarms, verdict):
    assert attended(rss).verdict(5.0, alarms) == verdict


def test_it_is_not_replaced_again_and_again():
    assert attended(500_000_000, recycled_s=0.0).verdict(5.0, 0) == "fine"
    assert attended(900_000_000, recycled_s=0.0).verdict(5.0, 0) == "fine"


def test_a_stuck_reader_waits_for_alarms_and_then_no_longer():
    found = attended(stuck=("yard-1",))

    assert found.verdict(5.0, 0) == "recycle"
    assert found.verdict(5.0, 1) == "fine"
    beat = Beat(rss_bytes=1, cameras=(), stuck=("yard-1",))
    found.heard(PATIENCE_S, beat)
    assert found.verdict(PATIENCE_S + 1, 1) == "recycle"


def test_a_reader_that_came_back_is_forgiven():
    found = attended(stuck=("yard-1",))
    found.heard(1.0, Beat(rss_bytes=1, cameras=()))

    assert found.verdict(2.0, 0) == "fine"


def test_pauses_grow_and_begin_anew_after_a_good_run():
    pauses = Pauses()

    grown = [pauses.after_end(1.0) for _ in range(8)]
    fresh = pauses.after_end(SETTLED_S)

    assert grown == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]]
    assert fresh == PAUSES_S[0]


def test_refusals_are_tried_ever_more_rarely():
    pauses = Pauses()

    waits = [pauses.after_refusal() for _ in range(5)]
    pauses.accepted()

    assert waits == [*REFUSED_S, REFUSED_S[-1]]
    assert pauses.after_refusal() == REFUSED_S[0]

"""How far a clock is believed: sources, jumps, floors, and how long a word holds."""

from __future__ import annotations

import pytest

from gateway.clock import (
    DOUBT_MS,
    HOLD_MS,
    LOOK_MS,
    MOST_DOUBT_MS,
    ClockError,
    JudgedClock,
    SystemClock,
)
from gateway.offers import FIXES
from gateway.release import EXPIRES_MS, RELEASED_MS

NOW = RELEASED_MS + 86_400_000
HOUR = 3_600_000


class FakeMachine:
    def __init__(self, wall_ms=NOW, *, synced=False):
        self.boot = "0000000a"
        self.mono = 10_000
        self.offset = wall_ms - self.mono
        self.synced = synced
        self.asked = 0

    def wall_ms(self):
        return self.mono + self.offset

    def mono_ms(self):
        return self.mono

    def synchronised(self):
        self.asked += 1
        return self.synced


class Judged:
    """A clock, its machine, and what it told."""

    def __init__(self, trust="ntp", floor_ms=0, **machine):
        self.machine = FakeMachine(**machine)
        self.clock = JudgedClock(self.machine, trust)
        self.turns = []
        self.refused = []
        self.clock.on_refused = lambda r: self.refused.append((r.source, r.reason))
        self.first = self.clock.begin(floor_ms, self.turns.append)

    def after(self, ms, **what):
        self.machine.mono += ms
        if "step" in what:
            self.machine.offset += what["step"]
        if "synced" in what:
            self.machine.synced = what["synced"]
        return self.clock.now()

    def said(self):
        return [(t.trusted, t.doubt, t.step_ms) for t in self.turns]

    def offers(self, wall_minus_mono, n=FIXES):
        for _ in range(n):
            self.after(1000)
            mono = self.machine.mono
            self.clock.offer("gnss", mono + wall_minus_mono, mono)
        return self.clock.now()


def test_a_clock_that_goes_on_takes_no_turn_and_the_kernel_is_asked_once_a_second():
    judged = Judged(synced=True)
    asked = judged.machine.asked

    for _ in range(100):
        judged.after(LOOK_MS // 10)

    assert judged.first.trusted
    assert judged.turns == []
    assert 9 <= judged.machine.asked - asked <= 11


def test_ntp_makes_a_clock_trusted_and_says_by_how_much_it_was_wrong():
    judged = Judged(wall_ms=0)

    at = judged.after(60_000, step=NOW, synced=True)

    assert (judged.first.trusted, at.trusted) == (False, True)
    assert judged.said() == [(True, False, NOW)]
    assert (judged.clock.state, judged.clock.source) == ("trusted", "ntp")


def test_a_clock_set_by_hand_is_not_trusted_from_that_very_moment():
    judged = Judged(synced=True)
    judged.after(500)

    at = judged.after(10, step=HOUR, synced=False)  # well within the second

    assert not at.trusted
    assert judged.said() == [(False, False, HOUR)]
    assert judged.turns[0].held_ms == judged.turns[0].offset_ms - HOUR
    assert judged.clock.state == "held"


def test_a_trusted_clock_that_jumps_is_doubted_for_a_minute_and_then_believed():
    judged = Judged(synced=True)

    doubted = judged.after(1000, step=HOUR)
    still = judged.after(DOUBT_MS - 1000)
    settled = judged.after(2000)

    assert [doubted.trusted, still.trusted, settled.trusted] == [False, False, True]
    assert judged.said() == [(False, True, HOUR), (True, False, 0)]


def test_a_jump_that_is_mended_was_never_believed():
    judged = Judged(synced=True)

    judged.after(1000, step=HOUR)
    back = judged.after(20_000, step=-HOUR)

    assert back.trusted
    assert judged.said() == [(False, True, HOUR), (True, False, -HOUR)]


def test_a_clock_that_jumps_again_in_doubt_begins_a_new_minute():
    judged = Judged(synced=True)

    judged.after(1000, step=HOUR)
    judged.after(DOUBT_MS - 1000, step=HOUR)
    at = judged.after(DOUBT_MS - 1000)

    assert not at.trusted
    assert judged.after(2000).trusted


def test_a_clock_that_never_stops_jumping_is_not_doubted_for_ever():
    judged = Judged(synced=True)

    seen = [judged.after(50_000, step=1000).trusted for _ in range(40)]

    first = MOST_DOUBT_MS // 50_000
    assert [n for n, trusted in enumerate(seen) if trusted] == [
        first,
        2 * first + 1,
        3 * first + 2,
    ]


@pytest.mark.parametrize(
    ("wall_ms", "floor_ms", "reason"),
    [
        (0, 0, "before_release"),
        (NOW, NOW + HOUR, "before_last"),
        (EXPIRES_MS, EXPIRES_MS - 2 * HOUR, "too_late"),
    ],
)
@pytest.mark.parametrize("trust", ["ntp", "always"])
def test_no_source_is_believed_below_the_floor_and_it_is_told_once(
    trust, wall_ms, floor_ms, reason
):
    judged = Judged(trust, floor_ms, wall_ms=wall_ms, synced=True)
    for _ in range(10):
        judged.after(2000)

    assert not judged.clock.now().trusted
    source = "ntp" if trust == "ntp" else "always"
    # The first look, in ``begin``, tells it, too.
    assert judged.refused == [(source, reason)]


def test_the_floor_goes_up_with_the_time():
    judged = Judged(floor_ms=NOW)

    judged.after(HOUR)

    assert judged.clock.floor_ms == NOW + HOUR
    assert Judged().clock.floor_ms >= RELEASED_MS


def test_back_to_the_past_is_refused_while_the_right_time_is_known():
    judged = Judged(floor_ms=NOW - 60_000, synced=True)

    at = judged.after(1000, step=-HOUR)

    assert not at.trusted
    assert judged.clock.state == "held"
    assert judged.refused == [("ntp", "before_last")]


def test_a_receiver_is_believed_after_some_fixes_and_the_system_clock_is_left_alone():
    judged = Judged(wall_ms=1000)

    at = judged.offers(NOW)

    assert at.trusted
    assert at.wall_ms == judged.machine.mono + NOW
    assert judged.machine.offset == 1000 - 10_000
    assert judged.clock.source == "gnss"
    assert judged.clock.offset_ms == judged.machine.offset - NOW


def test_after_a_receiver_has_fallen_silent_its_word_holds_and_is_marked_in_the_end():
    judged = Judged(wall_ms=1000)
    judged.offers(NOW)

    soon = judged.after(HOLD_MS - 10_000)
    late = judged.after(20_000)

    assert (soon.trusted, late.trusted) == (True, False)
    assert late.wall_ms == judged.machine.mono + NOW
    assert judged.clock.state == "held"


def test_a_receiver_that_is_an_hour_off_is_refused_beside_ntp_and_told_once():
    judged = Judged(synced=True)

    judged.offers(judged.machine.offset + HOUR, 20)

    assert judged.refused == [("gnss", "disagrees")]
    assert judged.clock.source == "ntp"
    assert judged.turns == []


def test_ntp_takes_over_from_a_receiver_without_a_turn_where_they_agree():
    judged = Judged(wall_ms=1000)
    offset = NOW - 10_000
    judged.offers(offset)
    turns = len(judged.turns)

    at = judged.after(1000, step=offset + 100 - judged.machine.offset, synced=True)

    assert at.trusted
    assert (judged.clock.source, len(judged.turns)) == ("ntp", turns)
    assert at.wall_ms == judged.machine.wall_ms()


def test_the_operator_s_word_counts_until_a_quartz_may_be_a_second_wrong_or_it_jumps():
    judged = Judged(floor_ms=NOW + HOUR)  # and against what was stored
    judged.clock.confirm()
    said = judged.clock.now().trusted

    held = judged.after(HOLD_MS + 2000).trusted
    judged.clock.confirm()
    again = judged.clock.now().trusted
    jumped = judged.after(1000, step=HOUR).trusted

    assert (said, held, again, jumped) == (True, False, True, False)
    assert judged.clock.source is None


def test_the_operator_cannot_confirm_1970():
    judged = Judged(wall_ms=0)

    with pytest.raises(ClockError) as caught:
        judged.clock.confirm()

    assert caught.value.reason == "before_release"
    assert not judged.clock.now().trusted


def test_the_machine_s_own_clocks_can_be_judged():
    clock = SystemClock("always")
    turn = clock.begin(0, lambda _turn: None)

    assert turn.mono_ms <= clock.now().mono_ms
    assert clock.floor_ms >= RELEASED_MS

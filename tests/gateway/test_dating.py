"""What was said of a time is said for ever, and never against better knowledge."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import HOLD_MS, MOST_DOUBT_MS, STEP_MS, Instant, Turn
from gateway.dating import DOUBTED, MAX_BOOTS, MAX_SPANS, WAITING, Table, date
from gateway.record import DatedTime
from gateway.release import RELEASED_MS

NOW = RELEASED_MS + 86_400_000
BOOT = "0000000a"


def at(mono_ms, boot=BOOT, wall_ms=0):
    return Instant(wall_ms, mono_ms, boot, trusted=False)


def of(table, instant):
    return date(table.span(instant), instant)


def begun(boot=BOOT, *, offset=0, mono=0, trusted=False):
    table = Table()
    table.begin(boot, 0, None)
    table.turn(Turn(mono, offset, trusted))
    return table


@pytest.mark.sentence(8)
def test_before_the_first_anchor_everything_waits_and_is_then_dated_by_it():
    table = begun()
    waiting = of(table, at(5_000))

    table.turn(Turn(60_000, NOW, trusted=True))

    assert waiting is None
    assert of(table, at(5_000)) == DatedTime(NOW + 5_000, "corrected")
    assert of(table, at(60_000)) == DatedTime(NOW + 60_000, "corrected")


def test_after_the_trust_is_lost_the_last_anchor_holds_on():
    table = begun(offset=NOW, trusted=True)

    # By hand, an hour ahead: the kernel forgets that it was synchronised.
    table.turn(Turn(9_000, NOW + 3_600_000, trusted=False, held_ms=NOW, step_ms=1))

    assert of(table, at(10_000)) == DatedTime(NOW + 10_000, "corrected")


def test_what_a_quartz_may_be_wrong_by_is_told_once_it_is_a_second():
    table = begun(offset=NOW, trusted=True)
    table.turn(Turn(9_000, NOW, trusted=False, held_ms=NOW))

    near, far = of(table, at(9_000 + HOLD_MS)), of(table, at(9_000 + 10 * HOLD_MS))

    assert (near.t_min, near.t_max) == (None, None)
    assert (far.t - far.t_min, far.t_max - far.t) == (10_000, 10_000)


@pytest.mark.parametrize(
    ("turn", "right"),
    [
        (Turn(70_000, NOW + 3_600_000, trusted=True, held_ms=NOW), NOW + 3_600_000),
        (Turn(20_000, NOW + 3, trusted=True, held_ms=NOW), NOW),
        (Turn(20_000, NOW + 3_600_000, trusted=False, held_ms=NOW), NOW),
    ],
    ids=["stayed", "came back", "lost"],
)
def test_a_jump_of_a_trusted_clock_is_settled_before_anything_is_said(turn, right):
    table = begun(offset=NOW, trusted=True)
    table.turn(
        Turn(10_000, NOW + 3_600_000, trusted=False, doubt=True, held_ms=NOW, step_ms=1)
    )
    doubted = of(table, at(15_000))

    table.turn(turn)

    assert doubted is None
    assert of(table, at(15_000)).t == right + 15_000
    assert of(table, at(5_000)).t == NOW + 5_000


def test_many_jumps_in_a_row_leave_an_estimate_between_all_of_them():
    table = begun(offset=NOW, trusted=True)
    for n, offset in enumerate((NOW + 9_000, NOW - 4_000, NOW + 2_000)):
        mono = 10_000 + 50_000 * n
        table.turn(Turn(mono, offset, trusted=False, doubt=True, held_ms=NOW))
    waits = of(table, at(20_000))

    table.turn(Turn(10_000 + MOST_DOUBT_MS, NOW + 3_000, trusted=True, held_ms=NOW))

    assert waits is None
    t, low, high = (20_000 + NOW + ms for ms in (3_000, -4_000, 9_000))
    assert of(table, at(20_000)) == DatedTime(t, "unknown", low, high)
    assert of(table, at(5_000)) == DatedTime(NOW + 5_000, "corrected")


def test_power_lost_in_doubt_leaves_the_side_that_was_proved():
    table = begun(offset=NOW, trusted=True)
    table.turn(Turn(10_000, NOW + 9_000, trusted=False, doubt=True, held_ms=NOW))

    table.begin("0000000b", 7, 20_000)

    assert of(table, at(15_000)).t == NOW + 15_000


@pytest.mark.sentence(8)
def test_a_boot_between_two_others_is_bounded_and_its_clock_counts_inside():
    table = begun(offset=NOW, trusted=True)
    for boot, offset in (("0000000b", -5), ("0000000c", NOW + 500_000)):
        table.begin(boot, 0, 100_000)
        table.turn(Turn(0, offset, trusted=False))
    table.begin("0000000d", 0, 40_000)
    table.turn(Turn(0, NOW + 900_000, trusted=True))

    first, second = of(table, at(7, "0000000b")), of(table, at(7, "0000000c"))

    # It began after the first had run 100 s, and ran 100 s and 40 s before the last.
    assert (first.t_min, first.t_max) == (NOW + 100_007, NOW + 760_007)
    assert first == DatedTime(NOW + 100_007, "unknown", first.t_min, first.t_max)
    assert second == DatedTime(NOW + 500_007, "unknown", NOW + 200_007, NOW + 860_007)


def test_what_is_given_up_stays_as_it_was_told_when_the_clock_is_known():
    table = begun(offset=NOW)
    table.give_up()
    told = of(table, at(5_000))
    table.wait_again(6_000)
    waits = of(table, at(7_000))

    table.turn(Turn(9_000, NOW + 777, trusted=True))

    assert told == DatedTime(NOW + 5_000, "unknown", RELEASED_MS + 5_000, None)
    assert waits is None
    assert of(table, at(5_000)) == told
    assert of(table, at(7_000)) == DatedTime(NOW + 777 + 7_000, "corrected")


def test_a_wrong_estimate_follows_the_clock_when_somebody_sets_it():
    table = begun(offset=NOW)
    table.give_up()

    table.turn(Turn(9_000, NOW + 60_000, trusted=False, step_ms=60_000))

    assert table.waiting()
    table.give_up()
    assert of(table, at(8_000)).t == NOW + 8_000
    assert of(table, at(9_000)).t == NOW + 69_000


def test_a_boot_that_is_forgotten_leaves_the_clock_s_own_word():
    assert of(Table(), at(5, wall_ms=NOW)) == DatedTime(NOW, "unknown")
    assert of(Table(), at(5, wall_ms=77)) == DatedTime(RELEASED_MS, "unknown")


def test_forgotten_boots_still_bound_those_after_them():
    table = begun(offset=NOW, trusted=True)
    table.begin("0000000b", 10, 50_000)
    table.turn(Turn(0, 0, trusted=False))
    table.begin("0000000c", 20, 30_000)

    table.prune(10)

    assert [boot.id for boot in table.boots] == ["0000000b", "0000000c"]
    assert table.past_ms(0) == NOW + 80_000


def test_a_boot_stays_while_records_of_later_boots_refer_to_it():
    table = begun(offset=NOW, trusted=True)
    for boot in ("0000000b", "0000000c"):
        table.begin(boot, 10, 50_000)
        table.turn(Turn(0, 0, trusted=False))
    table.used(BOOT, 17)  # the gap before the second boot, told in the third

    table.prune(16)
    still = len(table.boots)
    table.prune(17, {BOOT})
    kept = len(table.boots)
    table.prune(17)

    assert (still, kept, len(table.boots)) == (3, 3, 1)


def test_a_clock_that_flaps_does_not_fill_the_table():
    table = begun(offset=NOW, trusted=True)

    for n in range(1, 1000):
        table.turn(
            Turn(n * 10_000, NOW + n % 2, trusted=n % 2 == 0, held_ms=NOW + n % 3)
        )

    assert len(table.boots[0].spans) <= 3


def test_the_table_is_bounded():
    table = Table()
    for n in range(3 * MAX_BOOTS):
        table.begin(f"{n:08x}", n, 1000)
        table.turn(Turn(0, 0, trusted=False))
    for n in range(3 * MAX_SPANS):
        table.turn(Turn(1000 * n, NOW + 10_000 * n, trusted=True))

    assert len(table.boots) == MAX_BOOTS
    assert len(table.boots[-1].spans) == MAX_SPANS
    assert len(msgspec.msgpack.encode(table)) < 8_000


# -- properties ---------------------------------------------------------------------

STEPS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 30_000_000)),
    st.tuples(st.just("trust"), st.integers(-4_000_000, 4_000_000)),
    st.tuples(st.just("lose"), st.integers(-4_000_000, 4_000_000)),
    st.tuples(st.just("doubt"), st.integers(STEP_MS, 4_000_000)),
    st.tuples(st.just("give up"), st.just(0)),
    st.tuples(st.just("wait again"), st.just(0)),
    st.tuples(st.just("reboot"), st.integers(0, 5_000_000)),
    st.tuples(st.just("restart"), st.just(0)),
)


class Life:
    """Applies steps as the clock and the timekeeper would, and keeps what was said."""

    def __init__(self):
        self.table = Table()
        self.boot = 0
        self.mono = 0
        self.held = None
        self.trusted = self.doubted = False
        self.said = {}
        self.seen = []
        self.table.begin(self.name, 0, None)
        self.turn(0, trusted=False)

    @property
    def name(self):
        return f"{self.boot:08x}"

    def turn(self, offset, *, trusted, doubt=False):
        self.table.turn(Turn(self.mono, NOW + offset, trusted, doubt, self.held, 1))
        self.trusted, self.doubted = trusted, doubt
        if trusted:
            self.held = NOW + offset

    def step(self, what, value):
        self.mono += 1  # nothing is said within the millisecond of a turn
        if what == "wait":
            self.mono += value
        elif what == "trust":
            self.turn(value, trusted=True)
        elif what == "lose":
            self.turn(value, trusted=False)
        elif what == "doubt" and self.trusted:
            self.turn(value, trusted=False, doubt=True)
        elif what == "give up":
            self.table.give_up()
        elif what == "wait again":
            self.table.wait_again(self.mono)
        elif what == "reboot":
            self.boot += 1
            self.table.begin(self.name, 0, self.mono)
            self.mono, self.held = value % 1000, None
            self.turn(value, trusted=False)
        elif what == "restart":
            self.table.begin(self.name, 0, self.mono)
            self.held = None
            self.turn(0, trusted=False)
        self.mono += 1
        self.seen.append(at(self.mono, self.name))

    def look(self):
        """Everything seen so far is dated as it was, if it was."""
        self.table = msgspec.msgpack.decode(
            msgspec.msgpack.encode(self.table), type=Table
        )
        for instant in self.seen:
            dated = of(self.table, instant)
            before = self.said.setdefault((instant.boot, instant.mono_ms), dated)
            if before is None:
                self.said[instant.boot, instant.mono_ms] = dated
            else:
                assert dated == before, instant


@given(st.lists(STEPS, max_size=25))
@pytest.mark.sentence(4, 8)
def test_what_was_said_is_never_said_otherwise(steps):
    life = Life()
    for what, value in steps:
        life.step(what, value)
        life.look()


@given(st.lists(STEPS, max_size=25))
def test_once_the_clock_is_known_nothing_waits_and_bounds_hold_together(steps):
    life = Life()
    for what, value in steps:
        life.step(what, value)

    life.step("trust", 10_000_000)

    for instant in life.seen:
        dated = of(life.table, instant)
        assert dated is not None
        low = dated.t if dated.t_min is None else dated.t_min
        high = dated.t if dated.t_max is None else dated.t_max
        assert low <= dated.t
        assert dated.t <= high
    ends = [span.how for boot in life.table.boots for span in boot.spans]
    assert WAITING not in ends
    assert DOUBTED not in ends


@given(st.lists(st.integers(-(10**12), 10**12), max_size=8), st.integers(1, 10**9))
def test_boots_that_never_saw_a_clock_keep_their_order(offsets, lived):
    table = begun(offset=NOW, trusted=True)
    names = [f"{n:08x}" for n in range(100, 100 + len(offsets))]
    for name, offset in zip(names, offsets, strict=True):
        table.begin(name, 0, lived)
        table.turn(Turn(0, NOW + offset, trusted=False))
    table.begin("ffffffff", 0, lived)
    table.turn(Turn(0, NOW + 10**13, trusted=True))

    times = [of(table, at(m, name)).t for name in names for m in (0, lived)]

    assert times == sorted(times)

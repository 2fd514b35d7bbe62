"""After every end of a run, each line of slots goes on where it was left."""

from __future__ import annotations

from gateway.clock import Instant
from gateway.periods import Line
from gateway.record import Gap
from gateway.standing import Resume, ends, read, resume, standing

T = 1_763_712_000_000
FAST = Line("a", ("*",), 10, 1.0, 0.25)
SLOW = Line("b", ("energy",), 1, 60.0, 7.0)


def at(ms):
    return Instant(T + ms, 86_400_000 + ms, "0a0b0c0d", trusted=True)


def test_a_clean_stop_says_exactly_where_each_line_goes_on():
    due = {FAST.key: at(60_250), SLOW.key: at(67_000)}
    note = read(standing(at(0), [FAST, SLOW], due, at(60_000)))

    found = list(resume(note, at(60_000), [], clean=True))

    assert found == [Resume(FAST, 250, True), Resume(SLOW, 7000, True)]


def test_after_a_kill_a_line_goes_on_early_enough_and_not_before_its_run():
    note = read(standing(at(-20_000), [FAST, SLOW]))

    found = list(resume(note, at(0), [], clean=False))

    assert found == [Resume(FAST, -5000, False), Resume(SLOW, -20_000, False)]


def test_after_a_kill_a_line_with_an_open_gap_goes_on_where_that_is_closed():
    note = read(standing(at(-90_000), [FAST]))
    gap = Gap("a", ("*",), at(-10_750), at(0), 11, "backed_off", every_ms=1000)

    assert list(resume(note, at(0), [gap], clean=False)) == [Resume(FAST, 250, False)]


def test_a_note_that_is_damaged_or_absent_is_none():
    assert read(None) is None
    assert read(b"x") is None
    assert read(standing(at(0), [FAST])[:-3]) is None


def test_lines_that_ended_while_nobody_ran_are_told_to_end():
    slower = FAST._replace(every_s=2.0)

    found = list(ends([FAST, SLOW], [slower], at(0)))

    assert [(g.device, g.points, g.slots, g.cause, g.every_ms) for g in found] == [
        ("a", ("*",), 0, "changed", 1000),
        ("b", ("energy",), 0, "removed", 60_000),
    ]
    assert list(ends([FAST], [FAST, SLOW], at(0))) == []

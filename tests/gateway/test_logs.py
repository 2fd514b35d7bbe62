from __future__ import annotations

import logging

from gateway.logs import CHANGE, Folded, Journald
from gateway.texts import set_language


def line(text, level=logging.WARNING):
    return logging.LogRecord("x", level, "f", 1, text, None, None)


def test_the_same_line_is_printed_once_in_five_minutes_with_its_count():
    set_language("en")
    now = [0.0]
    fold = Folded(lambda: now[0])

    printed = []
    for second in range(601):
        now[0] = float(second)
        record = line("bus plc is gone")
        if fold.filter(record):
            printed.append(record.getMessage())

    assert printed == [
        "bus plc is gone",
        "(299 more of these) bus plc is gone",
        "(299 more of these) bus plc is gone",
    ]


def test_a_change_of_state_is_printed_each_time():
    fold = Folded(lambda: 0.0)
    gone = line("bus plc is gone")
    vars(gone).update(CHANGE)

    assert all(fold.filter(gone) for _ in range(3))


def test_another_line_is_not_folded_and_memory_stays_bounded():
    fold = Folded(lambda: 0.0)

    assert all(fold.filter(line(f"line {n}")) for n in range(5000))
    assert len(fold._seen) <= 512


def test_every_line_has_its_priority_for_journald():
    text = Journald("%(message)s").format(line("one\ntwo", logging.ERROR))

    assert text == "<3>one\n<3>two"

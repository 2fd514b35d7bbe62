from __future__ import annotations

import logging

from gateway.logs import CHANGE, Budget, Folded, Journald
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


def test_whatever_happens_a_day_of_logs_stays_below_a_megabyte():
    now = [0.0]
    budget = Budget(lambda: now[0])
    written, passed = 0, 0

    for n in range(86_400 * 3):
        now[0] = n / 3
        record = line(f"device fan-{n} on bus plc is offline: no answer")
        vars(record).update(CHANGE)
        if budget.filter(record):
            passed += 1
            written += len(record.getMessage()) + 60

    assert written <= 1_000_000
    assert passed > 5_000


def test_lines_left_out_are_counted_and_told():
    set_language("en")
    now = [0.0]
    budget = Budget(lambda: now[0])
    left_out = sum(not budget.filter(line(f"{n} " + "x" * 1000)) for n in range(500))

    now[0] += 3600
    record = line("and then")

    assert left_out > 300
    assert budget.filter(record)
    assert record.getMessage() == (
        f"({left_out} lines left out, over the log's daily limit) and then"
    )
    assert budget.left_out == 0


def test_what_ends_the_process_is_always_said():
    budget = Budget(lambda: 0.0)
    for n in range(5000):
        budget.filter(line(f"line {n}"))

    assert budget.filter(line("the store failed", logging.CRITICAL))
    assert budget.filter(line("each frame", logging.DEBUG))

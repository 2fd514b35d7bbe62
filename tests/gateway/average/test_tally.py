"""A counter over minutes, hours and a day loses nothing and counts nothing twice."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.average.calendar import Bounds
from gateway.average.readings import Reading
from gateway.average.tally import Tally

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
HOURS = 3


@given(
    st.sampled_from([0, 123, 5000]),
    st.lists(
        st.tuples(
            st.sampled_from([5000] * 6 + [60_000, 50_000, 600_000, 4_000_000]),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=300,
    ),
)
def test_minutes_hours_and_day_add_up_to_last_minus_first(start_ms, steps):
    readings, t_ms, value = [Reading(start_ms, 0, "valid")], start_ms, 0
    for gap_ms, amount in steps:
        t_ms, value = t_ms + gap_ms, value + amount
        if t_ms >= HOURS * HOUR_MS:
            break
        readings.append(Reading(t_ms, value, "valid"))

    assert _added_up(readings) == readings[-1].value


def _added_up(readings):
    tally, hours = Tally(), []
    for hour_ms in range(0, HOURS * HOUR_MS, HOUR_MS):
        inner = [
            Bounds(at, at + MINUTE_MS)
            for at in range(hour_ms, hour_ms + HOUR_MS, MINUTE_MS)
        ]
        counted = [
            tally.minute(
                None,
                [r for r in readings if minute.start_ms <= r.t_ms < minute.end_ms],
                minute,
                5000,
            )
            for minute in inner
        ]
        hour = Bounds(hour_ms, hour_ms + HOUR_MS)
        rest = tally.left_over(hour, inner) or 0
        hours.append((hour, sum(filter(None, counted), Fraction(0)) + rest))
    day = Bounds(0, 24 * HOUR_MS)
    rest = tally.left_over(day, [hour for hour, _ in hours]) or 0
    return sum(total for _, total in hours) + rest

"""Hand-computed: the arithmetic stands beside each number."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profiles.watches import Counter
from gateway.average.counter import Counted, Piece, advance, counted, pieces
from gateway.average.water import mass
from gateway.clock import Instant
from gateway.judge import counter

F = Fraction
HOUR_MS = 3_600_000
PLAIN = Counter()
FIVE_DIGITS = Counter(modulus=Fraction(100_000))


def at(seconds: float) -> Instant:
    ms = round(seconds * 1000)
    return Instant(ms, ms, "0badcafe", trusted=True)


def read(watch, *readings, step_s=60.0):
    """Pieces of readings that come one step after the other."""
    series = [(at(index * step_s), value) for index, value in enumerate(readings)]
    return pieces(watch, series)[1]


def total_of(found):
    return counted(found, -1, 10**15).total


def test_growth_adds_up_to_last_minus_first():
    found = read(PLAIN, 1000.4, 1000.7, 1001.0, 1001.0, 1003.5)

    # 1003.5 - 1000.4 = 3.1, exactly: readings are decimals
    assert total_of(found) == F("3.1")
    assert [piece.amount for piece in found] == [F("0.3"), F("0.3"), 0, F("2.5")]


def test_a_rollover_with_a_known_modulus_is_counted():
    # 99998 -> 3: 3 + 100000 - 99998 = 5; then 3 -> 9: 6
    found = read(FIVE_DIGITS, 99_990, 99_998, 3, 9)

    assert [(piece.cause, piece.amount) for piece in found] == [
        ("growth", 8),
        ("rollover", 5),
        ("growth", 6),
    ]
    assert total_of(found) == 19


def test_without_a_modulus_the_same_step_is_a_jump_of_unknown_size():
    found = read(PLAIN, 99_990, 99_998, 3, 9)

    assert [(piece.cause, piece.amount) for piece in found] == [
        ("growth", 8),
        ("reset", None),
        ("growth", 6),
    ]
    assert total_of(found) == 14


def test_a_replaced_meter_is_counted_before_and_after_and_never_across():
    # old meter 8120.5 -> 8123.5: 3; the new one begins at 4711.0 -> 4712.5: 1.5
    # the jump of -3412.5 is nobody's
    found = read(PLAIN, 8120.5, 8122.0, 8123.5, 4711.0, 4712.0, 4712.5)

    assert total_of(found) == F("4.5")
    jumps = counted(found, -1, 10**15).jumps
    assert [(jump.cause, jump.since_ms, jump.until_ms) for jump in jumps] == [
        ("backwards", 120_000, 180_000)
    ]


def test_a_jump_forward_is_not_counted_either():
    # at most 1 a second: 5000 more in a minute is a replaced meter, not a flow
    found = read(Counter(max_rate=F(1)), 100, 110, 5110, 5120, 5125)

    assert total_of(found) == 10 + 10 + 5
    assert [piece.cause for piece in found] == ["growth", "forward", "growth", "growth"]


def test_a_spike_changes_nothing():
    # 110 -> 0 -> 120: the odd reading was wrong, the counter went on: 10 + 10
    found = read(PLAIN, 100, 110, 0, 120)

    assert [(piece.amount, piece.since_ms, piece.until_ms) for piece in found] == [
        (10, 0, 60_000),
        (10, 60_000, 180_000),
    ]


def test_an_odd_reading_is_held_back_until_the_next_decides():
    state, _ = pieces(PLAIN, [(at(0), 100), (at(60), 110)])

    state, first = advance(PLAIN, state, 2, at(120))
    _, second = advance(PLAIN, state, 5, at(180))

    assert first == ()
    assert [(piece.cause, piece.amount) for piece in second] == [
        ("reset", None),
        ("growth", 3),
    ]


def test_it_goes_on_over_a_restart():
    state, before = pieces(PLAIN, [(at(0), 100), (at(60), 110)])

    _, after = pieces(PLAIN, [(at(120), 130)], state)

    assert total_of((*before, *after)) == 30


def test_an_hour_is_its_last_reading_minus_the_last_before_it():
    # 09:58 1000, 09:59 1004 | 10:00 1006 ... 10:59 1040 | 11:00 1041
    series = [(-120, 1000), (-60, 1004), (0, 1006), (1800, 1030), (3540, 1040)]
    series += [(3600, 1041)]
    _, found = pieces(PLAIN, [(at(second), value) for second, value in series])
    half = 1800_000

    assert counted(found, 0, HOUR_MS, half).total == 1040 - 1004
    assert counted(found, HOUR_MS, 2 * HOUR_MS, half).total == 1
    assert counted(found, 2 * HOUR_MS, 3 * HOUR_MS, half) == Counted(None, 0)


def test_the_slot_that_leads_into_a_period_is_part_of_it():
    # polled at :58 and :03: the 5 s over the edge belong to the new hour
    _, found = pieces(PLAIN, [(at(3598), 10), (at(3603), 12), (at(3608), 15)])

    assert counted(found, HOUR_MS, 2 * HOUR_MS, slack_ms=6000).total == 2 + 3
    assert counted(found, 0, HOUR_MS, slack_ms=6000).total is None


def test_what_was_counted_while_nobody_asked_is_the_days_and_no_hours():
    # no answer from 0:30 to 2:30: 40 m3 went through in two hours, in which of them?
    series = [(0, 100), (1800, 110), (9000, 150), (10_799, 155)]
    _, found = pieces(PLAIN, [(at(second), value) for second, value in series])

    hours = [
        counted(found, hour * HOUR_MS, (hour + 1) * HOUR_MS, 60_000).total
        for hour in range(3)
    ]
    assert hours == [10, None, 5]
    assert counted(found, 0, 24 * HOUR_MS, 60_000).total == 55


def test_emission_mass_over_a_meter_replacement():
    # An outfall's totaliser is replaced in mid-hour; COD is 38 mg/L before, 42 after.
    #   old meter 20:00 8120.5 m3 -> 20:20 8132.5 m3   12 m3 * 38 / 1000 = 0.456 kg
    #   20:20 -> 20:30 the new one is built in: unknown, nothing is added for it
    #   new meter 20:30 0.0 m3 -> 20:59:50 17.5 m3     17.5 m3 * 42 / 1000 = 0.735 kg
    series = [
        (0, 8120.5),
        (600, 8126.5),
        (1200, 8132.5),
        (1800, 0.0),
        (2700, 9.0),
        (3590, 17.5),
    ]
    levels = {600: F(38), 1200: F(38), 2700: F(42), 3590: F(42)}
    _, found = pieces(PLAIN, [(at(second), value) for second, value in series])

    hour = counted(found, 0, HOUR_MS)
    emitted = sum(
        mass(piece.amount, levels[piece.until_ms // 1000])
        for piece in found
        if piece.amount is not None
    )

    assert hour.total == 12 + F("17.5")
    assert emitted == F("0.456") + F("0.735") == F("1.191")
    assert hour.ms == 2_990_000  # ten minutes, and ten seconds, are not covered
    assert [jump.cause for jump in hour.jumps] == ["reset"]


@given(
    st.lists(st.integers(1, 20_000), min_size=1, max_size=80),
    st.integers(0, 60_000),
)
def test_periods_side_by_side_hold_each_short_piece_once(gaps, start):
    # readings at any distance, on the edges of minutes too
    series, t_ms = [(Instant(start, start, "0badcafe", trusted=True), 0)], start
    for index, gap in enumerate(gaps, 1):
        t_ms += gap
        series.append((Instant(t_ms, t_ms, "0badcafe", trusted=True), index * 7))
    _, found = pieces(PLAIN, series)

    minutes = range(0, t_ms + 60_000, 60_000)
    totals = [counted(found, m, m + 60_000, 20_000).total or 0 for m in minutes]

    assert sum(totals) == 7 * len(gaps)


steps = st.lists(st.integers(0, 500), min_size=1, max_size=30)


@given(steps, st.integers(0, 9999), st.integers(5000, 20_000))
def test_growth_is_found_whole_over_any_number_of_rollovers(amounts, start, modulus):
    # The judge believes a way round of up to a tenth of the range.
    watch = Counter(modulus=F(modulus))
    amounts = [amount % (modulus // 20) for amount in amounts]
    shown, so_far = [start % modulus], start
    for amount in amounts:
        so_far += amount
        shown.append(so_far % modulus)

    state, found = pieces(watch, [(at(60 * i), value) for i, value in enumerate(shown)])

    # A rollover in the very last reading is still held back.
    held = 0 if state.odd is None else amounts[-1]
    assert (total_of(found) or 0) == sum(amounts) - held


@given(steps, st.integers(0, 30))
def test_a_restart_anywhere_changes_no_piece(amounts, cut):
    series, so_far = [(at(0), 0)], 0
    for index, amount in enumerate(amounts, 1):
        so_far += amount
        series.append((at(60 * index), so_far))

    state, front = pieces(PLAIN, series[:cut])
    _, back = pieces(PLAIN, series[cut:], state)

    assert front + back == pieces(PLAIN, series)[1]


@given(steps, st.randoms(use_true_random=False))
def test_the_order_of_pieces_does_not_matter(amounts, random):
    found = [
        Piece(60_000 * index, 60_000 * (index + 1), F(amount))
        for index, amount in enumerate(amounts)
    ]
    mixed = random.sample(found, len(found))

    assert counted(mixed, 0, HOUR_MS) == counted(found, 0, HOUR_MS)


@pytest.mark.parametrize("value", [0, 5, 1e6])
def test_a_first_reading_is_no_growth(value):
    state, found = advance(PLAIN, counter.State(), value, at(0))

    assert found == ()
    assert state.value == value

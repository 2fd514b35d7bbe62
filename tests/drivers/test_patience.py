"""Time-outs follow what a unit does, and never make a ghost die early."""

from __future__ import annotations

import pytest

from drivers.patience import Patience

CEILING_S = 0.5


def learned(seconds: float, times: int = 40) -> Patience:
    patience = Patience()
    for _ in range(times):
        patience.replied(seconds)
    return patience


def test_before_anything_is_learned_the_configured_time_out_holds() -> None:
    patience = learned(0.01, times=9)

    assert patience.timeout_s(CEILING_S) == CEILING_S


def test_the_learned_time_out_is_half_more_than_p99() -> None:
    assert learned(0.1).timeout_s(CEILING_S) == pytest.approx(0.15)


def test_it_is_never_below_50_ms_nor_above_the_configured_one() -> None:
    assert learned(0.001).timeout_s(CEILING_S) == 0.05
    assert learned(0.45).timeout_s(CEILING_S) == CEILING_S
    assert learned(0.001).timeout_s(0.02) == 0.02


def test_a_late_answer_teaches_at_once_and_is_forgotten_slowly() -> None:
    patience = learned(0.01)
    patience.silent()
    patience.late(0.2)

    assert patience.timeout_s(CEILING_S) == pytest.approx(0.3)
    for _ in range(400):
        patience.replied(0.01)
    assert patience.timeout_s(CEILING_S) == 0.05


def test_each_silence_doubles_the_wait_until_an_answer_comes() -> None:
    patience = learned(0.01)
    waits = []
    for _ in range(5):
        waits.append(patience.timeout_s(CEILING_S))
        patience.silent()

    assert waits == [0.05, 0.1, 0.2, 0.4, 0.5]
    assert patience.doubted
    patience.replied(0.01)
    assert patience.timeout_s(CEILING_S) == 0.05
    assert not patience.doubted


def test_a_ghost_outlives_2_s_4_times_the_largest_reply_and_12_times_the_wait() -> None:
    assert learned(0.01).ghost_s(0.05, 0.0) == 2.0
    assert learned(0.9).ghost_s(0.05, 0.0) == pytest.approx(3.6)
    assert learned(0.01).ghost_s(0.5, 0.0) == pytest.approx(6.0)
    assert learned(0.01).ghost_s(0.05, 90.0) == 90.0


def test_percentiles_are_of_the_last_replies() -> None:
    patience = Patience()
    for i in range(1, 101):
        patience.replied(i / 100)

    assert patience.percentile(0.5) == 0.5
    assert patience.percentile(0.99) == 0.99
    assert Patience().percentile(0.5) == 0.0

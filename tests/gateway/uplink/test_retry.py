"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random

from gateway.uplink.link import ConnectError, LinkLostError
from gateway.uplink.retry import AWAY, AWAY_S, SOON_S, Reconnect


def test_a_platform_that_is_away_for_long_is_asked_less_often_and_still_soon_enough():
    reconnect = Reconnect(random.Random(7))
    first = [reconnect.delay_s(ConnectError("away"), n) for n in range(AWAY)]
    later = [reconnect.delay_s(ConnectError("away"), AWAY + n) for n in range(500)]

    assert SOON_S[0] <= min(first) < max(first) <= SOON_S[1]
    assert AWAY_S[0] <= min(later) < max(later) <= AWAY_S[1]
    # 1.5 s are promised: what is left is for the connection itself.
    assert max(later) < 1.3
    assert sum(later) / len(later) > 1.4 * sum(first) / len(first)


def test_once_it_was_there_it_is_asked_as_often_as_at_first():
    reconnect = Reconnect(random.Random(7))
    for n in range(2 * AWAY):
        reconnect.delay_s(ConnectError("away"), n)
    reconnect.connected(2 * AWAY)
    delays = [reconnect.delay_s(LinkLostError("gone"), 2 * AWAY + 100)]
    delays += [
        reconnect.delay_s(ConnectError("away"), 2 * AWAY + 100 + n) for n in range(50)
    ]

    assert max(delays) <= SOON_S[1]
    assert min(delays) < AWAY_S[0]

from __future__ import annotations

import asyncio

import pytest

from gateway.clock import Instant
from gateway.fold import LISTED, MOST, EventFold
from gateway.record import Event, decode, encode
from tests.support.virtual import virtual

AT = Instant(1_763_712_000_000, 1, "b0070001", True)


def event(n, kind="device_offline", state="raised"):
    return Event(
        id=f"{kind}:{n}",
        type=kind,
        severity="warning",
        state=state,
        at=AT,
        device=f"dev-{n}",
    )


@virtual
@pytest.mark.sentence(1)
async def test_a_storm_of_one_kind_is_twenty_events_and_one_with_the_count():
    told = []
    fold = EventFold(told.append)

    for n in range(247):
        fold(event(n))
    fold(event(0, kind="bus_gone"))
    await asyncio.sleep(1.1)

    assert len(told) == MOST + 1 + 1
    assert told[-1].values == {"count": 247 - MOST}
    assert told[-1].device is None
    names = [f"device_offline:{n}" for n in range(MOST, MOST + LISTED)]
    assert list(told[-1].of) == names
    assert decode(encode(told[-1], "9c41d07a"))[0] == told[-1]
    assert set(told[-1].text) == {"zh", "en"}
    assert sum(e.type == "bus_gone" for e in told) == 1


@virtual
async def test_events_below_the_limit_pass_at_once_second_after_second():
    told = []
    fold = EventFold(told.append)

    for second in range(5):
        for n in range(MOST):
            fold(event(second * 100 + n))
        assert len(told) == (second + 1) * MOST
        await asyncio.sleep(1.01)

    assert not fold._windows


@virtual
async def test_a_stop_tells_what_is_folded():
    told = []
    fold = EventFold(told.append)
    for n in range(MOST + 1):
        fold(event(n))

    fold.flush()

    assert [e.id for e in told] == [f"device_offline:{n}" for n in range(MOST + 1)]

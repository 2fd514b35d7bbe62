"""Stations with more factors than nine packets hold."""

from __future__ import annotations

from tests.support.hj212_home import STATION, Home, factor, period
from tests.support.virtual import virtual

COUNT = 120
"""Volatile organic compounds of one station."""


@virtual
async def test_what_nine_packets_do_not_hold_goes_in_several_messages():
    many = tuple(factor(f"f{n}", f"a{24000 + n}") for n in range(COUNT))
    station = STATION.__class__(name="DA001", kind="ambient", factors=many)
    async with Home(station, version=2025, st="22") as home:
        home.put(period(**{one.name: "1234.5" for one in many}))
        await home.until(lambda: home.floor == 1)

        came = home.platform.segments(2051)
        assert home.aside == []
        assert {s.get("DataTime") for s in came} == {"20251201080000"}
        assert all(1 <= s.pno <= s.pnum <= 9 for s in came)
        assert len({s.qn for s in came}) == len(came)
        told = [
            name
            for s in came
            for item in s.items
            for name, _ in item
            if name.endswith("-Flag")
        ]
        assert sorted(told) == [f"a{24000 + n}-Flag" for n in range(COUNT)]

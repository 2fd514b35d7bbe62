"""The pump against a platform in memory, in virtual time."""

from __future__ import annotations

from tests.support.hj212_home import MINUTE_MS, T0_MS, Home, period
from tests.support.virtual import virtual


@virtual
async def test_a_minute_is_proved_by_9014() -> None:
    async with Home() as home:
        home.put(period(so2="12.3", dust=None))
        await home.until(lambda: home.floor == 1)

        sent = home.platform.segments(2051)[0]
        assert dict(pair for item in sent.items for pair in item) == {
            "DataTime": "20251201080000",
            "a21026-Min": "12.3",
            "a21026-Avg": "12.3",
            "a21026-Max": "12.3",
            "a21026-Flag": "N",
            "a34013-Flag": "D",
        }
        assert home.ledger.fates == {"sent": 1, "proved": 1}
        key = ("city", "DA001", "minute", T0_MS)
        assert home.marks.marked == [(*key, "sent"), (*key, "proved")]

"""PW travels in frames, and is seen nowhere else."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from tests.support.hj212_home import Home, period
from tests.support.virtual import virtual

CANARY = "Zq7#xK"


def test_pw_is_in_no_log_no_status_and_no_note(caplog):
    caplog.set_level(logging.DEBUG)
    seen = []

    @virtual
    async def speak():
        async with Home(overtime_s=2.0, recount=1) as home:
            home.settings.password = CANARY
            home.platform.rejects = lambda s: "3" if s.get("a21026-Avg") else None
            home.put(period())
            await asyncio.sleep(30)
            home.platform.mute = lambda _segment: True
            await asyncio.sleep(60)
            assert {s.pw for s in home.platform.segments(2051)} == {CANARY}
            seen.append(msgspec.json.encode(home.health()).decode())
            seen.extend(map(str, home.states))
            seen.extend(map(str, home.source.notes.values()))

    speak()

    assert seen
    assert CANARY not in "".join(seen)
    assert CANARY not in caplog.text

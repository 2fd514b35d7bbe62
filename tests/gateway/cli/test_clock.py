"""``clock`` says how far the time is believed, and what to do."""

from __future__ import annotations

import asyncio

import pytest

from gateway.answers import Answers
from gateway.cli.clock import report
from gateway.control import ControlError, Request
from gateway.release import RELEASED_MS
from gateway.texts import set_language
from tests.support.clock import VirtualClock
from tests.support.virtual import run_virtual
from tests.support.virtual_site import VirtualSite

NOW = RELEASED_MS + 86_400_000


@pytest.fixture(autouse=True)
def _english():
    set_language("en")
    yield
    set_language(None)


def found(**more):
    usual = {
        "now_ms": NOW,
        "state": "trusted",
        "source": "ntp",
        "offset_ms": 0,
        "floor_ms": NOW - 1000,
        "waiting": False,
        "estimated": False,
        "wait_left_s": 3600.0,
        "records_wait": 0,
    }
    return usual | more


def test_a_trusted_clock_needs_few_words():
    text = report(found())

    assert "trusted, by NTP" in text
    assert "2025-11-02 00:00:00Z" in text
    assert "What to do" not in text


def test_what_waits_is_told_with_what_to_do():
    text = report(
        found(
            state="unknown", source=None, offset_ms=None, waiting=True, records_wait=9
        )
    )

    assert "wait for a trusted time: 9" in text
    assert "after 60 min more" in text
    assert "timedatectl set-ntp true" in text
    assert "clock: {trust: always}" in text


def test_who_waits_for_ever_and_who_is_marked_is_told_so():
    waits = found(state="unknown", source=None, records_wait=9, wait_left_s=None)
    marked = found(state="unknown", source=None, estimated=True)

    assert "for ever" in report(waits)
    assert "estimated" in report(marked)
    assert "-3.500 s" in report(found(source="gnss", offset_ms=-3500))


async def ask(site, cmd):
    return await Answers(site.app).server()._commands[cmd](Request(cmd=cmd))


def test_the_operator_s_word_is_taken_over_the_control_socket(tmp_path):
    async def main():
        clock = VirtualClock(trusted=False)
        async with VirtualSite(tmp_path, devices=1, clock=clock) as site:
            await asyncio.sleep(20)
            before = await ask(site, "clock")
            confirmed = await ask(site, "clock-confirm")
            await asyncio.sleep(5)
            after = await ask(site, "clock")
            clock.set_wall(0)
            with pytest.raises(ControlError) as refused:
                await ask(site, "clock-confirm")
        return before, confirmed, after, str(refused.value)

    before, confirmed, after, refused = run_virtual(main())

    assert (before["state"], before["waiting"]) == ("unknown", True)
    assert before["records_wait"] >= 20
    assert (confirmed["state"], confirmed["source"]) == ("trusted", "operator")
    assert after["records_wait"] == 0
    assert "1970-01-01" in refused

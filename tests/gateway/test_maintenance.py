"""Maintenance windows through the whole gateway: asked for, in force, over in time."""

from __future__ import annotations

import asyncio
from zoneinfo import ZoneInfo

import pytest

from gateway.answers import Answers
from gateway.cli.exits import CliError, Exit
from gateway.cli.maintain import _list, _said, add_arguments, run
from gateway.cli.parser import Parser
from gateway.control import ControlError, Request
from gateway.texts import set_language
from tests.support.mqtt_schema import errors
from tests.support.virtual import virtual
from tests.support.virtual_site import VirtualSite

ONE, TWO = "bus-0-dev-1", "bus-0-dev-2"


@pytest.fixture(autouse=True)
def _english():
    set_language("en")
    yield
    set_language(None)


async def ask(site, cmd, devices=None, **options):
    request = Request(cmd=f"maintain-{cmd}", devices=devices, options=options)
    return await Answers(site.app).server()._commands[request.cmd](request)


WANG = {"who": "王工", "why": "换滤芯", "for_s": 600.0}


def windows(site):
    return [e for e in site.events() if e["type"] == "maintenance_window"]


@virtual
async def test_a_window_marks_its_device_and_no_other_and_ends_by_itself(tmp_path):
    async with VirtualSite(tmp_path, devices=2) as site:
        await asyncio.sleep(10)
        answer = await ask(site, "start", [ONE], **WANG)
        listed = await ask(site, "list")
        await asyncio.sleep(700)
        after = await ask(site, "list")

    (window,) = answer["windows"]
    assert listed["windows"][0]["id"] == window["id"]
    assert listed["timezone"] == "Asia/Shanghai"
    assert window["until"] - window["since"] == 600_000
    assert after["windows"] == []
    raised, cleared = windows(site)
    assert (raised["device"], raised["values"]["who"]) == (ONE, "王工")
    assert cleared["values"]["cause"] == "elapsed"
    assert (cleared["t"], cleared["until"]) == (window["since"], window["until"])
    marked = [s["t"] for s in site.scans(ONE) if "state" in s]
    due = [
        s["t"] for s in site.scans(ONE) if window["since"] <= s["t"] < window["until"]
    ]
    assert marked == due
    assert 590 <= len(due) <= 601
    assert all(
        set(s["state"].values()) == {"maintenance"}
        and s["state"].keys() == s["values"].keys()
        for s in site.scans(ONE)
        if "state" in s
    )
    assert not any("state" in s for s in site.scans(TWO))
    wrong = [e for m in site.platform.arrived for e in errors(m.topic, m.payload)]
    assert wrong == []


@virtual
async def test_a_window_outlives_a_restart_and_ends_in_it(tmp_path):
    async with VirtualSite(tmp_path, devices=1) as site:
        await ask(site, "start", [ONE], **WANG)
        await asyncio.sleep(60)
        await site.stop()
        await asyncio.sleep(60)
        site.start()
        await asyncio.sleep(30)
        assert [w["who"] for w in (await ask(site, "list"))["windows"]] == ["王工"]
        await asyncio.sleep(600)
        assert (await ask(site, "list"))["windows"] == []

    raised, cleared = windows(site)
    assert raised["id"] == cleared["id"]
    assert cleared["until"] - raised["t"] == 600_000
    assert {"state" in s for s in site.scans(ONE) if raised["t"] < s["t"]} == {
        True,
        False,
    }
    assert not any("state" in s for s in site.scans(ONE) if s["t"] >= cleared["until"])


@virtual
async def test_one_who_ends_it_early_is_named_beside_the_one_who_began_it(tmp_path):
    async with VirtualSite(tmp_path, devices=2) as site:
        await ask(site, "start", [ONE, TWO], **WANG)
        await asyncio.sleep(30)
        ended = await ask(site, "end", [ONE], who="李工")
        await asyncio.sleep(5)
        left = await ask(site, "list")
        await ask(site, "end")
        await asyncio.sleep(5)

    assert [w["device"] for w in ended["windows"]] == [ONE]
    assert [w["device"] for w in left["windows"]] == [TWO]
    first, second = [e for e in windows(site) if e["state"] == "cleared"]
    assert (first["values"]["who"], first["values"]["by"]) == ("王工", "李工")
    assert first["values"]["cause"] == second["values"]["cause"] == "ended"


@virtual
async def test_what_is_asked_for_wrongly_is_refused(tmp_path):
    async with VirtualSite(tmp_path, devices=1) as site:
        for devices, change, code in (
            (["nobody"], {}, "no_device"),
            ([], {}, "no_device"),
            ([ONE], {"who": "  "}, "bad_text"),
            ([ONE], {"why": "a\nb"}, "bad_text"),
            ([ONE], {"why": "x" * 201}, "bad_text"),
            ([ONE], {"for_s": 59.0}, "bad_span"),
            ([ONE], {"for_s": 700_000.0}, "bad_span"),
            ([ONE], {"for_s": float("nan")}, "bad_span"),
            ([ONE], {"state": "normal"}, "bad_state"),
            ([ONE], {"who": 7}, "bad_request"),
        ):
            with pytest.raises(ControlError) as refused:
                await ask(site, "start", devices, **(WANG | change))
            assert refused.value.code == code
            assert code != "bad_span" or "--for" in str(refused.value)
        with pytest.raises(ControlError) as refused:
            await ask(site, "end", [ONE])
        assert refused.value.code == "no_window"
        assert (await ask(site, "list"))["windows"] == []


def parsed(*words):
    parser = Parser(prog="ecogate maintain")
    add_arguments(parser)
    return parser.parse_args(words)


def test_the_command_line_asks_who_and_why_and_for_how_long(capsys):
    args = parsed(
        "start", ONE, TWO, "--who", "Wang", "--why", "filter", "--for", "2h",
        "--state", "calibration",
    )  # fmt: skip

    assert args.devices == [ONE, TWO]
    assert (args.for_s, args.state) == (7200.0, "calibration")
    for missing in (("--why", "x", "--for", "2h"), ("--who", "x", "--for", "2h")):
        with pytest.raises(SystemExit):
            parsed("start", ONE, *missing)
    capsys.readouterr()


def test_nothing_is_ended_without_saying_which():
    for words in (("end",), ("end", ONE, "--all")):
        with pytest.raises(CliError) as refused:
            run(parsed(*words))
        assert refused.value.status == Exit.USAGE


def test_what_people_read(capsys):
    window = {
        "device": ONE, "state": "stopped", "who": "王工", "why": "停产",
        "since": 1_763_712_000_000, "until": 1_763_719_200_000, "left_s": 7200.0,
    }  # fmt: skip
    beijing = ZoneInfo("Asia/Shanghai")
    _list([window], beijing)
    _list([], beijing)
    listed = capsys.readouterr().out

    assert "out of service" in _said("start", window, beijing)
    assert "18:00:00" in _said("start", window, beijing)
    assert "16:00:00" in listed
    assert "王工" in listed
    assert "nothing is declared" in listed

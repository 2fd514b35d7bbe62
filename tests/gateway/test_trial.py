"""A site on trial goes back by itself; confirmed, it stays."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from gateway.config import load_site
from gateway.config.staging import Staging
from gateway.control import ControlError, Request
from gateway.reload import compare
from gateway.trial import Trial
from tests.support.virtual import VirtualLoop

SITE = """\
gateway: g
buffer: {path: ./data}
buses:
  plc: {protocol: modbus-tcp, tcp: "127.0.0.1:502"}
devices:
  fan:
    bus: plc
    address: 1
    every: 1s
    points: [{name: r, table: coil, address: "pdu:0"}]
targets:
  one: {mqtt: "mqtt://127.0.0.1"}
"""


class Host:
    def __init__(self, site):
        self.site = site

    async def apply(self, site):
        change = compare(self.site, site)
        if change.refused:
            raise ControlError("needs_restart", change.refusal())
        self.site = site
        return change.said()

    @property
    def address(self):
        return self.site.devices["fan"].address


@pytest.fixture
def host(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    return Host(load_site(file))


def stage(host, old="address: 1", new="address: 7"):
    Staging(host.site.buffer.path).stage(SITE.replace(old, new).encode())


def virtually(host, story):
    async def main():
        trial = Trial(host)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(trial.run())
            await story(trial)
            running.cancel()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


@pytest.mark.sentence(10)
def test_an_unconfirmed_trial_goes_back_when_its_time_is_up(host):
    stage(host)

    async def story(trial):
        answer = await trial.answer_try(Request(cmd="try", within_s=600.0))
        assert host.address == 7
        assert answer["changes"]
        await asyncio.sleep(599)
        assert host.address == 7
        assert trial.left_s == pytest.approx(1)
        await asyncio.sleep(2)
        assert host.address == 1
        assert trial.left_s is None

    virtually(host, story)


def test_a_confirmed_trial_stays(host):
    stage(host)

    async def story(trial):
        await trial.answer_try(Request(cmd="try", within_s=600.0))
        await trial.answer_keep(Request(cmd="keep"))
        await asyncio.sleep(7200)
        assert host.address == 7

    virtually(host, story)


def test_a_trial_can_be_ended_at_once(host):
    stage(host)

    async def story(trial):
        await trial.answer_try(Request(cmd="try", within_s=600.0))
        await trial.answer_return(Request(cmd="return"))
        assert host.address == 1

    virtually(host, story)


def test_a_second_trial_goes_back_to_what_was_before_the_first(host):
    stage(host)

    async def story(trial):
        await trial.answer_try(Request(cmd="try", within_s=600.0))
        stage(host, new="address: 9")
        await trial.answer_try(Request(cmd="try", within_s=60.0))
        assert host.address == 9
        await asyncio.sleep(61)
        assert host.address == 1

    virtually(host, story)


def test_a_reload_of_the_site_file_ends_the_trial(host):
    stage(host)

    async def story(trial):
        await trial.answer_try(Request(cmd="try", within_s=60.0))
        trial.reloaded()
        await asyncio.sleep(120)
        assert host.address == 7

    virtually(host, story)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("address: 1", "address: none", "bad_site"),
        ("gateway: g", "gateway: h", "needs_restart"),
    ],
)
def test_what_cannot_be_tried_changes_nothing(host, old, new, code):
    stage(host, old, new)

    async def story(trial):
        with pytest.raises(ControlError) as caught:
            await trial.answer_try(Request(cmd="try", within_s=60.0))
        assert caught.value.code == code
        assert trial.left_s is None
        assert host.address == 1

    virtually(host, story)


@pytest.mark.parametrize("within_s", [None, 1.0, 100_000.0])
def test_a_trial_needs_a_time_that_makes_sense(host, within_s):
    async def story(trial):
        with pytest.raises(ControlError) as caught:
            await trial.answer_try(Request(cmd="try", within_s=within_s))
        assert caught.value.code == "bad_request"

    virtually(host, story)


@pytest.mark.parametrize("verb", ["answer_keep", "answer_return"])
def test_without_a_trial_there_is_nothing_to_keep_or_leave(host, verb):
    async def story(trial):
        with pytest.raises(ControlError) as caught:
            await getattr(trial, verb)(Request(cmd="x"))
        assert caught.value.code == "no_trial"

    virtually(host, story)


def test_the_data_folder_of_a_trial_is_the_running_ones(host):
    """The staged file lies in the data folder: './data' in it must not mean 'there'."""
    stage(host)

    async def story(trial):
        before = host.site.buffer
        await trial.answer_try(Request(cmd="try", within_s=60.0))
        assert msgspec.structs.asdict(host.site.buffer) == msgspec.structs.asdict(
            before
        )

    virtually(host, story)


def test_a_return_that_fails_is_tried_again(host):
    stage(host)
    broken = []

    async def story(trial):
        await trial.answer_try(Request(cmd="try", within_s=600.0))
        apply = host.apply

        async def fails_once(site):
            host.apply = apply
            broken.append(site)
            raise OSError("a disk that refuses")

        host.apply = fails_once
        with pytest.raises(OSError, match="refuses"):
            await trial.answer_return(Request(cmd="return"))
        await asyncio.sleep(1)

    virtually(host, story)

    assert len(broken) == 1
    assert host.address == 1

"""What the platform examines by itself: a right device passes, each wrong one fails."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from gateway.cli import main as cli_main
from simulators.hj212_platform import make_host
from simulators.hj212_platform import parse as parse_options
from simulators.hj212_platform_account import Account
from simulators.hj212_platform_faults import Fault
from simulators.hj212_platform_host import Host
from simulators.hj212_platform_script import Script
from tests.support.clock import EPOCH_MS
from tests.support.hj212_device import MN, Model
from tests.support.spawn import ROOT, Spawned
from tests.support.virtual import running_loop, virtual

NEVER_ASKED = {
    "upload.same",
    "upload.overtime",
    "upload.recount",
    "upload.waits",
    "upload.whole",
    "upload.rf",
    "seal.used",
    "cmd.1001",
    "cmd.1002",
    "cmd.1013",
    "cmd.1014",
    "cmd.2081",
    "cmd.9015",
    "series.2061",
    "series.2031",
}


async def examined(version=2017, sins=(), act=True):
    loop = running_loop()
    started = loop.time()

    def now():
        return EPOCH_MS / 1000 + loop.time() - started

    host = Host([Account(MN, version=version)], strict=True, utc_s=now)
    port = await host.open()
    device = Model(now=now, sins=sins, version=version)
    await device.call("127.0.0.1", port)
    device.start()
    await host.arrived(MN)
    for minute in ("57", "58"):
        device.keep(2051, f"2025112115{minute}00")
    script = Script(host, MN, act=act)
    await script.commands()
    await script.pull()
    device.stop()
    await host.close()
    return host.finish()


@pytest.mark.parametrize("version", [2017, 2025])
@virtual
async def test_a_right_device_passes_everything_it_can_be_asked(version):
    ledger = await examined(version)

    assert ledger.clean, ledger.text("en")
    standing = ledger.standing()
    unseen = {name for name, found in standing.items() if found == "not seen"}
    only_2025 = {"cmd.3022", "cmd.3024"} if version == 2017 else set()
    assert unseen == NEVER_ASKED | only_2025
    refused = {name for name, found in standing.items() if found == "refused"}
    assert refused == {"cmd.2021", "cmd.3013"}


@pytest.mark.parametrize(
    ("sin", "clause"),
    [
        *((str(cn), f"cmd.{cn}") for cn in (1000, 1011, 1012, 1061, 1062, 1063, 1064)),
        *((str(cn), f"cmd.{cn}") for cn in (1072, 2011, 2012, 2031, 2041, 2051, 2061)),
        *((str(cn), f"cmd.{cn}") for cn in (3011, 3012, 3014, 3015, 3016, 3017, 3018)),
        *((str(cn), f"cmd.{cn}") for cn in (3019, 3020, 3021, 3022, 3024)),
        *((name, f"refuse.{name}") for name in ("pw", "mn", "st", "cn")),
        ("settings", "cmd.1062"),
        ("pw stays", "cmd.1072"),
        ("2011 stays off", "cmd.2011"),
        ("clock", "clock.near"),
        ("history", "pull.same"),
        ("short history", "pull.same"),
    ],
)
@virtual
async def test_each_wrong_device_fails_by_its_clause(sin, clause):
    ledger = await examined(2025, {sin})

    assert clause in ledger.failed, ledger.text("en")


@virtual
async def test_instruments_are_left_alone_unless_it_is_asked_for():
    standing = (await examined(act=False)).standing()

    assert {standing[f"cmd.{cn}"] for cn in range(3011, 3017)} == {"not seen"}
    assert standing["cmd.3021"] == "not seen"
    assert standing["cmd.3020"] == "passed"


# -- the process ----------------------------------------------------------------


async def _talk(port, **more):
    device = Model(**more)
    await device.call("127.0.0.1", port)
    device.start()
    await device.until(device.codes)
    return device


async def test_the_process_hears_answers_and_reports(tmp_path):
    (tmp_path / "pw").write_text("123456\n")
    with Spawned(
        "simulators.hj212_platform",
        *("--listen", "127.0.0.1:0", "--mn", f"{MN}@31", "--strict", "--lang", "en"),
        *("--password-file", tmp_path / "pw", "--trace", "--factors", "a21026"),
    ) as platform:
        device = await _talk(platform.ready["port"], now=lambda: EPOCH_MS / 1000)
        device.stop()
        await asyncio.sleep(0)
        assert platform.stop() == 0

    assert "[passed] ×1 cp.set" in platform.output
    assert f"MN={MN} CN=2011 ×1" in platform.output
    assert "CN=9014" in platform.errors


async def test_its_exit_status_says_that_something_failed():
    with Spawned(
        "simulators.hj212_platform",
        *("--listen", "127.0.0.1:0", "--mn", MN, "--report", "json", "--minute", "10"),
    ) as platform:
        device = await _talk(platform.ready["port"], now=lambda: EPOCH_MS / 1000)
        device.keep(2051, "20251121155500")
        await device.until(lambda: len(device.codes()) > 1)
        device.stop()
        await asyncio.sleep(0)
        assert platform.stop() == 1
    told = json.loads(platform.output)
    assert told["clauses"]["cp.aligned"]["standing"] == "failed"
    assert told["held"] == {f"{MN} 2011": 1, f"{MN} 2051": 1}


def test_options(tmp_path, capsys):
    (tmp_path / "key").write_text("00112233445566778899aabbccddeeff\n")
    options = parse_options(
        [
            *("--mn", f"{MN}@32", "--mn", "B" * 24, "--version", "2025"),
            *("--key-file", str(tmp_path / "key"), "--sealed", "literal"),
            *("--fault", "reset"),
        ]
    )
    host = make_host(options)

    assert (options.host, options.port) == ("127.0.0.1", 9212)
    assert [(one.mn, one.st) for one in host.accounts.values()] == [
        (MN, "32"),
        ("B" * 24, "31"),
    ]
    assert host.accounts[MN].key == bytes.fromhex("00112233445566778899aabbccddeeff")
    assert host.accounts[MN].sealed == "literal"
    assert host.faults.kinds == {Fault.RESET}
    with pytest.raises(SystemExit):
        parse_options(["--listen", "9212"])
    assert "expected HOST:PORT, got '9212'" in capsys.readouterr().err


def test_the_docs_name_every_option():
    text = (ROOT / "docs" / "simulators.md").read_text(encoding="utf-8")
    part = text.partition("`simulate hj212-platform`")[2].partition("\n## ")[0]
    told = set(re.findall(r"`(--[a-z-]+)", part))
    missing = {"--seed", "--for"}  # as everywhere
    known = set(vars(parse_options([]))) - {"host", "port"}
    known = {f"--{name.replace('_', '-')}" for name in known} - {"--for-s"}
    assert told | missing == known | {"--for"}
    assert all(f"`{fault}`" in part for fault in Fault)


def test_the_command_starts_it(monkeypatch):
    started = []

    class Child:
        def __init__(self, argv, **_):
            started.append(argv)

        def wait(self):
            return 0

    monkeypatch.setattr("gateway.cli.simulate.subprocess.Popen", Child)
    assert cli_main(["simulate", "hj212-platform", "--mn", MN]) == 0
    assert started[0][3:6] == ["simulators.hj212_platform", "--mn", MN]

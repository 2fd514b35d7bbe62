"""``apply`` against a gateway that runs: tried, kept, gone again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from gateway.cli import main
from gateway.cli.exits import Exit
from gateway.config.staging import Staging
from gateway.control import ControlClient, NotRunningError
from gateway.texts import set_language

SITE = """\
gateway: g
buffer: {path: ./data}
buses:
  plc: {protocol: modbus-tcp, tcp: "127.0.0.1:1"}
devices:
  fan:
    bus: plc
    address: 1
    every: 60s
    points: [{name: r, table: coil, address: "pdu:0"}]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "new.yaml").write_text(SITE.replace("address: 1\n", "address: 7\n"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ECOGATE_SITE", raising=False)
    set_language("en")
    yield tmp_path
    set_language(None)


@pytest.fixture
def gateway(folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = subprocess.Popen(
        [sys.executable, "-m", "gateway", "run", "site.yaml"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not answers(folder):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield running
    if running.poll() is None:
        running.send_signal(signal.SIGTERM)
    running.wait(timeout=20)


def answers(folder):
    try:
        ControlClient.for_folder(folder / "data").close()
    except NotRunningError:
        return False
    return True


def test_a_confirmed_trial_becomes_the_site_file(folder, gateway, capsys):
    assert main(["apply", "new.yaml", "--confirm-within", "10m"]) == Exit.OK
    assert "address: 1\n" in (folder / "site.yaml").read_text()

    assert main(["apply", "--confirm"]) == Exit.OK

    assert "address: 7\n" in (folder / "site.yaml").read_text()
    assert len(Staging(folder / "data").versions()) == 1
    assert not (folder / "data" / "site" / "trial.yaml").exists()
    assert "fan" in capsys.readouterr().out


def test_a_trial_is_gone_after_a_power_cut(folder, gateway, capsys):
    assert main(["apply", "new.yaml", "--confirm-within", "10m"]) == Exit.OK
    gateway.kill()
    gateway.wait(timeout=20)

    assert main(["apply", "--confirm"]) == Exit.UNREACHABLE
    assert "address: 1\n" in (folder / "site.yaml").read_text()
    assert "no gateway is running" in capsys.readouterr().err


def test_reverting_ends_a_trial_and_then_goes_to_the_version_before(folder, gateway):
    assert main(["apply", "new.yaml", "--confirm-within", "10m"]) == Exit.OK
    assert main(["apply", "--revert"]) == Exit.OK
    assert main(["apply", "--confirm"]) == Exit.FAILED
    assert main(["apply", "--revert"]) == Exit.FAILED

    assert main(["apply", "new.yaml"]) == Exit.OK
    assert "address: 7\n" in (folder / "site.yaml").read_text()
    assert main(["apply", "--revert"]) == Exit.OK
    assert "address: 1\n" in (folder / "site.yaml").read_text()


def test_a_bad_file_changes_nothing(folder, gateway, capsys):
    (folder / "new.yaml").write_text(SITE.replace("bus: plc", "bus: plk"))

    assert main(["apply", "new.yaml", "--confirm-within", "10m"]) == Exit.USAGE

    assert "new.yaml:7:10:" in capsys.readouterr().err
    assert not (folder / "data" / "site").exists()


def test_what_needs_a_restart_is_said_and_not_done(folder, gateway, capsys):
    (folder / "new.yaml").write_text(SITE.replace("gateway: g", "gateway: h"))

    assert main(["apply", "new.yaml", "--confirm-within", "10m"]) == Exit.FAILED

    assert "restart" in capsys.readouterr().err


def test_without_a_gateway_only_a_lasting_change_is_possible(folder, capsys):
    assert main(["apply", "new.yaml", "--confirm-within", "10m"]) == Exit.UNREACHABLE
    assert main(["apply", "new.yaml"]) == Exit.OK

    assert "address: 7\n" in (folder / "site.yaml").read_text()
    assert "does not run" in capsys.readouterr().out


def test_the_file_in_force_cannot_be_tried(folder, capsys):
    assert main(["apply", "site.yaml", "--confirm-within", "10m"]) == Exit.USAGE

    assert "edit a copy" in capsys.readouterr().err

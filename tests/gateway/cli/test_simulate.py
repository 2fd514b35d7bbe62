"""`simulate` hands the rest of the command line to the simulator."""

import os
import sys
from importlib import import_module

import pytest

from gateway.cli import main, simulate
from gateway.cli.exits import Exit


@pytest.fixture
def started(monkeypatch):
    commands = []

    class Child:
        def __init__(self, command, **_options):
            commands.append(command)

        def wait(self):
            return 0

    monkeypatch.setattr(simulate.subprocess, "Popen", Child)
    return commands


@pytest.fixture
def in_process(monkeypatch):
    """What it starts is done here, as far as its own command line."""

    class Child:
        def __init__(self, command, env, **_options):
            with monkeypatch.context() as set_to:
                set_to.setattr(os, "environ", dict(env))
                with pytest.raises(SystemExit) as ended:
                    import_module(command[3]).parse(command[4:])
            self.status = ended.value.code

        def wait(self):
            return self.status

    monkeypatch.setattr(simulate.subprocess, "Popen", Child)


@pytest.mark.parametrize("kind", simulate.KINDS)
def test_its_usage_says_what_was_typed(in_process, kind, capsys):
    assert main(["simulate", kind, "--nonsense"]) == Exit.USAGE

    said = capsys.readouterr().err
    assert said.startswith(f"usage: ecogate simulate {kind} ")
    assert f"ecogate simulate {kind}: error:" in said
    assert "python -m" not in said


@pytest.mark.parametrize(
    ("arguments", "handed"),
    [
        (["modbus", "--tcp", "0"], ["simulators.modbus", "--tcp", "0"]),
        (["modbus", "--json"], ["simulators.modbus"]),
        (
            ["platform", "--port", "1", "--json"],
            ["simulators.platform", "--port", "1", "--json"],
        ),
        (
            ["hj212-platform", "--lang", "en", "--strict"],
            ["simulators.hj212_platform", "--strict", "--lang", "en"],
        ),
        (
            ["hj212-platform", "--lang", "zh"],
            ["simulators.hj212_platform", "--lang", "zh"],
        ),
        (["proxy", "--help"], ["simulators.proxy", "--help"]),
    ],
)
def test_options_reach_the_simulator(started, arguments, handed):
    assert main(["simulate", *arguments]) == 0

    assert started == [[sys.executable, "-P", "-m", *handed]]


def test_a_missing_extra_is_named_and_nothing_started(started, monkeypatch, capsys):
    monkeypatch.setattr(simulate, "find_spec", lambda _name: None)

    assert main(["simulate", "receivers", "--tcp", "0"]) != 0

    assert started == []
    assert "pip install 'ecogate[demo]'" in capsys.readouterr().err

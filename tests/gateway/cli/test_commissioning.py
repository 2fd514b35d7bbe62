"""find, decode, doctor and measure at a terminal, on a simulated line behind a pty."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gateway.cli import main
from gateway.cli.doctor import report, shown, worded
from gateway.texts import set_language

LINE = """
seed: 3
stations:
  - {profile: eastron-sdm630, unit: 3, at: 19200 8E1, delay_ms: 1}
"""


@pytest.fixture
def port(tmp_path):
    config = tmp_path / "line.yaml"
    config.write_text(LINE)
    link = tmp_path / "line"
    options = ["--config", str(config), "--pty", str(link)]
    command = [sys.executable, "-m", "simulators.line", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert json.loads(child.stdout.readline())["ready"]
            yield str(link)
        finally:
            child.terminate()


@pytest.fixture(autouse=True)
def _english(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    set_language(None)


def said(capsys, *argv):
    """Exit status and standard output."""
    status = main([*argv, "--lang", "en"])
    return status, capsys.readouterr().out


def test_from_an_unknown_line_to_a_site_that_reads(port, capsys, tmp_path):
    quick = ("--addresses", "3", "--settings", "19200 8N1,19200 8E1")
    quick += ("--only", "modbus")

    status, out = said(capsys, "find", port, *quick, "--write", "site.yaml")
    assert status == 0
    assert "eastron-sdm630" in out
    assert not (tmp_path / "find-line.json").exists()

    assert said(capsys, "check", "site.yaml")[0] == 0
    status, out = said(capsys, "read", "eastron-sdm630-3", "--once", "--json")
    assert status == 0
    assert 200 < json.loads(out)["values"]["voltage_l1"] < 260

    status, out = said(
        capsys, "decode", "line-1", "3", "3x:30001", "--json", "--site", "site.yaml"
    )
    # Of one voltage in a thousand another order gives a shorter number by chance.
    best = json.loads(out)["readings"][:2]
    found = {r["order"]: float(r["value"]) for r in best if r["type"] == "float32"}
    assert status == 0
    assert best[0]["type"] == "float32"
    assert 200 < found["ABCD"] < 260

    status, out = said(capsys, "find", port, *quick, "--write", "site.yaml")
    assert status == 2  # never over an existing file


def test_doctor_names_an_adapter_that_is_not_there(capsys):
    status, out = said(capsys, "doctor", "/dev/ttyNOWHERE", "--json")

    found = json.loads(out)["causes"]
    assert status == 1
    assert found[0]["word"] == "port_gone"
    assert "/dev/serial/by-id" in found[0]["step"]


@pytest.mark.parametrize(
    "argv",
    [
        ("find",),
        ("find", "line-1", "--serial", "/dev/null"),
        ("find", "/dev/null", "--addresses", "0-5"),
        ("find", "/dev/null", "--addresses", "5-300"),
        ("find", "/dev/null", "--settings", "fast"),
        ("find", "/dev/null", "--share", "2"),
        ("decode", "/dev/null", "3", "101"),
        ("decode", "/dev/null", "3", "pdu:1", "--count", "99"),
        ("doctor", "no-such-bus"),
    ],
)
def test_what_cannot_be_meant_is_refused(argv, capsys):
    try:
        status = main([*argv, "--lang", "en"])
    except SystemExit as exc:
        status = exc.code

    assert status == 2
    assert capsys.readouterr().err


def test_last_resorts_are_shown_only_where_nothing_else_is_known():
    def cause(word, weight):
        return {"word": word, "weight": weight, "proofs": [], "values": {}}

    silent, swapped = cause("silent", 10), cause("swapped", 8)

    assert shown([silent, swapped]) == [silent, swapped]
    assert shown([cause("noise", 62), silent]) == [cause("noise", 62)]
    assert "✓" in report("line", [])
    assert worded(silent)["step"]

"""What the running gateway asks of the kernel is what its unit allows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "systemd" / "ecogate.service"


def members(name):
    """The calls of a systemd filter set such as ``@system-service``, sets resolved."""
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", name],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    found = set()
    for line in done.stdout.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            found |= members(word)
        elif word and not word.startswith("#"):
            found.add(word)
    return found


def allowed():
    """The unit's SystemCallFilter= lines, in order, as systemd applies them."""
    calls: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", SERVICE.read_text(), re.M):
        remove = line.startswith("~")
        for word in line.removeprefix("~").split():
            part = members(word) if word.startswith("@") else {word}
            calls = calls - part if remove else calls | part
    return calls | members("@default")


# systemd always allows what starting and ending a program takes (systemd.exec(5));
# strace shows the start of the program itself.
ALWAYS = {"execve", "exit", "exit_group", "getrlimit", "rt_sigreturn", "sigreturn"}
# SQLite gives new files to the owner of the database when it runs as root; the service
# does not.
AS_ROOT = {"fchown"} if os.geteuid() == 0 else set()


@pytest.mark.needs("strace", "systemd-analyze")
def test_every_system_call_of_a_running_gateway_is_allowed(tmp_path):
    site = tmp_path / "site.yaml"
    # A bus that refuses and a platform that is away: opening, backing off, storing.
    site.write_text(
        "gateway: calls\n"
        f"buffer: {{path: {tmp_path / 'data'}, max_bytes: 64MB}}\n"
        'buses: {plc: {protocol: modbus-tcp, tcp: "127.0.0.1:9"}}\n'
        "devices:\n"
        "  fan:\n"
        "    bus: plc\n"
        "    address: 1\n"
        "    every: 1s\n"
        "    points: [{name: speed, table: holding, address: 'pdu:0', type: uint16,"
        " unit: '1'}]\n"
        'targets: {platform: {mqtt: "mqtt://127.0.0.1:9"}}\n'
    )
    trace = tmp_path / "trace"
    ecogate = Path(sys.executable).with_name("ecogate")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("strace", "-f", "-qq", "-e", "signal=none", "-o", trace),
                *(sys.executable, ecogate, "run", site),
            ],
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 60
        # Its first durable commit says that everything has been opened.
        while "fdatasync(" not in (trace.read_text() if trace.exists() else ""):
            assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
            time.sleep(0.2)
        (gateway,) = re.findall(r"^(\d+) ", trace.read_text(), re.M)[:1]
        subprocess.run(["kill", "-TERM", gateway], check=True)
        process.wait(30)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(10)

    used = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.M))
    assert "openat" in used
    assert used - allowed() - ALWAYS - AS_ROOT == set()

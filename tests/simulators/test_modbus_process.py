"""``python -m simulators.modbus``: starts, serves, obeys, and never outlives us."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from drivers.modbus import AsciiBus, AsciiTcpBus, RtuBus, RtuTcpBus, Span, Timing
from simulators.births import read_births
from simulators.modbus import parse
from simulators.wire import tcp_frame
from tests.support.spawn import ROOT, Spawned

READ_TWO = bytes.fromhex("0300020002")


def ask(port: int, unit: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
        wire.settimeout(0.3)
        wire.sendall(tcp_frame(1, unit, READ_TWO))
        try:
            return wire.recv(300)
        except TimeoutError:
            return b""


@pytest.mark.parametrize("engine", ["own", "pymodbus"])
def test_it_serves_benchmark_devices_and_ends_cleanly(tmp_path, engine) -> None:
    link = tmp_path / "line"
    args = ("--bench", "3x10", "--tcp", 0, "--pty", link, "--engine", engine)
    with Spawned("simulators.modbus", *args) as server:
        reply = ask(server.ready["port"], 3)

        assert reply[-4:] == (3 << 16 | 2).to_bytes(4, "big")
        assert link.is_symlink()
        assert server.stop() == 0
    assert not link.is_symlink()
    assert server.errors == ""


def test_it_obeys_commands_and_logs_births(tmp_path) -> None:
    births = tmp_path / "births.jsonl"
    args = ("--bench", "2x10", "--tcp", 0, "--separate", "--control")
    with Spawned("simulators.modbus", *args, "--births", births) as server:
        ports = server.ready["ports"]
        assert ask(ports["2"], 2)
        assert server.say("dead 2") == "ok"
        assert ask(ports["2"], 2) == b""
        assert ask(ports["1"], 1)
        assert server.say("alive 2") == "ok"
        assert ask(ports["2"], 2)
        assert server.say("share x") == "share: expected a number, got 'x'"
        assert server.say("sing").startswith("no such command")

    found = [(b.unit, b.address, b.count, b.mark) for b in read_births(births)]
    assert found == [(2, 2, 2, 1), (1, 2, 2, 1), (2, 2, 2, 2)]


def test_it_ends_when_its_parent_is_killed() -> None:
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'simulators.modbus',"
        " '--bench', '1x1', '--tcp', '0'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
    ended = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < ended, "the simulator outlived its parent"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "arguments",
    [
        "--tcp 0",
        "--bench 2x2",
        "--bench 300x2 --tcp 0",
        "--bench 2x2 --tcp 0 --fault sleepy",
        "--bench 2x2 --tcp 0 --engine pymodbus --fault late",
    ],
)
def test_wrong_options_are_refused(arguments, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments.split())

    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_port_that_vanished_is_back_under_its_number() -> None:
    with Spawned("simulators.modbus", "--bench", "1x10", "--tcp", 0, "--control") as s:
        port = s.ready["port"]
        assert ask(port, 1)
        assert s.say("vanish 0.3") == "ok"
        with pytest.raises(ConnectionRefusedError):
            ask(port, 1)
        ended = time.monotonic() + 10
        reply = b""
        while not reply:
            assert time.monotonic() < ended, "the port did not come back"
            with contextlib.suppress(ConnectionRefusedError):
                reply = ask(port, 1)


@pytest.mark.parametrize("mode", ["rtu", "ascii"])
async def test_a_terminal_server_and_a_line_in_either_mode(tmp_path, mode) -> None:
    """Asked by the gateway's own drivers, whose codec is another."""
    link = tmp_path / "line"
    streams = {"rtu": RtuTcpBus, "ascii": AsciiTcpBus}
    lines = {"rtu": RtuBus, "ascii": AsciiBus}
    args = ("--bench", "2x10", "--tcp", 0, "--pty", link, "--mode", mode)
    with Spawned("simulators.modbus", *args) as server:
        for bus in (
            streams[mode]("127.0.0.1", server.ready["port"]),
            lines[mode](str(link), 115_200),
        ):
            await bus.open()
            try:
                reply = await bus.read(2, Span("holding", 2, 2), Timing(2.0))
            finally:
                await bus.close()
            assert reply.data == (2 << 16 | 2).to_bytes(4, "big")
        assert server.stop() == 0

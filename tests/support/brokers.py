"""Real MQTT brokers and an independent subscriber, on loopback and free ports."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import paho.mqtt.client as paho

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(condition: Callable[[], object], wait_s: float = 15.0) -> None:
    """Wait for something that happens in another process or thread."""
    deadline = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {wait_s:g} s")
        await asyncio.sleep(0.005)


class Broker:
    """A broker process that can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Start and wait until it listens."""
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.005)
        log_text = (self.folder / "broker.log").read_text(errors="replace")
        raise RuntimeError(f"the broker did not start: {log_text[-2000:]}")

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


class Mosquitto(Broker):
    """Debian's mosquitto; ``extra`` goes into its configuration."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        super().__init__(folder)
        self.extra = extra

    def command(self) -> list[str]:
        config = self.folder / "mosquitto.conf"
        if "allow_anonymous" not in self.extra:
            self.extra += "\nallow_anonymous true\n"
        # Started as root it would become a user that cannot read our folder.
        user = "user root\n" if os.geteuid() == 0 else ""
        config.write_text(f"{user}listener {self.port} 127.0.0.1\n{self.extra}\n")
        program = shutil.which("mosquitto")
        if program is None:
            raise RuntimeError("mosquitto is not installed")
        return [program, "-c", str(config)]


class Nats(Broker):
    """nats-server with its MQTT listener: 3.1.1 only, state kept across a kill."""

    def command(self) -> list[str]:
        config = self.folder / "nats.conf"
        config.write_text(
            f"server_name: test\nlisten: 127.0.0.1:{free_port()}\n"
            f'jetstream {{ store_dir: "{self.folder}/jetstream" }}\n'
            f"mqtt {{ listen: 127.0.0.1:{self.port} }}\n"
        )
        program = shutil.which("nats-server") or str(
            Path(sys.executable).parent / "nats-server"
        )
        return [program, "-c", str(config)]


class Received(NamedTuple):
    """One message at the subscriber."""

    time_s: float
    topic: str
    payload: bytes
    retain: bool

    @property
    def body(self) -> dict[str, Any]:
        """The payload's JSON."""
        body: dict[str, Any] = json.loads(self.payload)
        return body


class Subscriber:
    """Everything published on a broker, by paho in a thread; reconnects by itself.

    Its session is kept by its id, so a broker that keeps sessions misses nothing.
    """

    def __init__(self, port: int, topic: str = "#") -> None:
        self._arrived: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self.received: list[Received] = []
        self._ready: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._topic = topic
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="reader", clean_session=False
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_args: self._ready.put(True)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port, keepalive=30)
        self._client.loop_start()
        self._ready.get(timeout=10)

    def _on_connect(self, client: paho.Client, *_args: object) -> None:
        client.subscribe(self._topic, qos=1)

    def _on_message(
        self, _client: paho.Client, _data: object, message: paho.MQTTMessage
    ) -> None:
        self._arrived.put(
            Received(time.monotonic(), message.topic, message.payload, message.retain)
        )

    def take(self) -> list[Received]:
        """All that arrived so far."""
        while True:
            try:
                self.received.append(self._arrived.get_nowait())
            except queue.Empty:
                return self.received

    def records(self) -> list[dict[str, Any]]:
        """All records in the order they arrived, repeats included."""
        return [
            record
            for message in self.take()
            if message.topic.endswith(("/data", "/event"))
            for record in message.body["records"]
        ]

    def records_seqs(self) -> list[int]:
        """Their seqs."""
        return [record["seq"] for record in self.records()]

    def close(self) -> None:
        """Disconnect and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

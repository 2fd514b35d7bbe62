"""Real MQTT brokers and an independent subscriber, on loopback and free ports."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import paho.mqtt.client as paho

from simulators.broker import Broker, Kind, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType


async def until(condition: Callable[[], object], wait_s: float = 15.0) -> None:
    """Wait for something that happens in another process or thread."""
    deadline = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {wait_s:g} s")
        await asyncio.sleep(0.005)


class _Started(Broker, ABC):
    """Runs from ``with`` on, with a configuration of the test's own."""

    kind: Kind

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, kind=self.kind)

    @abstractmethod
    def config(self) -> str:
        """What the broker's configuration file says."""

    def _write_config(self) -> Path:
        path = self.folder / "broker.conf"
        path.write_text(self.config(), encoding="utf-8")
        return path

    def __enter__(self) -> Self:
        self.again()
        return self


class Mosquitto(_Started):
    """Debian's mosquitto; ``extra`` goes into its configuration."""

    kind = "mosquitto"

    def __init__(self, folder: Path, extra: str = "") -> None:
        super().__init__(folder)
        self.extra = extra

    def config(self) -> str:
        # Started as root it would become a user that cannot read our folder.
        user = "user root\n" if os.geteuid() == 0 else ""
        allowed = "" if "allow_anonymous" in self.extra else "allow_anonymous true\n"
        # libwebsockets takes the name of an interface, and all of them for an address.
        first = self.extra.partition("listener")[0]
        where = "lo" if "protocol websockets" in first else "127.0.0.1"
        return f"{user}listener {self.port} {where}\n{allowed}{self.extra}\n"


class Nats(_Started):
    """nats-server with its MQTT listener: 3.1.1 only, state kept across a kill."""

    kind = "nats"

    def __init__(self, folder: Path, extra: str = "") -> None:
        super().__init__(folder)
        self.extra = extra

    def config(self) -> str:
        return (
            f"server_name: test\nlisten: 127.0.0.1:{free_port()}\n"
            f'jetstream {{ store_dir: "{self.folder}/jetstream" }}\n'
            f"mqtt {{ listen: 127.0.0.1:{self.port} }}\n{self.extra}\n"
        )


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

    def __init__(self, port: int, topic: str = "#", name: str = "reader") -> None:
        self._arrived: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self.received: list[Received] = []
        self._ready: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._topic = topic
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False
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

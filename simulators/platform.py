"""An independent consumer: ``python -m simulators.platform --port 1883``.

Subscribes to every gateway below a prefix, checks what arrives, and at the end
(SIGTERM, SIGINT or ``--for``) says received, gaps, lost, duplicates, wrong and latency,
as text or JSON. Exit status 0 for a clean verdict, 1 otherwise. With ``--receipts`` it
tells every gateway which records it has.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from simulators.consumer import Consumer
from simulators.process import die_with_parent, say_ready
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulators.profiled import Expectation

_KEEPALIVE_S = 30


class Platform:
    """A subscriber that feeds a consumer.

    paho calls back in its own thread; ``lock`` is held while a message is counted.
    """

    def __init__(
        self,
        consumer: Consumer,
        host: str,
        port: int,
        *,
        prefix: str = "ecogate/v1",
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self.consumer = consumer
        self.lock = threading.Lock()
        self.subscribed = threading.Event()
        self._filter = f"{prefix}/#"
        self._address = (host, port)
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"platform-{time.time_ns():x}",
            protocol=mqtt.MQTTv311,
        )
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(min_delay=1, max_delay=2)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""
        self._client.connect_async(*self._address, keepalive=_KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def send_receipts(self) -> int:
        """Confirm what came since the last call; returns how many messages that took.

        QoS 1: paho keeps them while the connection is away. One that is lost all the
        same costs a repeat, which is confirmed again.
        """
        with self.lock:
            receipts = self.consumer.receipts()
        for topic, payload in receipts:
            self._client.publish(topic, payload, qos=1)
        return len(receipts)

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(self._filter, qos=1)

    def _on_subscribe(self, *_: object) -> None:
        self.subscribed.set()

    def _on_message(
        self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage
    ) -> None:
        at_ms = time.time() * 1000
        with self.lock:
            self.consumer.feed(
                message.topic, bytes(message.payload), at_ms, retained=message.retain
            )


def expectations(path: Path | None) -> dict[str, Expectation]:
    """Read which device must show what.

    Args:
        path: JSON: device name -> ``{"profile": name, "unit": id, "seed": number}``.
    """
    if path is None:
        return {}
    from drivers.profiles.library import load_profile  # noqa: PLC0415 YAML is slow
    from simulators.profiled import (  # noqa: PLC0415 with it
        Expectation,
        modbus_points,
    )

    return {
        device: Expectation(
            modbus_points(load_profile(said["profile"])),
            seed=said["seed"],
            unit=said["unit"],
        )
        for device, said in json.loads(path.read_text(encoding="utf-8")).items()
    }


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog=typed("platform"))
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=1883)
    add("--prefix", default="ecogate/v1")
    add("--username")
    add("--password-file", type=Path)
    add("--start-utc-ms", type=int, help="shared start of benchmark devices")
    add("--expect", type=Path, metavar="FILE", help="what each device must show")
    add("--from-seq", type=int, help="the first seq that must arrive")
    add("--json", action="store_true", help="the verdict as one line of JSON")
    add(
        "--every", type=float, metavar="SECONDS", help="a verdict so far, as JSON lines"
    )
    add(
        "--receipts",
        type=float,
        metavar="SECONDS",
        help="tell the gateways this often which records are safe here",
    )
    add(
        "--refuse",
        metavar="DEVICE=REASON",
        help="with --receipts: take no scan of this device",
    )
    add("--pictures", type=Path, metavar="DIR", help="write whole pictures there")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    return parser.parse_args(argv)


def main(options: argparse.Namespace) -> int:
    """Consume until told to stop; returns the exit status."""
    password = (
        options.password_file.read_text(encoding="utf-8").strip()
        if options.password_file
        else None
    )
    consumer = Consumer(
        start_utc_ms=options.start_utc_ms,
        expectations=expectations(options.expect),
        from_seq=options.from_seq,
        refuse=_refusal(options.refuse),
        pictures=options.pictures,
    )
    platform = Platform(
        consumer,
        options.host,
        options.port,
        prefix=options.prefix,
        username=options.username,
        password=password,
    )
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    platform.start()
    ended = time.monotonic() + (options.for_s or float("inf"))
    while not platform.subscribed.wait(0.05):
        if told.is_set() or time.monotonic() > ended:
            break
    say_ready(subscribed=platform.subscribed.is_set())
    beats = {name: time.monotonic() for name in ("verdict", "receipts")}
    while not told.is_set() and (left := ended - time.monotonic()) > 0:
        told.wait(min(left, options.every or 3600.0, options.receipts or 3600.0))
        if _due(beats, "receipts", options.receipts):
            platform.send_receipts()
        if _due(beats, "verdict", options.every) and not told.is_set():
            with platform.lock:
                _say(consumer.verdict().as_dict(), "so_far")
    platform.stop()
    verdict = consumer.verdict()
    if options.json:
        _say(verdict.as_dict(), "verdict")
    else:
        print(verdict.text(), flush=True)
    return 0 if verdict.clean else 1


def _due(beats: dict[str, float], name: str, every_s: float | None) -> bool:
    """Whether it is time again; what is asked for is noted as done."""
    now = time.monotonic()
    if not every_s or now < beats[name] + every_s - 0.001:
        return False
    beats[name] = now
    return True


def _refusal(said: str | None) -> Callable[[dict[str, Any]], str | None] | None:
    if said is None:
        return None
    device, _, reason = said.partition("=")

    def refuse(record: dict[str, Any]) -> str | None:
        wanted = record["kind"] == "scan" and record["device"] == device
        return (reason or "refused") if wanted else None

    return refuse


def _say(verdict: dict[str, Any], name: str) -> None:
    print(json.dumps({name: verdict}), flush=True)


if __name__ == "__main__":
    die_with_parent()
    sys.exit(main(parse()))

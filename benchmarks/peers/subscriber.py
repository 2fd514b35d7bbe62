"""The far end for any peer: ``python -m benchmarks.peers.subscriber PORT START PEER``.

Judges values by what benchmark registers hold (:mod:`simulators.bench`), names them by
what the peer's adapter says. Prints ``{"ready": true}``, ``{"first_ns": ...}`` with the
first value, and for each line ``{"from_ns": A, "to_ns": B}`` a report about what came
in between. It comes back within milliseconds after the broker did, before any gateway:
what a gateway delivers then is seen.
"""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
import time
from array import array
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from benchmarks.peers.listing import PEERS
from benchmarks.subscriber import at_share
from simulators.bench import address_of, identity, kind_of, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_AGAIN_S = 0.01


class Ledger:
    """What arrived.

    Args:
        start_ns: The shared start the instruments count from.
    """

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._fresh_at, self._fresh_us = array("q"), array("q")
        self._value_at, self._values = array("q"), array("q")
        self._judged_at, self._wrong_at = array("q"), array("q")
        self.counters: set[tuple[int, int, int]] = set()
        """(unit, address, counter) of every counter value that arrived."""
        self.repeats = 0

    def take(self, device: str, values: Mapping[str, object], at_ns: int) -> bool:
        """Note one device's values; whether there was one."""
        unit = unit_of(device) or 0
        count = 0
        for name, value in values.items():
            address = address_of(name)
            # A peer that has no value says null, or leaves it out.
            if address is None or not isinstance(value, int):
                continue
            count += 1
            kind = kind_of(address)
            if kind == "age":
                self._fresh_at.append(at_ns)
                since_ms = (at_ns - self._start_ns) / 1e6
                self._fresh_us.append(int((since_ms - value) * 1000))
            elif kind == "identity":
                self._judged_at.append(at_ns)
                if value != identity(unit, address):
                    self._wrong_at.append(at_ns)
            else:
                key = (unit, address, value)
                self.repeats += key in self.counters
                self.counters.add(key)
        self._value_at.append(at_ns)
        self._values.append(count)
        return count > 0

    def report(self, from_ns: int, to_ns: int) -> dict[str, Any]:
        """Counts and freshness of what arrived between two instants."""
        fresh = sorted(
            us
            for at, us in zip(self._fresh_at, self._fresh_us, strict=True)
            if from_ns <= at < to_ns
        )
        pairs = list(zip(self._value_at, self._values, strict=True))
        return {
            "values": sum(count for at, count in pairs if from_ns <= at < to_ns),
            "first_ns": next((at for at, n in pairs if at >= from_ns and n), None),
            "fresh_p50_ms": at_share(fresh, 0.5) / 1000,
            "fresh_p99_ms": at_share(fresh, 0.99) / 1000,
            "judged": sum(from_ns <= at < to_ns for at in self._judged_at),
            "wrong": sum(from_ns <= at < to_ns for at in self._wrong_at),
            "repeats": self.repeats,
        }


def main() -> None:
    """Subscribe and judge, until the input ends."""
    port, start_ns, peer = int(sys.argv[1]), int(sys.argv[2]), PEERS[sys.argv[3]]
    ledger = Ledger(start_ns)
    first = True

    def on_connect(client: mqtt.Client, *_: object) -> None:
        client.subscribe([(topic, 1) for topic in peer.topics])

    def on_subscribe(*_: object) -> None:
        _say({"ready": True, "at_ns": time.monotonic_ns()})

    def on_message(client: mqtt.Client, _data: object, message: Any) -> None:  # noqa: ANN401
        nonlocal first
        at_ns = time.monotonic_ns()
        answer = peer.reply(message.topic, message.payload)
        if answer is not None:
            client.publish(*answer, qos=1)
        for device, values in peer.readings(message.topic, message.payload):
            if ledger.take(device, values, at_ns) and first:
                first = False
                _say({"first_ns": at_ns})

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    while True:
        if client.loop(0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS:
            time.sleep(_AGAIN_S)
            with contextlib.suppress(OSError):
                client.reconnect()
        with contextlib.suppress(queue.Empty):
            line = asked.get_nowait()
            if line is None:
                return
            question = json.loads(line)
            report = ledger.report(question["from_ns"], question["to_ns"])
            if question.get("counters"):
                report["counters"] = sorted(ledger.counters)
            _say({"report": report})


def _listen(asked: queue.SimpleQueue[str | None]) -> None:
    for line in sys.stdin:
        asked.put(line)
    asked.put(None)


def _say(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()

"""The platform of a drain: ``python -m benchmarks.collector PORT``.

Prints ``{"ready": true}`` when subscribed. While messages come it only keeps them:
reading JSON beside the gateway would take the processor time that is measured. For the
line ``{"ask": "count"}`` it prints how many came and when the last did, for
``{"ask": "report"}`` what they were. Ends when its input does.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.site import PREFIX
from simulators.bench import check_scan


class Collector:
    """Messages as they came."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, bytes]] = []

    def report(self) -> dict[str, object]:
        """What the messages held: scans each once, and when they came."""
        scans = values = duplicates = wrong = messages = 0
        first_ns = last_ns = 0
        seen: set[tuple[str, int]] = set()
        other: dict[str, int] = {}
        for at_ns, payload in list(self.kept):
            message = msgspec.json.decode(payload)
            held = 0
            for record in message["records"]:
                mark = (message["store"], record["seq"])
                if mark in seen:
                    duplicates += 1
                    continue
                seen.add(mark)
                if record["kind"] != "scan":
                    other[record["kind"]] = other.get(record["kind"], 0) + 1
                    continue
                wrong += len(check_scan(record["device"], record["values"]))
                scans += 1
                held += len(record["values"])
            if held:
                messages += 1
                values += held
                first_ns, last_ns = first_ns or at_ns, at_ns
        return {
            "scans": scans,
            "values": values,
            "messages": messages,
            "first_ns": first_ns,
            "last_ns": last_ns,
            "duplicates": duplicates,
            "wrong": wrong,
            "missing": _missing(seen),
            "other": other,
        }


def _missing(seen: set[tuple[str, int]]) -> int:
    """Seqs below the highest of each store that did not come."""
    highest: dict[str, int] = {}
    for store, seq in seen:
        highest[store] = max(highest.get(store, 0), seq)
    return sum(highest.values()) - len(seen)


def main() -> None:
    """Subscribe, then answer questions until the input ends."""
    collector = Collector()

    def on_connect(client: mqtt.Client, *_: object) -> None:
        client.subscribe([(f"{PREFIX}/data", 1), (f"{PREFIX}/event", 1)])

    def on_subscribe(*_: object) -> None:
        print(json.dumps({"ready": True}), flush=True)

    def on_message(_client: mqtt.Client, _data: object, message: Any) -> None:  # noqa: ANN401
        collector.kept.append((time.monotonic_ns(), message.payload))

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect("127.0.0.1", int(sys.argv[1]))
    client.loop_start()
    for line in sys.stdin:
        if json.loads(line)["ask"] == "report":
            print(json.dumps({"report": collector.report()}), flush=True)
        else:
            last_ns = collector.kept[-1][0] if collector.kept else 0
            said = {"messages": len(collector.kept), "last_ns": last_ns}
            print(json.dumps({"count": said}), flush=True)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()

"""The platform of a run: ``python -m benchmarks.subscriber PORT START_NS``.

Prints ``{"ready": true}`` when subscribed and ``{"first_ns": N}`` at the first value.
For each line ``{"from_ns": A, "to_ns": B}`` it prints ``{"report": {...}}`` about what
arrived between the two instants of the monotonic clock. Ends when its input does.

Freshness is the time from the instant the instrument took the value to its arrival
here, broker included. Instruments count whole milliseconds: it reads up to 1 ms high.
"""

from __future__ import annotations

import json
import sys
import time
from array import array
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.site import PREFIX
from simulators.bench import address_of, identity, kind_of, unit_of


class Ledger:
    """What arrived, kept flat: instants and ages in arrays.

    Args:
        start_ns: The shared start the instruments count from.
    """

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._fresh_at = array("q")
        self._fresh_us = array("q")
        self._scan_at = array("q")
        self._scan_values = array("q")
        self._scan_device = array("q")
        self._scan_t = array("q")
        self._kinds: dict[str, tuple[str, int]] = {}
        self._units: dict[str, int] = {}
        self._seen: set[tuple[str, int]] = set()
        self.duplicates = 0
        self.wrong = 0
        self.other: dict[str, int] = {}

    def take(self, payload: bytes, at_ns: int) -> bool:
        """Note one message; whether it held a value."""
        message = msgspec.json.decode(payload)
        held = False
        for record in message["records"]:
            if record["kind"] != "scan":
                kind = record["kind"]
                self.other[kind] = self.other.get(kind, 0) + 1
                continue
            mark = (message["store"], record["seq"])
            if mark in self._seen:
                self.duplicates += 1
                continue
            self._seen.add(mark)
            held = self._scan(record, at_ns) or held
        return held

    def _scan(self, record: dict[str, Any], at_ns: int) -> bool:
        device, values = record["device"], record["values"]
        unit = self._units.get(device)
        if unit is None:
            unit = self._units[device] = unit_of(device) or 0
        since_ms = (at_ns - self._start_ns) / 1e6
        for name, value in values.items():
            known = self._kinds.get(name)
            if known is None:
                address = address_of(name)
                if address is None:
                    self.wrong += 1
                    continue
                known = self._kinds[name] = (kind_of(address), address)
            kind, address = known
            if kind == "age":
                self._fresh_at.append(at_ns)
                self._fresh_us.append(int((since_ms - value) * 1000))
            elif kind == "identity" and value != identity(unit, address):
                self.wrong += 1
        self._scan_at.append(at_ns)
        self._scan_values.append(len(values))
        self._scan_device.append(unit)
        self._scan_t.append(record["t"])
        return bool(values)

    def report(self, from_ns: int, to_ns: int) -> dict[str, object]:
        """Counts, freshness and drift of what arrived between two instants."""
        fresh = sorted(
            us
            for at, us in zip(self._fresh_at, self._fresh_us, strict=True)
            if from_ns <= at < to_ns
        )
        values, scans = 0, 0
        times: dict[int, list[int]] = {}
        rows = zip(
            self._scan_at, self._scan_values, self._scan_device, self._scan_t,
            strict=True,
        )  # fmt: skip
        for at, count, device, t in rows:
            if from_ns <= at < to_ns:
                values, scans = values + count, scans + 1
                times.setdefault(device, []).append(t)
        return {
            "values": values,
            "scans": scans,
            "devices": len(times),
            "fresh_ms": {
                "p50": at_share(fresh, 0.50) / 1000,
                "p99": at_share(fresh, 0.99) / 1000,
                "max": at_share(fresh, 1.0) / 1000,
            },
            "drift_ms": max((drift_ms(ts) for ts in times.values()), default=0.0),
            "wrong": self.wrong,
            "duplicates": self.duplicates,
            "other": self.other,
        }


def at_share(ordered: list[int], share: float) -> int:
    """The value below which ``share`` of an ordered list lies; 0 of an empty one."""
    if not ordered:
        return 0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def drift_ms(times_ms: list[int], period_ms: int = 1000) -> float:
    """How far the poll slid inside its period from start to end of the window.

    Compares medians of the first and last five phases: single late polls do not count,
    a period that is not the one asked for does.
    """
    if len(times_ms) < 10:
        return 0.0
    base = times_ms[0]
    half = period_ms // 2
    phases = [(t - base + half) % period_ms - half for t in times_ms]
    return float(abs(sorted(phases[-5:])[2] - sorted(phases[:5])[2]))


def main() -> None:
    """Subscribe, then answer questions until the input ends."""
    port, start_ns = int(sys.argv[1]), int(sys.argv[2])
    ledger = Ledger(start_ns)
    first = True

    def on_connect(client: mqtt.Client, *_: object) -> None:
        client.subscribe(f"{PREFIX}/data", qos=1)

    def on_subscribe(*_: object) -> None:
        print(json.dumps({"ready": True}), flush=True)

    def on_message(_client: mqtt.Client, _data: object, message: Any) -> None:  # noqa: ANN401
        nonlocal first
        at_ns = time.monotonic_ns()
        if ledger.take(message.payload, at_ns) and first:
            first = False
            print(json.dumps({"first_ns": at_ns}), flush=True)

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    for line in sys.stdin:
        asked = json.loads(line)
        report = ledger.report(asked["from_ns"], asked["to_ns"])
        print(json.dumps({"report": report}), flush=True)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()

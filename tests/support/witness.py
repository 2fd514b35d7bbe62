"""What arrived at the platform, kept as received, and held against the birth log.

Nothing here asks the gateway. A benchmark unit counts its answers, and the count is one
of its points: so (unit, count) names one birth, and the record that carries it.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import paho.mqtt.client as paho

from simulators import bench
from simulators.consumer import Consumer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.births import Birth
    from simulators.verdict import Verdict

RETIMED_MS = 1500
"""A record's time may lie this far from the device's own instant: a read may wait two
time-outs for a shape that proves its answer, and machines are busy."""


RECEIPTS_S = 0.1
"""Between two looks at what is to be confirmed."""


class Arrived(NamedTuple):
    """One message."""

    at_ns: int
    """``time.monotonic_ns()``."""
    topic: str
    payload: bytes
    retain: bool
    again: bool
    """The very same message came before: the broker's repeat, not the gateway's."""

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its records; none for status and meta."""
        if not self.topic.endswith(("/data", "/event")):
            return []
        found: list[dict[str, Any]] = json.loads(self.payload)["records"]
        return found


class Witness:
    """A subscriber with a kept session that comes back at once.

    Args:
        port: The broker's, without any bad link between.
        start_utc_ms: The benchmark devices' shared start.
        kept: Whether the broker keeps the session while it is killed.
        receipts: Confirm what came, as a platform that sends receipts does.
    """

    def __init__(
        self,
        port: int,
        start_utc_ms: int | None = None,
        *,
        kept: bool = True,
        receipts: bool = False,
    ) -> None:
        self.consumer = Consumer(
            start_utc_ms=start_utc_ms, retime_ms=RETIMED_MS, from_seq=1
        )
        self.lock = threading.Lock()
        self.messages: list[Arrived] = []
        self.subscribed = threading.Event()
        self._seen: set[tuple[str, bytes]] = set()
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=f"witness-{time.time_ns():x}",
            protocol=paho.MQTTv311,
            clean_session=not kept,
        )
        self._client.reconnect_delay_set(0.05, 0.05)  # type: ignore[arg-type]
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self.subscribed.clear()
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect_async("127.0.0.1", port, keepalive=30)
        self._client.loop_start()
        self._closed = threading.Event()
        self._confirming = threading.Thread(target=self._confirm, name="receipts")
        if receipts:
            self._confirming.start()

    def _confirm(self) -> None:
        """Send receipts for what is kept here, a few times a second."""
        while not self._closed.wait(RECEIPTS_S):
            if self.subscribed.is_set():  # else they would wait, and go out in a lump
                with self.lock:
                    made = self.consumer.receipts()
                for topic, payload in made:
                    self._client.publish(topic, payload, qos=1)

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe("ecogate/v1/#", qos=1)

    def _on_message(self, _c: object, _d: object, message: paho.MQTTMessage) -> None:
        now_ns, at_ms = time.monotonic_ns(), time.time() * 1000
        topic, payload = message.topic, bytes(message.payload)
        kept = message.topic.endswith(("/data", "/event"))
        again = kept and (topic, payload) in self._seen
        with self.lock:
            self.messages.append(Arrived(now_ns, topic, payload, message.retain, again))
            if again:
                return
            if kept:
                self._seen.add((topic, payload))
            self.consumer.feed(topic, payload, at_ms, retained=message.retain)

    def close(self) -> None:
        """Disconnect and end the threads."""
        self._closed.set()
        if self._confirming.is_alive():
            self._confirming.join()
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Witness:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what came ----------------------------------------------------------

    def verdict(self) -> Verdict:
        """The consumer's, so far; what comes later does not change it."""
        with self.lock:
            return copy.deepcopy(self.consumer.verdict())

    def all(self) -> list[Arrived]:
        """Every message so far."""
        with self.lock:
            return list(self.messages)

    def since(self, at_ns: int) -> list[Arrived]:
        """Data and event messages that came after that instant."""
        with self.lock:
            late = []
            for message in reversed(self.messages):
                if message.at_ns <= at_ns:
                    break
                if message.topic.endswith(("/data", "/event")):
                    late.append(message)
        return late[::-1]

    def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Every record once, by store and seq."""
        found = {}
        for message in self.all():
            if message.records:
                store = json.loads(message.payload)["store"]
                for record in message.records:
                    found[store, record["seq"]] = record
        return [
            found[key] for key in sorted(found) if kind in (None, found[key]["kind"])
        ]

    def stores(self) -> set[str]:
        """The stores that records came from."""
        return {json.loads(m.payload)["store"] for m in self.all() if m.records}


@dataclass
class Match:
    """The births held against the records."""

    arrived: int = 0
    wrong: list[str] = field(default_factory=list)
    """Records that do not carry what was born."""
    unborn: list[str] = field(default_factory=list)
    """Good records of answers no device gave."""
    absent: list[Birth] = field(default_factory=list)
    """Births that no record carries."""
    late: list[Birth] = field(default_factory=list)
    """Of these: answered, but the gateway stated that no answer came in time."""

    @property
    def absent_scans(self) -> list[Birth]:
        """A scan may be asked in two parts: the one that begins the block counts it."""
        return [birth for birth in self.absent if birth.address == 0]


def match(
    births: Iterable[Birth],
    records: Iterable[dict[str, Any]],
    start_utc_ms: int,
    later: Iterable[Birth] = (),
) -> Match:
    """Compare; only births whose reply met no fault must arrive.

    Args:
        births: The simulators' log.
        records: Of any kind, each once.
        start_utc_ms: When the shared start was.
        later: Births that need not have arrived yet.
    """
    found = Match()
    carried: dict[tuple[int, int], dict[str, Any]] = {}
    unanswered: dict[int, list[int]] = {}
    for record in records:
        if record["kind"] != "scan":
            continue
        unit = bench.unit_of(record["device"]) or 0
        if not record["values"]:
            unanswered.setdefault(unit, []).append(record["t"])
        for name, value in record["values"].items():
            address = bench.address_of(name)
            if address is not None and bench.kind_of(address) == "counter":
                carried[unit, value] = record
    born = {(birth.unit, birth.mark): birth for birth in births}
    known = born.keys() | {(birth.unit, birth.mark) for birth in later}
    for key, record in carried.items():
        if key not in known:
            found.unborn.append(f"unit {key[0]}, answer {key[1]}: {record}")
    for key, birth in born.items():
        if birth.fault:
            continue
        record = carried.get(key)
        if record is not None:
            found.arrived += 1
            found.wrong += _differences(birth, record, start_utc_ms)
            continue
        asked = birth.t_ms + start_utc_ms
        if any(-500 < asked - t < RETIMED_MS for t in unanswered.get(birth.unit, ())):
            found.late.append(birth)
        else:
            found.absent.append(birth)
    return found


def _differences(birth: Birth, record: dict[str, Any], start_utc_ms: int) -> list[str]:
    said = [
        f"seq {record['seq']}: {text}"
        for text in bench.check_scan(record["device"], record["values"])
    ]
    for name, value in record["values"].items():
        address = bench.address_of(name)
        if address is None or bench.kind_of(address) != "age":
            continue
        # Between the reading of the registers and the log line stands a scheduler.
        if abs(value - birth.t_ms) > 250:
            said.append(f"seq {record['seq']}: {name} is {value}, born {birth.t_ms}")
    off = abs(record["t"] - start_utc_ms - birth.t_ms)
    if "clock" not in record and off > RETIMED_MS:
        said.append(f"seq {record['seq']}: its time is {off} ms off")
    return said

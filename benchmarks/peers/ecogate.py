"""ecogate itself, through the same steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.peers.model import in_folder
from benchmarks.site import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.load import Load, Place
    from benchmarks.peers.model import Reading


class Ecogate:
    """The gateway of this repository, durable buffer on."""

    name = "ecogate"
    package = "ecogate"
    requirements: str | None = None
    topics: tuple[str, ...] = (f"{PREFIX}/data",)
    separate = True
    configuration = (
        "one bus and device each, every: 1s, buffer on disk with all its settings as"
        " delivered, MQTT QoS 1."
    )

    def command(
        self, programs: Path, folder: Path, load: Load, place: Place
    ) -> list[str]:
        """See Peer."""
        points = [
            {"name": f"r{at}", "table": "holding", "address": f"pdu:{at}"}
            | {"type": "uint32", "word_order": "ABCD", "unit": "1"}
            for block in load.blocks
            for at in block.points
        ]
        site = {
            "gateway": "bench",
            "buffer": {"path": str(folder / "data"), "max_bytes": "512MB"},
            "buses": _buses(load, place),
            "devices": {
                f"bench-{unit}": {
                    "bus": f"bus-{unit}" if place.serial is None else "line",
                    "address": unit,
                    "every": "1s",
                    "points": points,
                }
                for unit in range(1, load.devices + 1)
            },
            "targets": {"platform": {"mqtt": f"mqtt://127.0.0.1:{place.broker_port}"}},
        }
        path = folder / "site.yaml"
        path.write_text(json.dumps(site), encoding="utf-8")  # JSON is YAML 1.2
        return in_folder(folder, [str(programs / "ecogate"), "run", str(path)])

    def readings(self, topic: str, payload: bytes) -> Iterator[Reading]:
        """See docs/mqtt.md: scans hold values."""
        for record in json.loads(payload)["records"]:
            if record["kind"] == "scan":
                yield record["device"], record["values"]

    def reply(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        """It asks nothing."""
        return None


def _buses(load: Load, place: Place) -> dict[str, dict[str, Any]]:
    timeout = f"{load.timeout_s * 1000:.0f}ms"
    if place.serial is not None:
        line = {
            "protocol": "modbus-rtu",
            "serial": str(place.serial),
            "baud": place.baud,
            "framing": "8N1",
            "timeout": timeout,
        }
        return {"line": line}
    return {
        f"bus-{unit}": {
            "protocol": "modbus-tcp",
            "tcp": f"127.0.0.1:{place.ports[unit - 1]}",
            "timeout": timeout,
        }
        for unit in range(1, load.devices + 1)
    }

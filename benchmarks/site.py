"""The site file of one benchmark run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from simulators import bench

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.sizes import Size

PREFIX = "ecogate/v1/bench"
"""Where the gateway publishes (``docs/mqtt.md``: ecogate/v1/<gateway>)."""


def write(
    folder: Path,
    size: Size,
    engine: str,
    device_ports: Sequence[int],
    broker_port: int,
    clips: Sequence[Path] = (),
) -> Path:
    """Write ``site.yaml``: one bus and one device each, every point each second.

    Args:
        folder: Where it goes; the stored records beside it.
        size: How many devices and points.
        engine: ``own`` or ``pymodbus``.
        device_ports: TCP port of each device's server, on 127.0.0.1.
        broker_port: MQTT, on 127.0.0.1.
        clips: Video files that play as cameras, over and over.
    """
    numbers = range(1, size.devices + 1)
    site = {
        "gateway": "bench",
        "buffer": {"path": str(folder / "data"), "max_bytes": "512MB"},
        # A machine that benchmarks run on need not have NTP; undated records wait.
        "clock": {"trust": "always"},
        "buses": {
            f"bus-{n}": {
                "protocol": "modbus-tcp",
                "tcp": f"127.0.0.1:{device_ports[n - 1]}",
                "engine": engine,
            }
            for n in numbers
        },
        "devices": {
            f"bench-{n}": {
                "bus": f"bus-{n}",
                "address": n,
                "every": "1s",
                "points": bench.site_points(size.points),
            }
            for n in numbers
        },
        "targets": {"platform": {"mqtt": f"mqtt://127.0.0.1:{broker_port}"}},
    }
    if clips:
        site["cameras"] = {
            f"camera-{n}": {"url": str(clip), "loop": True, "heartbeat": "never"}
            for n, clip in enumerate(clips, 1)
        }
    path = folder / "site.yaml"
    # JSON is YAML 1.2.
    path.write_text(json.dumps(site, indent=1), encoding="utf-8")
    return path

"""ThingsBoard IoT Gateway: Modbus connector to ThingsBoard's MQTT API (Apache-2.0)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.peers.model import in_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.load import Load, Place
    from benchmarks.peers.model import Reading

_REQUEST, _RESPONSE = "v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/"
_TELEMETRY = "v1/gateway/telemetry"

_NO_LIMITS = {
    "maxPayloadSize": 65536,
    "maxInflightMessages": 100,
    "rateLimits": {},
    "gatewayRateLimits": {},
}
"""What a platform without rate limits answers to ``getSessionLimits``."""


class Thingsboard:
    """One gateway with one Modbus connector.

    Args:
        storage: Where it keeps what is not yet delivered.
    """

    package = "thingsboard-gateway"
    requirements: str | None = "requirements-thingsboard.txt"
    topics: tuple[str, ...] = (_TELEMETRY, _REQUEST + "+")
    separate = True

    def __init__(self, storage: Literal["memory", "file"]) -> None:
        self.name = f"thingsboard-gateway, {storage}"
        self._storage = storage
        self.configuration = (
            f"storage {storage} and all other settings of tb_gateway.json and"
            " logs.json as delivered (qos 1, report strategy ON_RECEIVED, packs each"
            " 50 ms), without remote configuration; one Modbus connector, pollPeriod"
            " 1000, batch reading of up to 120 registers (address range with"
            " maxRegistersPerRequest), retries 3 as delivered. A stub answers its"
            " question for session limits as a platform without limits does."
        )

    def command(
        self, programs: Path, folder: Path, load: Load, place: Place
    ) -> list[str]:
        """See Peer."""
        [delivered] = programs.parent.glob(
            "lib/python3*/site-packages/thingsboard_gateway/config"
        )
        config = folder / "config"
        config.mkdir()
        (folder / "logs").mkdir()
        logs = (delivered / "logs.json").read_text(encoding="utf-8")
        (config / "logs.json").write_text(logs, encoding="utf-8")
        settings = json.loads((delivered / "tb_gateway.json").read_bytes())
        settings["thingsboard"] |= {
            "host": "127.0.0.1",
            "port": place.broker_port,
            "remoteConfiguration": False,
            "security": {"type": "accessToken", "accessToken": "bench"},
        }
        settings["storage"] |= {
            "type": self._storage,
            "data_folder_path": f"{folder}/data/",
            "data_file_path": f"{folder}/data/",
        }
        settings["connectors"] = [
            {"name": "modbus", "type": "modbus", "configuration": "modbus.json"}
        ]
        slaves = [_slave(unit, load, place) for unit in range(1, load.devices + 1)]
        modbus = {"name": "modbus", "logLevel": "INFO", "master": {"slaves": slaves}}
        for name, content in (("tb_gateway", settings), ("modbus", modbus)):
            (config / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        return in_folder(
            folder,
            [str(programs / "thingsboard-gateway")],
            {"TB_GW_CONFIG_DIR": f"{config}/"},
        )

    def readings(self, topic: str, payload: bytes) -> Iterator[Reading]:
        """``v1/gateway/telemetry``: device -> packs of values with their time."""
        if topic == _TELEMETRY:
            for device, packs in json.loads(payload).items():
                for pack in packs:
                    values = pack["values"].items()
                    yield device, {tag.partition(".")[2]: v for tag, v in values}

    def reply(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        """The session limits; it sends nothing before it has them."""
        if topic.startswith(_REQUEST) and b"getSessionLimits" in payload:
            number = topic.removeprefix(_REQUEST)
            return _RESPONSE + number, json.dumps(_NO_LIMITS).encode()
        return None


def _slave(unit: int, load: Load, place: Place) -> dict[str, Any]:
    most = max(block.registers for block in load.blocks)
    if place.serial is None:
        line: dict[str, Any] = {
            "type": "tcp",
            "method": "socket",
            "host": "127.0.0.1",
            "port": place.ports[unit - 1],
        }
    else:
        line = {
            "type": "serial",
            "method": "rtu",
            "port": str(place.serial),
            "baudrate": place.baud,
            "stopbits": 1,
            "bytesize": 8,
            "parity": "N",
        }
    return line | {
        "unitId": unit,
        "deviceName": f"bench-{unit}",
        "deviceType": "default",
        "timeout": load.timeout_s,
        "byteOrder": "BIG",
        "wordOrder": "BIG",
        "retries": 3,
        "retryOnEmpty": True,
        "retryOnInvalid": True,
        "pollPeriod": 1000,
        "connectAttemptTimeMs": 5000,
        "connectAttemptCount": 5,
        "waitAfterFailedAttemptsMs": 300000,
        "attributes": [],
        "timeseries": [
            {
                # Answers are kept under their tag: it must differ.
                "tag": f"s{number}.r${{address}}",
                "type": "32uint",
                "functionCode": 3,
                "objectsCount": 2,
                "address": f"{span.address}-{span.address + span.registers - 1}",
                "maxRegistersPerRequest": min(span.registers, most),
            }
            for number, span in enumerate(load.spans)
        ],
        "attributeUpdates": [],
        "rpc": [],
    }

"""The demo's site: what is wired to what, and the site file that says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

CHECK_POINTS = 9


class Wired(NamedTuple):
    """A simulated device and what the panel shows of it."""

    name: str
    bus: str
    unit: int
    profile: str
    shown: tuple[str, ...]


LINE = (
    Wired("incomer", "line-1", 3, "eastron-sdm630", ("voltage_l1", "active_power")),
    Wired("scrubber", "line-1", 4, "eastron-sdm120", ("current", "active_power")),
)
NETWORK = (
    Wired("weather", "net-1", 1, "renke-rs-fsxcs", ("temperature", "pm10")),
    Wired("dust", "net-1", 2, "jxct-jxbs-3001-pm", ("pm2_5", "pm10")),
)
CHECK = Wired("check-1", "net-2", 1, "", ("r2", "r4"))
DEVICES = (*LINE, *NETWORK, CHECK)
BUS_KINDS = {"line-1": "RTU 19200 8N1", "net-1": "Modbus TCP", "net-2": "Modbus TCP"}
BAUD = 19200
MQTT, HJ212 = "platform", "regulator"
"""The two targets."""
STATION = "gate"
MN, ST = "010000A8900016F000169DC0", "39"
"""The standard's own example; 39: dust."""
PASSWORD_FILE = "hj212-password"  # noqa: S105 - a name
PASSWORD = "123456"  # noqa: S105 - the simulated platform's, and the camera's
CAMERA, CAMERA_FILE, CAMERA_USER = "stack-cam", "camera-password", "watch"


class Ports(NamedTuple):
    """Where the simulators listen."""

    net: int
    check: int
    broker: int
    hj212: int
    camera: str = ""
    """Its address; none: there is no camera."""


def write_site(folder: Path, line: Path, ports: Ports) -> Path:
    """Write the site file, and the passwords that do not stand in it."""
    for name in (PASSWORD_FILE, *((CAMERA_FILE,) if ports.camera else ())):
        password = folder / name
        password.touch(mode=0o600)
        password.write_text(PASSWORD + "\n", encoding="utf-8")
    site = folder / "site.yaml"
    site.write_text(site_text(folder, line, ports), encoding="utf-8")
    return site


def site_text(folder: Path, line: Path, ports: Ports) -> str:
    """The site file of the demo."""
    return f"""\
gateway: demo
site: {{name: {{zh: 演示站点, en: Demo site}}, position: [118.18012, 39.63041]}}
clock: {{trust: always}}
buffer: {{path: {folder / "data"}, max_bytes: 64MB, keep_free: 1MB}}
buses:
  line-1: {{protocol: modbus-rtu, serial: {line}, baud: {BAUD}, framing: 8N1}}
  net-1: {{protocol: modbus-tcp, tcp: "127.0.0.1:{ports.net}"}}
  net-2: {{protocol: modbus-tcp, tcp: "127.0.0.1:{ports.check}"}}
devices:
{_devices()}
  {CHECK.name}:
    bus: {CHECK.bus}
    address: {CHECK.unit}
    every: 1s
    points:
{_check_points()}
stations:
  {STATION}:
    kind: dust
    grace: 1s
    factors:
      pm10: {{from: dust.pm10, unit: ug/m3, decimals: 1}}
      pm2_5: {{from: dust.pm2_5, unit: ug/m3, decimals: 1}}
      noise: weather.noise
      temperature: weather.temperature
      humidity: weather.humidity
{_camera(ports.camera)}targets:
  {MQTT}: {{mqtt: "mqtt://127.0.0.1:{ports.broker}"}}
  {HJ212}:
    hj212: "127.0.0.1:{ports.hj212}"
    mn: {MN}
    station: {STATION}
    password_file: {PASSWORD_FILE}
    realtime: 5s
    factors: {{pm10: {{unit: ug/m3}}, pm2_5: {{unit: ug/m3}}}}
"""


def _camera(url: str) -> str:
    if not url:
        return ""
    return f"""\
cameras:
  {CAMERA}:
    url: {url}
    username: {CAMERA_USER}
    password_file: {CAMERA_FILE}
    labels: [dark_smoke, light_smoke]
    heartbeat: never
    mount: {{position: [{_morning():.2f}, 30.0]}}    # where it is ten o'clock now
    values: [dust.pm10, dust.pm2_5]
"""


def _morning() -> float:
    """The longitude where the sun stands as in the picture: ten o'clock."""
    now = datetime.now(UTC)
    return ((10 - now.hour - now.minute / 60) * 15 + 180) % 360 - 180


def _devices() -> str:
    return "\n".join(
        f"  {d.name}: {{bus: {d.bus}, address: {d.unit}, profile: {d.profile}, "
        "every: 1s}"
        for d in (*LINE, *NETWORK)
    )


def _check_points() -> str:
    return "\n".join(
        f'      - {{name: r{2 * i}, table: holding, address: "pdu:{2 * i}", '
        'type: uint32, unit: "1"}'
        for i in range(CHECK_POINTS)
    )

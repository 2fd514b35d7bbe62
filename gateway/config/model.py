"""The site as the rest of the gateway sees it: resolved, in base units, no YAML left.

Durations are seconds, sizes are bytes, addresses are zero-based, profiles are already
merged into each device's points. Structs compare by value: a reload restarts exactly
what differs.
"""

from __future__ import annotations

import ipaddress
from fractions import Fraction
from pathlib import Path
from typing import Literal

import msgspec

from drivers.profiles.model import Point, Profile, Protocol
from gateway.config.cameras import SiteCamera, Vision
from gateway.config.flagging import Rules, Sign
from gateway.config.places import Fence, Mobile, Reception, Track
from gateway.config.rights import Order, Shown
from gateway.config.stations import Station

Engine = Literal["own", "pymodbus"]
BusProtocol = Literal[
    "modbus-rtu",
    "modbus-ascii",
    "modbus-tcp",
    "modbus-rtu-tcp",
    "dlt645",
    "ascii",
    "hj212",
    "gnss",
    "gpio",
]
"""What is spoken on a bus, and how it travels."""
FAMILY: dict[BusProtocol, Protocol] = {
    "modbus-rtu": "modbus",
    "modbus-ascii": "modbus",
    "modbus-tcp": "modbus",
    "modbus-rtu-tcp": "modbus",
    "dlt645": "dlt645",
    "ascii": "ascii",
    "hj212": "hj212",
    "gnss": "gnss",
    "gpio": "gpio",
}
"""What the devices of a bus speak: the word their profiles use."""


class SerialLine(msgspec.Struct, frozen=True, kw_only=True):
    """A serial port by its stable name, and how bytes travel on it."""

    device: str
    baud: int = 9600
    framing: str = "8N1"
    echo: Literal["auto", "yes", "no"] = "auto"


class TcpEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody listens: a device, a terminal server, gpsd, or we."""

    host: str
    port: int = 502


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """One serial line, TCP endpoint or GPIO chip: exactly one way is given."""

    name: str
    protocol: BusProtocol
    engine: Engine = "own"
    serial: SerialLine | None = None
    tcp: TcpEndpoint | None = None
    listen: TcpEndpoint | None = None
    """Where we wait for instruments that connect to us."""
    gpsd: TcpEndpoint | None = None
    chip: str | None = None
    """A GPIO chip, such as ``/dev/gpiochip0``."""
    timeout_s: float = 0.5
    pause_s: float = 0.0
    broadcast_time: bool = False
    """DL/T 645: the meters' clocks may be set by broadcast, once a day."""
    answer: bool | None = None
    """HJ 212: whether frames that ask for it are confirmed; None: as ``answers``."""

    @property
    def answers(self) -> bool:
        """Whether frames are confirmed.

        Who connects to us speaks to us; on a line, we may be listening to a talk that
        somebody else answers.
        """
        return self.listen is not None if self.answer is None else self.answer

    @property
    def family(self) -> Protocol:
        """What its devices speak."""
        return FAMILY[self.protocol]

    @property
    def endpoint(self) -> str:
        """Where it is, as people write it: port and settings, or host and port."""
        if self.serial is not None:
            line = self.serial
            return f"{line.device} {line.baud} {line.framing}"
        if self.listen is not None:
            return f"listen {self.listen.host}:{self.listen.port}"
        if self.gpsd is not None:
            return f"gpsd {self.gpsd.host}:{self.gpsd.port}"
        if self.tcp is not None:
            return f"{self.tcp.host}:{self.tcp.port}"
        return self.chip or ""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One configured instrument with its points, profile already merged in."""

    name: str
    bus: str
    address: int | str | None
    """Modbus: the unit id; DL/T 645: the meter's twelve digits; ASCII and HJ 212: what
    the device calls itself, or None; GNSS and GPIO: None."""
    every_s: float
    points: tuple[Point, ...]
    profile: Profile | None = None
    asset: str | None = None
    timeout_s: float | None = None
    """None: the bus's."""
    pause_s: float = 0.0
    """Silence it wants between exchanges; the bus may ask for more."""
    max_reply_s: float = 0.0
    """The latest that a timed-out answer may still come, as its maker states."""
    max_registers: int = 125
    ambiguous: bool = False
    """It offers answers of one size only: see ``drivers.modbus.transaction.Timing``."""
    transaction_id: Literal["checked", "ignored"] = "checked"
    holes: Literal["served", "refused"] = "served"
    """Modbus: whether registers between its points can be read along."""
    timezone: str = "Asia/Shanghai"
    """What its clock shows: the site's civil time."""
    ct: Fraction = Fraction(1)
    """DL/T 645: current transformer ratio; 1: values stay secondary."""
    pt: Fraction = Fraction(1)
    """DL/T 645: voltage transformer ratio."""
    label: dict[str, str] = {}
    reception: Reception | None = None
    """When no fix, or a sudden loss of it, is told; None: as usual, where it has a
    position."""
    track: Track | None = None
    """A thinned line of where it went; None: none is told."""
    states: tuple[Sign, ...] = ()
    """How it shows that it does not measure as usual; the first that fits is it."""
    rules: tuple[Rules, ...] = ()
    """When good readings of its points are doubted."""
    parameters: tuple[str, ...] = ()
    """Points whose every change is an event."""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A thing the regulator knows: an outlet, a treatment or production facility."""

    id: str
    kind: str
    outlet: str | None = None
    treats: tuple[str, ...] = ()


class SiteInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Who and where the site is."""

    code: str | None = None
    name: dict[str, str] = {}
    region: str | None = None
    grid: str | None = None
    position: tuple[float, float] | None = None
    """Longitude, latitude in degrees, CGCS2000."""
    timezone: str = "Asia/Shanghai"


class BufferLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Where records are kept and how much room they may take."""

    path: Path
    max_bytes: int = 512_000_000
    keep_free: int = 200_000_000
    write_through: bool = False
    """True: every record is written, also what every target proved in time."""
    endurance: int | None = None
    """Bytes the card can bear being written, as its maker says; for an estimate."""


class MqttTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One MQTT platform."""

    name: str
    host: str
    port: int = 1883
    transport: Literal["mqtt", "mqtts", "ws", "wss"] = "mqtt"
    ws_path: str = "/mqtt"
    """Where the broker's websocket is; with ``ws`` and ``wss``."""
    plaintext_accepted: bool = False
    """Records and password may cross a network unencrypted."""
    username: str | None = None
    password_file: Path | None = None
    password_env: str | None = None
    password_credential: str | None = None
    ca_file: Path | None = None
    """Who may have signed the broker's certificate; None: whom the system trusts."""
    cert_file: Path | None = None
    """Our own certificate, where the broker wants one."""
    key_file: Path | None = None
    key_credential: str | None = None
    key_password_file: Path | None = None
    key_password_env: str | None = None
    key_password_credential: str | None = None
    prefix: str = "ecogate/v1/{gateway}"
    in_flight: int = 20
    batch_records: int = 200
    batch_bytes: int = 128_000
    linger_s: float = 0.0
    """Waits this long for more records before a message leaves; 0 = at once."""
    compress: bool = False
    keepalive_s: float = 30.0
    devices: tuple[str, ...] = ()
    """Records of these devices only; ``*`` stands for any letters; empty = of all."""
    kinds: tuple[str, ...] = ()
    """Records of these kinds only; empty = of all. Losses always travel."""
    media: Literal["all", "alarms", "none"] = "all"
    """Pictures of cameras: all, those of alarms, or none."""
    backfill_per_s: float = 20.0
    """Messages a second that carry what is older than the connection."""
    receipts: bool = False
    """The platform confirms seqs by itself: a broker's word is no proof then."""
    receipt_wait_s: float = 60.0
    """A record unconfirmed for so long is sent again."""

    @property
    def encrypted(self) -> bool:
        """Whether the connection is TLS."""
        return self.transport in ("mqtts", "wss")

    @property
    def exposed(self) -> bool:
        """Whether records cross a network unencrypted."""
        return not self.encrypted and not is_loopback(self.host)

    @property
    def url(self) -> str:
        """The address as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = self.ws_path if self.transport in ("ws", "wss") else ""
        return f"{self.transport}://{host}:{self.port}{path}"


class FactorMap(msgspec.Struct, frozen=True, kw_only=True):
    """How one platform wants one factor; None: as the station has it."""

    code: str | None = None
    unit: str | None = None
    decimals: int | None = None
    cou_unit: str | None = None
    cou_decimals: int | None = None


class Hj212Target(msgspec.Struct, frozen=True, kw_only=True):
    """One HJ 212 platform, or one MN of it."""

    name: str
    host: str
    port: int
    version: Literal[2017, 2025] = 2017
    mn: str
    station: str
    """Whose periods and real-time values it gets."""
    st: str
    """System code: 31 flue gas, 32 water, 22 air, 23 noise, 39 dust, 44, 45 ..."""
    password_file: Path | None = None
    password_env: str | None = None
    password_credential: str | None = None
    plaintext_accepted: bool = False
    """What it is sent may cross a network unencrypted."""
    answer: bool = True
    """Data frames ask for 9014; without it nothing is ever proved, only written."""
    realtime_s: float | None = 30.0
    """None: no real-time values. The platform may change it (1062), as all below."""
    facilities_s: float | None = None
    """Facility states (2021); None: none are sent."""
    kinds: tuple[Literal["minute", "hour", "day"], ...] = ("minute", "hour", "day")
    factors: dict[str, FactorMap] = {}
    only: tuple[str, ...] = ()
    """Factors sent; empty: all that have a code."""
    overtime_s: float = 10.0
    recount: int = 3
    backfill_per_s: float = 5.0
    heartbeat_s: float | None = None
    """9015, version 2025 only; None: none."""
    heartbeat_st: str = "91"
    absent: Literal["flag", "leave_out"] = "flag"
    """A factor without any value: told by its flag alone, or not at all."""
    flags: Literal["2017", "2025"] | None = None
    """Table of data flags; None: that of the version."""
    validity: dict[Literal["minute", "hour", "day"], Fraction] = {}
    """Share of valid parts for N; what is not given is as the version's rules say."""
    key_file: Path | None = None
    key_env: str | None = None
    key_credential: str | None = None
    """SM4 key, 16 bytes or 32 hex digits; none: nothing is encrypted."""
    sealed: Literal["raw", "literal"] = "raw"
    """How encrypted bytes travel; see docs/hj212.md."""
    allow: tuple[int, ...] = ()
    """Commands that act on an instrument and are carried out; others are refused."""
    orders: tuple[Order, ...] = ()
    """What those commands write; one without is refused."""
    shown: tuple[Shown, ...] = ()
    """What of instruments and of us the platform may read (3017 to 3020)."""
    hardware: dict[str, str] = {}
    """i23005 to i23008: who the logger is, for its activation (1001, 1002; 2025)."""
    devices: tuple[str, ...] = ()

    @property
    def exposed(self) -> bool:
        """Whether records cross a network unencrypted."""
        return not is_loopback(self.host) and not (
            self.key_file or self.key_env or self.key_credential
        )

    @property
    def url(self) -> str:
        """The address as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"hj212://{host}:{self.port}"


Target = MqttTarget | Hj212Target


class HistoryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of minutes, hours and days is kept here."""

    max_bytes: int = 1_000_000_000
    """A quota of its own, beside the buffer's: two years of minutes of 20 factors."""


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one gateway is told."""

    gateway: str
    info: SiteInfo = SiteInfo()
    assets: dict[str, Asset] = {}
    buffer: BufferLimits
    buses: dict[str, Bus] = {}
    devices: dict[str, Device] = {}
    targets: dict[str, Target] = {}
    stations: dict[str, Station] = {}
    history: HistoryLimits = HistoryLimits()
    cameras: dict[str, SiteCamera] = {}
    vision: Vision | None = None
    """What its cameras share; None where there are none."""
    fences: dict[str, Fence] = {}
    mobile: Mobile | None = None
    """Set where the station moves."""
    clock_trust: Literal["ntp", "always"] = "ntp"
    clock_wait_s: float | None = 3600.0
    """Records wait so long for a trusted clock while a platform could have them;
    None: for ever."""
    source: Path | None = None
    """The file this came from."""

"""How the gateway reaches the world: ports, brokers, the service manager.

Tests put pipes in their place and run the same composition. Engines are imported when
a bus asks for them: one that no bus uses costs neither memory nor start time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from drivers.modbus.transaction import Timing
from gateway.notify import Notifier
from gateway.periods import periods
from gateway.release import RELEASED_MS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.ascii import AsciiLine
    from drivers.gnss import GnssPort
    from drivers.gpio import GpioChip
    from drivers.hj212.device import Line as Hj212Line
    from drivers.modbus.transaction import Bus as ModbusBus
    from drivers.port import Port
    from drivers.profiles.ascii_points import AsciiPoint
    from drivers.profiles.dlt645_points import Dlt645Point
    from drivers.profiles.gnss_points import GnssPoint
    from drivers.profiles.gpio_points import GpioPoint
    from drivers.profiles.hj212_points import Hj212Point
    from drivers.profiles.model import ModbusPoint
    from drivers.values import Device as Driver
    from gateway.cameras.process import VisionProcess
    from gateway.commission.door import OpenRaw
    from gateway.config.model import Bus as BusConf
    from gateway.config.model import Device as DeviceConf
    from gateway.config.model import TcpEndpoint
    from gateway.uplink.link import Connector


def make_bus(conf: BusConf) -> Port:
    """What speaks to this bus; nothing is opened yet."""
    match conf.family:
        case "modbus":
            return _modbus_bus(conf)
        case "dlt645":
            return _dlt645_bus(conf)
        case "hj212":
            return _hj212_bus(conf)
        case "ascii":
            return _ascii_bus(conf)
        case "gnss":
            return _gnss_bus(conf)
        case "gpio":
            return _gpio_chip(conf)
        case other:
            raise NotImplementedError(other)


def make_device(conf: DeviceConf, bus: BusConf, port: Port) -> Driver:
    """The driver of one device, in front of its port."""
    match bus.family:
        case "modbus":
            return _modbus_device(conf, bus, port)
        case "dlt645":
            return _dlt645_device(conf, bus, port)
        case "hj212":
            return _hj212_device(conf, bus, port)
        case "ascii":
            return _ascii_device(conf, bus, port)
        case "gnss":
            return _gnss_device(conf, bus, port)
        case "gpio":
            return _gpio_device(conf, port)
        case other:
            raise NotImplementedError(other)


def _modbus_bus(conf: BusConf) -> Port:
    line, tcp = conf.serial, conf.tcp
    if conf.engine == "pymodbus":
        from drivers.modbus.pymodbus_engine import PymodbusBus  # noqa: PLC0415

        if tcp is not None:
            return PymodbusBus(tcp.host, tcp.port)
        assert line is not None  # noqa: S101 - the loader gives each bus one of both
        return PymodbusBus(
            device=line.device,
            baud=line.baud,
            framing=line.framing,
            echo=line.echo == "yes",
        )
    if tcp is not None:
        return _modbus_stream(conf, tcp)
    assert line is not None  # noqa: S101 - as above
    if conf.protocol == "modbus-ascii":
        from drivers.modbus.ascii_bus import AsciiBus  # noqa: PLC0415 - see module

        return AsciiBus(line.device, line.baud, line.framing, line.echo)
    from drivers.modbus.rtu import RtuBus  # noqa: PLC0415 - see module

    return RtuBus(line.device, line.baud, line.framing, line.echo)


def _modbus_stream(conf: BusConf, tcp: TcpEndpoint) -> Port:
    """A Modbus TCP device or gateway, or a terminal server with a line behind it."""
    if conf.protocol == "modbus-ascii":
        from drivers.modbus.ascii_bus import AsciiTcpBus  # noqa: PLC0415 - see module

        return AsciiTcpBus(tcp.host, tcp.port)
    if conf.protocol == "modbus-rtu-tcp":
        from drivers.modbus.stream import RtuTcpBus  # noqa: PLC0415 - see module

        return RtuTcpBus(tcp.host, tcp.port)
    from drivers.modbus.tcp import TcpBus  # noqa: PLC0415 - see module

    return TcpBus(tcp.host, tcp.port)


def _modbus_device(conf: DeviceConf, bus: BusConf, port: Port) -> Driver:
    from drivers.modbus.device import ModbusDevice  # noqa: PLC0415 - see module
    from drivers.modbus.plan import Limits  # noqa: PLC0415 - see module

    timing = Timing(
        timeout_s=conf.timeout_s or bus.timeout_s,
        pause_s=max(bus.pause_s, conf.pause_s),
        max_reply_s=conf.max_reply_s,
        ambiguous=conf.ambiguous,
        check_transaction_id=conf.transaction_id == "checked",
    )
    return ModbusDevice(
        conf.name,
        cast("int", conf.address),
        cast("ModbusBus", port),
        cast("tuple[ModbusPoint, ...]", conf.points),
        timing,
        limits=Limits(
            registers=conf.max_registers, holes_refused=conf.holes == "refused"
        ),
        zone=ZoneInfo(conf.timezone),
    )


def _gnss_bus(conf: BusConf) -> Port:
    from drivers.gnss import gpsd_port, serial_port, tcp_port  # noqa: PLC0415

    if conf.gpsd is not None:
        return gpsd_port(conf.gpsd.host, conf.gpsd.port, past_ms=RELEASED_MS)
    if conf.tcp is not None:
        return tcp_port(conf.tcp.host, conf.tcp.port, past_ms=RELEASED_MS)
    line = conf.serial
    assert line is not None  # noqa: S101 - the loader gives each bus one of them
    return serial_port(line.device, line.baud, line.framing, past_ms=RELEASED_MS)


def _gnss_device(conf: DeviceConf, bus: BusConf, port: Port) -> Driver:
    from drivers.gnss import GnssDevice  # noqa: PLC0415 - see module

    return GnssDevice(
        conf.name,
        cast("GnssPort", port),
        cast("tuple[GnssPoint, ...]", conf.points),
        timeout_s=conf.timeout_s or bus.timeout_s,
        datum=conf.profile.datum if conf.profile else "WGS-84",
    )


def _hj212_bus(conf: BusConf) -> Port:
    from drivers.hj212 import listener  # noqa: PLC0415 - see module

    answer = conf.answers
    if conf.listen is not None:
        return listener.listening_port(
            conf.listen.host, conf.listen.port, answer=answer
        )
    if conf.tcp is not None:
        return listener.tcp_port(conf.tcp.host, conf.tcp.port, answer=answer)
    line = conf.serial
    assert line is not None  # noqa: S101 - the loader gives each bus one of them
    return listener.serial_port(line.device, line.baud, line.framing, answer=answer)


def _hj212_device(conf: DeviceConf, bus: BusConf, port: Port) -> Driver:
    from drivers.hj212.device import Hj212Device  # noqa: PLC0415 - see module

    return Hj212Device(
        conf.name,
        cast("str | None", conf.address),
        cast("Hj212Line", port),
        cast("tuple[Hj212Point, ...]", conf.points),
        timeout_s=conf.timeout_s or bus.timeout_s,
        zone=ZoneInfo(conf.timezone),
        periods=[[point.name for point in each.points] for each in periods(conf)],
    )


def _dlt645_bus(conf: BusConf) -> Port:
    from drivers import dlt645  # noqa: PLC0415 - see module

    allowed = conf.broadcast_time
    if conf.tcp is not None:
        return dlt645.tcp(conf.tcp.host, conf.tcp.port, may_set_time=allowed)
    line = conf.serial
    assert line is not None  # noqa: S101 - the loader gives each bus one of both
    return dlt645.serial(line.device, line.baud, line.framing, may_set_time=allowed)


def _dlt645_device(conf: DeviceConf, bus: BusConf, port: Port) -> Driver:
    from drivers import dlt645  # noqa: PLC0415 - see module

    timing = dlt645.Timing(
        timeout_s=conf.timeout_s or bus.timeout_s,
        pause_s=max(bus.pause_s, conf.pause_s),
        max_reply_s=conf.max_reply_s,
    )
    return dlt645.Dlt645Device(
        conf.name,
        cast("str", conf.address),
        cast("dlt645.Dlt645Line", port),
        cast("tuple[Dlt645Point, ...]", conf.points),
        timing,
        ct=conf.ct,
        pt=conf.pt,
    )


def _ascii_bus(conf: BusConf) -> Port:
    from drivers.ascii import serial_ascii, tcp_ascii  # noqa: PLC0415 - see module

    if conf.tcp is not None:
        return tcp_ascii(conf.tcp.host, conf.tcp.port)
    line = conf.serial
    assert line is not None  # noqa: S101 - the loader gives each bus one of both
    return serial_ascii(line.device, line.baud, line.framing)


def _ascii_device(conf: DeviceConf, bus: BusConf, port: Port) -> Driver:
    from drivers import ascii as spoken  # noqa: PLC0415 - see module

    assert conf.profile is not None  # noqa: S101 - the loader wants one
    assert conf.profile.dialogue is not None  # noqa: S101 - the loader wants one
    timing = spoken.Timing(
        timeout_s=conf.timeout_s or bus.timeout_s,
        pause_s=max(bus.pause_s, conf.pause_s),
        max_reply_s=conf.max_reply_s,
    )
    return spoken.make_device(
        conf.name,
        cast("str | None", conf.address),
        cast("AsciiLine", port),
        cast("tuple[AsciiPoint, ...]", conf.points),
        conf.profile.dialogue,
        timing,
        zone=ZoneInfo(conf.timezone),
    )


def _gpio_chip(conf: BusConf) -> Port:
    from drivers.gpio import GpioChip  # noqa: PLC0415 - see module

    return GpioChip(conf.chip or "")


def _gpio_device(conf: DeviceConf, port: Port) -> Driver:
    from drivers.gpio import GpioDevice  # noqa: PLC0415 - see module

    points = cast("tuple[GpioPoint, ...]", conf.points)
    return GpioDevice(conf.name, cast("GpioChip", port), points)


def open_raw(conf: BusConf) -> OpenRaw:
    """Opens the port of this bus for raw bytes, for whoever puts it into service."""
    from gateway.commission.door import opener  # noqa: PLC0415 - see module

    return opener(conf)


def make_connector() -> Connector:
    """Links to MQTT brokers."""
    from gateway.uplink.mqtt import MqttConnector  # noqa: PLC0415 - see module

    return MqttConnector()


async def make_vision(group: str) -> VisionProcess:
    """Starts the process that looks at a group of cameras.

    Raises:
        OSError: It cannot be started.
    """
    from gateway.cameras.process import start  # noqa: PLC0415 - see module

    return await start(group)


@dataclass(frozen=True)
class Ports:
    """The outside, as ``app.run`` uses it."""

    make_bus: Callable[[BusConf], Port] = make_bus
    make_device: Callable[[DeviceConf, BusConf, Port], Driver] = make_device
    open_raw: Callable[[BusConf], OpenRaw] = open_raw
    make_connector: Callable[[], Connector] = make_connector
    make_vision: Callable[[str], Awaitable[VisionProcess]] = make_vision
    notifier: Notifier = field(default_factory=Notifier)
    signals: bool = True
    """Whether SIGTERM, SIGINT and SIGHUP are ours to handle."""

"""The mistakes of ``tests/sites/mistakes.yaml``, set up for doctor to look at.

Each function makes the world of one mistake on the running virtual loop and returns
what the site file says of it and how its port is opened.
"""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from drivers.profiles.library import load_profile
from drivers.profiles.model import ModbusPoint
from gateway.commission.causes import causes
from gateway.commission.door import OwnDoor
from gateway.commission.examine import Examination
from gateway.commission.facts import facts_of, wants_of
from gateway.config.model import Bus, Device, SerialLine, TcpEndpoint
from simulators.line import Line
from simulators.station import RtuServer, Station, TcpServer
from simulators.talkers import Master, Streamer
from simulators.units import MapUnit
from simulators.wire import RefusedError, rtu_frame
from tests.support.uart_line import meter, modbus, on_line, uart
from tests.support.virtual import running_loop

LIST = Path(__file__).parents[1] / "sites" / "mistakes.yaml"
METER_3, METER_7 = "eastron-sdm630", "acrel-adl400"


class Mistake(msgspec.Struct, frozen=True):
    """One entry of the list."""

    id: str
    zh: str
    en: str
    how: str
    cause: str
    held_out: bool = False


class World(NamedTuple):
    """What stands there, and what the site file says."""

    bus: Bus
    devices: list[Device]
    open_raw: Any
    only: str | None = None
    line: Line | None = None


def mistakes():
    """The list."""
    return msgspec.convert(yaml.safe_load(LIST.read_text("utf-8")), list[Mistake])


def bus(protocol="modbus-rtu", at="9600 8N1", **more):
    """A serial bus as the site file says it."""
    baud, framing = at.split()
    echo = more.pop("echo", "auto")
    line = SerialLine(device="/dev/line", baud=int(baud), framing=framing, echo=echo)
    return Bus(name="line", protocol=protocol, serial=line, **more)


def device(name, address, profile=None, points=None, **more):
    """A device as the site file says it."""
    if profile is not None:
        points = load_profile(profile).points
        more.setdefault("max_registers", load_profile(profile).max_registers)
    return Device(
        name=name, bus="line", address=address, every_s=5.0, points=points or (), **more
    )


def two_meters():
    """The usual devices of the site file."""
    return [device("meter-3", 3, METER_3), device("meter-7", 7, METER_7)]


def line_of(*stations, **traits):
    """A line of (protocol, settings)."""
    line = Line(**traits)
    for what, how in stations:
        line.attach(what, uart(how))
    return line


def both(how="9600 8N1", delay_s=0.03):
    """Both meters at one setting."""
    return (
        (modbus(3, METER_3, delay_s=delay_s), how),
        (modbus(7, METER_7, delay_s=delay_s, seed=2), how),
    )


def on(line, said=None, devices=None, only=None):
    """The world of one line."""
    devices = two_meters() if devices is None else devices
    return World(said or bus(), devices, on_line(line), only, line)


def registers(count, start=0, kind="uint16", unit="Cel", order="ABCD", table="holding"):
    """Points one behind the other."""
    step = 1 if kind == "uint16" else 2
    return tuple(
        ModbusPoint(
            name=f"value_{i}", table=table, address=start + i * step, type=kind,
            unit=unit, word_order=order,
        )
        for i in range(count)
    )  # fmt: skip


# -- one function a mistake -----------------------------------------------------


def speed():
    return on(line_of(*both("9600 8N1")), bus(at="19200 8N1"))


def parity():
    return on(line_of(*both("9600 8E1")))


def stop_bits():
    return on(line_of(*both("9600 8N2")))


class AsciiUnit(asyncio.Protocol):
    """Answers Modbus ASCII reads of holding or input registers, and nothing else."""

    def __init__(self, number):
        self.number = number
        self.text = ""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.text = (self.text + data.decode("latin-1"))[-200:]
        if not self.text.endswith("\r\n"):
            return
        line, self.text = self.text.rpartition(":")[2].strip(), ""
        try:
            body = bytes.fromhex(line)
        except ValueError:
            return
        if len(body) != 7 or sum(body) & 0xFF or body[0] != self.number:
            return
        size = 2 * int.from_bytes(body[4:6], "big")
        answer = bytes((body[0], body[1], size)) + bytes(size)
        text = (answer + bytes((-sum(answer) & 0xFF,))).hex().upper()
        asyncio.get_running_loop().call_later(
            0.03, self.transport.write, f":{text}\r\n".encode()
        )


def modbus_ascii():
    return on(line_of((AsciiUnit(3), "9600 7E1"), (AsciiUnit(7), "9600 7E1")))


def echo():
    return on(line_of(*both(), echo=True), bus(echo="no"))


def two_devices():
    other = modbus(3, METER_7, delay_s=0.0304, seed=5)
    only = [device("meter-3", 3, METER_3)]
    return on(line_of(both()[0], (other, "9600 8N1")), devices=only)


def tcp_world(protocol, serve):
    loop = running_loop()
    loop.net.listen(serve, "10.0.0.5", 502)

    def open_raw(_setting, factory):
        return loop.create_connection(factory, "10.0.0.5", 502)

    said = Bus(
        name="line", protocol=protocol, tcp=TcpEndpoint(host="10.0.0.5", port=502)
    )
    return World(said, two_meters(), open_raw)


def rtu_to_tcp():
    units = [MapUnit(n, {("input", a): a for a in range(400)}) for n in (3, 7)]
    return tcp_world("modbus-rtu-tcp", lambda: TcpServer(Station(units)))


def tcp_to_rtu():
    units = [MapUnit(n, {("input", a): a for a in range(400)}) for n in (3, 7)]
    return tcp_world("modbus-tcp", lambda: RtuServer(Station(units)))


def foreign_master():
    frames = [rtu_frame(n, bytes.fromhex("0300000002")) for n in (3, 11)]
    line = line_of(*both())
    line.attach(Master(frames, 0.12), uart("9600 8N1"))
    return on(line)


def ab_swapped():
    return on(line_of(*both(), swapped=True))


def power_off():
    return on(line_of())


def wrong_unit():
    said = [device("meter-3", 3, METER_3), device("meter-4", 4, METER_7)]
    return on(line_of(*both()), devices=said, only="meter-4")


class OnlyInputs(MapUnit):
    """A unit without function 3."""

    def read(self, table, address, count, *, aside):
        if table != "input":
            raise RefusedError(1)
        return super().read(table, address, count, aside=aside)


def wrong_table():
    unit = OnlyInputs(3, {("input", a): 200 + a for a in range(10)})
    said = [device("probe", 3, points=registers(10))]
    return on(line_of((server(unit), "9600 8N1")), devices=said)


def server(unit, delay_s=0.03):
    """A unit that answers after 30 ms."""
    return RtuServer(Station([unit], turnaround_s=delay_s))


def address_base():
    unit = MapUnit(3, {("holding", a): 200 + a for a in range(10)})
    said = [device("probe", 3, points=registers(10, start=1))]
    return on(line_of((server(unit), "9600 8N1")), devices=said)


class Few(MapUnit):
    """A unit that gives eight registers at once and no more."""

    def read(self, table, address, count, *, aside):
        if count > 8:
            raise RefusedError(3)
        return super().read(table, address, count, aside=aside)


def count_too_large():
    unit = Few(3, {("holding", a): 200 + a for a in range(64)})
    said = [device("probe", 3, points=registers(20))]
    return on(line_of((server(unit), "9600 8N1")), devices=said)


def word_order():
    points = load_profile(METER_3).points
    sent = [msgspec.structs.replace(p, word_order="CDAB") for p in points]
    unit = modbus(3, METER_3)
    station = unit.station.units[3]
    turned = msgspec.structs.replace(station.profile, points=tuple(sent))
    unit.station.units[3] = type(station)(
        3, turned, seed=1, utc_s=lambda: 1.76e9 + running_loop().time()
    )
    said = [device("meter-3", 3, METER_3)]
    return on(line_of((unit, "9600 8N1")), devices=said)


def meter_on_modbus():
    return on(line_of((meter("000006605518"), "2400 8E1")))


def modbus_on_dlt645():
    said = [device("meter", "000006605518")]
    return on(line_of(both()[0]), bus("dlt645", "2400 8E1", timeout_s=1.0), said)


def ascii_stream():
    def say(n):
        return b"PM2.5 %05.1f PM10 %05.1f ug/m3\r\n" % (12 + n % 7, 31 + n % 5)

    line = line_of()
    line.attach(Streamer(say), uart("9600 8N1"))
    return on(line)


def gnss_stream():
    def say(n):
        body = b"GNRMC,0935%02d.00,A,3937.80,N,11810.81,E,0.02,,211125,,,A" % (n % 60)
        total = 0
        for byte in body:
            total ^= byte
        return b"$%b*%02X\r\n" % (body, total)

    line = line_of()
    line.attach(Streamer(say), uart("9600 8N1"))
    return on(line)


def adapter_gone():
    def open_raw(_setting, _factory):
        raise OSError(errno.ENOENT, "No such file or directory")

    return World(bus(), two_meters(), open_raw)


def noise():
    return on(line_of(*both(), ring=0.02, seed=7))


def timeout_short():
    slow = (
        (modbus(3, METER_3, delay_s=0.65), "9600 8N1"),
        (modbus(7, METER_7, delay_s=0.8, seed=2), "9600 8N1"),
    )
    return on(line_of(*slow))


def turnaround():
    return on(line_of(*both(delay_s=0.002), turnaround_s=0.005))


class Restful(RtuServer):
    """Ignores a request that begins less than 150 ms after its last answer."""

    ended = 0.0

    def data_received(self, data):
        if self._loop.time() - self.ended < 0.15 + len(data) * 10 / 9600:
            return
        super().data_received(data)

    def _send(self, data):
        super()._send(data)
        self.ended = self._loop.time() + len(data) * 10 / 9600


def too_fast():
    unit = modbus(3, METER_3)
    restful = Restful(unit.station)
    said = [device("meter-3", 3, METER_3)]
    return on(line_of((restful, "9600 8N1")), devices=said)


# -- examining ------------------------------------------------------------------


async def examined(mistake):
    """What doctor says of one mistake: (causes, evidence, virtual seconds)."""
    world = globals()[mistake.replace("-", "_")]()
    door = OwnDoor(world.open_raw)
    by_name = {d.name: d.points for d in world.devices}
    examination = Examination(
        door,
        facts_of(world.bus, world.devices),
        wants_of(world.devices, world.only),
        lambda name: [p for p in by_name[name] if isinstance(p, ModbusPoint)],
    )
    start = running_loop().time()
    async for _ in examination.run():
        pass
    await door.close()
    if world.line is not None:
        world.line.close()
    took = running_loop().time() - start
    return causes(examination.evidence), examination.evidence, took

"""The simulated meters: as known frames say, and as another hand reads them."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pytest
from dlt645 import MeterClientService

from drivers.profiles.dlt645_items import items
from drivers.profiles.library import load_profile
from simulators import dlt645_codec as codec
from simulators.dlt645 import obey, parse
from simulators.dlt645_meter import ProfileMeter, Refused
from simulators.dlt645_station import MeterServer, MeterStation
from tests.drivers.dlt645.test_frame import GOOD
from tests.support.spawn import Spawned

ADDRESS = "202511210001"
PROFILE = "generic-dlt645-3p4w"


def meter(**keys):
    return ProfileMeter(ADDRESS, load_profile(PROFILE), utc_s=lambda: 1.7e9, **keys)


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v["n"])
def test_a_known_frame_is_built_and_heard(vector):
    raw = bytes.fromhex(vector["hex"])
    bare = raw.lstrip(b"\xfe")

    (heard,) = codec.Listener().feed(raw)

    assert heard.raw == bare
    assert heard.code == vector["control"]
    assert codec.dressed(heard.address, heard.code, heard.data, 0) == bare


def test_a_request_in_pieces_between_noise():
    listener = codec.Listener()
    raw = codec.dressed(ADDRESS, 0x11, b"\x00\x00\x01\x00")

    heard = [a for b in b"\x68\x16" + raw for a in listener.feed(bytes((b,)))]

    assert [a.data for a in heard] == [b"\x00\x00\x01\x00"]


def test_what_a_meter_shows_is_what_its_wave_says():
    shown = meter()
    volts = shown.read("02010100")
    block = shown.read("0201FF00")

    assert volts == codec.bcd(round(shown.value("02010100") * 10), 2)
    assert block[:2] == volts
    assert len(block) == 6
    assert 200 < shown.value("02010100") < 250
    assert shown.read("04000101") == bytes.fromhex("03151123")
    assert shown.read("04000401") == bytes.fromhex(ADDRESS)[::-1]
    for di in ("00990000", "0299FF00"):
        with pytest.raises(Refused):
            shown.read(di)
    assert meter(missing=["02010200"]).read("02010200") == b"\xff\xff"
    with pytest.raises(Refused):
        meter(block=False).read("0201FF00")


def test_every_item_of_every_profile_has_its_length():
    shown = meter()
    for point in load_profile(PROFILE).points:
        assert len(shown.read(point.di)) == items()[point.di].size


async def test_another_hand_reads_the_simulated_meter():
    """The package's client, over a socket; it asks in a thread of its own."""
    station = MeterStation([meter()], turnaround_s=0.01)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: MeterServer(station), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def ask():
        client = MeterClientService.new_tcp_client("127.0.0.1", port, timeout=2.0)
        client.set_address(bytes.fromhex(ADDRESS)[::-1].hex())
        try:
            return client.read_00(0x00010000), client.read_02(0x02030000)
        finally:
            client.client.disconnect()

    try:
        energy, power = await asyncio.to_thread(ask)
    finally:
        server.close()

    shown = station.meters[0]
    assert energy.value == pytest.approx(shown.value("00010000"))
    assert power.value == pytest.approx(shown.value("02030000"))


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--meter generic-dlt645-1p@1 --tcp 0",
        f"--meter {PROFILE}@{ADDRESS}",
        f"--meter {PROFILE}@{ADDRESS} --tcp 0 --pty x",
        f"--meter {PROFILE}@{ADDRESS} --tcp 0 --fault rain",
    ],
)
def test_a_command_line_that_says_too_little_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(arguments.split())

    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_commands():
    station = MeterStation([meter()])

    assert obey(station, f"dead {ADDRESS}\n") == "ok"
    assert station.dead == {ADDRESS}
    assert obey(station, f"alive {ADDRESS}") == "ok"
    assert not station.dead
    assert obey(station, "dead 7") == "dead: no meter '7'"
    assert obey(station, "sing").startswith("no such command")


def test_a_process_serves_several_meters_on_a_line(tmp_path):
    link = tmp_path / "line"
    other = "202511210002"
    args = ("--meter", f"{PROFILE}@{ADDRESS}", "--meter", f"generic-dlt645-1p@{other}")
    with Spawned("simulators.dlt645", *args, "--pty", link, "--control") as process:
        assert process.ready["meters"] == [ADDRESS, other]
        wire = os.open(link, os.O_RDWR | os.O_NOCTTY)
        try:
            for address in (ADDRESS, other):
                os.write(wire, codec.dressed(address, 0x11, b"\x00\x00\x01\x00"))
                answer = b""
                ends = time.monotonic() + 5
                while not answer.endswith(b"\x16") and time.monotonic() < ends:
                    answer += os.read(wire, 200)
                (heard,) = codec.Listener().feed(answer)
                assert heard.address == address
                assert heard.code == 0x91
        finally:
            os.close(wire)
        assert process.say(f"dead {other}") == "ok"
        assert process.stop() == 0


def test_a_process_serves_over_tcp():
    args = ("--meter", f"{PROFILE}@{ADDRESS}", "--tcp", 0, "--frame-bytes", 10)
    with (
        Spawned("simulators.dlt645", *args) as process,
        socket.create_connection(("127.0.0.1", process.ready["port"]), 5) as wire,
    ):
        wire.sendall(codec.dressed(ADDRESS, 0x11, b"\x00\xff\x01\x00"))
        (first,) = codec.Listener().feed(wire.recv(300))
        wire.sendall(codec.dressed(ADDRESS, 0x12, b"\x00\xff\x01\x00\x01"))
        (second,) = codec.Listener().feed(wire.recv(300))

    assert (first.code, len(first.data)) == (0xB1, 14)
    assert (second.code, len(second.data)) == (0x92, 15)
    assert second.data[-1] == 1

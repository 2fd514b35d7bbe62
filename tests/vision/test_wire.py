"""The socket to the gateway: never waited for, never a growing queue."""

from __future__ import annotations

import os
import socket
import threading
import time

import msgspec
import pytest

from vision.messages import (
    Beat,
    Camera,
    Configure,
    Evidence,
    FromGateway,
    Refused,
    Stop,
    Unpacker,
    Zone,
    pack,
)
from vision.wire import BEATS_BYTES, OUTBOX_BYTES, Wire
from vision.worker import _configured


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    yield Wire(ours), theirs
    ours.close()
    theirs.close()


def a_refusal(size):
    return Refused(key="k", args={"text": "x" * size})


def test_what_the_gateway_says_is_heard(pair):
    wire, gateway = pair
    gateway.sendall(pack(Stop()))

    assert wire.receive(5.0) == [Stop()]


def test_a_message_may_come_in_pieces(pair):
    wire, gateway = pair
    data = pack(Stop())
    gateway.sendall(data[:3])
    first = wire.receive(5.0)
    gateway.sendall(data[3:])

    assert (first, wire.receive(5.0)) == ([], [Stop()])


def test_a_closed_socket_is_noticed_at_once(pair):
    wire, gateway = pair
    gateway.close()

    began = time.monotonic()
    assert wire.receive(30.0) == []
    assert wire.closed
    assert time.monotonic() - began < 10


def test_what_nobody_understands_ends_it(pair):
    wire, gateway = pair
    gateway.sendall(b"\xff\xff\xff\xff")

    assert wire.receive(5.0) == []
    assert wire.closed


def test_nobody_waits_for_a_gateway_that_does_not_read(pair):
    wire, _ = pair
    beat = Beat(rss_bytes=1, cameras=())

    for _ in range(20):
        wire.send(a_refusal(10_000))
    waiting = wire.waiting
    assert waiting > BEATS_BYTES
    wire.send(beat)

    assert wire.waiting == waiting  # a beat gives way; what matters is kept
    assert not wire.closed


def test_an_outbox_without_end_is_a_broken_wire(pair):
    wire, _ = pair

    for _ in range(2 * OUTBOX_BYTES // 100_000):
        wire.send(a_refusal(100_000))

    assert wire.closed
    assert wire.waiting <= OUTBOX_BYTES


def test_all_that_waited_arrives_in_order_when_it_reads_on(pair):
    wire, gateway = pair
    sent = [Refused(key=f"{n}", args={"text": "x" * 3000}) for n in range(20)]
    for message in sent:
        wire.send(message)
    unpack = Unpacker(Beat | Refused)
    found = []

    gateway.settimeout(10)
    while len(found) < len(sent):
        found += unpack.feed(gateway.recv(65536))
        wire.receive(0.0)

    assert found == sent
    assert wire.waiting == 0


def test_a_frame_ends_the_wait(pair):
    wire, _ = pair
    woken = os.eventfd(0, os.EFD_NONBLOCK)
    os.eventfd_write(woken, 1)

    began = time.monotonic()
    assert wire.receive(30.0, woken) == []
    assert time.monotonic() - began < 10
    with pytest.raises(BlockingIOError):
        os.eventfd_read(woken)
    os.close(woken)


def test_the_gateway_side_is_what_it_decodes():
    assert Unpacker(FromGateway).feed(pack(Stop())) == [Stop()]


def test_cameras_with_many_zones_are_heard_of_in_pieces(pair):
    wire, gateway = pair
    area = tuple((n / 64, n / 65) for n in range(64))
    zones = tuple(Zone(name=f"z{n}", area=area) for n in range(32))
    told = Configure(
        group="main",
        cameras=tuple(
            Camera(name=f"c{n}", kind="rtsp", url="rtsp://h/a", zones=zones)
            for n in range(6)
        ),
        evidence=Evidence(folder="/media"),
    )
    data = pack(told)
    assert len(data) > 100_000
    said = threading.Thread(target=gateway.sendall, args=(data,))
    said.start()
    heard = _configured(wire)
    said.join()

    assert heard == told


def test_who_hangs_up_before_the_first_word_is_not_waited_for(pair):
    wire, gateway = pair
    gateway.close()
    began = time.monotonic()

    assert _configured(wire) is None
    assert time.monotonic() - began < 10


def test_what_quotes_a_camera_does_not_quote_its_password():
    camera = Camera(
        name="c",
        kind="rtsp",
        url="rtsp://h/a",
        username="u",
        password="hush",  # noqa: S106
    )
    told = Configure(group="g", cameras=(camera,), evidence=Evidence(folder="/m"))

    assert "hush" not in f"{camera!r} {camera} {told!r} {[told]}"
    assert "hush" in str(msgspec.to_builtins(camera)), "the process is told it"

"""Satellite receivers in a process of their own: ``python -m simulators.receivers``.

    --pty ./gnss --baud 9600                         a receiver on a serial line
    --tcp 0 --rate 10                                ten fixes a second, over TCP
    --gpsd 0                                         behind a (small) gpsd
    --route 39.63,118.18/39.64,118.19 --speed 12     drives there and back
    --beidou-only --sigma 1.8                        BeiDou alone; tells its accuracy
    --trouble no-fix@30-60 --trouble jam@90-120      what goes wrong, and when
    --trouble leap-weeks@100-200                     1024 weeks back
    --binary --at-baud 38400                         UBX in between; a wrong speed

Prints one JSON line when it runs; ends on SIGTERM, SIGINT or with its parent. Options:
``docs/simulators.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simulators import nmea
from simulators.ports import PtyPort
from simulators.process import die_with_parent, run, say_ready, until_told
from simulators.receiver import TANGSHAN, Receiver, Spell, Trouble
from simulators.typed import typed
from simulators.uart import Signal, as_tty, receive, settings, wave

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LUMP_S = 0.016
"""Paced bytes are handed over in lumps this long, as a USB adapter does."""
_BITS = 10
_GNSS_ID = {"GP": 0, "GA": 2, "GB": 3, "GQ": 5, "GL": 6}
_STATUS = {2: 2, 4: 3, 5: 4, 6: 5, 8: 8}


class Output(NamedTuple):
    """How a receiver speaks."""

    rate_hz: float = 1.0
    baud: int = 0
    """0: a burst takes no time on the wire."""
    talker: str = "GN"
    sky_every_s: float = 1.0
    binary: bool = False
    """UBX frames between the sentences."""
    binary_only: bool = False
    at_baud: int = 0
    """The speed at which the other end listens, where that is another."""


class ReceiverStream(asyncio.Protocol):
    """Speaks from the moment somebody listens; on any loop that has timers."""

    def __init__(
        self, receiver: Receiver, output: Output, born: Callable[[], float]
    ) -> None:
        """Begin when connected.

        Args:
            receiver: What it knows.
            output: How it says it.
            born: The loop's time at which the receiver's life began.
        """
        self._receiver, self._output, self._born = receiver, output, born
        self._transport: Any = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._free_at = 0.0
        self._sky_at = -1e9
        self.skipped = 0
        """Epochs that the line had no time for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc
        self._transport = None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _next(self) -> None:
        """Wait for the next whole fraction of a second of its life."""
        loop = asyncio.get_running_loop()
        life = loop.time() - self._born()
        rate = self._output.rate_hz
        turn = int(life * rate + 1e-6) + 1
        self._at(self._born() + turn / rate, self._speak, turn / rate)

    def _speak(self, at_s: float) -> None:
        self._next()
        data = self.words(at_s)
        output = self._output
        if output.at_baud:
            data = misheard(data, output.baud or 9600, output.at_baud)
        if not output.baud:
            self._send(data)
            return
        loop = asyncio.get_running_loop()
        if self._free_at > loop.time() + 1e-6:
            self.skipped += 1
            return
        per_s = output.baud / _BITS
        lump = max(1, int(per_s * _LUMP_S))
        for start in range(0, len(data), lump):
            piece = data[start : start + lump]
            self._free_at = loop.time() + (start + len(piece)) / per_s
            self._at(self._free_at, self._send, piece)

    def words(self, at_s: float) -> bytes:
        """What it says at this second of its life."""
        output = self._output
        if Trouble.SILENT in self._receiver.troubles(at_s):
            return b""
        now = self._receiver.moment(at_s)
        if output.binary_only:
            return ubx(now) + ubx(now, 0x35)
        sky = at_s - self._sky_at >= output.sky_every_s - 1e-6
        if sky:
            self._sky_at = at_s
        lines = nmea.burst(now, output.talker, sky=sky)
        if not output.binary:
            return b"".join(lines)
        return b"".join(line + ubx(now, turn) for turn, line in enumerate(lines))

    def _at(self, moment: float, what: Callable[..., None], *args: object) -> None:
        timer: asyncio.TimerHandle

        def run_it() -> None:
            self._timers.discard(timer)
            if self._transport is not None:
                what(*args)

        timer = asyncio.get_running_loop().call_at(moment, run_it)
        self._timers.add(timer)

    def _send(self, data: bytes) -> None:
        if self._transport is not None and data:
            self._transport.write(data)


class GpsdStream(ReceiverStream):
    """A client of a gpsd that has this receiver."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet; reports come when they are asked for."""
        self._transport = transport
        self._send(_json({"class": "VERSION", "release": "sim", "rev": "sim",
                          "proto_major": 3, "proto_minor": 15}))  # fmt: skip

    def data_received(self, data: bytes) -> None:
        """``?WATCH={"enable":true,"json":true};``."""
        if b"?WATCH=" in data and b'"enable":true' in data and not self._timers:
            path = {"class": "DEVICE", "path": "/dev/ttySIM", "driver": "NMEA0183"}
            self._send(_json({"class": "DEVICES", "devices": [path]}))
            self._send(_json({"class": "WATCH", "enable": True, "json": True}))
            self._next()

    def words(self, at_s: float) -> bytes:
        """SKY and TPV."""
        if Trouble.SILENT in self._receiver.troubles(at_s):
            return b""
        return b"".join(gpsd_reports(self._receiver.moment(at_s)))


def gpsd_reports(now: nmea.Moment) -> list[bytes]:
    """One epoch as gpsd reports it (gpsd_json(5))."""
    head = {"device": "/dev/ttySIM", "time": _iso(now.utc_ms)}
    satellites = [
        {"PRN": s.number, "el": s.elevation, "az": s.azimuth, "ss": s.snr,
         "used": s.number in now.used[system], "gnssid": _GNSS_ID[system],
         "svid": s.number}
        for system, seen in now.sky.items() for s in seen
    ]  # fmt: skip
    sky = {"class": "SKY", **head, "hdop": now.hdop, "satellites": satellites}
    tpv: dict[str, object] = {"class": "TPV", **head, "mode": 3 if now.quality else 1}
    if now.quality:
        tpv |= {"lat": now.latitude, "lon": now.longitude, "altMSL": now.altitude,
                "speed": now.speed_ms, "track": now.course, "eph": 19.0}  # fmt: skip
    if now.quality in _STATUS:
        tpv["status"] = _STATUS[now.quality]
    reports = [_json(sky)]
    if now.sigma is not None and now.quality:
        sigma = {"lat": now.sigma, "lon": now.sigma, "alt": 1.5 * now.sigma}
        reports.append(_json({"class": "GST", **head, **sigma}))
    return [*reports, _json(tpv)]


def ubx(now: nmea.Moment, kind: int = 0x07) -> bytes:
    """A UBX frame of navigation class (u-blox 8 / M8 receiver description, 32.2).

    Its content is noise in which ``$`` stands often: finders of sentences must cope.
    """
    rng = random.Random(now.utc_ms + kind)
    content = bytes(rng.choice((rng.randrange(256), 0x24)) for _ in range(40))
    head = bytes((0x01, kind & 0xFF)) + len(content).to_bytes(2, "little")
    one = two = 0
    for byte in head + content:
        one = (one + byte) & 0xFF
        two = (two + one) & 0xFF
    return b"\xb5b" + head + content + bytes((one, two))


def misheard(data: bytes, sent: int, heard: int) -> bytes:
    """What a port set to another speed makes of it, bit by bit."""
    there, here = settings(sent, "8N1"), settings(heard, "8N1")
    made = wave(data, there, 0.0)
    found = receive(Signal([made]), here, 0.0, made.end + 0.01, both_stops=False)
    return as_tty(found.chars, here)


def _iso(utc_ms: int) -> str:
    told = datetime.fromtimestamp(utc_ms // 1000, UTC)
    return f"{told:%Y-%m-%dT%H:%M:%S}.{utc_ms % 1000:03d}Z"


def _json(said: dict[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode() + b"\r\n"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog=typed("receivers"))
    add = parser.add_argument
    add("--pty", metavar="LINK", type=Path, help="a serial line behind this link")
    add("--tcp", metavar="PORT", type=int, help="0 chooses a free port")
    add("--gpsd", metavar="PORT", type=int, help="as gpsd; 0 chooses a free port")
    add("--host", default="127.0.0.1")
    add("--route", type=_route, default=(TANGSHAN,), metavar="LAT,LON/LAT,LON")
    add("--speed", type=float, default=0.0, help="m/s along the route, and back")
    add("--rate", type=float, default=1.0, help="fixes a second")
    add("--baud", type=int, default=9600, help="the line's speed; 0: no time at all")
    add("--talker", default="GN", help="of RMC and the like: GN, GP, BD, ...")
    add("--systems", default="GP,GB", help="constellations: GP,GL,GA,GB,GQ")
    add("--beidou-only", action="store_true")
    add("--quality", type=int, default=1, choices=(1, 2, 4, 5))
    add("--sigma", type=float, help="accuracy in metres, told by GST")
    add("--sky-every", type=float, default=1.0, help="seconds between lists of GSV")
    add("--binary", action="store_true", help="UBX between the sentences")
    add("--binary-only", action="store_true")
    add("--at-baud", type=int, default=0, help="the other end listens at this speed")
    add("--trouble", type=_spell, action="append", default=[], metavar="WHAT@A-B",
        help=f"{', '.join(Trouble)}; seconds of its life")  # fmt: skip
    add("--start", type=_utc_ms, help="its time at first, 2026-08-05T05:52:34Z")
    add("--seed", type=int, default=1)
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    options = parser.parse_args(argv)
    if options.pty is None and options.tcp is None and options.gpsd is None:
        parser.error("say where it is: --pty LINK, --tcp PORT or --gpsd PORT")
    return options


def make_receiver(options: argparse.Namespace) -> Receiver:
    """The receiver that was asked for."""
    start = options.start  # else the second that has begun: receivers tell whole ones
    systems = ("GB",) if options.beidou_only else tuple(options.systems.split(","))
    return Receiver(
        int(time.time()) * 1000 if start is None else start,
        options.route,
        options.speed,
        systems,
        options.trouble,
        options.sigma,
        options.quality,
        seed=options.seed,
    )


async def main(options: argparse.Namespace) -> None:
    """Speak until told to stop."""
    loop = asyncio.get_running_loop()
    born = loop.time() - (time.time() % 1 if options.start is None else 0)
    receiver = make_receiver(options)
    output = Output(
        options.rate,
        options.baud,
        options.talker,
        options.sky_every,
        options.binary,
        options.binary_only,
        options.at_baud,
    )
    facts: dict[str, object] = {"start_utc_ms": receiver.start_utc_ms}
    servers = []
    for key, kind in (("tcp", ReceiverStream), ("gpsd", GpsdStream)):
        number = getattr(options, key)
        if number is None:
            continue
        spoken = output._replace(baud=0) if key == "gpsd" else output
        server = await loop.create_server(
            partial(kind, receiver, spoken, lambda: born),
            options.host,
            number,
        )
        servers.append(server)
        name = "port" if key == "tcp" else "gpsd_port"
        facts[name] = server.sockets[0].getsockname()[1]
    pty = None
    if options.pty is not None:
        pty = PtyPort(
            options.pty, lambda: ReceiverStream(receiver, output, lambda: born)
        )
        pty.open()
        facts["path"] = str(options.pty)
    say_ready(**facts)
    try:
        await until_told(options.for_s)
    finally:
        if pty is not None:
            pty.close()
        for server in servers:
            server.close()


def _route(text: str) -> tuple[tuple[float, float], ...]:
    points = [point.split(",") for point in text.split("/")]
    return tuple((float(lat), float(lon)) for lat, lon in points)


def _spell(text: str) -> Spell:
    what, _, times = text.partition("@")
    since, _, until = times.partition("-")
    if what not in [*Trouble]:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(Trouble)}")
    return Spell(Trouble(what), float(since or 0), float(until or "inf"))


def _utc_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


if __name__ == "__main__":
    die_with_parent()
    run(main(parse()))

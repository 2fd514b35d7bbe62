r"""A line of UARTs behind a pty, as a process: ``python -m simulators.line``.

    ecogate simulate line --config line.yaml --pty /tmp/line-1

The file says what hangs on the line:

    seed: 1
    swapped: false
    biased: false           # with swapped: the line rests at 0
    echo: false
    turnaround_ms: 0        # the gateway's driver stays on so long
    ring: 0                 # how likely an edge rings: no termination
    stations:
      - {profile: eastron-sdm120, unit: 3, at: 2400 8N1, delay_ms: 30}
      - {meter: "000006605518", as: generic-dlt645, at: 2400 8E1}
      - {say: "PM2.5 12.3\r\n", every_s: 1, at: 9600 8N1}
      - {master: [3, 11], every_s: 0.5, at: 9600 8N1}
      - {noise: true, every_s: 0.2, at: 9600 8N1}
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulators.line import Line, line_pty
from simulators.process import say_ready, until_told
from simulators.station import RtuServer, Station
from simulators.talkers import Master, Noise, Streamer
from simulators.typed import typed
from simulators.uart import Settings, settings
from simulators.wire import rtu_frame

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

_READ_ONE = bytes.fromhex("0300000001")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog=typed("line"))
    add = parser.add_argument
    add("--config", metavar="FILE", type=Path, required=True, help="what is on it")
    add("--pty", metavar="LINK", type=Path, required=True, help="where the port is")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    return parser.parse_args(argv)


def build(config: Mapping[str, Any], *, utc_s: Callable[[], float] = time.time) -> Line:
    """The line that a configuration describes, everything attached.

    Raises:
        ValueError: A station is none that is known.
    """
    seed = int(config.get("seed", 1))
    line = Line(
        swapped=bool(config.get("swapped", False)),
        biased=bool(config.get("biased", False)),
        echo=bool(config.get("echo", False)),
        turnaround_s=float(config.get("turnaround_ms", 0)) / 1000,
        ring=float(config.get("ring", 0)),
        seed=seed,
    )
    for number, station in enumerate(config.get("stations", ())):
        how = _settings(str(station.get("at", "9600 8N1")))
        protocol = _station(station, seed + number, utc_s)
        line.attach(protocol, how, strict=bool(station.get("strict", True)))
    return line


def _settings(text: str) -> Settings:
    baud, _, framing = text.partition(" ")
    return settings(int(baud), framing or "8N1")


def _station(
    said: Mapping[str, Any], seed: int, utc_s: Callable[[], float]
) -> asyncio.BaseProtocol:
    every_s = float(said.get("every_s", 1))
    delay_s = float(said.get("delay_ms", 30)) / 1000
    if "profile" in said:
        from drivers.profiles.library import load_profile  # noqa: PLC0415 YAML is slow
        from simulators.profiled import ProfileUnit  # noqa: PLC0415

        unit = ProfileUnit(
            int(said.get("unit", 1)),
            load_profile(str(said["profile"])),
            seed=seed,
            utc_s=utc_s,
            holes="refuse" if said.get("holes") == "refuse" else "zero",
        )
        return RtuServer(Station([unit], turnaround_s=delay_s))
    if "meter" in said:
        from drivers.profiles.library import load_profile  # noqa: PLC0415
        from simulators.dlt645_meter import ProfileMeter  # noqa: PLC0415
        from simulators.dlt645_station import MeterServer, MeterStation  # noqa: PLC0415

        profile = load_profile(str(said.get("as", "generic-dlt645")))
        meter = ProfileMeter(str(said["meter"]), profile, seed=seed, utc_s=utc_s)
        return MeterServer(MeterStation([meter], turnaround_s=delay_s))
    if "say" in said:
        text = str(said["say"]).encode()
        return Streamer(lambda _n: text, every_s)
    if "master" in said:
        frames = [rtu_frame(int(unit), _READ_ONE) for unit in said["master"]]
        return Master(frames, every_s)
    if "noise" in said:
        return Noise(every_s, seed=seed)
    raise ValueError(f"no such station: {said!r}; profile, meter, say, master or noise")


async def main(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    import yaml  # noqa: PLC0415 only this process reads it

    config = yaml.safe_load(options.config.read_text("utf-8")) or {}
    line = build(config)
    port = line_pty(line, options.pty)
    port.open()
    say_ready(path=str(options.pty), stations=len(line.taps) - 1)
    try:
        await until_told(options.for_s)
    finally:
        port.close()
        line.close()

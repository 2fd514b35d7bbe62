"""modpoll: a command-line poller that publishes over MQTT (MIT, by gavinying)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.peers.model import in_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.load import Load, Place
    from benchmarks.peers.model import Reading


class Modpoll:
    """One process for all devices, which stand behind one TCP port or line."""

    name = "modpoll"
    package = "modpoll"
    requirements: str | None = "requirements-modpoll.txt"
    topics: tuple[str, ...] = ("modpoll/+/data",)
    separate = False
    configuration = (
        "--daemon --rate 1 --interval 0 --mqtt-version 5.0 --mqtt-qos 1"
        " --loglevel WARNING, one configuration file a device, one poll line for each"
        " block of up to 120 registers, all devices behind one port (one process knows"
        " one host and port). It has no store. Its default --interval of 0.5 s between"
        " requests would not let ten devices be polled each second; its default MQTT"
        " 3.1.1 ends with an error on connecting in this version, so 5.0 is used."
    )

    def command(
        self, programs: Path, folder: Path, load: Load, place: Place
    ) -> list[str]:
        """See Peer."""
        files = []
        for unit in range(1, load.devices + 1):
            lines = [f"device,bench-{unit},{unit},,"]
            for block in load.blocks:
                lines.append(
                    f"poll,holding_register,{block.address},{block.registers},BE_BE"
                )
                lines += [f"ref,r{at},{at},uint32,r" for at in block.points]
            path = folder / f"bench-{unit}.csv"
            path.write_text("\n".join(lines) + "\n", encoding="ascii")
            files.append(str(path))
        if place.serial is None:
            line = ["--tcp", "127.0.0.1", "--tcp-port", str(place.ports[0])]
        else:
            line = ["--serial", str(place.serial), "--serial-baud", str(place.baud)]
        words = [
            str(programs / "modpoll"),
            *("--daemon", "--rate", "1", "--interval", "0"),
            *("--timeout", str(load.timeout_s), "--loglevel", "WARNING"),
            *("--mqtt-host", "127.0.0.1", "--mqtt-port", str(place.broker_port)),
            *("--mqtt-version", "5.0", "--mqtt-qos", "1"),
            *("--mqtt-clientid", "modpoll"),
            *line,
            *("--config", *files),
        ]
        return in_folder(folder, words)

    def readings(self, topic: str, payload: bytes) -> Iterator[Reading]:
        """``modpoll/<device>/data``: an object of names and values."""
        yield topic.split("/")[1], json.loads(payload)

    def reply(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        """It asks nothing."""
        return None

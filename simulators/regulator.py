"""The regulator's two sides at one desk: ``python -m simulators.regulator``.

    --mn 010000A8900016F000169DC0@39 --station gate --port 1883

An HJ 212 platform that is also subscribed to the MQTT broker: it puts the minutes,
hours and days of one station beside each other as they arrive, and says whether both
hold the same digits and flags (``simulators.beside``). Prints JSON lines: ``ready``
with the port it listens on, with ``--every`` what it found so far, then the verdict.
Commands on standard input: ``cut`` refuses and drops HJ 212 connections, ``heal`` takes
them again. Exit status 0 where nothing differed and no clause of HJ 212 was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

from simulators.beside import Compared, codes_of, compare
from simulators.consumer import Consumer
from simulators.hj212_platform_account import Account
from simulators.hj212_platform_host import Host
from simulators.platform import Platform
from simulators.process import die_with_parent, run, say_ready, until_told

if TYPE_CHECKING:
    from collections.abc import Sequence

_REALTIME = 2011
_EXAMPLES = 5


class Desk:
    """Both sides of one station.

    Args:
        account: As whom it reports by HJ 212.
        station: Its name in MQTT.
        host: Where the broker is.
        port: The same.
    """

    def __init__(self, account: Account, station: str, host: str, port: int) -> None:
        self.mn, self.station = account.mn, station
        self.hj212 = Host([account])
        self.consumer = Consumer()
        self.mqtt = Platform(self.consumer, host, port)
        self._at = ("", 0)

    async def open(self, host: str, port: int) -> int:
        """Listen, and connect to the broker; returns the port.

        Raises:
            OSError: It is taken.
        """
        self._at = (host, await self.hj212.open(host, port))
        self.mqtt.start()
        return self._at[1]

    async def close(self) -> None:
        """End both."""
        self.mqtt.stop()
        await self.hj212.close()

    async def obey(self, word: str) -> None:
        """``cut`` or ``heal``; anything else is nothing."""
        if word == "cut":
            self.hj212.shut()
        elif word == "heal":
            self.hj212.shut()
            await self.hj212.open(*self._at)

    def compared(self) -> Compared:
        """What both hold, beside each other."""
        with self.mqtt.lock:
            periods = {
                key: dict(told)
                for key, told in self.consumer.periods.items()
                if key[0] == self.station
            }
            codes = codes_of(self.consumer.metas, self.station)
        return compare(periods, codes, self.hj212.held, self.mn)

    def told(self) -> dict[str, Any]:
        """For programs."""
        found, failed = self.compared(), self.hj212.ledger.failed
        return {
            "realtime": self.hj212.held.sets[self.mn, _REALTIME],
            **{f"{kind}s": number for kind, number in found.held.items()},
            "same": found.numbers,
            "differing": len(found.differing),
            "examples": found.differing[:_EXAMPLES],
            "waiting": len(found.waiting),
            "failed": failed,
            "clean": not found.differing and not failed,
        }


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m simulators.regulator")
    add = parser.add_argument
    add("--mn", metavar="MN@ST", required=True)
    add("--station", metavar="NAME", required=True, help="its name in the site file")
    add("--password", metavar="PW", default="123456")
    add("--version", type=int, choices=[2017, 2025], default=2017)
    add("--listen", metavar="HOST:PORT", default="127.0.0.1:0")
    add("--host", default="127.0.0.1", help="of the MQTT broker")
    add("--port", type=int, default=1883, help="of the MQTT broker")
    add("--every", type=float, metavar="SECONDS", help="what is found so far")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    options = parser.parse_args(argv)
    host, _, port = options.listen.rpartition(":")
    if not host or not port.isdigit():
        parser.error(f"--listen: expected HOST:PORT, got {options.listen!r}")
    options.listen = (host, int(port))
    return options


async def main(options: argparse.Namespace) -> int:
    """Listen until told to stop; the exit status."""
    mn, _, st = options.mn.partition("@")
    account = Account(mn, st=st or "31", pw=options.password, version=options.version)
    desk = Desk(account, options.station, options.host, options.port)
    port = await desk.open(*options.listen)
    say_ready(port=port)
    beside = [asyncio.create_task(_listen(desk), name="control")]
    if options.every:
        beside.append(asyncio.create_task(_say(desk, options.every), name="so far"))
    await until_told(options.for_s)
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    await desk.close()
    verdict = desk.told()
    print(json.dumps({"verdict": verdict}), flush=True)
    return 0 if verdict["clean"] else 1


async def _say(desk: Desk, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        print(json.dumps({"so_far": desk.told()}), flush=True)


async def _listen(desk: Desk) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    with contextlib.suppress(ValueError):  # a file: nobody will command us
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            await desk.obey(line.decode("utf-8", "replace").strip())


if __name__ == "__main__":
    die_with_parent()
    sys.exit(run(main(parse())))

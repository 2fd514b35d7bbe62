"""A whole site in one process: ``python -m simulators.site``.

    --kind enterprise --folder ./demo-site       construction, water
    --mqtt mqtt://127.0.0.1:1883                 where its gateway is to deliver
    --hj212 127.0.0.1:9212                       an HJ 212 platform; else its own
    --cameras                                    with its cameras (extra vision)

Brings up every line as a pty or a loopback port with its instruments, the HJ 212
platform that its station reports to, and writes ``site.yaml`` for the gateway. Prints
one JSON line when it serves, ``next`` in it is what to type then; takes commands on
standard input (``list``, ``kill NAME``, ``revive NAME``, ``spoil NAME FAULT``,
``set NAME POINT NUMBER``, ``platform``). Ends on SIGTERM, Ctrl-C or with its parent.
Options: ``docs/simulators.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import stat
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.process import die_with_parent, run, say_ready, until_told
from simulators.site_cameras import CameraPart
from simulators.site_plan import KINDS, load_plan
from simulators.site_process import MQTT, SimulatedSite
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence


_HINT = (
    "HJ 212 platform / 监管平台: {at}\n"
    "type platform: what it holds / 已收到什么; list: devices / 设备;"
    " kill NAME, revive NAME, spoil NAME FAULT, set NAME POINT NUMBER"
)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog=typed("site"))
    add = parser.add_argument
    add("--kind", choices=KINDS, required=True)
    add("--folder", type=Path, metavar="FOLDER", help="default: ./sim-KIND")
    add("--mqtt", default=MQTT, metavar="URL", help=f"the platform; default {MQTT}")
    add("--hj212", metavar="HOST:PORT", help="an HJ 212 platform; default: its own")
    add("--cameras", action="store_true", help="with its cameras (extra vision)")
    add("--seed", type=int, help="of the values; each site has one of its own")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    return parser.parse_args(argv)


async def main(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    folder = (options.folder or Path(f"sim-{options.kind}")).absolute()
    plan = load_plan(options.kind, options.seed)
    if options.cameras and find_spec("cv2") is None:
        sys.exit("cameras are drawn with OpenCV: .venv/bin/pip install -e '.[vision]'")
    site = SimulatedSite(
        plan,
        folder,
        mqtt=options.mqtt,
        hj212=options.hj212,
        cameras=options.cameras,
    )
    try:
        await site.open()
        following = f"ecogate run {site.site_file}"
        say_ready(
            kind=plan.kind,
            site=str(site.site_file),
            next=following,
            hj212=site.hj212,
            devices={
                one.name: [one.bus.protocol, *site.parts[one.name].faults]
                for one in plan.devices.values()
            },
            cameras={
                name: part.url
                for name, part in site.parts.items()
                if isinstance(part, CameraPart)
            },
        )
        if sys.stdout.isatty():
            print(following)
            print(_HINT.format(at=site.hj212), flush=True)
        control = asyncio.create_task(_listen(site), name="control")
        try:
            await until_told(options.for_s)
        finally:
            control.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await control
            if sys.stdout.isatty():
                print(site.regulator_text(), flush=True)
    finally:
        await site.close()


async def _listen(site: SimulatedSite) -> None:
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()):
        return  # a file, or nothing: nobody will command us
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            if words := line.decode("utf-8", "replace").strip():
                print(site.obey(words), flush=True)
    finally:
        transport.close()


if __name__ == "__main__":
    die_with_parent()
    run(main(parse()))

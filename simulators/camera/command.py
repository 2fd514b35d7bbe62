"""A camera, simulated, in a process of its own: ``python -m simulators.camera``.

    works --rtsp 8554 --http 8080 --user admin --password secret
    clip.mp4 --rtsp 0                                  a file, again and again
    works --rtsp 0 --event dark@10-40 --fault freeze@50-60
    field --http 0 --day 240                           a day in four minutes

Shows a scene, or plays a clip, a picture or a folder of them, over RTSP (H.264 by
GStreamer's server, TCP and UDP) at ``--path`` and over HTTP at ``/snapshot.jpg`` and
``/mjpeg``. Prints one JSON line when it serves: where, and the port of its switches
(``GET /state``, ``POST /fault``); with ``--control`` it takes
``begin FAULT [SECONDS]``, ``end [FAULT]`` and ``state`` on standard input. Ends on
SIGTERM, SIGINT or with its parent. Options and faults: ``docs/simulators.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from simulators.camera.camera import SimulatedCamera
from simulators.camera.faults import CameraBoard, CameraFault, spell
from simulators.camera.login import Login, Scheme
from simulators.camera.rtsp_process import RtspMissingError, find_python
from simulators.camera.switches import HOST
from simulators.process import say_ready, until_told
from simulators.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

SCENES = ("works", "field", "yard")
_MISSING = (
    "the simulated camera draws with numpy and OpenCV, which are not installed: "
    ".venv/bin/pip install -e '.[vision]'"
)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; errors go to standard error with exit status 2."""
    parser = argparse.ArgumentParser(prog=typed("camera"))
    add = parser.add_argument
    add(
        "source",
        nargs="?",
        default="works",
        metavar="SCENE|FILE|FOLDER",
        help=f"{', '.join(SCENES)} (works), a clip, a picture or a folder of them",
    )
    add("--rtsp", type=int, metavar="PORT", help="0 chooses one")
    add("--http", type=int, metavar="PORT", help="0 chooses one")
    add("--either", action="store_true", help="no RTSP server here: HTTP alone will do")
    add("--control-port", type=int, default=0, metavar="PORT", help="of the switches")
    add("--user", default="", help="whoever looks has to say it")
    add("--password", default="")
    add("--auth", choices=("digest", "basic"), default="digest")
    add("--path", default="/live", help="of the RTSP stream; default /live")
    add("--size", type=_size, default=(640, 360), metavar="640x360")
    add("--fps", type=int, default=5, help="pictures a second; default 5")
    add("--event", action="append", default=[], metavar="WHAT@10-40")
    add("--every", type=float, metavar="SECONDS", help="events come again")
    add("--fault", action="append", default=[], metavar="FAULT[@30-60]")
    add("--hour", type=float, default=10.0, help="of the scene's day; default 10")
    add("--day", type=float, metavar="SECONDS", help="a whole day takes so long")
    add("--seed", type=int, default=1)
    add("--control", action="store_true", help="commands on standard input")
    add("--for", dest="for_s", type=float, metavar="SECONDS")
    options = parser.parse_args(argv)
    if options.rtsp is None and options.http is None:
        parser.error("expected --rtsp PORT or --http PORT or both")
    try:
        options.fault = tuple(spell(text) for text in options.fault)
    except ValueError as exc:
        parser.error(str(exc))
    if find_spec("cv2") is None or find_spec("numpy") is None:
        parser.exit(2, f"{_MISSING}\n")
    from simulators.camera.play import open_play  # noqa: PLC0415 the extra `vision`

    try:
        options.play = open_play(
            options.source,
            options.size,
            events=options.event,
            every_s=options.every,
            hour=options.hour,
            day_s=options.day,
            seed=options.seed,
        )
    except ValueError as exc:
        parser.error(str(exc))
    return options


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    size = int(width), int(height)
    if min(size) < 64 or size[0] % 16 or size[1] % 2:  # noqa: PLR2004 H.264's blocks
        raise argparse.ArgumentTypeError(
            f"expected a width divisible by 16 and an even height, got {text!r}"
        )
    return size


async def main(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    scheme = cast("Scheme", options.auth if options.user else "none")
    if options.either and options.http is not None:
        try:
            find_python()
        except RtspMissingError as exc:
            print(exc, file=sys.stderr)
            options.rtsp = None
    camera = SimulatedCamera(
        options.play,
        rtsp=options.rtsp,
        http=options.http,
        control=options.control_port,
        login=Login(options.user, options.password, scheme),
        path=options.path,
        fps=options.fps,
        board=CameraBoard(options.fault),
    )
    try:
        facts = await camera.open()
        say_ready(**facts, urls=_urls(facts, options.path))
        beside = [asyncio.create_task(camera.pump(), name="camera")]
        if options.control:
            beside.append(asyncio.create_task(_listen(camera), name="commands"))
        told = asyncio.create_task(until_told(options.for_s), name="told")
        done, _ = await asyncio.wait((*beside[:1], told), return_when="FIRST_COMPLETED")
        for task in (*beside, told):
            task.cancel()
        await asyncio.gather(*beside, told, return_exceptions=True)
        for task in done - {told}:
            task.result()
    except RtspMissingError as exc:
        print(exc, file=sys.stderr)
        return 2
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE:
            raise
        print(f"a port is in use, choose another: {exc.strerror}", file=sys.stderr)
        return 2
    finally:
        await camera.close()
    return 0


def _urls(facts: dict[str, object], path: str) -> list[str]:
    urls = []
    if "rtsp" in facts:
        urls.append(f"rtsp://{HOST}:{facts['rtsp']}{path}")
    if "http" in facts:
        urls += [
            f"http://{HOST}:{facts['http']}{place}"
            for place in ("/snapshot.jpg", "/mjpeg")
        ]
    return urls


async def _listen(camera: SimulatedCamera) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            if words := line.decode("utf-8", "replace").split():
                print(obey(camera, words), flush=True)
    finally:
        transport.close()


def obey(camera: SimulatedCamera, words: Sequence[str]) -> str:
    """Carry out one command of standard input; the answer is one line."""
    with contextlib.suppress(ValueError):
        match words:
            case ["begin", fault]:
                return json.dumps(camera.command({"begin": fault}))
            case ["begin", fault, seconds]:
                return json.dumps(camera.command({"begin": fault, "for": seconds}))
            case ["end"]:
                return json.dumps(camera.command({"end": None}))
            case ["end", fault]:
                return json.dumps(camera.command({"end": fault}))
            case ["state"]:
                return json.dumps(camera.command({}))
    known = ", ".join(CameraFault)
    return f"{' '.join(words)!r}: expected begin FAULT [SECONDS], end, state; {known}"

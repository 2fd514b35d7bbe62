"""``ecogate vision snapshot CAMERA``: one picture now.

The running gateway is asked, as it has the camera open already; where none runs, the
camera is opened here. Private zones are black in either.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.arguments import add_site
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import print_json
from gateway.cli.vision_camera import Meant, add_camera, configure, meant
from gateway.cli.vision_child import lines
from gateway.control import ControlClient, ControlError, NotRunningError
from gateway.texts import t

if TYPE_CHECKING:
    import argparse

_ANSWER_S = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``snapshot CAMERA [--kind K] [--out FILE] [--site PATH]``."""
    add_camera(parser)
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help=t("cli.vision.snapshot.help")
    )
    add_site(parser, positional=False)


def run(args: argparse.Namespace) -> int:
    """Take the picture and put it where it is wanted."""
    wanted = meant(args)
    name = wanted.camera.name
    out = args.out or Path(f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.jpg")
    with tempfile.TemporaryDirectory(prefix="ecogate-vision-") as folder:
        found = _from_gateway(wanted) or _taken(wanted, folder)
        shutil.copyfile(found["file"], out)
    if args.json:
        print_json({**found, "file": str(out)})
    else:
        print(t("cli.vision.snapshot.done", file=out, bytes=found["bytes"]))
    return Exit.OK


def _from_gateway(wanted: Meant) -> dict[str, Any] | None:
    """What the running gateway gives; None: it does not run, or has no such camera."""
    if wanted.site is None or wanted.camera.name not in wanted.site.cameras:
        return None
    try:
        with ControlClient.for_folder(wanted.site.buffer.path, _ANSWER_S) as client:
            found: dict[str, Any] = client.call("snapshot", device=wanted.camera.name)
    except NotRunningError:
        return None
    except ControlError as exc:
        if exc.code == "no_camera":
            return None  # it runs with another site file
        raise CliError(str(exc), Exit.UNREACHABLE) from exc
    return found


def _taken(wanted: Meant, folder: str) -> dict[str, Any]:
    """The camera opened by a child of ours."""
    for line in lines("snapshot", given=configure(wanted, folder)):
        return {
            "camera": wanted.camera.name,
            "file": str(Path(folder) / line["file"]),
            "sha256": line["sha256"],
            "bytes": line["bytes"],
            "t": line["t_ms"],
        }
    raise CliError(t("cli.vision.failed", verb="snapshot", status=0))

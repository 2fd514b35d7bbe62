"""``ecogate vision run CAMERA``: watch one camera in the foreground, without a gateway.

ecogate vision run yard-1                      a camera of the site file
ecogate vision run rtsp://10.0.0.9/sub         an address, before it is in one
ecogate vision run straw.mp4 --for 30s
"""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cameras.events import fault_text
from gateway.cli.arguments import add_site, duration
from gateway.cli.exits import Exit
from gateway.cli.output import paint
from gateway.cli.vision_camera import add_camera, configure, meant
from gateway.cli.vision_child import lines
from gateway.texts import language, t

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``run CAMERA [--kind K] [--for 30s] [--out FOLDER] [--site PATH]``."""
    add_camera(parser)
    parser.add_argument(
        "--for",
        dest="for_s",
        type=duration,
        metavar="30s",
        help=t("cli.vision.help.for"),
    )
    parser.add_argument("--out", metavar="FOLDER", help=t("cli.vision.help.out"))
    add_site(parser, positional=False)


def run(args: argparse.Namespace) -> int:
    """Print what it sees until Ctrl-C, or until the file or the time is over."""
    wanted = meant(args)
    options = [] if args.for_s is None else ["--for", f"{args.for_s:g}"]
    with tempfile.TemporaryDirectory(prefix="ecogate-vision-") as temporary:
        given = configure(wanted, args.out or temporary)
        seen = Seen()
        said = seen.through(lines("run", options, given=given))
        texts = _as_json(said) if args.json else told(said, pictures=bool(args.out))
        for text in texts:
            print(text, flush=True)
    return Exit.OK if seen.frames else Exit.UNREACHABLE


class Seen:
    """How many frames a camera gave: a script wants to know whether it gave any."""

    def __init__(self) -> None:
        self.frames = 0

    def through(self, said: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The same lines."""
        for line in said:
            if line["kind"] == "beat":
                self.frames = max(one.get("frames", 0) for one in line["cameras"])
            yield line


def told(said: Iterator[dict[str, Any]], *, pictures: bool) -> Iterator[str]:
    """The child's lines in words; pictures only where they are kept."""
    for line in said:
        text = _worded(line, pictures=pictures)
        if text:
            yield f"{time.strftime('%H:%M:%S')}  {text}"


def _worded(line: dict[str, Any], *, pictures: bool) -> str:
    kind = line["kind"]
    if kind == "hello":
        width, height = line["size"]
        size = f"{width}x{height}"
        return t("cli.vision.run.hello", model=line["model"], size=size)
    if kind == "beat":
        return _beat(line["cameras"][0])
    if kind == "condition":
        text = fault_text(line["fault"], line.get("args", {}))[language()]
        raised = line["state"] == "raised"
        key = "cli.vision.run.fault" if raised else "cli.vision.run.well"
        return paint(t(key, fault=text), "red" if raised else "green")
    if kind == "sight":
        details = [t("event.sight_score", score=f"{line['score']:.2f}")]
        if line.get("zone"):
            details.append(t("event.sight_zone", zone=line["zone"]))
        said = t(
            f"cli.vision.run.{line['state']}",
            label=t(f"vision.label.{line['label']}"),
            details=t("cli.vision.test.comma").join(details),
        )
        return paint(said, "green" if line["state"] == "cleared" else "red")
    if kind == "picture" and pictures:
        role = t(f"vision.role.{line['role']}")
        return t("cli.vision.run.picture", role=role, file=line["file"])
    return ""


def _beat(camera: dict[str, Any]) -> str:
    scores = "  ".join(
        f"{t(f'vision.label.{label}')} {score:.2f}"
        for label, score in camera.get("scores", {}).items()
    )
    return t(
        "cli.vision.run.beat",
        frames=camera.get("frames", 0),
        judged=camera.get("judged", 0),
        infer=f"{camera.get('infer_ms', 0.0):.0f}",
        scores=scores,
    )


def _as_json(said: Iterator[dict[str, Any]]) -> Iterator[str]:
    for line in said:
        yield msgspec.json.encode(line).decode()

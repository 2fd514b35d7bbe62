"""``ecogate vision test FILE``: what a video or a folder of pictures would alarm.

ecogate vision test straw.mp4                       one frame a second, as a camera
ecogate vision test straw.mp4 --every 250ms --sheet out.png
ecogate vision test DCIM/ --camera tower --site site.yaml      with its rules and zones
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from zoneinfo import ZoneInfo

import msgspec

from gateway.cli.arguments import add_site, duration
from gateway.cli.exits import CliError, Exit
from gateway.cli.output import pad, paint, print_json
from gateway.cli.reach import load
from gateway.cli.vision_child import lines
from gateway.cli.vision_model import add_model, declared
from gateway.cli.when import moment
from gateway.texts import t
from vision.messages import LABELS, Camera, Fault, Rule

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_BAR = 24
"""Columns of a score's bar."""
_NOON = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``test FILE [--every T] [--sheet PNG] [--video MP4] [--camera NAME] ...``."""
    add = parser.add_argument
    add("file", metavar="FILE", help=t("cli.vision.test.help.file"))
    add("--every", type=duration, metavar="T", help=t("cli.vision.test.help.every"))
    add("--sheet", metavar="PNG", help=t("cli.vision.test.help.sheet"))
    add("--video", metavar="MP4", help=t("cli.vision.test.help.video"))
    add("--camera", metavar="NAME", help=t("cli.vision.test.help.camera"))
    add(
        "--threshold",
        action="append",
        default=[],
        metavar="LABEL=SCORE",
        help=t("cli.vision.test.help.threshold", labels=", ".join(LABELS)),
    )
    add("--at", metavar="WHEN", help=t("cli.vision.test.help.at"))
    add("--seconds", action="store_true", help=t("cli.vision.test.help.seconds"))
    add("--model", metavar="ONNX", help=t("cli.vision.help.model"))
    add_model(parser)
    add_site(parser, positional=False)


def run(args: argparse.Namespace) -> int:
    """Play the file through what a camera's frames go through."""
    if not Path(args.file).exists():  # before a model is loaded for nothing
        raise CliError(t("vision.source.no_file", path=args.file), Exit.USAGE)
    said = lines("test", arguments(args))
    if args.json:
        print_json(list(said))
        return Exit.OK
    for text in told(said, seconds=args.seconds):
        print(text, flush=True)
    return Exit.OK


def arguments(args: argparse.Namespace) -> list[str]:
    """What the child is given.

    Raises:
        CliError: No such camera, label or moment, or a score out of range.
    """
    camera, model = Camera(name="test", kind="file", url=args.file), None
    if args.camera:
        site = load(args)
        if args.camera not in site.cameras:
            known = ", ".join(site.cameras) or t("config.word.none")
            text = t("cli.vision.no_camera", found=args.camera, known=known)
            raise CliError(text, Exit.USAGE)
        camera = site.cameras[args.camera].camera
        model = site.vision.model if site.vision is not None else None
    camera = msgspec.structs.replace(
        camera, username=None, password=None, rules=_rules(args.threshold, camera)
    )
    if args.model or model is None:
        model = declared(args, args.model)
    found = ["--camera", _json(camera), "--model", _json(model), "--words", _words()]
    found += ["--at-ms", str(_at_ms(args.at, ZoneInfo(camera.timezone)))]
    for name in ("every", "sheet", "video"):
        if (value := getattr(args, name)) is not None:
            found += [f"--{name}", str(value)]
    return [*found, "--", args.file]


def told(said: Iterator[dict[str, Any]], *, seconds: bool) -> Iterator[str]:
    """The child's lines in words, as they come."""
    thresholds: dict[str, float] = {}
    for line in said:
        match line["kind"]:
            case "began":
                thresholds = line["thresholds"]
                yield _began(line)
            case "second" if seconds:
                yield _second(line, thresholds)
            case "sight":
                yield _sight(line)
            case "condition":
                yield _condition(line)
            case "done":
                yield _done(line)
            case _:
                continue


def _began(line: dict[str, Any]) -> str:
    limits = ", ".join(
        f"{t(f'vision.label.{label}')} ≥ {value:.2f}"
        for label, value in line["thresholds"].items()
    )
    rate = t("cli.vision.test.every", seconds=f"{line['every_s']:g}")
    head = f"{line['file']}  ·  {line['model']}  ·  {rate}"
    note = "" if line["calibrated"] else "\n" + t("cli.vision.test.uncalibrated")
    return f"{paint(head, 'bold')}\n{limits}{note}"


def _second(line: dict[str, Any], thresholds: dict[str, float]) -> str:
    parts = []
    for label, threshold in thresholds.items():
        score = line["scores"][label]
        bar = pad("█" * round(score * _BAR), _BAR)
        if score >= threshold:
            bar = paint(bar, "red")
        parts.append(f"{t(f'vision.label.{label}')} {score:.2f} {bar}")
    notes = [
        t(f"cli.vision.test.{word}")
        for word in ("held", "night", "learning")
        if line[word]
    ]
    return f"{_clock(line['s'])}  {'  '.join(parts)} {' '.join(notes)}".rstrip()


def _sight(line: dict[str, Any]) -> str:
    words = [
        t(
            f"cli.vision.test.{line['state']}",
            label=t(f"vision.label.{line['label']}"),
        ),
        t("event.sight_score", score=f"{line['score']:.2f}"),
    ]
    if line["state"] == "cleared":
        words[1] = t("event.sight_peak", peak=f"{line['peak']:.2f}")
    x0, y0, x1, y1 = (round(100 * side) for side in line["region"])
    words.append(t("cli.vision.test.region", x0=x0, y0=y0, x1=x1, y1=y1))
    if line["zone"]:
        words.append(t("event.sight_zone", zone=line["zone"]))
    if line["bearing"] is not None:
        words.append(t("event.sight_bearing", bearing=f"{line['bearing']:.0f}"))
    text = f"{_clock(line['at_s'])}  {t('cli.vision.test.comma').join(words)}"
    style = {"raised": "red", "cleared": "green"}.get(line["state"])
    return paint(text, style) if style in {"red", "green"} else text  # type: ignore[arg-type]


def _condition(line: dict[str, Any]) -> str:
    key = f"cli.vision.test.fault_{line['state']}"
    text = t(key, fault=t(f"cli.vision.fault.{line['fault']}"))
    return paint(f"{_clock(line['at_s'])}  {text}", "yellow")


def _done(line: dict[str, Any]) -> str:
    key = "cli.vision.test.done" if line["alarms"] else "cli.vision.test.quiet"
    text = t(
        key,
        alarms=line["alarms"],
        frames=line["frames"],
        judged=line["judged"],
        ms=f"{line['infer_ms']:.0f}",
    )
    drawn = [
        t("cli.vision.test.written", path=line[name])
        for name in ("sheet", "video")
        if line.get(name)
    ]
    return "\n".join([paint(text, "bold"), *drawn])


def _rules(given: list[str], camera: Camera) -> dict[Any, Rule]:
    rules: dict[Any, Rule] = dict(camera.rules)
    for word in given:
        label, _, text = word.partition("=")
        try:
            score = float(text)
        except ValueError:
            score = -1.0
        if label not in LABELS or not 0 < score < 1:
            labels = ", ".join(LABELS)
            told_ = t("cli.vision.test.bad_threshold", found=word, labels=labels)
            raise CliError(told_, Exit.USAGE)
        rule = rules.get(label, Rule())
        rules[label] = msgspec.structs.replace(rule, threshold=score)
    return rules


def _words() -> str:
    """What stands in the pictures."""
    words: dict[str, str] = {one: t(f"vision.label.{one}") for one in LABELS}
    words |= {fault: t(f"cli.vision.fault.{fault}") for fault in get_args(Fault)}
    for name in (
        "held",
        "night",
        "learning",
        "fault",
        "alarm",
        "no_alarm",
        "curves",
        "model",
        "rate",
    ):
        words[name] = t(f"cli.vision.test.{name}")
    return _json(words)


def _at_ms(text: str | None, zone: ZoneInfo) -> int:
    """When the file is taken to begin: noon, unless said."""
    now = time.time()
    if text is not None:
        return moment(text, zone, round(now * 1000))
    noon = datetime.fromtimestamp(now, zone).replace(
        hour=_NOON, minute=0, second=0, microsecond=0
    )
    return round(noon.timestamp() * 1000)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _clock(at_s: float) -> str:
    minutes, seconds = divmod(at_s, 60)
    return f"{int(minutes):3d}:{seconds:04.1f}"

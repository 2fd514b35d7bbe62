"""``python -m vision test FILE``: a file through the pipeline, as a camera's frames.

Prints one line a second with the scores, one for each fault and each sight, and one at
the end; draws a contact sheet or a video of what was seen where, on demand.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from vision.detect.detector import Detector
from vision.frame import Frame
from vision.messages import LABELS, Camera, Model
from vision.pipeline import Pipeline, Step
from vision.said import Trouble, say
from vision.sources import EndedError, SourceError, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vision.alarms.watcher import Verdict
    from vision.messages import Label, SourceKind
    from vision.sheet.drawing import Drawing


def main(arguments: list[str]) -> int:
    """Run the trial; 0 whether or not it alarmed.

    Raises:
        Trouble: The model or the file cannot be used, and why.
    """
    args = _arguments(arguments)
    camera = camera_of(args)
    model = msgspec.json.decode(args.model, type=Model) if args.model else Model()
    detector = Detector.open(model)
    pipeline = Pipeline(camera, detector, "test", gated=args.gated)
    words: dict[str, str] = msgspec.json.decode(args.words)
    drawing = (
        _drawing(args, camera, pipeline, words) if args.sheet or args.video else None
    )
    say(
        {
            "kind": "began",
            "file": args.file,
            "model": detector.id,
            "sha256": detector.sha256,
            "size": detector.size,
            "thresholds": pipeline.watcher.thresholds,
            "calibrated": detector.calibrated,
            "every_s": camera.every_s,
        }
    )
    seconds = Seconds()
    frames = judged = raised = 0
    infer_ms = 0.0
    for frame in frames_of(camera, args.at_ms):
        step = pipeline.step(frame)
        frames += 1
        judged += step.cells is not None
        infer_ms += step.infer_ms
        at_s = frame.mono_s
        verdict = pipeline.watcher.verdict
        if line := seconds.add(at_s, step, verdict, learning=pipeline.watcher.learning):
            say(line)
        for told in step.conditions:
            say({"kind": "condition", "at_s": round(at_s, 2), **_plain(told)})
        for sight in step.sights:
            raised += sight.state == "raised"
            say({"kind": "sight", "at_s": round(at_s, 2), **_plain(sight)})
        if drawing is not None:
            drawing.add(frame, step, pipeline)
    if frames == 0:
        raise Trouble("cli.vision.test.no_frames", {"path": args.file})
    if line := seconds.rest():
        say(line)
    done = {"frames": frames, "judged": judged, "alarms": raised}
    drawn = {} if drawing is None else drawing.close()
    mean_ms = round(infer_ms / judged, 1) if judged else 0.0
    say({"kind": "done", **done, "infer_ms": mean_ms, **drawn})
    return 0


def frames_of(camera: Camera, at_ms: int) -> Iterator[Frame]:
    """The frames of a file or folder, as fast as they can be read.

    Args:
        camera: Of kind file or folder.
        at_ms: UTC of the first.

    Raises:
        Trouble: It cannot be opened or read.
    """
    try:
        source = open_source(camera, paced=False)
    except SourceError as exc:
        raise Trouble(exc.key, exc.args_told) from exc
    number, first_s = 0, None
    try:
        while True:
            try:
                grabbed = source.read(10.0)
            except EndedError:
                return
            except SourceError as exc:
                raise Trouble(exc.key, exc.args_told) from exc
            stream_s = grabbed.stream_s
            if stream_s is None:
                stream_s = number * camera.every_s
            first_s = stream_s if first_s is None else first_s
            number += 1
            at_s = stream_s - first_s
            wall_ms = at_ms + round(at_s * 1000)
            yield Frame(camera.name, number, grabbed.image, wall_ms, at_s, stream_s)
    finally:
        source.close()


class Seconds:
    """The highest scores of each second of a trial."""

    def __init__(self) -> None:
        self._second = 0
        self._line: dict[str, Any] | None = None

    def add(
        self, at_s: float, step: Step, verdict: Verdict, *, learning: bool
    ) -> dict[str, Any] | None:
        """Take in a frame; the line of the second before, when one ended with it."""
        ended = None
        if int(at_s) != self._second or self._line is None:
            ended, self._second = self._line, int(at_s)
            none = dict.fromkeys(LABELS, 0.0)
            self._line = {
                "kind": "second",
                "s": self._second,
                "scores": dict(none),
                "image": dict(none),
                "judged": 0,
                "held": 0,
                "night": False,
                "learning": False,
            }
        line = self._line
        if step.cells is not None:
            line["judged"] += 1
            _highest(line["scores"], verdict.scores)
            _highest(line["image"], step.cells.image_scores)
        line["held"] += verdict.held
        line["night"], line["learning"] = verdict.night, learning
        return ended

    def rest(self) -> dict[str, Any] | None:
        """The line of the last second."""
        return self._line


def _highest(kept: dict[Label, float], scores: tuple[float, float, float]) -> None:
    for label, score in zip(LABELS, scores, strict=True):
        kept[label] = round(max(kept[label], score), 3)


def camera_of(args: argparse.Namespace) -> Camera:
    """The camera a trial stands in for: the rules of a site's, or the usual ones."""
    path = Path(args.file).absolute()
    kind: SourceKind = "folder" if path.is_dir() else "file"
    if args.camera:
        given = msgspec.json.decode(args.camera, type=Camera)
        camera = msgspec.structs.replace(given, kind=kind, url=str(path), loop=False)
    else:
        camera = Camera(name=path.stem, kind=kind, url=str(path))
    if args.every is not None:
        camera = msgspec.structs.replace(camera, every_s=args.every)
    return camera


def _drawing(
    args: argparse.Namespace,
    camera: Camera,
    pipeline: Pipeline,
    words: Mapping[str, str],
) -> Drawing:
    from vision.sheet.drawing import Drawing  # noqa: PLC0415 - only where asked for

    return Drawing(args.sheet, args.video, args.file, camera, pipeline, words)


def _plain(struct: Any) -> dict[str, Any]:  # noqa: ANN401 - Condition or Sight
    told: dict[str, Any] = msgspec.to_builtins(struct)
    told.pop("kind", None)
    return told


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m vision test")
    parser.add_argument("file")
    parser.add_argument("--every", type=float, help="seconds between frames")
    parser.add_argument("--at-ms", type=int, default=0, help="UTC of the first frame")
    parser.add_argument("--camera", help="a Camera as JSON: rules, zones, mount")
    parser.add_argument("--model", help="a Model as JSON")
    parser.add_argument("--gated", action="store_true")
    parser.add_argument("--sheet")
    parser.add_argument("--video")
    parser.add_argument("--words", default="{}", help="for the pictures, as JSON")
    return parser.parse_args(arguments)

"""What a trial draws while it runs: frames to choose from, a curve, a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from vision.evidence.blackout import Blackout
from vision.said import Trouble
from vision.sheet.page import ACROSS, COLUMNS, TILE, page
from vision.sheet.tile import Standing, tile
from vision.sheet.timeline import Point, Span, clock, timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.frame import Frame
    from vision.messages import Camera
    from vision.pipeline import Pipeline, Step

_TILES = 3 * COLUMNS
_KEPT = 160
"""Frames in memory at most; then every second of them goes."""
_EDGES = 56
_VIDEO = (1280, 720)
_VIDEO_HIGH = 1100
"""With the curve below."""
_VIDEO_WINDOW_S = 60.0


class _Kept(NamedTuple):
    at_s: float
    tile: NDArray[np.uint8]
    raised: bool


class Drawing:
    """Collects frame by frame, draws at the end.

    Args:
        sheet: PNG or JPEG to write; None: none.
        video: MP4 to write; None: none.
        file: What is tried.
        camera: Its rate.
        pipeline: For model and thresholds.
        words: Names in the reader's language: labels, faults, held, learning,
            fault, night, alarm, no_alarm, curves, model, rate.
    """

    def __init__(
        self,
        sheet: str | None,
        video: str | None,
        file: str,
        camera: Camera,
        pipeline: Pipeline,
        words: Mapping[str, str],
    ) -> None:
        self._sheet, self._video_path = sheet, video
        self._file, self._camera, self._words = file, camera, words
        self._pipeline = pipeline
        self._blackout = Blackout(camera.zones)
        self._points: list[Point] = []
        self._spans: dict[str, Span] = {}
        self._done: list[Span] = []
        self._kept: list[_Kept] = []
        self._every = 1
        self._count = 0
        self._model = ""
        self._writer: cv2.VideoWriter | None = None
        for path in (sheet, video):
            if path and not Path(path).absolute().parent.is_dir():
                raise Trouble("cli.vision.test.no_folder", {"path": path})

    def add(self, frame: Frame, step: Step, pipeline: Pipeline) -> None:
        """Take in one frame and what came of it."""
        verdict, at_s = pipeline.watcher.verdict, frame.mono_s
        faulty = bool(pipeline.faults)
        image = None if step.cells is None else step.cells.image_scores
        learning = pipeline.watcher.learning
        self._points.append(
            Point(at_s, verdict.scores, image, verdict.held, learning, faulty)
        )
        raised = False
        for sight in step.sights:
            if sight.state == "raised":
                raised = True
                self._spans[sight.id] = Span(sight.label, at_s, at_s, sight.id)
            elif sight.state == "cleared" and sight.id in self._spans:
                span = self._spans.pop(sight.id)
                self._done.append(span._replace(until_s=at_s))
        notes = [self._words.get(fault, fault) for fault in pipeline.faults]
        notes += [
            self._words.get(word, word)
            for word, on in (
                ("held", verdict.held and not faulty),
                ("night", verdict.night),
                ("learning", learning),
            )
            if on
        ]
        standing = [
            Standing(alarm.label, alarm.score, pipeline.watcher.region(alarm))
            for alarm in pipeline.watcher.open
        ]
        self._count += 1
        wanted = raised or self._count % self._every == 0 or self._count == 1
        sizes = [TILE] if self._sheet and wanted else []
        sizes += [_VIDEO] if self._video_path else []
        for size in sizes:
            drawn = tile(
                self._blackout.clear(frame.image),
                size,
                clock=clock(at_s),
                warm=verdict.warm,
                alarms=standing,
                notes=notes,
                words=self._words,
            )
            if size == TILE:
                self._keep(_Kept(at_s, drawn, raised))
            else:
                self._film(drawn)

    def close(self) -> dict[str, Any]:
        """Write what was asked for; where it lies."""
        written: dict[str, Any] = {}
        if self._writer is not None:
            self._writer.release()
            written["video"] = self._video_path
        if self._sheet:
            drawn = self._page()
            if not cv2.imwrite(self._sheet, drawn):
                raise Trouble("cli.vision.test.not_written", {"path": self._sheet})
            written["sheet"] = self._sheet
        return written

    def _page(self) -> NDArray[np.uint8]:
        end_s = self._points[-1].at_s
        spans = self._done + [s._replace(until_s=end_s) for s in self._spans.values()]
        spans.sort(key=lambda span: span.from_s)
        watcher, detector = self._pipeline.watcher, self._pipeline.detector
        words = self._words
        chart = timeline(
            self._points, spans, watcher.thresholds, words, ACROSS - _EDGES
        )
        verdict = words.get("no_alarm", "no alarm")
        if spans:
            first = (
                f"{words.get(spans[0].label, spans[0].label)} {clock(spans[0].from_s)}"
            )
            verdict = f"{words.get('alarm', 'alarm')}: {first}"
            verdict += f"  +{len(spans) - 1}" if len(spans) > 1 else ""
        rate = f"{1 / self._camera.every_s:g} {words.get('rate', 'frames/s')}"
        lines = [f"{words.get('model', 'model')} {detector.id}", rate, clock(end_s)]
        title = Path(self._file).name
        return page(title, lines, verdict, bool(spans), self._chosen(), chart)

    def _keep(self, kept: _Kept) -> None:
        self._kept.append(kept)
        if len(self._kept) > _KEPT:
            self._every *= 2
            self._kept = [
                one for n, one in enumerate(self._kept) if one.raised or n % 2 == 0
            ][: 2 * _KEPT]

    def _chosen(self) -> list[NDArray[np.uint8]]:
        """Evenly over the time, and the moment of each alarm."""
        first_s, last_s = self._kept[0].at_s, self._kept[-1].at_s
        chosen = {n for n, one in enumerate(self._kept) if one.raised}
        chosen = set(sorted(chosen)[: _TILES // 2])
        for at_s in np.linspace(first_s, last_s, _TILES):
            if len(chosen) >= _TILES:
                break
            nearest = min(
                range(len(self._kept)), key=lambda n: abs(self._kept[n].at_s - at_s)
            )
            chosen.add(nearest)
        return [self._kept[n].tile for n in sorted(chosen)]

    def _film(self, drawn: NDArray[np.uint8]) -> None:
        recent = self._points[-1].at_s
        shown = [p for p in self._points if recent - p.at_s <= _VIDEO_WINDOW_S]
        spans = [s._replace(until_s=recent) for s in self._spans.values()] + [
            s for s in self._done if recent - s.until_s <= _VIDEO_WINDOW_S
        ]
        chart = timeline(
            shown, spans, self._pipeline.watcher.thresholds, self._words, _VIDEO[0]
        )
        high = _VIDEO_HIGH
        picture = np.zeros((high, _VIDEO[0], 3), np.uint8)
        picture[: _VIDEO[1]] = drawn
        room = picture[_VIDEO[1] :]
        room[...] = chart[0, 0]
        rows = min(room.shape[0], chart.shape[0])
        room[:rows] = chart[:rows]
        if self._writer is None:
            code = cv2.VideoWriter.fourcc(*"mp4v")
            assert self._video_path is not None  # noqa: S101 - only asked for then
            rate = max(1.0, 1 / self._camera.every_s)
            self._writer = cv2.VideoWriter(
                self._video_path, code, rate, (_VIDEO[0], high)
            )
            if not self._writer.isOpened():
                raise Trouble("cli.vision.test.not_written", {"path": self._video_path})
        self._writer.write(picture)

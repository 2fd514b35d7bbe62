"""One camera, frame by frame: from a picture to what is told of it. No threads here.

    frame --> look --> condition --> [faulty: stop] --> gate --> detector --> watcher

Used by the worker, by ``ecogate vision test`` and by tests: what is tried with a file
is what runs with a camera.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vision.alarms import Levels, Watcher
from vision.condition import Watch
from vision.detect.tiles import Scan, second_look
from vision.gate import Gate
from vision.look import look
from vision.messages import BLINDING, LABELS, CameraBeat, Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from vision.feed import NoFrame
    from vision.frame import Cells, Frame
    from vision.look import Look
    from vision.messages import Camera, Fault, Label, Sight

TILES_PER_S = 2.0
"""Judged for each second between frames: at 40 ms each that is 8 % of a core."""


class Sees(Protocol):
    """What is asked of a detector; see ``vision.detect.detector``."""

    @property
    def id(self) -> str:
        """File name and version."""

    @property
    def sha256(self) -> str:
        """Of the file."""

    @property
    def size(self) -> tuple[int, int]:
        """Width, height it was made for."""

    @property
    def thresholds(self) -> dict[Label, float]:
        """Image-level, by its card."""

    @property
    def rises(self) -> dict[Label, float]:
        """What an image's score must rise by over the view before."""

    @property
    def alone(self) -> dict[Label, float]:
        """What it must be where the view before is not known."""

    @property
    def labels(self) -> tuple[Label, ...]:
        """What it can see."""

    def __call__(self, image: NDArray[np.uint8]) -> Cells:
        """What it sees in (height, width, 3) BGR."""


class Step(NamedTuple):
    """What came of one frame, or of waiting for one."""

    conditions: list[Condition]
    sights: list[Sight]
    look: Look | None = None
    cells: Cells | None = None
    """None: not judged, because of a fault or because nothing had changed."""
    infer_ms: float = 0.0


class Pipeline:
    """Follows one camera.

    Args:
        camera: As configured.
        detector: Opened once for all cameras of a process.
        id_prefix: Of alarm ids, unique for this start: camera and start time.
        watch: Of the camera's condition; None: the usual one.
        gated: Whether frames that did not change are left unjudged.
        timer: Seconds, for the time an inference takes.
    """

    def __init__(
        self,
        camera: Camera,
        detector: Sees,
        id_prefix: str,
        *,
        watch: Watch | None = None,
        gated: bool = True,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.camera = camera
        self.detector, self._timer = detector, timer
        self._watch = watch or Watch(camera)
        self._gate = Gate() if gated else None
        self._scan: Scan | None = None
        rounds_s = camera.every_s
        if camera.tiles is not None:
            self._scan = Scan(camera.tiles, max(1, int(TILES_PER_S * camera.every_s)))
            rounds_s *= self._scan.steps
        levels = {
            x: Levels(detector.rises[x], detector.alone[x], detector.thresholds[x])
            for x in detector.labels
        }
        self.watcher = Watcher(
            camera,
            levels,
            id_prefix,
            model=detector.id,
            model_sha256=detector.sha256,
            judged_s=rounds_s,
        )
        self.faults: tuple[Fault, ...] = ()
        self._last_ms: int | None = None
        self._size: tuple[int, int] | None = None
        self._frames = self._judged = 0
        self._infer_ms = 0.0

    def restore(self, state: bytes, t_ms: int, mono_s: float) -> bool:
        """Take up where a process before left; see ``Watcher.restore``."""
        return self.watcher.restore(state, t_ms, mono_s)

    def state(self, t_ms: int) -> bytes:
        """To be stored now and then, and before the process ends."""
        return self.watcher.state(t_ms)

    def restore_view(self, state: bytes, t_ms: int, mono_s: float) -> bool:
        """What the camera usually sees; see ``Watch.restore``."""
        found = self._watch.restore(state, t_ms, mono_s)
        self.faults = self._watch.faults
        return found

    @property
    def placed(self) -> bool:
        """Whether what is seen is where the zones say; see ``Watch.placed``."""
        return self._watch.placed

    def view_state(self, t_ms: int, mono_s: float) -> bytes:
        """The same, to be stored; empty: nothing is known yet."""
        return self._watch.state(t_ms, mono_s)

    def step(self, frame: Frame, trouble: NoFrame | None = None) -> Step:
        """Take in one new frame.

        Args:
            frame: Newer than all before.
            trouble: What the source says is wrong nevertheless.
        """
        seen = look(frame)
        told = self._condition(seen, trouble, frame.wall_ms, frame.mono_s)
        self._size = (frame.image.shape[1], frame.image.shape[0])
        if BLINDING.intersection(self.faults):
            sights = self._blind(frame.wall_ms, frame.mono_s)
            return Step(told, sights, seen)
        if not self._watch.usable:
            self.watcher.skip(frame.mono_s)
            return Step(told, [], seen)
        self._frames += 1
        self._last_ms = frame.wall_ms
        began_s, judged = self._timer(), self._judged
        cells, waiting = self._judge(frame, seen)
        if waiting:
            return Step(told, [], seen, None, self._spent_ms(began_s, judged))
        sights = self.watcher.step(
            frame.wall_ms,
            frame.mono_s,
            cells,
            seen,
            self.faults,
            frame=frame.id,
            second_look=self._closer(frame) if self._scan is not None else None,
        )
        return Step(told, sights, seen, cells, self._spent_ms(began_s, judged))

    def wait(self, trouble: NoFrame | None, t_ms: int, mono_s: float) -> Step:
        """No new frame came until now; call it at least once a second.

        Args:
            trouble: What the source says is wrong; None: the next is awaited.
            t_ms: UTC now.
            mono_s: The monotonic clock now.
        """
        told = self._condition(None, trouble, t_ms, mono_s)
        if BLINDING.intersection(self.faults):
            return Step(told, self._blind(t_ms, mono_s))
        return Step(told, [])

    def beat(self) -> CameraBeat:
        """How the camera is, for the next heartbeat."""
        verdict = self.watcher.verdict
        scores = dict(zip(LABELS, verdict.scores, strict=True))
        return CameraBeat(
            name=self.camera.name,
            faults=self.faults,
            last_frame_ms=self._last_ms,
            frames=self._frames,
            judged=self._judged,
            infer_ms=round(self._infer_ms, 2),
            night=verdict.night,
            learning=self.watcher.learning,
            scores={x: round(scores[x], 3) for x in self.watcher.thresholds},
            size=self._size,
            alarms=tuple(alarm.id for alarm in self.watcher.open),
        )

    def _blind(self, t_ms: int, mono_s: float) -> list[Sight]:
        if self._gate is not None:
            self._gate.forget()
        if self._scan is not None:
            self._scan.restart()
        return self.watcher.blind(t_ms, mono_s)

    def _judge(self, frame: Frame, seen: Look) -> tuple[Cells | None, bool]:
        """The frame's cells, and whether a scan is not through yet."""
        # A round of tiles that has begun is ended, or they would be of two moments.
        busy = self.watcher.busy or (self._scan is not None and self._scan.begun)
        if self._gate is not None and not self._gate.opens(
            seen.grey, frame.mono_s, busy=busy
        ):
            return None, False
        self._judged += 1
        if self._scan is None:
            return self.detector(frame.image), False
        cells = self._scan.step(frame.image, self.detector)
        return cells, cells is None

    def _closer(
        self, frame: Frame
    ) -> Callable[[Label, tuple[float, float, float, float]], float]:
        def closer(label: Label, box: tuple[float, float, float, float]) -> float:
            return second_look(
                frame.image, box, self.detector, label, self.detector.size
            )

        return closer

    def _spent_ms(self, began_s: float, judged: int) -> float:
        if self._judged == judged:
            return 0.0
        self._infer_ms = (self._timer() - began_s) * 1000
        return self._infer_ms

    def _condition(
        self, seen: Look | None, trouble: NoFrame | None, t_ms: int, mono_s: float
    ) -> list[Condition]:
        told = [
            Condition(
                camera=self.camera.name,
                fault=changed.fault,
                state=changed.state,
                t_ms=t_ms,
                args=changed.args,
            )
            for changed in self._watch.step(seen, trouble, mono_s)
        ]
        self.faults = self._watch.faults
        return told

"""One camera's alarms, frame by frame.

    maps of cells --zones--> blurred --rise over the background--> warm cells
      --connected--> regions --over what their label must rise by--> strength
      --but for light alone-->
      --n of m, over time, with motion--> confirmed --merge, cool-down--> Sight

What is held (a fault, a change of the whole picture, night by policy) raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from vision.alarms.candidates import Candidates, candidates
from vision.alarms.light import Light
from vision.alarms.memory import LIVES_S, unpack
from vision.alarms.motion import Motion, Moved
from vision.alarms.news import News
from vision.alarms.night import Night
from vision.alarms.scene import Scene
from vision.alarms.steady import Steady
from vision.alarms.telling import Moment, Teller
from vision.alarms.windows import Windows
from vision.messages import BLINDING, Camera, Fault, Label, Rule, Sight
from vision.scores import blur

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from vision.alarms.book import Alarm
    from vision.alarms.levels import Levels
    from vision.frame import Cells

_GRID = (24, 40)
"""For motion, before the first map tells the model's own."""


class Seen(Protocol):
    """What is asked of the small picture of a frame; see ``vision.look``."""

    @property
    def grey(self) -> NDArray[np.uint8]:
        """(height, width) uint8, always of one size."""

    @property
    def mean(self) -> float:
        """Mean grey, 0 to 255."""

    @property
    def colour(self) -> float:
        """How far the strongest colour is from the weakest where there is most."""


class SecondLook(Protocol):
    """A closer look at one region of the frame that is being judged."""

    def __call__(
        self, label: Label, box: tuple[float, float, float, float], /
    ) -> float:
        """The score of a label there; the box from 0 to 1 of the picture."""


class Verdict(NamedTuple):
    """What one step found, beside its sights: for heartbeats and for pictures of it."""

    sights: list[Sight]
    held: bool = False
    night: bool = False
    warm: NDArray[np.bool_] | None = None
    """(labels, rows, columns); None: the frame was not judged."""
    scores: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The strongest region of each label, after zones and background."""


class Watcher:
    """Follows one camera.

    Args:
        camera: With its rules, zones, policy and mount.
        levels: By the model's card, for the labels it can see; a rule's own threshold
            goes first.
        id_prefix: Of alarm ids; unique for this start, for example camera and time.
        model: Its id, told with each sight.
        model_sha256: Its hash.
        judged_s: From one judged frame to the next; None: as the camera's frames come.
    """

    def __init__(
        self,
        camera: Camera,
        levels: Mapping[Label, Levels],
        id_prefix: str,
        *,
        model: str = "",
        model_sha256: str = "",
        judged_s: float | None = None,
    ) -> None:
        self._camera, self._prefix = camera, id_prefix
        self._sha256 = model_sha256
        self._teller = Teller(camera, model, model_sha256)
        rules = {label: camera.rules.get(label, Rule()) for label in camera.labels}
        self._rules = {
            label: rule
            for label, rule in rules.items()
            if not rule.off and label in levels
        }
        self.levels: dict[Label, Levels] = {
            label: levels[label].ruled(rule.threshold)
            for label, rule in self._rules.items()
        }
        every_s = camera.every_s if judged_s is None else judged_s
        self._windows = Windows(self._rules, every_s)
        self._motion, self._steady, self._news = Motion(), Steady(), News()
        self._light = Light()
        self._night = Night(camera.night, camera.mount)
        self._scene: Scene | None = None
        self._last_s: float | None = None
        self._blind_s: float | None = None
        self._faults: tuple[Fault, ...] = ()
        self.verdict = Verdict([])

    @property
    def thresholds(self) -> dict[Label, float]:
        """What each label must rise by."""
        return {label: level.rise for label, level in self.levels.items()}

    @property
    def learning(self) -> bool:
        """The background is not known yet: only strong sights alarm."""
        return self._scene is None or self._scene.background.learning

    @property
    def busy(self) -> bool:
        """Something is half confirmed or open: the next frame should be judged."""
        return bool(self.open) or self._windows.pending

    @property
    def open(self) -> list[Alarm]:
        """The alarms that are raised."""
        return self._scene.book.open if self._scene else []

    def region(self, alarm: Alarm) -> tuple[float, float, float, float]:
        """Where an alarm is: x0, y0, x1, y1 from 0 to 1 of the picture."""
        assert self._scene is not None  # noqa: S101 - it is one of its book
        return self._scene.region(alarm)

    def step(
        self,
        t_ms: int,
        mono_s: float,
        cells: Cells | None,
        look: Seen,
        faults: Collection[Fault] = (),
        *,
        frame: str = "",
        second_look: SecondLook | None = None,
    ) -> list[Sight]:
        """Take in one frame; what is to be told of it.

        Args:
            t_ms: UTC of the frame.
            mono_s: The monotonic clock at the frame; never goes back.
            cells: The model's maps; None: not judged, the picture had not changed.
            look: The small picture of the same frame.
            faults: What is wrong with the camera now. With one of ``BLINDING`` nothing
                is told, and open alarms neither rise nor fall; others are told with
                each sight. A camera that moved learns its background anew, and one
                that is unsteady has none but behind its open alarms: that may be the
                smoke that moves in all of the view.
            frame: Id of the frame.
            second_look: Asked before a region is raised: its score in a closer look at
                the same frame. Below the threshold it must be confirmed anew.
        """
        dt_s = 0.0 if self._last_s is None else max(0.0, mono_s - self._last_s)
        self._last_s = mono_s
        began = {"moved", "unsteady"}.intersection(faults).difference(self._faults)
        self._faults = tuple(sorted(faults))
        if BLINDING.intersection(faults):
            return self._go_blind(t_ms, mono_s, dt_s)
        if "moved" in began or (self._blind_s is not None and self._blind_s > LIVES_S):
            self._forget()
        elif began:
            self._drop()
        self._blind_s = None
        if "unsteady" in faults and self._scene is not None:
            self._scene.background.forget(self._scene.book.covered())

        if cells is not None:
            self._fit(cells.scores.shape)
        rows, columns = self._scene.scores.shape[1:] if self._scene else _GRID
        moved = self._motion.step(look.grey, dt_s, rows, columns)
        self._light.step(
            look.grey, dt_s, self._scene.suspected if self._scene else None
        )
        phase = self._night.step(t_ms, mono_s, look.colour, look.mean)
        if phase.relearn:
            self._forget()
        if cells is None or self._scene is None:
            self._rest(dt_s)
            scores = self.verdict.scores
            return self._said(Verdict([], phase.hold, phase.night, scores=scores))
        moment = Moment(t_ms, mono_s, dt_s, phase.night, frame, self._faults)
        maps = np.nan_to_num(cells.scores.astype(np.float32, copy=False))
        new = self._news.step(look.grey, mono_s, rows, columns)
        return self._judge(
            self._scene, moment, maps, moved, new, phase.hold, second_look
        )

    def blind(self, t_ms: int, mono_s: float) -> list[Sight]:
        """The camera is faulty and no frame comes: time passes, nothing is known.

        Returns:
            The end of alarms that nobody could see for half an hour.
        """
        last_s, self._last_s = self._last_s, mono_s
        passed_s = 0.0 if last_s is None else mono_s - last_s
        return self._go_blind(t_ms, mono_s, passed_s)

    def skip(self, mono_s: float) -> None:
        """A frame that may not be judged, smeared or repeated: time passes."""
        last_s, self._last_s = self._last_s, mono_s
        if self._scene is not None and last_s is not None:
            self._scene.book.wait(mono_s - last_s)

    def _judge(
        self,
        scene: Scene,
        moment: Moment,
        maps: NDArray[np.float32],
        moved: Moved,
        new: NDArray[np.bool_],
        held: bool,
        second_look: SecondLook | None,
    ) -> list[Sight]:
        scores = scene.scores = blur(np.where(scene.zones.allowed, maps, np.float32(0)))
        found = candidates(scores, scene.background, self.levels, self._light.only)
        # The whole picture is asked before any part of it.
        unseen = held
        held = self._steady.step(moment.mono_s, moved, found.warm) or held
        sights: list[Sight] = []
        if held:
            scene.book.wait(moment.dt_s, unseen=unseen)
            sights += self._given_up(moment)
            self._windows.clear()
        else:
            self._windows.push(moment.mono_s, moment.t_ms, found, moved.cells, new)
            scene.follow(moment.mono_s, self.levels)
            sights += self._raised(scene, moment, found, second_look)
            sights += self._changed(scene, moment)
        # In the first frame nothing is known of motion.
        scene.suspected = found.hits & (moved.cells | (scene.background.frames == 0))
        covered = scene.book.covered()
        scene.background.step(scores, moment.dt_s, scene.suspected, covered)
        return self._said(Verdict(sights, held, moment.night, found.warm, found.scores))

    def _raised(
        self,
        scene: Scene,
        moment: Moment,
        found: Candidates,
        second_look: SecondLook | None,
    ) -> list[Sight]:
        sights = []
        for label, one in self._windows.confirmed(found):
            region, threshold = one.region, one.threshold
            if scene.book.known(label, region, moment.mono_s, threshold):
                continue
            looked = None
            if second_look is not None:
                looked = round(second_look(label, region.box), 3)
                if looked < self.levels[label].picture:
                    self._windows.clear(label)
                    continue
            began_ms = self._windows.began_ms(label, region.mask)
            alarm = scene.book.confirm(
                label, region, began_ms, moment.mono_s, threshold
            )
            scene.doubt(alarm, found)
            sights.append(
                self._teller.sight(scene, alarm, "raised", moment, second_look=looked)
            )
        return sights

    def _changed(self, scene: Scene, moment: Moment) -> list[Sight]:
        sights = []
        for alarm in scene.book.open:
            if scene.book.changed(alarm, moment.mono_s):
                scene.book.tell(alarm, moment.mono_s)
                sights.append(self._teller.sight(scene, alarm, "updated", moment))
        sights += [
            self._teller.sight(
                scene, alarm, "cleared", moment, cause=scene.why_over(alarm)
            )
            for alarm in scene.book.clear(self._rules, moment.mono_s)
        ]
        return sights

    def _fit(self, shape: tuple[int, ...]) -> None:
        """A first map, or one of another size: begin with it."""
        if self._scene is None or self._scene.scores.shape != shape:
            before = self._scene
            self._scene = Scene(
                self._camera, self._prefix, shape, self._windows.longest_s
            )
            if before is not None:
                self._scene.book = before.book.onto(*shape[1:])
            self._steady.forget()
            self._windows.clear()

    def _rest(self, dt_s: float) -> None:
        """Nothing changed since a frame was judged: time passes for the background."""
        if self._scene is not None:
            self._scene.rest(dt_s)

    def _given_up(self, moment: Moment) -> list[Sight]:
        if (scene := self._scene) is None:
            return []
        return [
            self._teller.sight(scene, alarm, "cleared", moment, cause="unseen")
            for alarm in scene.book.give_up(moment.mono_s)
        ]

    def _go_blind(self, t_ms: int, mono_s: float, dt_s: float) -> list[Sight]:
        if self._scene is not None:
            self._scene.book.wait(dt_s, unseen=True)
        if self._blind_s is None:
            self._drop()
        self._blind_s = (self._blind_s or 0.0) + dt_s
        moment = Moment(t_ms, mono_s, dt_s, self.verdict.night, "", self._faults)
        sights = self._given_up(moment)
        self.verdict = Verdict(sights, held=True, night=moment.night)
        return sights

    def _forget(self) -> None:
        """Another scene or another light: learn it anew."""
        if self._scene is not None:
            self._scene.background.forget()
        self._drop()

    def _drop(self) -> None:
        """What frames before now said of the next one no longer holds."""
        self._motion.forget()
        self._steady.forget()
        self._news.forget()
        self._light.forget()
        self._windows.clear()

    def _said(self, verdict: Verdict) -> list[Sight]:
        self.verdict = verdict
        return verdict.sights

    def state(self, t_ms: int) -> bytes:
        """What a restart must not lose, see ``memory``; empty: nothing yet."""
        if self._scene is None:
            return b""
        return self._scene.packed(t_ms, self._last_s or 0.0, self._sha256)

    def restore(self, state: bytes, t_ms: int, mono_s: float) -> bool:
        """Take up where the process before left; False: learned anew.

        Alarms of the same model are taken over within their cool-down, so that they are
        cleared; the background only when it is recent, and of the same grid.
        """
        if (stored := unpack(state)) is None:
            return False
        head, arrays = stored
        self._fit(head.shape)
        assert self._scene is not None  # noqa: S101 - just fitted
        gone_s = max(0.0, (t_ms - head.t_ms) / 1000)
        watched = head.watched(self._sha256, gone_s, self._rules, self.levels)
        self._scene.book.restore(watched, mono_s, gone_s)
        return head.fresh(self._sha256, t_ms) and self._scene.background.restore(
            arrays, head.age_s, head.frames
        )

"""One camera of a vision process: its feed, its pipeline, its evidence, joined.

``step`` takes what is there and returns what is to be told; it never waits.
"""

from __future__ import annotations

import contextlib
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import structs

from vision.alarms.memory import LARGEST, unpack
from vision.ledger import Ledger
from vision.messages import ALARMS_FOLDER, BLINDING, LEARNED
from vision.mishaps import Mishaps
from vision.said import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vision.feed import NoFrame
    from vision.frame import Frame
    from vision.messages import Camera, CameraBeat, Fault, FromVision, Picture, Sight
    from vision.pipeline import Step

STATES = ".state"
"""In the evidence folder: what was learned of each camera's background."""
WAIT_S = 0.5
"""How often a camera without a new frame is looked at: faults are timed by it."""
STUCK_S = 30.0
"""A reader that hangs for so long in a call of C will not come back."""
_ELSEWHERE: frozenset[Fault] = LEARNED | {"unsteady"}
"""With these private zones may be elsewhere; the next process must know at once."""
_MOVED = Trouble("vision.unkept.moved")
ASTRAY_S = 10.0
"""A lorry that hides the view for a moment is no trouble to be told."""
STATE_S = 60.0
"""How often what was learned is stored."""


class Feeds(Protocol):
    """What is asked of ``vision.feed.Feed``."""

    ended: bool
    """A file that does not loop has shown everything."""

    @property
    def fault(self) -> NoFrame | None:
        """What keeps frames from coming."""

    def newest(self, after: int = 0) -> Frame | None:
        """The newest frame above a number."""

    def stuck_s(self) -> float:
        """How long a call hangs."""

    def close(self, timeout_s: float = 0.0) -> None:
        """Let it end."""


class Judges(Protocol):
    """What is asked of ``vision.pipeline.Pipeline``."""

    def step(self, frame: Frame, trouble: NoFrame | None = None) -> Step:
        """Take in a frame."""

    def wait(self, trouble: NoFrame | None, t_ms: int, mono_s: float) -> Step:
        """No frame came."""

    def beat(self) -> CameraBeat:
        """How the camera is."""

    def restore(self, state: bytes, t_ms: int, mono_s: float) -> bool:
        """Take up where a process before left."""

    def state(self, t_ms: int) -> bytes:
        """To be stored."""

    def restore_view(self, state: bytes, t_ms: int, mono_s: float) -> bool:
        """What the camera usually sees; False: it was damaged."""

    def view_state(self, t_ms: int, mono_s: float) -> bytes:
        """To be stored; empty: nothing is known yet."""

    @property
    def placed(self) -> bool:
        """Whether what is seen is where the camera's zones say."""


class Keeps(Protocol):
    """What is asked of ``vision.evidence.Keeper``."""

    @property
    def trouble(self) -> Trouble | None:
        """Why the last file could not be written."""

    def frame(self, frame: Frame) -> None:
        """A good frame: kept for a while."""

    def forget(self) -> None:
        """What is held of pictures must not be shown."""

    def sight(self, sight: Sight, frame: Frame) -> list[Picture]:
        """Pictures of an alarm."""

    def tick(self, wall_ms: int, mono_s: float) -> list[Picture]:
        """Pictures that are due now."""

    def snapshot(self, ask: str) -> list[Picture]:
        """The newest one, which somebody asked for."""


class Parts(NamedTuple):
    """What an eye is made of."""

    feed: Feeds
    pipeline: Judges
    keeper: Keeps


class Eye:
    """One camera."""

    def __init__(self, camera: Camera, parts: Parts, folder: Path | None) -> None:
        """Begin, where a process before left off if that is known.

        Args:
            camera: As configured.
            parts: What it is made of.
            folder: Of evidence, for what was learned and raised; None: not stored.
        """
        self.camera = camera
        self._feed, self._pipeline, self._keeper = parts
        self._number = 0
        self._looked_s = float("-inf")
        self._asked: list[str] = []
        self._mishaps = Mishaps(camera.name)
        self._unkept: Trouble | None = None
        self._private = any(zone.use == "private" for zone in camera.zones)
        self._state = folder / STATES / f"{camera.name}.state" if folder else None
        self._view = self._state.with_suffix(".view") if self._state else None
        self._ledger = Ledger(folder / ALARMS_FOLDER, camera.name) if folder else None
        self._stored_s: float | None = None
        self._astray_s: float | None = None
        """Its private zones may be elsewhere since then."""

    def restore(self, t_ms: int, mono_s: float) -> None:
        """Take up what the process before had learned."""
        self._stored_s = mono_s
        self._take_up("background", self._state, t_ms, mono_s, self._pipeline.restore)
        self._take_up("view", self._view, t_ms, mono_s, self._pipeline.restore_view)

    def _take_up(
        self,
        what: str,
        path: Path | None,
        t_ms: int,
        mono_s: float,
        restore: Callable[[bytes, int, float], bool],
    ) -> None:
        """Restore from one file; what cannot be used must not end the process."""
        if path is None:
            return
        with contextlib.suppress(OSError):
            with path.open("rb") as file:
                stored = file.read(LARGEST + 1)
            if not stored:
                return  # nothing was known when it was stored
            try:
                used = restore(stored, t_ms, mono_s)
            except Exception as exc:  # noqa: BLE001 - a fresh start is better than none
                why = f" ({type(exc).__name__})"
            else:
                # A background may be unused and whole: too old, or of another model.
                if used or (what == "background" and unpack(stored) is not None):
                    return
                why = ""
            name = self.camera.name
            said = f"camera {name}: its usual {what} was damaged{why}, learned anew"
            print(said, file=sys.stderr)  # noqa: T201 - once, for the log
            path.replace(path.with_name(path.name + ".damaged"))

    def ask(self, id_: str) -> None:
        """A picture is wanted: of the next good frame."""
        if len(self._asked) < 8:  # noqa: PLR2004 - more than anybody looks at
            self._asked.append(id_)

    def step(
        self, t_ms: int, mono_s: float, tell: Callable[[FromVision], None]
    ) -> bool:
        """Take in what is there.

        Args:
            t_ms: UTC now.
            mono_s: The monotonic clock now.
            tell: Takes what is to be told, in order.

        Returns:
            Whether a frame was looked at.
        """
        frame = self._feed.newest(self._number)
        trouble = self._feed.fault
        if frame is not None:
            self._number = frame.number
        if (held := self._mishaps.holding(mono_s)) is not None:
            frame, trouble = None, held
        step = None
        if frame is not None:
            try:
                step = self._pipeline.step(frame, trouble)
            except Trouble:
                raise
            except Exception as exc:  # noqa: BLE001 - the other cameras see on
                trouble = self._mishaps.happened(exc, mono_s)
        if frame is not None and step is not None:
            self._looked_s = mono_s
            self._take(frame, step, tell)
        elif frame is not None or mono_s - self._looked_s >= WAIT_S:
            self._looked_s = mono_s
            waited = self._pipeline.wait(trouble, t_ms, mono_s)
            for told in waited.conditions:
                tell(told)
            self._tell_sights(waited.sights, tell)
            if waited.sights:
                self.store(t_ms, mono_s)
        self._pictures(partial(self._keeper.tick, t_ms, mono_s), tell)
        if self._stored_s is not None and mono_s - self._stored_s >= STATE_S:
            self.store(t_ms, mono_s)
        return frame is not None

    def beat(self) -> CameraBeat:
        """How it is."""
        beat, unkept = self._pipeline.beat(), self._unkept
        if unkept is None:
            return beat
        return structs.replace(beat, unkept=unkept.key, unkept_args=unkept.args_)

    @property
    def stuck(self) -> bool:
        """Whether its reader hangs for good."""
        return self._feed.stuck_s() >= STUCK_S

    @property
    def ended(self) -> bool:
        """A file has shown everything."""
        return self._feed.ended

    def store(self, t_ms: int, mono_s: float) -> None:
        """Keep what was learned for the next process; a full disk keeps nothing."""
        self._stored_s = mono_s
        if self._state is None or self._view is None:
            return
        _keep(self._state, self._pipeline.state(t_ms))
        if view := self._pipeline.view_state(t_ms, mono_s):
            _keep(self._view, view)

    def close(self) -> None:
        """Let the reader end; nobody waits for it."""
        self._feed.close()

    def _tell_sights(
        self, sights: list[Sight], tell: Callable[[FromVision], None]
    ) -> None:
        for sight in sights:
            tell(sight)
            if self._ledger is not None:
                with contextlib.suppress(OSError):  # a full disk: told all the same
                    self._ledger.add(sight)

    def _take(
        self, frame: Frame, step: Step, tell: Callable[[FromVision], None]
    ) -> None:
        for condition in step.conditions:
            tell(condition)
        if any(condition.fault in _ELSEWHERE for condition in step.conditions):
            self.store(frame.wall_ms, frame.mono_s)
        faults = self._pipeline.beat().faults
        good = BLINDING.isdisjoint(faults)
        if not self._shows(frame, faults):
            good = False
        elif good:
            self._pictures(partial(self._kept, frame), tell)
        # All alarms first: what a picture costs must not hold one back.
        self._tell_sights(step.sights, tell)
        if step.sights:  # before what takes time: the next process must know of them
            self.store(frame.wall_ms, frame.mono_s)
        for sight in step.sights if good else ():
            self._pictures(partial(self._keeper.sight, sight, frame), tell)
        asked, self._asked = (self._asked, []) if good else ([], self._asked)
        for id_ in asked:
            self._pictures(partial(self._keeper.snapshot, id_), tell)

    def _shows(self, frame: Frame, faults: tuple[Fault, ...]) -> bool:
        """Whether a frame may be shown: its private zones are where they were drawn.

        Where a camera looks somewhere else, they are somewhere else; and it may, where
        its view is not the usual one, whatever the fault is called.
        """
        if not self._private:
            return True
        odd = not _ELSEWHERE.isdisjoint(faults)
        if odd:
            self._keeper.forget()
        if self._pipeline.placed and not odd:
            self._astray_s = None
            if self._unkept is _MOVED:
                self._unkept = None
            return True
        if self._astray_s is None:
            self._astray_s = frame.mono_s
        if odd or frame.mono_s - self._astray_s >= ASTRAY_S:
            self._unkept = _MOVED
        return False

    def _kept(self, frame: Frame) -> list[Picture]:
        self._keeper.frame(frame)
        return []

    def _pictures(
        self, make: Callable[[], list[Picture]], tell: Callable[[FromVision], None]
    ) -> None:
        """Tell of the pictures that come of this; without them alarms are alarms."""
        try:
            made = make()
        except Exception as exc:  # noqa: BLE001 - a picture is no reason to go blind
            self._mishaps.tell(exc)
            failed = {"error": type(exc).__name__}
            self._unkept = Trouble("vision.unkept.failed", failed)
            return
        if made or self._keeper.trouble:
            self._unkept = self._keeper.trouble
        for picture in made:
            tell(picture)


def _keep(path: Path, state: bytes) -> None:
    """All of it or what was there; a full disk keeps that."""
    part = path.with_name(path.name + ".part")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(state)
        os.replace(part, path)  # noqa: PTH105 - the atomic one

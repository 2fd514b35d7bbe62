"""One group of cameras: its process is started, watched, replaced and started again.

    start --Configure--> Hello --> beats, sights, pictures ... --> end
      ^                    |                                        |
      +---- 1 .. 30 s -----+--- Refused: 1 .. 10 min, or a new model file

Nothing here waits for a process: it is spoken to without waiting, and ended by force.
What is open of its cameras outlives it (``standing``). Collection never notices any of
it: this is one task of many, and it holds nothing that others need.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from gateway.cameras.attendance import DEAD_S, START_DEAD_S, Attendance, Pauses
from gateway.cameras.events import Text, worded
from gateway.cameras.logins import Logins
from gateway.cameras.pictures import READ_S
from gateway.cameras.seeing import Seeing
from gateway.cameras.words import with_words
from gateway.texts import both, known, language, t
from vision.messages import (
    Ask,
    Beat,
    Condition,
    Configure,
    Hello,
    Picture,
    Refused,
    Sight,
    Stop,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.cameras.newest_values import NewestValues
    from gateway.cameras.pictures import Pictures
    from gateway.cameras.process import VisionProcess
    from gateway.cameras.standing import Standing
    from gateway.config.cameras import SiteCamera, Vision
    from vision.messages import FromVision

log = logging.getLogger(__name__)

STOP_S = 1.0
"""A process ends within a second of being told to; then it is killed."""
TICK_S = 1.0

End = Literal["ended", "hangs", "recycle", "refused", "no_start"]


class Outcome(NamedTuple):
    """How the life of one process ended."""

    end: End
    why: Text = {}  # noqa: RUF012 - of a tuple, never changed
    """For people."""


class GroupKeeper:
    """The task of one group."""

    def __init__(
        self,
        group: str,
        members: tuple[SiteCamera, ...],
        vision: Vision,
        *,
        start: Callable[[str], Awaitable[VisionProcess]],
        standing: Standing,
        pictures: Pictures,
        newest: NewestValues,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            group: Its name.
            members: Its cameras.
            vision: Model, evidence, memory.
            start: Starts a process.
            standing: What is open of cameras.
            pictures: Takes pictures.
            newest: The analyzers' newest values.
        """
        self.group = group
        self.members = members
        self.hello: Hello | None = None
        """Of the living process."""
        self.restarts = 0
        """How often a process was started after the first."""
        self.recycled = 0
        """How often of these it was planned."""
        self.trouble: Text = {}
        """Why there is no process now, for people."""
        self.seeing = Seeing(members, standing)
        self._vision = vision
        self._start = start
        self._standing = standing
        self._pictures = pictures
        self._newest = newest
        self._by_name = {camera.name: camera for camera in members}
        self._process: VisionProcess | None = None
        self._attendance: Attendance | None = None
        self._pauses = Pauses()
        self._recycled_s: float | None = None
        self._alive_s: float | None = None
        self._ever_alive = False
        self._logins = Logins(members, standing)
        self._refused = False
        self._stopping = False

    # -- for others ---------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """Of the living process."""
        return self._process.pid if self._process else None

    @property
    def rss_bytes(self) -> int | None:
        """Its resident memory, by its last word."""
        beat = self._attendance.beat if self._attendance else None
        return beat.rss_bytes if beat and self._process else None

    def ask(self, camera: str, id_: str) -> bool:
        """Ask for a picture; False: there is no process to ask."""
        if self._process is None or self.hello is None:
            return False
        self._process.send(Ask(camera=camera, id=id_))
        return True

    def try_again(self) -> None:
        """Logins that were refused are tried at once, and not when it is time."""
        self._logins.try_again()

    def stop(self) -> None:
        """The gateway stops: the process may end by itself meanwhile."""
        self._stopping = True
        if self._process is not None:
            self._process.send(Stop())

    async def run(self) -> None:
        """Keep a process running until cancelled."""
        loop = asyncio.get_running_loop()
        self._alive_s = loop.time()
        while True:
            late = asyncio.create_task(self._pictures.catch_up(self._by_name))
            try:
                # A folder that hangs must not keep anybody from looking: what was not
                # told by then is told beside the process.
                await asyncio.wait({late}, timeout=READ_S)
                began, model = loop.time(), self._model_mark()
                outcome = await self._live()
            finally:
                late.cancel()
                await asyncio.wait({late})
            if not late.cancelled():
                late.result()
            if self._stopping:
                return
            pause_s = self._after(outcome, loop.time() - began)
            self.restarts += 1
            await self._pause(pause_s, model)

    # -- one process --------------------------------------------------------

    async def _live(self) -> Outcome:
        """From the start of a process to its end."""
        cameras = self._logins.read()
        if not cameras:
            self.trouble = both("log.cameras_no_login")
            return Outcome("refused")
        try:
            process = await self._start(self.group)
        except OSError as exc:
            error = exc.strerror or str(exc)
            return Outcome("no_start", both("vision.said", error=error))
        now = asyncio.get_running_loop().time()
        self._process = process
        self._attendance = Attendance(now, self._vision.memory, self._recycled_s)
        self.seeing.started(now)
        ended: Outcome | None = None
        try:
            process.send(
                Configure(
                    group=self.group,
                    cameras=cameras,
                    model=self._vision.model,
                    evidence=with_words(self._vision.evidence),
                )
            )
            ended = await self._attend(process, self._attendance)
            if ended.end == "recycle":
                process.send(Stop())
                await self._last_words(process, self._attendance)
        finally:
            # The socket may have closed before the process is quite gone.
            quick = ended is not None and ended.end == "hangs"
            status = await process.end(0.0 if quick else STOP_S)
            self._process = self.hello = None
            self._standing.alarms.orphan(self._by_name)
        if ended.end == "ended":
            return Outcome("ended", _exit_words(status))
        return ended

    async def _attend(self, process: VisionProcess, attendance: Attendance) -> Outcome:
        """Hear what it says, until it ends or must be ended."""
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            heard = True
            try:
                async with asyncio.timeout(attendance.next_look_s(loop.time())):
                    message = await process.receive()
            except TimeoutError:
                heard = False
            else:
                if message is None:
                    return Outcome("ended")
                if isinstance(message, Refused):
                    self._refuse(message)
                    return Outcome("refused")
                await self._take(message, attendance)
            now = loop.time()
            if heard and now - looked < TICK_S:
                continue  # what else it has to say comes first
            looked = now
            self._tick()
            verdict = attendance.verdict(now, self._open_alarms())
            # Silent is only who has been listened to in vain.
            if verdict == "recycle" or (verdict == "hangs" and not heard):
                return Outcome(verdict, self._why(attendance))
            if self._logins.more(now):
                return Outcome("recycle", both("log.cameras_login"))

    async def _last_words(self, process: VisionProcess, attendance: Attendance) -> None:
        """What it saw until it heard that it is to end: that is told as well."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while (message := await process.receive()) is not None:
                    if isinstance(message, Condition | Sight | Picture):
                        await self._take(message, attendance)

    async def _take(self, message: FromVision, attendance: Attendance) -> None:
        now = asyncio.get_running_loop().time()
        attendance.heard(now, message if isinstance(message, Beat) else None)
        if isinstance(message, Hello):
            self._greeted(message, attendance)
        elif isinstance(message, Beat):
            self._alive_s, self._ever_alive = now, True
            ran_s = now - attendance.started_s
            if ran_s >= self._pauses.sound_s:
                self._each(lambda camera: self._standing.well(camera.name, "process"))
            self.seeing.take(message, now, ran_s)
            for one in message.cameras:
                self._standing.alarms.holds(one.name, one.alarms)
        elif isinstance(message, Condition | Sight | Picture):
            camera = self._by_name.get(message.camera)
            if camera is None:
                return
            if isinstance(message, Condition):
                self._condition(message, camera)
            elif isinstance(message, Sight):
                at = self._standing.alarms.instant(message.t_ms)
                beside = self._newest.of(camera.values, at)
                self._standing.alarms.sight(message, camera, beside)
            else:
                await self._pictures.take(message, camera)

    def _greeted(self, hello: Hello, attendance: Attendance) -> None:
        attendance.greeted = True
        self.hello, self.trouble, self._refused = hello, {}, False
        self._pauses.accepted()
        for camera in self._logins.names:
            self._standing.accept(camera)
        log.info(
            "%s",
            t(
                "log.cameras_started",
                group=self.group,
                pid=hello.pid,
                model=hello.model,
            ),
        )

    def _condition(self, condition: Condition, camera: SiteCamera) -> None:
        if condition.state == "raised":
            self._standing.fault(camera, condition.fault, condition.args)
        else:
            self._standing.well(camera.name, condition.fault)

    def _refuse(self, refused: Refused) -> None:
        reason: dict[str, str] = dict(both(refused.key, **refused.args))
        if not known(refused.key):
            reason = dict.fromkeys(reason, refused.key)
        self.trouble, self._refused = reason, True
        for name in self._logins.names:
            self._standing.refuse(self._by_name[name], reason, refused.key)

    # -- between two processes ----------------------------------------------

    def _after(self, outcome: Outcome, ran_s: float) -> float:
        """Say what happened, once; how long to wait."""
        if outcome.end == "recycle":
            self.recycled += 1
            self._recycled_s = asyncio.get_running_loop().time()
            said = self._said("recycled", outcome.why)
            log.info("%s", said[language()])
            return 0.0
        if outcome.end == "refused":
            said = self._said("refused", self.trouble)
            log.warning("%s", said[language()])
            return self._pauses.after_refusal()
        self.trouble = self._said(outcome.end, outcome.why)
        log.warning("%s", self.trouble[language()])
        return self._pauses.after_end(ran_s)

    def _said(self, what: str, why: Text) -> Text:
        inside = {"why": why} if why else {}
        return worded(f"log.cameras_{what}", inside, group=self.group)

    async def _pause(self, pause_s: float, model: tuple[int, int] | None) -> None:
        """Wait; a new model file, or a secret that can be read now, ends it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + pause_s
        while (left := until - loop.time()) > 0:
            self._tick()
            await asyncio.sleep(min(TICK_S, left))
            if self._refused and self._model_mark() != model:
                return
            if self._logins.more(loop.time()):
                return

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        self._pictures.tell(now)
        self._standing.alarms.end_orphans(self._by_name)
        limit = DEAD_S if self._ever_alive else START_DEAD_S
        if not self._refused and now - (self._alive_s or now) >= limit:
            self._each(lambda camera: self._standing.fault(camera, "process", {}))

    def _model_mark(self) -> tuple[int, int] | None:
        """What changes when somebody puts another model in place."""
        path = self._vision.model.path
        if path is None:
            return None
        try:
            found = Path(path).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _open_alarms(self) -> int:
        return self._standing.alarms.watched_in(self._by_name)

    def _why(self, attendance: Attendance) -> Text:
        beat = attendance.beat
        if beat is None:
            return {}
        if beat.stuck:
            return both("log.recycle_stuck", cameras=", ".join(beat.stuck))
        return both("log.recycle_memory", mb=beat.rss_bytes // 1_000_000)

    def _each(self, do: Callable[[SiteCamera], None]) -> None:
        for camera in self.members:
            do(camera)


def _exit_words(status: int | None) -> Text:
    if status is None:
        return both("log.exit_unknown")
    if status >= 0:
        return both("log.exit_status", status=status)
    try:
        name = signal.Signals(-status).name
    except ValueError:  # a real-time one has no name
        name = str(-status)
    return both("log.exit_signal", signal=name)

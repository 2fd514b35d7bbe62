"""The pictures of one camera: a ring of the newest, and files of what matters.

    frame  -> ring
    sight  -> at (annotated, clean), before           at once, from ring and frame
    tick   -> after, clip                             when they are due
           -> the picture of the day                  once a local day
    snapshot -> the newest                            when somebody asks

Nothing private is ever in the ring or in a file. Called from one thread; a file is
durable when its ``Picture`` is given back, and where none could be written there is
none, and ``trouble`` says why.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec import structs

from vision.evidence.blackout import Blackout
from vision.evidence.jpeg import Fitter
from vision.evidence.notes import forget, note
from vision.evidence.ring import Ring, Shot
from vision.evidence.shelf import Shelf, file_name
from vision.messages import Picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vision.frame import Frame
    from vision.messages import Camera, Evidence, Role, Sight
    from vision.said import Trouble

BEFORE_S = 3.0
"""The picture before an alarm is at least this much older than its first sight."""
AFTER_S = 10.0
PATIENCE_S = 20.0
"""A picture after an alarm that did not come until then, the camera will not give."""
RING_BYTES = 8_000_000
_RING_EVERY_S = 0.4
"""Two pictures a second are enough to look at; a faster camera costs no more."""
_RING_LEAST_S = 20.0
_FRESH_S = 60.0
"""The picture of the day shows what the camera sees, not what it once saw."""
_EVENTS = 64


@dataclass
class _Due:
    """What is still to be made of one alarm."""

    event: str
    raised_s: float
    """Monotonic clock."""
    clip: bool
    after: bool = True


class Keeper:
    """Makes and keeps the pictures of one camera."""

    def __init__(
        self, evidence: Evidence, camera: Camera, shelf: Shelf | None = None
    ) -> None:
        """Prepare; nothing is read or written before it must be.

        Args:
            evidence: The folder and its bounds.
            camera: Its name, zones, clip and heartbeat.
            shelf: The folder's files; without one, nobody is to be told of any later.
        """
        self._camera = camera
        self._shelf = shelf or Shelf(evidence)
        self._zone = ZoneInfo(camera.timezone)
        self._blackout = Blackout(camera.zones)
        self._fitter = Fitter(self._blackout, evidence.picture_bytes)
        self._drawn = Fitter(self._blackout, evidence.picture_bytes)
        self._words = evidence.words
        self._clip_s = camera.clip_s or evidence.clip_s
        frames = max((rule.of for rule in camera.rules.values()), default=6)
        seconds = max(
            _RING_LEAST_S,
            frames * camera.every_s + BEFORE_S + 2 * camera.every_s,
            self._clip_s + 2 * camera.every_s,
        )
        most = RING_BYTES
        if self._clip_s:
            pictures = self._clip_s / max(camera.every_s, _RING_EVERY_S) + 4
            most = max(most, int(pictures * evidence.picture_bytes))
        self.ring = Ring(seconds, most)
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._due: list[_Due] = []
        self._heartbeat_at = _minutes(camera.heartbeat)
        self._heartbeat_day = ""
        """The last local day whose picture was made, or is known to be there."""

    @property
    def trouble(self) -> Trouble | None:
        """Why the last file could not be written; None: it could."""
        return self._shelf.trouble

    # -- what happens ----------------------------------------------------------------

    def frame(self, frame: Frame) -> None:
        """A good frame came: keep it for a while."""
        newest = self.ring.newest
        if newest is None or not 0 <= frame.mono_s - newest.mono_s < _RING_EVERY_S:
            self.ring.add(self._shot(frame))

    def forget(self) -> None:
        """The camera was turned, and what is held may show what is private."""
        self.ring.clear()
        self._due.clear()

    def sight(self, sight: Sight, frame: Frame) -> list[Picture]:
        """Pictures of an alarm that was raised, the most telling first.

        Args:
            sight: Of this camera; one that is raised makes pictures, and one that still
                stands of which a process that died has left none.
            frame: The frame that brought it.
        """
        if sight.state == "cleared" or (
            sight.state == "updated" and self._last_number(sight.id)
        ):
            return []
        found = [
            self._file(
                sight.id,
                "at",
                self._drawn_on(frame, sight),
                frame.wall_ms,
                annotated=True,
            ),
            self._clean(sight.id, frame),
        ]
        began_s = frame.mono_s - max(0, frame.wall_ms - sight.began_ms) / 1000
        before = self.ring.before(began_s, BEFORE_S)
        if before is not None and before.frame != frame.id:
            found.append(self._file(sight.id, "before", before.data, before.wall_ms))
        self._due.append(_Due(sight.id, frame.mono_s, bool(self._clip_s)))
        return [picture for picture in found if picture is not None]

    def tick(self, wall_ms: int, mono_s: float) -> list[Picture]:
        """What is due now: pictures after an alarm, clips, the picture of the day.

        Args:
            wall_ms: UTC ms.
            mono_s: The clock of ``Frame.mono_s``.
        """
        found: list[Picture | None] = []
        for due in self._due:
            if due.after and mono_s >= due.raised_s + AFTER_S:
                found.append(self._after(due, mono_s))
            half = max(AFTER_S, self._clip_s / 2)
            if due.clip and not due.after and mono_s >= due.raised_s + half:
                due.clip = False
                found.append(self._clip(due))
        self._due = [due for due in self._due if due.after or due.clip]
        found.append(self._daily(wall_ms, mono_s))
        return [picture for picture in found if picture is not None]

    def snapshot(self, ask: str) -> list[Picture]:
        """The newest picture, because somebody asked.

        Args:
            ask: The question's id, which becomes the picture's event.
        """
        shot = self.ring.newest
        if shot is None:
            return []
        name = f"_snapshot-{ask}"
        found = self._file(ask, "snapshot", shot.data, shot.wall_ms, name=name)
        return [] if found is None else [found]

    # -- pictures --------------------------------------------------------------------

    def _shot(self, frame: Frame) -> Shot:
        data = self._fitter.encode(frame.image)
        return Shot(frame.mono_s, frame.wall_ms, frame.id, data)

    def _clean(self, event: str, frame: Frame) -> Picture | None:
        newest = self.ring.newest
        shot = newest if newest and newest.frame == frame.id else self._shot(frame)
        return self._file(event, "at", shot.data, shot.wall_ms)

    def _drawn_on(self, frame: Frame, sight: Sight) -> bytes:
        # Only here: drawing needs more of OpenCV than a camera that sees nothing.
        from vision.evidence.annotate import annotated  # noqa: PLC0415

        draw = partial(annotated, sight=sight, camera=self._camera, words=self._words)
        return self._drawn.encode(frame.image, draw)

    def _after(self, due: _Due, mono_s: float) -> Picture | None:
        newest = self.ring.newest
        if newest is not None and newest.mono_s >= due.raised_s + AFTER_S / 2:
            due.after = False
            return self._file(due.event, "after", newest.data, newest.wall_ms)
        due.after = mono_s < due.raised_s + PATIENCE_S
        return None

    def _clip(self, due: _Due) -> Picture | None:
        half = self._clip_s / 2
        shots = self.ring.between(due.raised_s - half, due.raised_s + half)
        if len(shots) < 2:  # noqa: PLR2004 - one picture is no film
            return None
        from vision.evidence.clip import write_clip  # noqa: PLC0415

        place = self._place(
            file_name(due.event, n := self._number(due.event), "mp4"), shots[0].wall_ms
        )
        return self._keep(
            Picture(
                camera=self._camera.name,
                event=due.event,
                n=n,
                role="clip",
                annotated=False,
                file=place,
                sha256="",
                bytes=sum(len(shot.data) for shot in shots),
                type="video/mp4",
                t_ms=shots[0].wall_ms,
            ),
            partial(write_clip, shots=shots, blackout=self._blackout),
            shots[-1].wall_ms,
        )

    def _daily(self, wall_ms: int, mono_s: float) -> Picture | None:
        """The picture of the day, as soon after its time as there is one to show."""
        if self._heartbeat_at is None:
            return None
        local = datetime.fromtimestamp(wall_ms / 1000, self._zone)
        day = f"{local:%Y%m%d}"
        if local.hour * 60 + local.minute < self._heartbeat_at:
            return None
        if day == self._heartbeat_day:
            return None
        shot = self.ring.newest
        if shot is None or mono_s - shot.mono_s > _FRESH_S:
            return None
        name = f"_heartbeat-{day}"
        place = f"{self._camera.name}/{local:%Y-%m-%d}/{file_name(name, 1, 'jpg')}"
        if (self._shelf.folder / place).exists():
            self._heartbeat_day = day  # of a run before this one
            return None
        event = f"heartbeat-{self._camera.name}-{day}"
        found = self._write(event, "heartbeat", shot.data, shot.wall_ms, place, 1)
        if found is not None:
            self._heartbeat_day = day
        return found

    # -- files -----------------------------------------------------------------------

    def _file(
        self,
        event: str,
        role: Role,
        data: bytes,
        t_ms: int,
        *,
        name: str = "",
        annotated: bool = False,
    ) -> Picture | None:
        n = self._number(event)
        place = self._place(file_name(name or event, n, "jpg"), t_ms)
        return self._write(event, role, data, t_ms, place, n, annotated=annotated)

    def _write(
        self,
        event: str,
        role: Role,
        data: bytes,
        t_ms: int,
        place: str,
        n: int,
        *,
        annotated: bool = False,
    ) -> Picture | None:
        if not data:
            return None
        return self._keep(
            Picture(
                camera=self._camera.name,
                event=event,
                n=n,
                role=role,
                annotated=annotated,
                file=place,
                sha256="",
                bytes=len(data),
                t_ms=t_ms,
            ),
            lambda path: path.write_bytes(data),
            t_ms,
        )

    def _keep(
        self, picture: Picture, write: Callable[[Path], object], now_ms: int
    ) -> Picture | None:
        """What ``write`` makes, under the picture's name; what is told of it then."""
        told = picture

        def noted(path: Path) -> None:
            nonlocal told
            write(path)
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            told = structs.replace(picture, sha256=sha256, bytes=len(data))
            if self._shelf.notes and told.role != "snapshot":
                note(self._shelf.folder, told)

        if self._shelf.adopt(picture.file, noted, picture.bytes, now_ms / 1000):
            return told
        forget(self._shelf.folder, picture)
        return None

    def _place(self, name: str, t_ms: int) -> str:
        day = datetime.fromtimestamp(t_ms / 1000, self._zone)
        return f"{self._camera.name}/{day:%Y-%m-%d}/{name}"

    def _last_number(self, event: str) -> int:
        """Of an event's pictures; a process before this one may have made some."""
        if event not in self._numbers:
            return self._shelf.highest(self._camera.name, event)
        return self._numbers[event]

    def _number(self, event: str) -> int:
        n = self._last_number(event) + 1
        self._numbers.pop(event, None)
        self._numbers[event] = n
        if len(self._numbers) > _EVENTS:
            self._numbers.popitem(last=False)
        return n


def _minutes(heartbeat: str | None) -> int | None:
    """``08:30`` as minutes since midnight."""
    if heartbeat is None:
        return None
    hours, _, minutes = heartbeat.partition(":")
    return int(hours) * 60 + int(minutes)

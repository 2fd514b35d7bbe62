"""Pictures of the vision process on their way: files to records, and who waits for one.

An alarm is told before its pictures are there; they follow within seconds, each as
records of its own, and an ``updated`` event then names them with their hashes. Those of
one moment come together, so that event waits a second for the others.

What a death left untold is told before the next process of its cameras starts, or from
then on where the folder hangs; what cannot be told any more is said, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from gateway.cameras import events
from gateway.media import OF_ALARMS, PART_BYTES, MediaError, media_records, ref
from gateway.texts import t
from gateway.uplink.daemon import DaemonExecutor
from vision.messages import note_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from gateway.cameras.alarms import Alarms
    from gateway.cameras.untold import Note, Untold
    from gateway.clock import Instant
    from gateway.config.cameras import SiteCamera
    from gateway.record import Record
    from vision.messages import Picture

log = logging.getLogger(__name__)

TOGETHER_S = 1.0
READ_S = 5.0
"""A card that is slow needs a second for a picture."""
END_S = 0.5


class Pictures:
    """Of all cameras."""

    def __init__(
        self,
        sink: Callable[[Record], None],
        alarms: Alarms,
        folder: Path,
        untold: Untold,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self.folder = folder
        self.part_bytes = part_bytes
        self.cameras: Collection[str] = ()
        """Of the whole site."""
        self._sink = sink
        self._alarms = alarms
        self._untold = untold
        self._due: dict[str, float] = {}
        """Alarm -> when its new pictures are told."""
        self._waiting: dict[str, asyncio.Future[Picture]] = {}
        self._readers = DaemonExecutor()

    async def catch_up(self, cameras: Mapping[str, SiteCamera]) -> None:
        """Tell of what was left untold.

        Begin while no process of these cameras runs: its own notes are its own. May be
        cancelled.
        """
        notes = await self._untold.notes()
        await self._hear(notes, cameras)
        for note in notes:
            camera, picture = cameras.get(note.camera), note.picture
            if camera is None and note.camera in self.cameras:
                continue  # of another group
            if camera is None or picture is None:
                key = "media.no_camera" if picture else "media.torn"
                self._drop(note.camera, note.name, note.name, t(key))
                continue
            at = self._alarms.dated(picture)
            if at is not None:
                await self.take(picture, camera, at)
                continue
            self._drop(camera.name, picture.file, note.name, t("media.old"))
            if picture.role == "heartbeat":
                self._untold.remove([picture.file])  # so that today's is made anew

    async def _hear(self, notes: list[Note], cameras: Mapping[str, SiteCamera]) -> None:
        """The alarms of these pictures, where nobody heard of them."""
        unheard: dict[str, set[str]] = {}
        for picture in (note.picture for note in notes):
            if picture is None or picture.camera not in cameras:
                continue
            if picture.role not in OF_ALARMS or self._alarms.knows(picture.event):
                continue
            if self._alarms.dated(picture) is not None:  # else it has no time we know
                unheard.setdefault(picture.camera, set()).add(picture.event)
        for camera, ids in unheard.items():
            for sight in await self._untold.sights(camera, ids):
                self._alarms.late(sight, cameras[camera])

    async def take(
        self, picture: Picture, camera: SiteCamera, at: Instant | None = None
    ) -> None:
        """Store a picture, and tell of it.

        Args:
            picture: What the process said, now or in a note.
            camera: Whose it is.
            at: When it was taken; None: a moment ago.
        """
        at = at or self._alarms.instant(picture.t_ms)
        mine = self._alarms.picture(picture) or picture
        read = asyncio.get_running_loop().run_in_executor(
            self._readers, media_records, mine, self.folder, at, self.part_bytes
        )
        try:
            async with asyncio.timeout(READ_S):
                records = await read
        except MediaError as exc:
            self._drop(camera.name, picture.file, note_of(picture), str(exc))
            return
        except TimeoutError:
            # A folder that hangs must not keep anybody from hearing the process; the
            # note stays, for the next one's start.
            why = t("media.slow", seconds=f"{READ_S:g}")
            self._say(camera.name, picture.file, why)
            return
        if picture.role == "heartbeat":
            self._sink(events.heartbeat(camera, picture.event, (ref(mine),), at))
        for record in records:
            self._sink(record)
        self._untold.stored(picture)
        if picture.role in OF_ALARMS:
            self._alarms.pictured(mine.event, ref(mine))
            loop = asyncio.get_running_loop()
            self._due.setdefault(mine.event, loop.time() + TOGETHER_S)
        waiter = self._waiting.pop(picture.event, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(picture)

    def tell(self, now: float) -> None:
        """Tell of pictures whose others had their time."""
        self._untold.settle()
        for id_ in [id_ for id_, due in self._due.items() if due <= now]:
            del self._due[id_]
            self._alarms.tell_pictures(id_)

    def wait_for(self, id_: str) -> asyncio.Future[Picture]:
        """Done with the picture that answers this question."""
        waiter: asyncio.Future[Picture] = asyncio.get_running_loop().create_future()
        self._waiting[id_] = waiter
        return waiter

    def give_up(self, id_: str) -> None:
        """Nobody waits for it any more."""
        self._waiting.pop(id_, None)

    async def end(self) -> None:
        """No process runs any more: the notes of what is safe go now."""
        if gone := self._untold.settle():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await gone

    def _drop(self, camera: str, file: str, note: str, why: str) -> None:
        self._untold.remove([note])
        self._say(camera, file, why)

    def _say(self, camera: str, file: str, why: str) -> None:
        log.warning("%s", t("camera.untold", camera=camera, file=file, why=why))

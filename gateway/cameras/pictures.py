"""Pictures of the vision process on their way: files to records, and who waits for one.

An alarm is told before its pictures are there; they follow within seconds, each as
records of its own, and an ``updated`` event then names them with their hashes. Those of
one moment come together, so that event waits a second for the others.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.cameras import events
from gateway.media import PART_BYTES, MediaError, media_records, ref
from gateway.uplink.daemon import DaemonExecutor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.cameras.standing import Standing
    from gateway.clock import Instant
    from gateway.config.cameras import SiteCamera
    from gateway.record import Record
    from vision.messages import Picture

log = logging.getLogger(__name__)

TOGETHER_S = 1.0
READ_S = 5.0
"""A card that is slow needs a second for a picture."""


class Pictures:
    """Of all cameras."""

    def __init__(
        self,
        sink: Callable[[Record], None],
        standing: Standing,
        folder: Path,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self.folder = folder
        self.part_bytes = part_bytes
        self._sink = sink
        self._standing = standing
        self._due: dict[str, float] = {}
        """Alarm -> when its new pictures are told."""
        self._waiting: dict[str, asyncio.Future[Picture]] = {}
        self._readers = DaemonExecutor()

    async def take(self, picture: Picture, camera: SiteCamera) -> None:
        """Store a picture, and tell of it."""
        at = self._standing.instant(picture.t_ms)
        mine = self._standing.picture(picture) or picture
        read = asyncio.get_running_loop().run_in_executor(
            self._readers, media_records, mine, self.folder, at, self.part_bytes
        )
        try:
            async with asyncio.timeout(READ_S):
                records = await read
        except MediaError as exc:
            log.warning("camera %s: %s", camera.name, exc)
            return
        except TimeoutError:
            # A folder that hangs must not keep anybody from hearing the process.
            file = self.folder / mine.file
            log.warning("camera %s: %s: not read in %g s", camera.name, file, READ_S)
            return
        if picture.role == "heartbeat":
            self._sink(self._heartbeat(mine, camera, at))
        for record in records:
            self._sink(record)
        if mine is not picture:
            self._standing.pictured(mine.event, ref(mine))
            loop = asyncio.get_running_loop()
            self._due.setdefault(mine.event, loop.time() + TOGETHER_S)
        waiter = self._waiting.pop(picture.event, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(picture)

    def tell(self, now: float) -> None:
        """Tell of pictures whose others had their time."""
        for id_ in [id_ for id_, due in self._due.items() if due <= now]:
            del self._due[id_]
            self._standing.tell_pictures(id_)

    def wait_for(self, id_: str) -> asyncio.Future[Picture]:
        """Done with the picture that answers this question."""
        waiter: asyncio.Future[Picture] = asyncio.get_running_loop().create_future()
        self._waiting[id_] = waiter
        return waiter

    def give_up(self, id_: str) -> None:
        """Nobody waits for it any more."""
        self._waiting.pop(id_, None)

    def _heartbeat(self, picture: Picture, camera: SiteCamera, at: Instant) -> Record:
        return events.heartbeat(camera, picture.event, (ref(picture),), at)

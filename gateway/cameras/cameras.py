"""All cameras of the running gateway: one keeper a group, and what they share."""

from __future__ import annotations

import asyncio
import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cameras.health import CameraHealth, camera_health
from gateway.cameras.keeper import GroupKeeper
from gateway.cameras.newest_values import NewestValues
from gateway.cameras.note import NOTE
from gateway.cameras.pictures import Pictures
from gateway.cameras.standing import Standing
from gateway.cameras.untold import STORED, Untold
from gateway.config.cameras import groups
from gateway.control import ControlError
from gateway.texts import language, t

if TYPE_CHECKING:
    from gateway.app import App
    from gateway.config.cameras import SiteCamera
    from gateway.config.model import Site
    from gateway.control import Request
    from gateway.record import Event

log = logging.getLogger(__name__)

STOP_S = 1.5
"""A second for the processes, and what it takes to kill the others."""
ASKED_S = 15.0
"""A snapshot takes a frame, and a camera that just woke up takes a while."""
FAULTY_S = 3.0
"""For a frame of a camera that is known to be faulty."""


class Cameras:
    """The cameras of one gateway."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.newest = NewestValues()
        self.keepers: dict[str, GroupKeeper] = {}
        loop = asyncio.get_running_loop()
        self.standing = Standing(
            self._tell,
            lambda note: app.buffer.remember(NOTE, note),
            app.buffer.recall(NOTE),
            now=app.clock.now,
            time=loop.time,
            used=app.timekeeper.used,
        )
        self._pictures: Pictures | None = None
        self._site: Site = app.site
        self.newest.adopt(app.site.cameras.values())

    # -- life ---------------------------------------------------------------

    def start(self) -> None:
        """Start a process for every group of the site."""
        self.standing.adopt(self._site.cameras)
        for name, members in groups(self._site.cameras).items():
            self._start_group(name, members)

    async def go_over(self, site: Site) -> None:
        """Go over to another site: groups that are as they were run on."""
        old, self._site = self._site, site
        was, now = groups(old.cameras), groups(site.cameras)
        same_way = old.vision == site.vision
        changed = [n for n in was if not same_way or was[n] != now.get(n)]
        await asyncio.gather(*(self._end_group(name) for name in changed))
        self.standing.adopt(site.cameras)
        for name, members in now.items():
            if name in changed or name not in was:
                self._start_group(name, members)

    def try_again(self) -> None:
        """Somebody reloaded: what cameras refused is worth another try at once."""
        for keeper in self.keepers.values():
            keeper.try_again()

    def stop(self) -> None:
        """The gateway stops: processes may end by themselves while others do."""
        for keeper in self.keepers.values():
            keeper.stop()

    async def end(self) -> None:
        """End what still runs; alarms stay open in the note."""
        await self._app.crew.end("cameras:", STOP_S)
        if self._pictures is not None:
            await self._pictures.end()

    # -- for others ---------------------------------------------------------

    def counts(self) -> tuple[int, int]:
        """How many cameras see, and how many do not."""
        found = self.health()
        good = sum(camera.good for camera in found)
        return good, len(found) - good

    def health(self) -> list[CameraHealth]:
        """Every camera, in the order of the site file."""
        return [
            camera_health(
                camera, self.keepers.get(camera.group), self.standing, self._crashes
            )
            for camera in self._site.cameras.values()
        ]

    async def snapshot(self, request: Request) -> dict[str, Any]:
        """One picture now: the file it is in."""
        name = request.device or ""
        camera = self._site.cameras.get(name)
        if camera is None:
            names = ", ".join(self._site.cameras) or t("config.word.none")
            said = t("control.no_camera", found=name, names=names)
            raise ControlError("no_camera", said)
        keeper = self.keepers.get(camera.group)
        id_ = f"{name}-asked-{secrets.token_hex(4)}"
        pictures = self._pictures
        if pictures is None or keeper is None or not keeper.ask(name, id_):
            raise ControlError("no_process", t("control.no_vision", camera=name))
        waiter = pictures.wait_for(id_)
        how = camera_health(camera, keeper, self.standing, self._crashes)
        # One that is blocked has a picture, too; one that is gone needs no long wait.
        seconds = ASKED_S if how.good or not how.reason else FAULTY_S
        try:
            async with asyncio.timeout(seconds):
                picture = await waiter
        except TimeoutError:
            said = t("control.no_picture", camera=name, seconds=f"{seconds:g}")
            if how.reason:
                said += t("control.no_picture_why", why=how.reason[language()])
            raise ControlError("no_picture", said) from None
        finally:
            pictures.give_up(id_)
        return {
            "camera": name,
            "file": str(pictures.folder / picture.file),
            "sha256": picture.sha256,
            "bytes": picture.bytes,
            "t": picture.t_ms,
        }

    # -- inside -------------------------------------------------------------

    def _start_group(self, name: str, members: tuple[SiteCamera, ...]) -> None:
        vision = self._site.vision
        assert vision is not None  # noqa: S101 - the loader gives cameras one
        folder, part_bytes = Path(vision.evidence.folder), vision.evidence.part_bytes
        if self._pictures is None or self._pictures.folder != folder:
            buffer = self._app.buffer
            untold = Untold(
                folder,
                lambda: buffer.high,
                lambda: buffer.stats().durable,
                lambda names, late: buffer.remember(STORED, names, lazily=late),
                buffer.recall(STORED),
            )
            self._pictures = Pictures(
                self._app.record, self.standing.alarms, folder, untold
            )
        self._pictures.part_bytes = part_bytes
        self._pictures.cameras = self._site.cameras
        keeper = self.keepers[name] = GroupKeeper(
            name,
            members,
            vision,
            start=self._app.ports.make_vision,
            standing=self.standing,
            pictures=self._pictures,
            newest=self.newest,
        )
        self._app.crew.start(f"cameras:{name}", keeper.run)

    async def _end_group(self, name: str) -> None:
        keeper = self.keepers.pop(name, None)
        if keeper is not None:
            keeper.stop()
            await self._app.crew.end(f"cameras:{name}", STOP_S, exact=True)

    def _crashes(self, group: str) -> int:
        return self._app.crew.restarts(f"cameras:{group}").count

    def _tell(self, event: Event) -> None:
        self._app.record(event)
        if event.severity != "info" and event.state != "updated":
            level = logging.WARNING if event.state == "raised" else logging.INFO
            log.log(level, "%s", event.text.get(language(), event.id))

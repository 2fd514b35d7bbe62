"""A site on trial: in force until its time is up, unless somebody confirms it.

Everything here is memory: a gateway that restarts while a trial runs reads its site
file, which the trial never touched.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

import msgspec

from gateway.config import SiteError, load_site
from gateway.config.staging import Staging
from gateway.control import ControlError
from gateway.texts import t

if TYPE_CHECKING:
    from typing import Any

    from gateway.config.model import Site
    from gateway.control import Request

log = logging.getLogger(__name__)

SHORTEST_S, LONGEST_S = 5.0, 86_400.0


class Host(Protocol):
    """What a trial needs of the running gateway."""

    site: Site

    async def apply(self, site: Site) -> list[str]:
        """Go over to another site; what changed, for people."""
        ...


class Trial:
    """At most one trial at a time, and the way back from it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._before: Site | None = None
        self._until = 0.0
        self._changed = asyncio.Event()

    @property
    def left_s(self) -> float | None:
        """Seconds until the return; None where nothing is on trial."""
        if self._before is None:
            return None
        return max(0.0, self._until - asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Go back whenever a trial's time is up; runs as long as the gateway."""
        loop = asyncio.get_running_loop()
        while True:
            left = self.left_s
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                if self._before is not None and loop.time() >= self._until:
                    await self._go_back()

    def reloaded(self) -> None:
        """The site file itself was read again: it is in force, no trial is."""
        self._before = None
        self._changed.set()

    async def answer_try(self, request: Request) -> dict[str, Any]:
        """``try``: put the staged file in force for ``within_s`` seconds."""
        within_s = request.within_s
        if within_s is None or not SHORTEST_S <= within_s <= LONGEST_S:
            raise ControlError(
                "bad_request", t("control.bad_request", error="within_s")
            )
        running = self._host.site
        before = self._before or running
        if before.source is None:
            raise ControlError("no_file", t("trial.no_file"))
        staged = Staging(running.buffer.path).trial
        try:
            site = await asyncio.to_thread(
                load_site, staged, folder=before.source.parent
            )
        except SiteError as exc:
            raise ControlError("bad_site", str(exc)) from exc
        site = msgspec.structs.replace(site, source=before.source)
        changes = await self._host.apply(site)
        self._before = before
        self._until = asyncio.get_running_loop().time() + within_s
        self._changed.set()
        log.warning("%s", t("trial.log_started", seconds=f"{within_s:.0f}"))
        return {"changes": changes, "within_s": within_s}

    async def answer_keep(self, _request: Request) -> dict[str, Any]:
        """``keep``: what is on trial stays in force."""
        if self._before is None:
            raise ControlError("no_trial", t("trial.none"))
        self._before = None
        self._changed.set()
        log.info("%s", t("trial.log_kept"))
        return {"kept": True}

    async def answer_return(self, _request: Request) -> dict[str, Any]:
        """``return``: go back now."""
        if self._before is None:
            raise ControlError("no_trial", t("trial.none"))
        return {"changes": await self._go_back()}

    async def _go_back(self) -> list[str]:
        before, self._before = self._before, None
        self._changed.set()
        assert before is not None  # noqa: S101 - for the type checker
        try:
            changes = await self._host.apply(before)
        except BaseException:
            # A trial that fails to end must not become the site: ``run`` tries again.
            self._before = self._before or before
            self._until = asyncio.get_running_loop().time()
            raise
        log.warning("%s", t("trial.log_returned"))
        return changes

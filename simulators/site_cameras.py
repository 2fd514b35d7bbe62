"""The cameras of a simulated site, each a process (``simulators.camera``)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from simulators.camera.faults import CameraFault
from simulators.process import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSWORD_FILE = "camera-password"  # noqa: S105 - a name
USER = "watch"
_READY_S = 30.0
_CHINA_S = 8 * 3600
_DAY_S = 86_400


class CameraPlan(NamedTuple):
    """One camera of a site."""

    name: str
    scene: str
    events: tuple[str, ...]
    every_s: float
    """They come again after so long."""
    entry: Mapping[str, Any]
    """Its keys in the site file, beside its address and login."""


def camera_plans(told: Mapping[str, Any]) -> dict[str, CameraPlan]:
    """What stands under ``cameras`` behind ``---`` in a site's file."""
    return {
        name: CameraPlan(
            name,
            said["scene"],
            tuple(said.get("events", ())),
            float(said.get("every_s", 900)),
            said.get("entry", {}),
        )
        for name, said in told.items()
    }


class CameraPart:
    """A camera that runs; see ``site_parts.Part``."""

    faults = tuple(fault.value for fault in CameraFault)

    def __init__(
        self, plan: CameraPlan, process: asyncio.subprocess.Process, url: str
    ) -> None:
        self.plan, self.url = plan, url
        self._process = process

    @classmethod
    async def start(cls, plan: CameraPlan, password: str, seed: int) -> CameraPart:
        """Start it; its day is the day of here.

        Raises:
            RuntimeError: It does not serve; what it said is on standard error.
        """
        hour = (time.time() + _CHINA_S) % _DAY_S / 3600
        words = [word for event in plan.events for word in ("--event", event)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "simulators.camera", plan.scene),
            *("--rtsp", "0", "--http", "0", "--either", "--control"),
            *("--user", USER, "--password", password, "--seed", str(seed)),
            *("--hour", f"{hour:.3f}", "--day", str(_DAY_S)),
            *(*words, "--every", str(plan.every_s)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=end_with_parent,
            env=os.environ,
        )
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_S):
                line = await process.stdout.readline()
        if not line:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise RuntimeError(f"camera {plan.name} did not start")
        urls = json.loads(line)["urls"]
        url = next(url for url in urls if not url.endswith(".jpg"))
        part = cls(plan, process, url)
        part._drain = asyncio.create_task(
            _drained(process.stdout), name=f"camera:{plan.name}"
        )
        return part

    _drain: asyncio.Task[None] | None = None

    @property
    def entry(self) -> dict[str, Any]:
        """What stands in the site file."""
        login = {"url": self.url, "username": USER, "password_file": PASSWORD_FILE}
        return {**login, **self.plan.entry}

    def kill(self) -> None:
        """See ``Part``: its power is gone."""
        self._say(f"begin {CameraFault.VANISH}")

    def revive(self) -> None:
        """See ``Part``."""
        self._say("end")

    def spoil(self, fault: str) -> None:
        """See ``Part``: any of ``CameraFault``."""
        if fault not in self.faults:
            raise KeyError(fault)
        self._say(f"begin {fault}")

    async def close(self) -> None:
        """End it; may be called twice."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.wait()
        if self._drain is not None:
            await self._drain
            self._drain = None
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _say(self, words: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        self._process.stdin.write(words.encode() + b"\n")


async def _drained(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass


def site_text(parts: Mapping[str, CameraPart]) -> str:
    """The end of the site file; nothing where there is no camera."""
    if not parts:
        return ""
    entries = {name: part.entry for name, part in parts.items()}
    text = yaml.safe_dump({"cameras": entries}, allow_unicode=True, sort_keys=False)
    return f"\n{text}"

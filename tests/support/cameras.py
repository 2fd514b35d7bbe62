"""Simulated cameras in the test's own loop, and the vision process that looks on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from gateway.cameras.process import start
from simulators.camera.camera import SimulatedCamera
from simulators.camera.login import Login
from simulators.camera.play import open_play
from vision.messages import (
    Beat,
    Camera,
    Condition,
    Configure,
    Evidence,
    Hello,
    Refused,
    Sight,
    Stop,
)

SIZE = (320, 192)
USER, PASSWORD = "admin", "p:ss w/rd"
RTSP = (
    "python3-gi",
    "gir1.2-gst-rtsp-server-1.0",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-ugly",
)
"""For ``pytest.mark.needs``."""


class Shared:
    """One play for many cameras: drawn once a moment, each with its own faults."""

    def __init__(self, scene="works", size=SIZE, fps=5, **shown):
        self._play = open_play(scene, size, **shown)
        self._fps = fps
        self._drawn = (-1, None)

    def now_s(self):
        """Seconds of the play, for all of them."""
        return time.monotonic()

    def picture(self, at_s):
        moment = int(self.now_s() * self._fps)
        if self._drawn[0] != moment:
            self._drawn = (moment, self._play.picture(moment / self._fps))
        return self._drawn[1]

    def says(self, at_s):
        return []


@contextlib.asynccontextmanager
async def camera(
    name,
    kind="rtsp",
    *,
    play=None,
    events=(),
    size=SIZE,
    fps=5,
    scheme="digest",
    **wanted,
):
    """A simulated camera that serves, and how the vision process is told of it."""
    simulated = SimulatedCamera(
        play or open_play("works", size, events=events),
        rtsp=0 if kind in ("rtsp", "udp") else None,
        http=0 if kind in ("snapshot", "mjpeg") else None,
        login=Login(USER, PASSWORD, scheme),
        fps=fps,
    )
    facts = await simulated.open()
    pump = asyncio.create_task(simulated.pump(), name=f"camera:{name}")
    where = f"127.0.0.1:{facts.get('rtsp') or facts.get('http')}"
    paths = {"rtsp": "/live", "udp": "/live", "mjpeg": "/mjpeg"}
    scheme_ = "rtsp" if kind in ("rtsp", "udp") else "http"
    told = Camera(
        name=name,
        kind="rtsp" if kind == "udp" else kind,
        url=f"{scheme_}://{where}{paths.get(kind, '/snapshot.jpg')}",
        username=USER,
        password=PASSWORD,
        transport="udp" if kind == "udp" else "tcp",
        heartbeat=None,
        **wanted,
    )
    try:
        yield simulated, told
    finally:
        pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pump
        await simulated.close()


@dataclass
class Seen:
    """What the vision process has said, with our time."""

    hello: Hello | None = None
    conditions: list[tuple[float, Condition]] = field(default_factory=list)
    sights: list[tuple[float, Sight]] = field(default_factory=list)
    beats: list[tuple[float, Beat]] = field(default_factory=list)

    def beat(self, camera):
        """The newest of one camera."""
        cameras = self.beats[-1][1].cameras if self.beats else ()
        return next((one for one in cameras if one.name == camera), None)


class Vision:
    """The real vision process."""

    def __init__(self, child):
        self.child = child
        self.pid = child.pid
        self.seen = Seen()
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._listen(), name="vision")

    async def _listen(self):
        while (message := await self.child.receive()) is not None:
            now = time.monotonic()
            match message:
                case Hello():
                    self.seen.hello = message
                case Condition():
                    self.seen.conditions.append((now, message))
                case Sight():
                    self.seen.sights.append((now, message))
                case Beat():
                    self.seen.beats.append((now, message))
                case Refused():
                    raise AssertionError(message)
            self._news.set()

    async def until(self, what, seconds):
        """Wait for ``what(seen)``; its value, or None when it did not come."""
        end = time.monotonic() + seconds
        while not (found := what(self.seen)):
            self._news.clear()
            left = end - time.monotonic()
            if left <= 0 or self._task.done():
                return None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, 1.0)):
                    await self._news.wait()
        return found

    async def close(self):
        self.child.send(Stop())
        await self.child.end(5)
        await self._task


@contextlib.asynccontextmanager
async def vision(folder, cameras, **configured):
    """The process, told to look at these cameras."""
    process = Vision(await start("test"))
    configured.setdefault("evidence", Evidence(folder=str(folder)))
    process.child.send(
        Configure(group="test", cameras=tuple(cameras), heartbeat_s=0.5, **configured)
    )
    try:
        yield process
    finally:
        await process.close()


def handles(pid):
    """Open files and threads of a process."""
    root = Path(f"/proc/{pid}")
    return len(list((root / "fd").iterdir())), len(list((root / "task").iterdir()))


def memory_kb(pid, field="Pss"):
    """Proportional set size (or another ``field``): what the process really takes.

    ``Anonymous`` is the part that is in no file: libraries, whose share depends on who
    else has loaded them, are not in it.
    """
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    line = next(line for line in rollup.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1])

"""Vision processes in memory: what a group's keeper starts, in virtual time.

    vision = FakeVision(clock)
    ports = Ports(make_vision=vision.start, ...)
    vision["main"].sight("yard-1", "a1")      # the living process of a group
    vision["main"].die(-9)

Each says Hello a second after it is configured and beats every other second, its
cameras giving a frame a second, until a test has it do something else.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import msgspec

from vision.messages import (
    UNTOLD_FOLDER,
    Ask,
    Beat,
    CameraBeat,
    Condition,
    Configure,
    Hello,
    Picture,
    Refused,
    Sight,
    Stop,
    note_of,
)

HELLO_S = 1.0
JPEG = b"\xff\xd8jpeg\xff\xd9" * 30


class FakeProcess:
    """See the module; what the keeper uses is ``port.VisionProcess``."""

    def __init__(self, vision, group, pid):
        self.vision = vision
        self.group = group
        self.pid = pid
        self.configure = None
        self.heard = []
        self.rss = 150_000_000
        self.stuck = ()
        self.hangs = False
        self.deaf = False
        """Does not end when told to."""
        self.last_words = lambda: None
        """Called when it hears that it is to end."""
        self.unkept = {}
        """What its beats say of pictures: ``unkept``, ``unkept_args``."""
        self.ended_with = None
        self.ended_s = None
        self.faults = {}
        self.still = set()
        """Cameras that give no frames."""
        self._queue = asyncio.Queue()
        self._frames = {}
        self._timers = []
        self._gone = asyncio.Event()
        self._n = {}
        self.holds = ()
        """The ids its beats say that it knows, after a restart for example."""

    # -- the keeper's side --------------------------------------------------

    def send(self, message):
        self.heard.append(message)
        if isinstance(message, Configure):
            self.configure = message
            self._later(HELLO_S, self._greet)
        elif isinstance(message, Stop) and not self.deaf and not self.hangs:
            self.last_words()
            self._later(0.2, lambda: self.die(0))
        elif isinstance(message, Ask) and not self.hangs:
            self._later(
                0.1, lambda: self.picture(message.camera, message.id, "snapshot")
            )

    async def receive(self):
        return await self._queue.get()

    async def end(self, grace_s):
        try:
            async with asyncio.timeout(grace_s):
                await self._gone.wait()
        except TimeoutError:
            self.die(-9)
        return self.ended_with

    # -- the test's side ----------------------------------------------------

    @property
    def alive(self):
        return self.ended_with is None

    def tell(self, message):
        if self.alive and not self.hangs:
            self._queue.put_nowait(message)

    def die(self, status):
        if not self.alive:
            return
        self.ended_with = status
        self.ended_s = asyncio.get_running_loop().time()
        for timer in self._timers:
            timer.cancel()
        self._queue.put_nowait(None)
        self._gone.set()

    def refuse(self, key, **args):
        self.tell(Refused(key=key, args=args))
        self.die(1)

    def condition(self, camera, fault, state="raised", **args):
        held = self.faults.setdefault(camera, [])
        held.append(fault) if state == "raised" else held.remove(fault)
        told = Condition(
            camera=camera, fault=fault, state=state, t_ms=self._wall_ms(), args=args
        )
        self.tell(told)

    def sight(self, camera, id_, state="raised", **more):
        usual = {
            "label": "dark_smoke",
            "t_ms": self._wall_ms(),
            "began_ms": self._wall_ms() - 4000,
            "score": 0.82,
            "peak": 0.9,
            "threshold": 0.6,
            "region": (0.4, 0.1, 0.6, 0.4),
            "cells": 7,
            "zone": "stack",
            "bearing": 132.0,
            "model": "smoke_dust-1",
            "model_sha256": "ab" * 32,
            "frame": f"{camera}-9",
        }
        self.tell(Sight(id=id_, camera=camera, state=state, **(usual | more)))

    def picture(self, camera, event, role, data=JPEG, **more):
        """Keep a picture, and tell of it."""
        picture = self.keep(camera, event, role, data, **more)
        self.tell(picture)
        return picture

    def keep(self, camera, event, role, data=JPEG, **more):
        """Keep a picture, and die or hang before anybody is told."""
        folder = Path(self.configure.evidence.folder)
        n = self._n[event] = self._n.get(event, 0) + 1
        file = f"{camera}/{event}-{self.pid}-{n}.jpg"
        (folder / camera).mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
        told = Picture(
            camera=camera,
            event=event,
            n=n,
            role=role,
            annotated=False,
            file=file,
            sha256=hashlib.sha256(data).hexdigest(),
            bytes=len(data),
            t_ms=more.get("t_ms", self._wall_ms()),
        )
        if role != "snapshot":
            (folder / UNTOLD_FOLDER).mkdir(exist_ok=True)
            (folder / note_of(told)).write_bytes(msgspec.json.encode(told))
        return told

    # -- inside -------------------------------------------------------------

    def _greet(self):
        if self.vision.refusal is not None:
            self.refuse(self.vision.refusal)
            return
        hello = Hello(
            pid=self.pid,
            model="smoke_dust-1",
            model_sha256="ab" * 32,
            head="grid",
            size=(640, 384),
        )
        self.tell(hello)
        if self.vision.lives_s is not None:
            self._later(self.vision.lives_s, lambda: self.die(-11))
        self._beat()

    def _beat(self):
        cameras = []
        for camera in self.configure.cameras:
            name = camera.name
            faults = tuple(self.faults.get(name, ()))
            if not faults and name not in self.still:
                self._frames[name] = self._frames.get(name, 0) + 2
            frames = self._frames.get(name, 0)
            cameras.append(
                CameraBeat(
                    name=name,
                    faults=faults,
                    frames=frames,
                    judged=frames,
                    infer_ms=31.5,
                    alarms=self.holds,
                    **self.unkept,
                    last_frame_ms=self._wall_ms() if frames else None,
                )
            )
        self.tell(Beat(rss_bytes=self.rss, cameras=tuple(cameras), stuck=self.stuck))
        self._later(self.configure.heartbeat_s, self._beat)

    def _later(self, seconds, call):
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(seconds, call))

    def _wall_ms(self):
        return self.vision.clock.wall_ms()


class FakeVision:
    """Starts processes; ``vision["main"]`` is the newest of a group."""

    def __init__(self):
        self.clock = None
        self.started = []
        self.refusal = None
        """A key: every process refuses with it."""
        self.lives_s = None
        """Every process dies so long after its Hello."""
        self.no_start = None
        """An OSError."""

    async def start(self, group):
        if self.no_start is not None:
            raise self.no_start
        process = FakeProcess(self, group, 1000 + len(self.started))
        self.started.append(process)
        return process

    def __getitem__(self, group):
        return [p for p in self.started if p.group == group][-1]

    def of(self, group):
        return [p for p in self.started if p.group == group]


def replaced(site, **fields):
    return msgspec.structs.replace(site, **fields)

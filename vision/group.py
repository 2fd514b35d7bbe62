"""All cameras of one process: one loop, one model, one frame after the other."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vision.eye import Eye, Parts
from vision.limits import resident_bytes
from vision.messages import Beat, Hello

if TYPE_CHECKING:
    from collections.abc import Callable

    from vision.messages import Camera, Configure, FromVision


class Group:
    """The cameras of a process."""

    def __init__(
        self,
        configure: Configure,
        tell: Callable[[FromVision], None],
        *,
        wake: Callable[[], None],
        store: bool = True,
    ) -> None:
        """Load the model and open the cameras.

        Args:
            configure: What the gateway said.
            tell: Takes every message.
            wake: Called by readers' threads when there is something to look at.
            store: Whether what is learned is kept for the next process.

        Raises:
            Trouble: The model cannot be used, or nothing can be stored.
        """
        self._tell = tell
        self._every_s = configure.heartbeat_s
        self._beat_s = float("-inf")
        make, hello = _opened(configure, wake, notes=store)
        tell(hello)
        folder = Path(configure.evidence.folder) if store else None
        self.eyes = {
            camera.name: Eye(camera, make(camera), folder)
            for camera in configure.cameras
        }
        for eye in self.eyes.values():
            eye.restore(*_now())

    def step(self) -> bool:
        """Look at every camera once.

        Returns:
            Whether any had a frame: then look again at once.
        """
        busy = False
        for eye in self.eyes.values():
            t_ms, mono_s = _now()
            busy = eye.step(t_ms, mono_s, self._tell) or busy
            self._beat(mono_s)
        return busy

    def ask(self, camera: str, id_: str) -> None:
        """A picture is wanted."""
        if camera in self.eyes:
            self.eyes[camera].ask(id_)

    @property
    def ended(self) -> bool:
        """Whether all that was to be seen was seen: files end, cameras do not."""
        return all(eye.ended for eye in self.eyes.values())

    def beat(self) -> Beat:
        """How the process and its cameras are."""
        return Beat(
            rss_bytes=resident_bytes(),
            cameras=tuple(eye.beat() for eye in self.eyes.values()),
            stuck=tuple(name for name, eye in self.eyes.items() if eye.stuck),
        )

    def close(self) -> None:
        """Keep what was learned; let the readers end."""
        for eye in self.eyes.values():
            eye.store(*_now())
            eye.close()

    def _beat(self, mono_s: float) -> None:
        if mono_s - self._beat_s < self._every_s:
            return
        self._beat_s = mono_s
        self._tell(self.beat())


def _now() -> tuple[int, float]:
    return time.time_ns() // 1_000_000, time.monotonic()


def _opened(
    configure: Configure, wake: Callable[[], None], *, notes: bool
) -> tuple[Callable[[Camera], Parts], Hello]:
    """How a camera's parts are made; heavy libraries are loaded here and not before."""
    import cv2  # noqa: PLC0415 - heavy

    from vision.detect.detector import Detector  # noqa: PLC0415 - heavy
    from vision.evidence import Keeper, Shelf  # noqa: PLC0415 - heavy
    from vision.feed import Feed  # noqa: PLC0415 - heavy
    from vision.pipeline import Pipeline  # noqa: PLC0415 - heavy

    # The libraries' own threads would take the core that polls instruments.
    cv2.setNumThreads(1)
    detector = Detector.open(configure.model)
    shelf = Shelf(configure.evidence, notes=notes)
    start = f"{int(time.time()):x}{secrets.token_hex(2)}"

    def make(camera: Camera) -> Parts:
        return Parts(
            Feed(camera, on_frame=wake),
            Pipeline(camera, detector, f"{camera.name}-{start}"),
            Keeper(configure.evidence, camera, shelf),
        )

    hello = Hello(
        pid=os.getpid(),
        model=detector.id,
        model_sha256=detector.sha256,
        head=detector.head,
        size=detector.size,
    )
    return make, hello

"""A camera that is kept open: a thread reads it, and the newest frame wins.

The thread may hang in a call of C that no time-out reaches (a driver, a resolver).
It cannot be killed, so nobody ever waits for it: the feed reports ``silent``, says how
long it is ``stuck_s``, and who started the process recycles it when that grows.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vision.backoff import Backoff
from vision.frame import Frame
from vision.sources import EndedError, SourceError, open_source
from vision.sources.source import OPEN_S, READ_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from vision.messages import Camera, Fault
    from vision.sources import Source

_OVER_S = 2.0
"""So far beyond its time-out a call hangs."""
_CORRUPT_RUN = 3
"""Undecodable pictures in a row until the connection is given up: a new one begins
with a key frame."""


class Clock(Protocol):
    """Where times come from."""

    def wall_ms(self) -> int:
        """UTC, milliseconds."""
        ...

    def mono_s(self) -> float:
        """Monotonic, seconds."""
        ...


class SystemClock:
    """This computer's clocks."""

    def wall_ms(self) -> int:
        """UTC, milliseconds."""
        return time.time_ns() // 1_000_000

    def mono_s(self) -> float:
        """Monotonic, seconds."""
        return time.monotonic()


class NoFrame(NamedTuple):
    """Why no frame comes, or none is judged."""

    fault: Fault
    args: dict[str, str]
    """``why``: a key of the catalogue, ``vision.source.*``; the rest is for it."""


class Feed:
    """Reads one camera for as long as the process lives.

    Args:
        camera: As configured.
        clock: Where frames get their times from.
        on_frame: Called in the reader's thread after each frame and each failure; sets
            an event of who waits.
        opener: ``open_source``, or a test's.
    """

    def __init__(
        self,
        camera: Camera,
        clock: Clock | None = None,
        *,
        on_frame: Callable[[], None] | None = None,
        opener: Callable[..., Source] = open_source,
    ) -> None:
        self.camera = camera
        self.ended = False
        """A file that does not loop has shown everything."""
        self.frames = 0
        self.restarts = 0
        """How often it was opened again."""
        self._clock = clock or SystemClock()
        self._on_frame, self._opener = on_frame, opener
        self._stop = threading.Event()
        self._lock = threading.Condition()
        self._newest: Frame | None = None
        self._trouble: NoFrame | None = None
        self._began_s = time.monotonic()
        self._good_s: float | None = None
        # The call at hand must have returned by then; None: none is at hand.
        self._due_s: float | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"camera:{camera.name}", daemon=True
        )
        self._thread.start()

    def newest(self, after: int = 0) -> Frame | None:
        """The newest frame, if its number is above ``after``."""
        with self._lock:
            frame = self._newest
        return frame if frame is not None and frame.number > after else None

    def wait(self, after: int, timeout_s: float) -> Frame | None:
        """The newest frame above ``after``; waits for one, at most so long."""
        with self._lock:
            self._lock.wait_for(
                lambda: self.ended or (self._newest and self._newest.number > after),
                timeout_s,
            )
        return self.newest(after)

    @property
    def fault(self) -> NoFrame | None:
        """What keeps frames from coming; None: they come, or the first is awaited."""
        with self._lock:
            trouble = self._trouble
        if trouble is not None:
            return trouble
        since = self._good_s if self._good_s is not None else self._began_s
        quiet_s = time.monotonic() - since
        if self.ended or quiet_s <= self.camera.every_s + READ_S + _OVER_S:
            return None
        args = {"why": "vision.source.quiet", "seconds": f"{quiet_s:.0f}"}
        return NoFrame("silent", args)

    def stuck_s(self) -> float:
        """How long a call that should have returned has not; 0: all is well."""
        due_s = self._due_s
        return 0.0 if due_s is None else max(0.0, time.monotonic() - due_s)

    @property
    def alive(self) -> bool:
        """Whether the reader still runs; for a while after ``close`` it may."""
        return self._thread.is_alive()

    def close(self, timeout_s: float = 0.0) -> None:
        """Let it end. A reader in a call of C ends when that returns, if ever.

        Args:
            timeout_s: Wait so long for it; a worker does not.
        """
        self._stop.set()
        if timeout_s:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        backoff = Backoff(time.monotonic() if self.camera.refused else None)
        while not self._stop.is_set():
            before = self.frames
            try:
                self._session()
            except EndedError:
                with self._lock:
                    self.ended = True
                    self._lock.notify_all()
                self._tell()
                return
            except SourceError as exc:
                trouble = NoFrame(exc.fault, {"why": exc.key, **exc.args_told})
            except Exception as exc:  # noqa: BLE001 - a bug in a source must not end it
                told = {"why": "vision.source.failed", "reason": type(exc).__name__}
                trouble = NoFrame("corrupt", {**told, "text": str(exc)[:200]})
            else:
                return
            finally:
                self._due_s = None
            if self._stop.is_set():
                return
            with self._lock:
                self._trouble = trouble
            self._tell()
            # One that has worked is soon back: it only restarted.
            if self.frames > before:
                backoff.worked()
            self.restarts += 1
            why, chance = trouble.args["why"], random.random()  # noqa: S311 - no secret
            self._stop.wait(backoff.wait_s(why, time.monotonic(), chance))

    def _session(self) -> None:
        """Open it and read until it fails or is closed.

        Raises:
            SourceError: It failed.
        """
        self._due_s = time.monotonic() + 3 * OPEN_S + _OVER_S
        source = self._opener(self.camera, stop=self._stop)
        corrupt = 0
        try:
            while not self._stop.is_set():
                self._due_s = time.monotonic() + self.camera.every_s + READ_S + _OVER_S
                try:
                    grabbed = source.read(READ_S)
                except SourceError as exc:
                    if exc.fault != "corrupt" or corrupt + 1 >= _CORRUPT_RUN:
                        raise
                    corrupt += 1
                    with self._lock:
                        self._trouble = NoFrame(
                            "corrupt", {"why": exc.key, **exc.args_told}
                        )
                    self._tell()
                    self._stop.wait(0.2)
                    continue
                corrupt = 0
                self.frames += 1
                frame = Frame(
                    self.camera.name,
                    self.frames,
                    grabbed.image,
                    self._clock.wall_ms(),
                    self._clock.mono_s(),
                    grabbed.stream_s,
                )
                with self._lock:
                    self._newest, self._trouble = frame, None
                    self._good_s = time.monotonic()
                    self._lock.notify_all()
                self._tell()
        finally:
            source.close()

    def _tell(self) -> None:
        if self._on_frame is not None:
            self._on_frame()

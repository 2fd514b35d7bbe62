"""A simulated camera with its servers: pumps pictures, lets faults happen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from simulators.camera.door import Door
from simulators.camera.faults import (
    LOSS_SHARE,
    SLOW_S,
    CameraBoard,
    CameraFault,
    spell,
)
from simulators.camera.http_server import HttpCamera
from simulators.camera.login import Login
from simulators.camera.rtsp_process import RtspPeer
from simulators.camera.switches import Control

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simulators.camera.play import Play

_ANYBODY = Login()
_NOBODY = Login("nobody", "9f4e0c", "digest")
"""What a camera wants that refuses everybody."""
_TEAR_S = 1.0
"""Connections that no picture passed through are reset after so long."""


class SimulatedCamera:
    """One camera with its servers; faults are switched while it runs.

    Args:
        play: What it sees.
        rtsp: Port, 0 chooses one; None: no RTSP.
        http: The same.
        login: For both.
        path: Of the RTSP stream.
        fps: Pictures a second.
        board: Its faults.
    """

    def __init__(
        self,
        play: Play,
        *,
        rtsp: int | None = None,
        http: int | None = None,
        control: int = 0,
        login: Login = _ANYBODY,
        path: str = "/live",
        fps: int = 5,
        board: CameraBoard | None = None,
    ) -> None:
        from simulators.camera.spoil import Spoiler  # noqa: PLC0415 the extra `vision`

        self.board = board or CameraBoard()
        self.shown = 0
        """Pictures so far."""
        self._play, self._login, self._fps = play, login, fps
        self._spoiler = Spoiler()
        self._born = time.monotonic()
        self._in_force: frozenset[CameraFault] = frozenset()
        self._peer = RtspPeer(path, fps) if rtsp is not None else None
        self._door = Door(0, rtsp or 0) if rtsp is not None else None
        self._http = HttpCamera(http, login) if http is not None else None
        self.control = Control(control, self.command)
        self._last_slow = -SLOW_S
        self._tear_until = 0.0

    async def open(self) -> dict[str, object]:
        """Serve; returns where."""
        facts: dict[str, object] = {}
        await self.control.open()
        facts["control"] = self.control.port
        if self._peer is not None and self._door is not None:
            await self._peer.open()
            self._ask(self._login)
            self._door.behind = self._peer.port
            await self._door.open()
            facts["rtsp"] = self._door.port
        if self._http is not None:
            await self._http.open()
            facts["http"] = self._http.port
        return facts

    async def close(self) -> None:
        """Stop everything; may be called twice."""
        self.control.close()
        if self._door is not None:
            self._door.close()
            self._door.throw_out()
        if self._http is not None:
            await self._http.finish()
        if self._peer is not None:
            await self._peer.close()

    async def pump(self) -> None:
        """Show pictures at the stated rate, for ever."""
        due = time.monotonic()
        while True:
            await self._step()
            due = max(due + 1 / self._fps, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def age_s(self) -> float:
        """Seconds of its life."""
        return time.monotonic() - self._born

    def command(self, said: dict[str, Any]) -> dict[str, Any]:
        """Begin or end a fault; returns the state.

        Raises:
            ValueError: It is not understood.
        """
        now = self.age_s()
        if "begin" in said:
            seconds = said.get("for")
            fault = spell(said["begin"]).fault
            self.board.begin(fault, now, None if seconds is None else float(seconds))
        elif "end" in said:
            fault_or_all = None if said["end"] is None else spell(said["end"]).fault
            self.board.end(fault_or_all, now)
        elif said:
            raise ValueError(f"expected begin or end, got {', '.join(said)}")
        return {
            "faults": sorted(self.board.at(now)),
            "age_s": round(now, 3),
            "shown": self.shown,
            "accepted": self._door.accepted if self._door else 0,
            "served": self._http.served if self._http else 0,
            "sees": self._play.says(now),
        }

    async def _step(self) -> None:
        now = self.age_s()
        faults = self.board.at(now)
        if faults != self._in_force:
            self._connections(faults, now)
        if CameraFault.VANISH in faults:
            await self._vanish(now)
            if now >= self._tear_until:
                return  # its power is gone: nothing is drawn either
        elif self._door is not None and not self._door.is_open:
            await self._come_back()
        elif self._http is not None:
            await self._http.open()
        image = self._spoiler.picture(self._play.picture(now), faults)
        if CameraFault.SLOW in faults and now - self._last_slow < SLOW_S:
            return
        self._last_slow = now
        self.shown += 1
        if self._peer is not None and CameraFault.SILENT not in faults:
            self._peer.show(image, hold=CameraFault.STALL in faults)
        if self._http is not None:
            self._http.pictures.show(jpeg(image))

    def _connections(self, faults: frozenset[CameraFault], now: float) -> None:
        """What begins and ends for connections."""
        began, ended = faults - self._in_force, self._in_force - faults
        self._in_force = faults
        for side in (self._door, self._http):
            if side is None:
                continue
            side.silent = CameraFault.SILENT in faults
            side.torn = CameraFault.VANISH in faults
            if CameraFault.REFUSE in began:
                side.throw_out()
        if CameraFault.VANISH in began:
            self._tear_until = now + _TEAR_S
        if self._http is not None:
            self._http.refusing = CameraFault.REFUSE in faults
            self._http.pause_s = SLOW_S if CameraFault.SLOW in faults else 0.0
        if self._peer is None:
            return
        self._peer.lose(LOSS_SHARE if CameraFault.LOSS in faults else 0.0)
        self._peer.drop_keys(drop=CameraFault.LOST_KEYS in faults)
        if CameraFault.REFUSE in began | ended:
            self._ask(_NOBODY if CameraFault.REFUSE in faults else self._login)

    async def _vanish(self, now: float) -> None:
        for side in (self._door, self._http):
            if side is not None:
                side.close()
                if now >= self._tear_until:
                    side.throw_out()

    async def _come_back(self) -> None:
        for side in (self._door, self._http):
            if side is not None:
                await side.open()

    def _ask(self, login: Login) -> None:
        assert self._peer is not None  # noqa: S101 - only where there is one
        user = "" if login.scheme == "none" else login.user
        self._peer.ask_login(user, login.password, digest=login.scheme == "digest")


def jpeg(image: NDArray[np.uint8], quality: int = 82) -> bytes:
    """The picture as cameras send stills."""
    import cv2  # noqa: PLC0415 the extra `vision`

    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data.tobytes())

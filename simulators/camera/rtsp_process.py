"""Starts and feeds the RTSP server of a simulated camera (``rtsp_server.py``).

It runs on the system's Python, to which PyGObject belongs: see :func:`find_python`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

PACKAGES = (
    "python3-gi",
    "gir1.2-gst-rtsp-server-1.0",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-ugly",
)
"""Of Debian and its kin: the server, RTP and H.264."""
PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3")
_SCRIPT = Path(__file__).with_name("rtsp_server.py")
_TRY = (
    'import gi; gi.require_version("GstRtspServer", "1.0");'
    " import gi.repository.GstRtspServer"
)
_READY_S = 20.0
_BEHIND = 4_000_000
"""Bytes that wait for a server that does not read: then pictures are left out."""


class RtspMissingError(Exception):
    """No GStreamer RTSP server here; the message says what to install."""


@functools.cache
def find_python(candidates: Sequence[str] = PYTHONS) -> str:
    """The interpreter that has GStreamer's RTSP server.

    Raises:
        RtspMissingError: None has.
    """
    for python in candidates:
        with contextlib.suppress(OSError):
            # -I: the module of ours named platform must not stand in for Python's.
            done = subprocess.run(
                [python, "-I", "-c", _TRY], check=False, capture_output=True
            )
            if done.returncode == 0:
                return python
    raise RtspMissingError(
        "RTSP wants GStreamer's server and PyGObject of the system's Python, which are "
        f"not here ({', '.join(candidates)}): apt-get install {' '.join(PACKAGES)}; "
        "or leave --rtsp out: --http alone works"
    )


class RtspPeer:
    """The server's process.

    Args:
        path: Of the stream, such as ``/live``.
        fps: Pictures a second, as the stream says.
    """

    def __init__(self, path: str, fps: int, *, kbit: int = 1500) -> None:
        self._words = (path, str(fps), str(2 * fps), str(kbit))
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0
        """Where it listens, on loopback."""

    async def open(self) -> None:
        """Start it and wait until it listens.

        Raises:
            RtspMissingError: It cannot serve here.
        """
        process = await asyncio.create_subprocess_exec(
            *(find_python(), "-I", str(_SCRIPT), *self._words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"GST_DEBUG": "0", "GST_REGISTRY_FORK": "no"},
        )
        self._process = process
        assert process.stdout is not None  # noqa: S101 - asked for above
        async with asyncio.timeout(_READY_S):
            line = await process.stdout.readline()
        said = json.loads(line or b"{}")
        if not said.get("ready"):
            await self.close()
            missing = ", ".join(said.get("missing", ["it ended"]))
            raise RtspMissingError(
                f"the RTSP server does not start, without {missing}: "
                f"apt-get install {' '.join(PACKAGES)}"
            )
        self.port = said["port"]

    def show(self, image: NDArray[np.uint8], *, hold: bool) -> None:
        """Give it the picture of now, BGR, sides divisible by two.

        Args:
            image: (height, width, 3), uint8.
            hold: The stream's time stands still.
        """
        import cv2  # noqa: PLC0415 the extra `vision`

        height, width = image.shape[:2]
        data = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).tobytes()
        self._say({"op": "frame", "width": width, "height": height, "hold": hold}, data)

    def lose(self, share: float) -> None:
        """This share of the packets is lost."""
        self._say({"op": "loss", "share": share})

    def drop_keys(self, *, drop: bool) -> None:
        """Key frames do not leave the encoder."""
        self._say({"op": "keys", "drop": drop})

    def ask_login(self, user: str, password: str, *, digest: bool) -> None:
        """Whoever connects from now on has to say this; empty: nothing."""
        self._say({"op": "login", "user": user, "password": password, "digest": digest})

    async def close(self) -> None:
        """End it; may be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _say(self, said: dict[str, object], data: bytes = b"") -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        waiting = process.stdin.transport.get_write_buffer_size()
        if data and waiting > _BEHIND:
            return
        head = json.dumps({**said, **({"bytes": len(data)} if data else {})}).encode()
        process.stdin.write(len(head).to_bytes(4, "big") + head + data)

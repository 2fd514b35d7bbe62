"""Where pictures come from: one module a kind, loaded when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vision.sources.source import EndedError, Grabbed, Source, SourceError

if TYPE_CHECKING:
    import threading

    from vision.messages import Camera

__all__ = ["EndedError", "Grabbed", "Source", "SourceError", "open_source"]


def open_source(
    camera: Camera, *, paced: bool = True, stop: threading.Event | None = None
) -> Source:
    """Open a camera.

    Args:
        camera: Its kind, address, login and rate.
        paced: Files and folders play in real time, or as fast as they are read.
        stop: Set by who closes; a waiting read ends at once.

    Raises:
        SourceError: It cannot be opened; ``fault`` says of which sort.
    """
    # What a kind needs is loaded with it: a worker of snapshots needs no video.
    match camera.kind:
        case "rtsp":
            from vision.sources.rtsp import Rtsp  # noqa: PLC0415

            return Rtsp(camera, stop)
        case "snapshot":
            from vision.sources.snapshot import Snapshot  # noqa: PLC0415

            return Snapshot(camera, stop)
        case "mjpeg":
            from vision.sources.mjpeg import Mjpeg  # noqa: PLC0415

            return Mjpeg(camera, stop)
        case "usb":
            from vision.sources.usb import Usb  # noqa: PLC0415

            return Usb(camera, stop)
        case "file":
            from vision.sources.file import VideoFile  # noqa: PLC0415

            return VideoFile(camera, stop, paced=paced)
        case "folder":
            from vision.sources.folder import Folder  # noqa: PLC0415

            return Folder(camera, stop, paced=paced)

"""A short clip out of the ring: MPEG-4 in MP4, which OpenCV's wheel can write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vision.evidence.jpeg import decode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vision.evidence.blackout import Blackout
    from vision.evidence.ring import Shot

_SLOWEST, _FASTEST = 1.0, 15.0
"""Pictures a second of the file: players stumble below, and nothing is gained above."""


class ClipError(OSError):
    """The clip could not be written."""


def write_clip(path: Path, shots: Sequence[Shot], blackout: Blackout) -> None:
    """Write them as a film that plays as fast as it happened.

    Args:
        path: Ends with ``.mp4``.
        shots: At least two, oldest first.
        blackout: Black again after decoding.

    Raises:
        ClipError: OpenCV cannot write it.
    """
    import cv2  # noqa: PLC0415 - heavy, and only where a clip is made

    first = decode(shots[0].data)
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    span_s = shots[-1].mono_s - shots[0].mono_s
    rate = (len(shots) - 1) / span_s if span_s > 0 else _SLOWEST
    rate = min(max(rate, _SLOWEST), _FASTEST)
    code = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), code, rate, (width, height))
    try:
        if not writer.isOpened():
            raise ClipError(f"{path}: OpenCV has no encoder for MPEG-4")
        for shot in shots:
            image = decode(shot.data)
            if image.shape[:2] != (height, width):
                image = cv2.resize(image, (width, height))  # type: ignore[assignment]
            blackout.wipe(image)
            writer.write(image)
    finally:
        writer.release()
    if not path.exists() or not path.stat().st_size:
        raise ClipError(f"{path}: nothing was written")

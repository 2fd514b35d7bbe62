"""A folder of pictures, shown in the order of their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vision.sources.pace import Pace
from vision.sources.picture import KINDS, read_picture
from vision.sources.source import READ_S, EndedError, Grabbed, SourceError

if TYPE_CHECKING:
    import threading

    from vision.messages import Camera


class Folder:
    """Shows one picture every ``every_s``; names are read once a round.

    Args:
        camera: Where it lies, rate, and whether it begins again at its end.
        stop: Set by who closes.
        paced: In real time, or as fast as it is read.
    """

    def __init__(
        self,
        camera: Camera,
        stop: threading.Event | None = None,
        *,
        paced: bool = True,
    ) -> None:
        self._path = Path(camera.url.removeprefix("file://"))
        self._pace = Pace(camera.every_s if paced else 0.0, stop)
        self._every_s, self._loop = camera.every_s, camera.loop
        self._shown = 0
        self._left = self._names()

    def _names(self) -> list[Path]:
        """What there is to show, the next one last."""
        try:
            found = [p for p in self._path.iterdir() if p.suffix.lower() in KINDS]
        except OSError:
            raise SourceError(
                "gone", "vision.source.no_file", path=str(self._path)
            ) from None
        if not found:
            raise SourceError("gone", "vision.source.no_pictures", path=str(self._path))
        return sorted(found, key=lambda p: p.name, reverse=True)

    def read(self, timeout_s: float = READ_S) -> Grabbed:
        """See ``Source.read``.

        Raises:
            EndedError: It does not loop.
        """
        del timeout_s
        self._pace.wait()
        if not self._left:
            if not self._loop:
                raise EndedError("gone", "vision.source.ended", path=str(self._path))
            self._left = self._names()
        path = self._left.pop()
        image = read_picture(path)
        self._shown += 1
        return Grabbed(image, (self._shown - 1) * self._every_s)

    def close(self) -> None:
        """Nothing stays open between two pictures."""

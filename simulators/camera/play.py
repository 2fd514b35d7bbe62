"""What a simulated camera sees: a scene, a clip, a picture or a folder of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import cv2
import numpy as np

from simulators.camera.day import Program, event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

_PICTURES = {".jpg", ".jpeg", ".png", ".bmp"}
_NOISE_BANK = 7


class Play(Protocol):
    """Pictures by time."""

    def picture(self, at_s: float) -> Image:
        """What is seen then, seconds of the camera's life, BGR."""
        ...

    def says(self, at_s: float) -> list[str]:
        """What is going on in it then, for whoever judges."""
        ...


class Sensor:
    """The noise of a sensor: a living picture is never twice the same.

    Args:
        size: Width, height.
        seed: Of the noise.
    """

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        random = np.random.default_rng(seed)
        width, height = size
        # Noise is costly: a few pictures of it, shifted and mirrored anew each time.
        self._bank = [
            random.normal(0, 1, (height, width, 1)).astype(np.float32)
            + 0.5 * random.normal(0, 1, (height, width, 3)).astype(np.float32)
            for _ in range(_NOISE_BANK)
        ]
        self._random = random

    def taken(self, light: NDArray[np.float32], sigma: float) -> Image:
        """A picture of this light, 0 to 255; ``sigma`` in the same measure."""
        noise = self._bank[int(self._random.integers(_NOISE_BANK))]
        down, right = self._random.integers(0, noise.shape[:2])
        rolled = np.roll(noise, (int(down), int(right)), (0, 1))
        return np.clip(light + sigma * rolled, 0, 255).astype(np.uint8)


class ClipPlay:
    """A video file, again and again, at its own speed.

    Raises:
        ValueError: It cannot be opened.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self._path, self._size = path, size
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise ValueError(f"{path}: no video that OpenCV can read")
        self._fps = self._capture.get(cv2.CAP_PROP_FPS) or 25.0
        self._read = 0
        self._round = 0.0
        self._image: Image | None = None

    def picture(self, at_s: float) -> Image:
        """See :class:`Play`."""
        while self._image is None or (at_s - self._round) * self._fps >= self._read:
            found, image = self._capture.read()
            if not found:
                if self._read == 0:
                    raise ValueError(f"{self._path}: no picture in it")
                self._capture.release()
                self._capture = cv2.VideoCapture(str(self._path))
                self._round, self._read = at_s, 0
                continue
            self._read += 1
            self._image = cast("Image", image)
        return _fitted(self._image, self._size)

    def says(self, at_s: float) -> list[str]:
        """See :class:`Play`."""
        return [f"{self._path.name} {at_s - self._round:.1f} s"]


class StillPlay:
    """Pictures, each for a second, with the noise of a sensor.

    Raises:
        ValueError: None can be read.
    """

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], seed: int) -> None:
        self._paths, self._size = paths, size
        self._sensor = Sensor(size, seed)
        self._shown, self._image = -1, self._load(0)

    def _load(self, number: int) -> Image:
        path = self._paths[number]
        image = cv2.imread(str(path))
        if image is None:
            raise ValueError(f"{path}: no picture that OpenCV can read")
        return _fitted(cast("Image", image), self._size)

    def picture(self, at_s: float) -> Image:
        """See :class:`Play`."""
        number = int(at_s) % len(self._paths)
        if number != self._shown:
            self._shown, self._image = number, self._load(number)
        return self._sensor.taken(self._image.astype(np.float32), 2.0)

    def says(self, at_s: float) -> list[str]:
        """See :class:`Play`."""
        return [self._paths[int(at_s) % len(self._paths)].name]


def open_play(
    source: str,
    size: tuple[int, int],
    *,
    events: Sequence[str] = (),
    every_s: float | None = None,
    hour: float = 10.0,
    day_s: float | None = None,
    seed: int = 1,
) -> Play:
    """What the words of the command line mean.

    Args:
        source: A scene's name, or a path.
        size: Width, height of the pictures.
        events: ``dark@10-40`` and the like, scenes only.
        every_s: They come again after so long.
        hour: Of the day, at the beginning.
        day_s: A day takes so long; None: it stays the same hour.
        seed: Of all randomness.

    Raises:
        ValueError: One cannot be shown; the message says why.
    """
    from simulators.camera.scene import SCENES, ScenePlay  # noqa: PLC0415 slow to draw

    if source in SCENES:
        program = Program(tuple(map(event, events)), hour, day_s, every_s)
        return ScenePlay(source, size, program, seed)
    if events or day_s is not None:
        raise ValueError(f"--event and --day want a scene ({', '.join(SCENES)})")
    path = Path(source)
    if path.is_dir():
        paths = sorted(p for p in path.iterdir() if p.suffix.lower() in _PICTURES)
        if not paths:
            raise ValueError(f"{path}: no pictures in it")
        return StillPlay(paths, size, seed)
    if not path.is_file():
        raise ValueError(f"{source!r} is no scene ({', '.join(SCENES)}) and no file")
    if path.suffix.lower() in _PICTURES:
        return StillPlay([path], size, seed)
    return ClipPlay(path, size)


def _fitted(image: Image, size: tuple[int, int]) -> Image:
    """As wide and high, cut where the shape differs."""
    width, height = size
    here, there = image.shape[1] / image.shape[0], width / height
    if here > there:
        keep = round(image.shape[0] * there)
        left = (image.shape[1] - keep) // 2
        image = image[:, left : left + keep]
    elif here < there:
        keep = round(image.shape[1] / there)
        top = (image.shape[0] - keep) // 2
        image = image[top : top + keep]
    if image.shape[1] == width:
        return image
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cast("Image", resized)

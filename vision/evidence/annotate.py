"""A picture with what was seen drawn into it, and a line of text below it.

The text stands below the picture, so that nothing of it is covered; it is ASCII, the
only letters that OpenCV 4 has too. What a label means in the reader's language is for
the platform to say: the codes are those of the event.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from vision.evidence.blackout import BLOCK, MARGIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.messages import Camera, Label, Sight

COLOURS: dict[Label, tuple[int, int, int]] = {
    "dark_smoke": (60, 60, 235),
    "light_smoke": (40, 170, 255),
    "dust": (90, 200, 250),
}
"""BGR: red, orange, yellow."""
_INK, _PAPER, _GREY = (245, 245, 245), (32, 28, 26), (165, 160, 155)
_DARK = (20, 20, 20)
_SMALLEST_WIDTH = 480
"""Smaller pictures are made this wide before anything is drawn: text has to be read."""


class Drawn(NamedTuple):
    """A picture with something drawn into it."""

    picture: NDArray[np.uint8]
    """(more rows, width, 3) uint8, BGR."""
    rows: int
    """So many of them, from the top, are of the camera's picture."""


def annotated(image: NDArray[np.uint8], sight: Sight, camera: Camera) -> Drawn:
    """The picture with a box around the region, and its line of text.

    Args:
        image: (height, width, 3) uint8, BGR; never changed. Private zones are black.
        sight: What was seen in it.
        camera: Whose name and time zone stand below.

    Returns:
        The picture, and below it, from the next coding block on, its line of text.
    """
    import cv2  # noqa: PLC0415 - heavy, and only where a picture is made

    height, width = image.shape[:2]
    if width < _SMALLEST_WIDTH:
        width, height = _SMALLEST_WIDTH, round(height * _SMALLEST_WIDTH / width)
        image = cv2.resize(image, (width, height)).astype(np.uint8, copy=False)
    unit = max(1.0, min(width / 640, height / 360))
    below = -(-(height + MARGIN) // BLOCK) * BLOCK
    picture = np.zeros((below + round(30 * unit), width, 3), np.uint8)
    picture[:height] = image
    _box(picture[:height], sight, unit)
    picture[below:] = _PAPER
    _footer(picture, below, sight, camera, unit)
    return Drawn(picture, height)


def _box(picture: NDArray[np.uint8], sight: Sight, unit: float) -> None:
    """The region: a thin frame with strong corners, dark around it on bright skies."""
    import cv2  # noqa: PLC0415

    height, width = picture.shape[:2]
    x0, y0, x1, y1 = sight.region
    # Far smoke is a few pixels: the frame keeps off what it shows.
    least, edge = 40 * unit, round(3 * unit)
    wide = max(8 * unit, (least - (x1 - x0) * width) / 2)
    high = max(8 * unit, (least - (y1 - y0) * height) / 2)
    left = max(edge, round(x0 * width - wide))
    top = max(edge, round(y0 * height - high))
    right = min(width - 1 - edge, round(x1 * width + wide))
    bottom = min(height - 1 - edge, round(y1 * height + high))
    colour = COLOURS[sight.label]
    thin, thick = max(1, round(0.8 * unit)), max(2, round(2 * unit))
    arm = min(round(24 * unit), min(right - left, bottom - top) // 4)
    for ink, more in ((_DARK, 2), (colour, 0)):
        size = thin + more
        cv2.rectangle(picture, (left, top), (right, bottom), ink, size, cv2.LINE_AA)
        for x, to_x in ((left, left + arm), (right, right - arm)):
            for y, to_y in ((top, top + arm), (bottom, bottom - arm)):
                cv2.line(picture, (x, y), (to_x, y), ink, thick + more, cv2.LINE_AA)
                cv2.line(picture, (x, y), (x, to_y), ink, thick + more, cv2.LINE_AA)
    _tag(picture, sight, (left, top, right, bottom), unit)


def _tag(
    picture: NDArray[np.uint8],
    sight: Sight,
    box: tuple[int, int, int, int],
    unit: float,
) -> None:
    """Label and score on the frame's upper edge, below it where there is no room."""
    import cv2  # noqa: PLC0415

    text = f"{sight.label.replace('_', ' ')}  {sight.score:.2f}"
    font, scale = cv2.FONT_HERSHEY_DUPLEX, 0.5 * unit
    (wide, tall), _ = cv2.getTextSize(text, font, scale, 1)
    pad = round(5 * unit)
    high = tall + 2 * pad
    left = min(max(0, box[0]), max(0, picture.shape[1] - wide - 2 * pad))
    top = box[1] - high
    if top < 0:
        top = min(box[3], picture.shape[0] - high)
    colour = COLOURS[sight.label]
    cv2.rectangle(picture, (left, top), (left + wide + 2 * pad, top + high), colour, -1)
    ink = _INK if sight.label == "dark_smoke" else _DARK
    where = (left + pad, top + pad + tall)
    cv2.putText(
        picture, text, where, font, scale, ink, max(1, round(unit)), cv2.LINE_AA
    )


def _footer(
    picture: NDArray[np.uint8], top: int, sight: Sight, camera: Camera, unit: float
) -> None:
    """Where and when on the left; what and by which model on the right."""
    import cv2  # noqa: PLC0415

    font, scale = cv2.FONT_HERSHEY_DUPLEX, 0.46 * unit
    weight = 1
    pad, width = round(9 * unit), picture.shape[1]
    base = top + round(20 * unit)
    colour = COLOURS[sight.label]
    picture[top : top + max(2, round(2 * unit))] = colour
    left = f"{ascii_only(camera.name)}   {local_time(sight.t_ms, camera.timezone)}"
    right = ascii_only(_facts(sight))
    (wide, _), _ = cv2.getTextSize(left, font, scale, weight)
    cv2.putText(picture, left, (pad, base), font, scale, _INK, weight, cv2.LINE_AA)
    while right:
        (far, _), _ = cv2.getTextSize(right, font, scale, weight)
        if pad + wide + 2 * pad + far + pad <= width:
            where = (width - pad - far, base)
            cv2.putText(picture, right, where, font, scale, _GREY, weight, cv2.LINE_AA)
            return
        right = right.rpartition("   ")[0]


def _facts(sight: Sight) -> str:
    """What the event says as well, the most telling first."""
    facts = [f"peak {sight.peak:.2f} >= {sight.threshold:.2f}"]
    if sight.bearing is not None:
        facts.append(f"bearing {sight.bearing:.0f} deg")
    if sight.night:
        facts.append("night")
    if sight.model:
        facts.append(sight.model)
    return "   ".join(facts)


def ascii_only(text: str) -> str:
    """Without what OpenCV would draw as question marks."""
    return "".join(c if " " <= c <= "~" else "_" for c in text)


def local_time(t_ms: int, timezone: str) -> str:
    """``2025-11-21 16:00:00 +08:00``."""
    at = datetime.fromtimestamp(t_ms / 1000, ZoneInfo(timezone))
    return at.isoformat(" ", "seconds").replace("+", " +")

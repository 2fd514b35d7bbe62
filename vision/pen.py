"""Colours, text and shapes of all that is drawn: evidence, contact sheets, videos.

Text may be Chinese where OpenCV brings a font for it (5 and later).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.messages import Label

Colour = tuple[int, int, int]
"""Blue, green, red."""

PAPER: Colour = (26, 21, 18)
CARD: Colour = (40, 33, 28)
INK: Colour = (235, 230, 225)
DARK: Colour = (20, 20, 20)
FAINT: Colour = (150, 140, 130)
GRID: Colour = (66, 56, 48)
ALARM: Colour = (90, 70, 245)
QUIET: Colour = (130, 190, 90)
LABEL: dict[Label, Colour] = {
    "dark_smoke": (255, 130, 205),
    "light_smoke": (245, 205, 80),
    "dust": (60, 175, 255),
}

_faces: dict[str, Any] = {}


def _face() -> Any | None:  # noqa: ANN401 - OpenCV 5 has it, its stubs do not
    """OpenCV 5's own font with Chinese; None before it."""
    if not hasattr(cv2, "FontFace"):
        return None
    if "uni" not in _faces:
        _faces["uni"] = cv2.FontFace("uni")
    return _faces["uni"]


def can_write(text: str) -> bool:
    """Whether there are letters for it."""
    return text.isascii() or _face() is not None


def write(
    picture: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    *,
    size: int = 18,
    colour: Colour = INK,
    bold: bool = False,
) -> int:
    """Write one line; its end's x.

    Args:
        picture: Written on, (height, width, 3) BGR.
        text: What to say; before OpenCV 5 only ASCII can be shown.
        at: x, y of the base line's left end.
        size: Pixels.
        colour: Of the letters.
        bold: Heavier.
    """
    x, y = at
    face = _face()
    if face is not None:
        weight = 700 if bold else 400
        end: Any = cv2.putText(picture, text, (x, y), colour, face, size, weight)
        return int(end[0][0])
    scale = size / 30
    shown = text.encode("ascii", "replace").decode()
    thick = 2 if bold else 1
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, shown, (x, y), font, scale, colour, thick, cv2.LINE_AA)
    return x + cv2.getTextSize(shown, font, scale, thick)[0][0]


def width(text: str, size: int = 18, *, bold: bool = False) -> int:
    """Pixels a line takes."""
    room = np.zeros((size * 2, 1, 3), np.uint8)
    return write(room, text, (0, size), size=size, bold=bold)


def fill(
    picture: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    colour: Colour,
    opacity: float = 1.0,
) -> None:
    """Paint a rectangle x0, y0, x1, y1."""
    x0, y0, x1, y1 = box
    part = picture[max(y0, 0) : y1, max(x0, 0) : x1]
    if part.size:
        mixed = part * (1 - opacity) + np.array(colour) * opacity
        part[...] = mixed.astype(np.uint8)


def frame(
    picture: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    colour: Colour,
    thick: int = 2,
) -> None:
    """Outline a rectangle, inside its edges."""
    x0, y0, x1, y1 = box
    cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), colour, thick, cv2.LINE_AA)


def chip(
    picture: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    colour: Colour,
    size: int = 15,
) -> int:
    """A word on a coloured ground; its end's x.

    Args:
        picture: Painted on.
        text: The word.
        at: x, y of its upper left corner.
        colour: Of the ground.
        size: Of the letters, pixels.
    """
    x, y = at
    wide, high = chip_size(text, size)
    fill(picture, (x, y, x + wide, y + high), colour, 0.92)
    dark = sum(colour) > 380  # noqa: PLR2004 - black letters on light grounds
    ink = DARK if dark else (255, 255, 255)
    write(
        picture, text, (x + size // 2, y + size + 1), size=size, colour=ink, bold=True
    )
    return x + wide


def chip_size(text: str, size: int = 15) -> tuple[int, int]:
    """Width and height of a chip."""
    return width(text, size, bold=True) + size, size + size // 2 + 2

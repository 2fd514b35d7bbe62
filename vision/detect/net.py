"""A network with a known head: from bytes of a picture to what its head says.

Everything is checked when it is opened, by what the network answers to a grey picture
and to noise: shapes, probabilities that are none, boxes that are not in pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vision.detect import heads
from vision.detect.classes import mapped, names_of
from vision.detect.errors import ModelError
from vision.detect.recognise import entry, head, pixels
from vision.detect.session import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.detect.letterbox import Size
    from vision.detect.onnx_file import OnnxFile
    from vision.messages import Model

    Floats = NDArray[np.float32]
    Bytes = NDArray[np.uint8]

MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
STD = np.array([0.229, 0.224, 0.225], np.float32) * 255
"""torchvision's, of ImageNet's pictures in RGB."""
_ROUNDING = 1e-3
_NORMALISED = 2.0
_SURE = 0.25
_SEED = 6


class Net:
    """An opened and tried network.

    Args:
        file: The model.
        model: What the operator declares of it.

    Raises:
        ModelError: It cannot be used, and why.

    Attributes:
        entry: What it is fed with.
        exit: What is read from it.
        classes: Number of the file's class -> place of our label.
        names: The file's class names.
        pixels: What the values of its input are.
    """

    def __init__(self, file: OnnxFile, model: Model) -> None:
        self._session = Session(file, model.threads)
        metadata = file.metadata
        self.ultralytics = is_ultralytics(metadata)
        self.names = names_of(metadata)
        self.entry = entry(self._session.inputs, metadata, model.size)
        grey = np.full((self.entry.size[1], self.entry.size[0], 3), 114, np.uint8)
        self.pixels = "rgb255"
        shapes = self._shapes(grey)
        self.exit = head(shapes, self.entry.size, model.head, self.names, metadata)
        self._shape = shapes[self.exit.output]
        self.classes = mapped(model.classes, self.names, self.exit.classes)
        self.pixels = pixels(
            self.entry, self.exit.head, model.pixels, ultralytics=self.ultralytics
        )
        self._strides = self._grid()
        self._normalised = False
        self._undecoded = False
        noise = np.random.default_rng(_SEED).integers(0, 256, grey.shape, np.uint8)
        answers = [self._one(picture) for picture in (grey, noise)]
        self._look_at_boxes(answers)
        for answer in answers:
            self._check(answer)
        self.deaf = all(np.array_equal(answers[0], other) for other in answers[1:])
        """The same answer to both: it hardly looks at what it is fed."""

    def __call__(self, picture: Bytes) -> Floats:
        """The head's output without its leading 1, probabilities and pixels.

        Args:
            picture: (height, width, 3) RGB; the entry's size, or another where free.

        Raises:
            ModelError: What came is no probability.
        """
        found = self._one(picture)
        self._check(found)
        height, width = picture.shape[:2]
        size = (width, height)
        if self._undecoded:
            found = heads.from_grid(found, size, self._strides)
        if self._normalised:
            scale = np.array([width, height, width, height], np.float32)
            found = found.copy()
            rows = found[:4] if self.exit.head == "yolov8" else found[:, :4].T
            rows *= scale[:, None]
        return found

    def boxes(self, found: Floats) -> heads.Boxes:
        """What a head with boxes says."""
        if self.exit.head == "yolov8":
            return heads.yolov8(found, self.classes)
        if self.exit.head == "end2end":
            return heads.end2end(found, self.classes)
        return heads.yolov5(found, self.classes)

    def maps(self, found: Floats) -> Floats:
        """What a grid or a classifier says: (3, rows, columns)."""
        if self.exit.head == "classification":
            found = found[:, None, None]
        return heads.maps(found, self.classes)

    def _shapes(self, grey: Bytes) -> dict[str, tuple[int, ...]]:
        """Of all outputs; where the file leaves them open, those of an answer."""
        told: dict[str, tuple[int, ...]] = {}
        for name, shape in self._session.outputs:
            sides = [side for side in shape if isinstance(side, int) and side > 0]
            if sides and len(sides) == len(shape):  # none: even the rank is open
                told[name] = tuple(sides)
        names = [name for name, _ in self._session.outputs]
        if len(told) == len(names):
            return told
        found = self._answer(grey, None)
        return {n: answer.shape for n, answer in zip(names, found, strict=True)}

    def _one(self, picture: Bytes) -> Floats:
        found = self._answer(picture, [self.exit.output])[0]
        if found.dtype.kind != "f" or found.shape[:1] != (1,):
            raise ModelError("output_kind")
        if found.shape[1:] != self._shape[1:] and not self.entry.free:
            # It said one thing and answers another.
            raise ModelError("output_kind")
        return np.asarray(found[0], np.float32)

    def _answer(self, picture: Bytes, outputs: list[str] | None) -> list[NDArray[Any]]:
        return self._session.run(self.entry.name, self._fed(picture), outputs)

    def _fed(self, picture: Bytes) -> NDArray[Any]:
        if self.pixels == "bgr255":
            picture = picture[:, :, ::-1]
        if self.entry.dtype == "uint8":
            if self.entry.layout == "nchw":
                picture = picture.transpose(2, 0, 1)
            return np.ascontiguousarray(picture)[None]
        values: Floats = picture.astype(np.float32)
        if self.pixels == "rgb1":
            values *= np.float32(1 / 255)
        elif self.pixels == "imagenet":
            values = (values - MEAN) / STD
        if self.entry.layout == "nchw":
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values, np.dtype(self.entry.dtype))[None]

    def _grid(self) -> tuple[int, ...]:
        if self.exit.head not in ("yolox", "yolov5", "yolov8"):
            return ()
        return heads.STRIDES[0]

    def _look_at_boxes(self, answers: list[Floats]) -> None:
        """Whether boxes are in pixels, in fractions, or still on YOLOX' grid."""
        which = self.exit.head
        if which not in ("yolov5", "yolov8", "yolox"):
            return
        width, height = self.entry.size
        for n, found in enumerate(answers):
            middle = found[:2] if which == "yolov8" else found[:, :2].T
            if not np.isfinite(middle).all():
                raise ModelError("not_finite")
            # The last candidates lie at the right and lower edge, whatever is seen.
            reach = (float(middle[0].max()) / width, float(middle[1].max()) / height)
            fractions = float(middle.max()) <= _NORMALISED
            undecoded = False
            if which == "yolox":
                undecoded = max(reach) < 0.5  # noqa: PLR2004 - decoded: about 1
                if undecoded:
                    self._strides = _strides(len(found), self.entry.size)
            elif not fractions and not all(0.5 <= r <= 2.0 for r in reach):  # noqa: PLR2004
                raise ModelError("boxes", found=f"{reach[0]:.2f}, {reach[1]:.2f}")
            fractions = fractions and not undecoded
            if n and (fractions, undecoded) != (self._normalised, self._undecoded):
                raise ModelError("boxes", found=f"{reach[0]:.2f}, {reach[1]:.2f}")
            self._normalised, self._undecoded = fractions, undecoded

    def _check(self, found: Floats) -> None:
        which = self.exit.head
        if which == "yolov8":
            scores = found[4:]
        elif which in ("yolov5", "yolox"):
            scores = found[:, 4:]
        elif which == "end2end":
            scores = found[:, 4]
            numbers = found[:, 5]
            if not np.array_equal(numbers, np.round(numbers)):
                raise ModelError("columns")
            sure = found[scores > _SURE, :4]
            if len(sure) and float(sure.max()) <= _NORMALISED:
                # Fractions: as pixels they would all lie in the upper left corner.
                raise ModelError("boxes", found=f"{float(sure.max()):.2f} px")
        else:
            scores = found
        if not scores.size:
            return
        low, high = float(scores.min()), float(scores.max())
        # NaN fails every comparison: it is asked for first.
        if not np.isfinite([low, high]).all():
            raise ModelError("not_finite")
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise ModelError("not_probabilities", low=f"{low:.3g}", high=f"{high:.3g}")


def is_ultralytics(metadata: dict[str, str]) -> bool:
    """Whether a file says that Ultralytics' tools made it."""
    told = " ".join(metadata.get(k, "") for k in ("author", "license", "description"))
    return "ultralytics" in told.lower()


def _strides(rows: int, size: Size) -> tuple[int, ...]:
    for strides in heads.STRIDES:
        if heads.candidates(size, strides) == rows:
            return strides
    raise ModelError("head_unknown", found=rows, size=f"{size[0]}x{size[1]}")

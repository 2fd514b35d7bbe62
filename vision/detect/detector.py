"""One picture in, one grid of scores out, whatever network stands between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vision.detect import letterbox, trial
from vision.detect.errors import ModelError
from vision.detect.heads import painted, strongest
from vision.detect.metadata import literal
from vision.detect.net import Net
from vision.detect.onnx_file import OnnxFile, read
from vision.detect.recognise import entry
from vision.frame import Cells
from vision.messages import LABELS, Model
from vision.scores import image_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vision.messages import Label

SHIPPED = Path(__file__).parents[1] / "model" / "smoke_dust.onnx"
_STEP = 32
_CELL = 16
"""Pixels of what is fed that one cell of painted boxes stands for."""
_DEFAULT_THRESHOLD = 0.5
_ALONE = 0.35
"""Of the way from a threshold to 1."""


@dataclass(frozen=True)
class Detector:
    """An opened model. ``Detector.open`` makes it.

    Attributes:
        net: The network and its head.
        id: File name and version, as its card says.
        sha256: Of the file.
        thresholds: Label -> image score from which on it counts, as the card
            calibrates it; 0.5 where there is no card.
        rises: Label -> how far an image's score must be above that of the same view
            before; where the card does not say, the threshold.
        alone: Label -> image score that counts where the view before is not known;
            where the card does not say, stricter than the threshold.
        labels: What it can see; its other maps are always zero.
        calibrated: The thresholds come from the file's own card.
    """

    net: Net
    id: str
    sha256: str
    thresholds: dict[Label, float]
    rises: dict[Label, float]
    alone: dict[Label, float]
    labels: tuple[Label, ...]
    calibrated: bool

    @classmethod
    def open(cls, model: Model, *, tried: bool = False) -> Detector:
        """Open a model; one that is not ours is first tried in a child.

        What its bytes show to be wrong is told without one.

        Args:
            model: Which file, and what is declared of it.
            tried: It was tried just now, or this is the child that tries it.

        Raises:
            ModelError: It cannot be used, and why.
        """
        path = Path(model.path) if model.path else SHIPPED
        file = read(path)
        if model.path and not tried:
            entry(file.inputs, file.metadata, model.size)
            trial.tried(model, file.sha256)
        return cls.of(file, model)

    @classmethod
    def of(cls, file: OnnxFile, model: Model) -> Detector:
        """A detector from a file that was read.

        Raises:
            ModelError: It cannot be used, and why.
        """
        net = Net(file, model)
        card = levels(file.metadata, "thresholds")
        at = {x: card.get(x, _DEFAULT_THRESHOLD) for x in LABELS}
        seen = tuple(LABELS[n] for n in sorted(set(net.classes.values())))
        version = literal(file.metadata.get("ecogate.version", ""))
        stem = file.path.stem
        return cls(
            net=net,
            id=stem if version is None else f"{stem}-{version}",
            sha256=file.sha256,
            thresholds=at,
            rises=at | levels(file.metadata, "rise"),
            alone={x: t + _ALONE * (1 - t) for x, t in at.items()}
            | levels(file.metadata, "alone"),
            labels=seen,
            calibrated=all(label in card for label in seen),
        )

    @property
    def head(self) -> str:
        """Of the network."""
        return self.net.exit.head

    @property
    def size(self) -> letterbox.Size:
        """Width, height the network was made for."""
        return self.net.entry.size

    def fit(self, picture: letterbox.Size) -> letterbox.Fit:
        """How a camera's picture is fed: see ``letterbox``."""
        size, which = self.size, self.head
        if self.net.entry.free and which == "grid":
            return letterbox.stretched(letterbox.shaped(picture, size, _STEP))
        if which == "classification":
            return letterbox.stretched(size)
        if which == "grid" and letterbox.slight(picture, size):
            return letterbox.stretched(size)
        return letterbox.boxed(picture, size, centred=which != "yolox")

    def __call__(self, image: NDArray[np.uint8]) -> Cells:
        """What the model sees.

        Args:
            image: (height, width, 3) BGR.

        Returns:
            Cells over the whole picture: 16 pixels of what is fed each; one cell for
            a classifier.

        Raises:
            ModelError: The network answered what is no probability.
        """
        from vision.detect.prepare import prepared  # noqa: PLC0415 - OpenCV

        fit = self.fit((image.shape[1], image.shape[0]))
        return self.cells(self.net(prepared(image, fit)), fit)

    def cells(self, found: NDArray[np.float32], fit: letterbox.Fit) -> Cells:
        """What the network said, on a grid over the picture.

        Args:
            found: The output of ``net``.
            fit: How the picture was fed.
        """
        if self.head in ("grid", "classification"):
            maps = self.net.maps(found)
            if not fit.whole:
                maps = maps[:, *fit.cells(*maps.shape[1:])]
            return Cells(maps, image_scores(maps))
        boxes = strongest(self.net.boxes(found))
        rows, columns = max(1, fit.height // _CELL), max(1, fit.width // _CELL)
        corners = fit.fractions(boxes.corners)
        maps = painted(corners, boxes.scores, rows, columns)
        best = maps.reshape(len(LABELS), -1).max(1)
        return Cells(maps, (float(best[0]), float(best[1]), float(best[2])))


def levels(metadata: dict[str, str], name: str) -> dict[Label, float]:
    """Scores by label that the card in a file calibrates; empty: it says none.

    Args:
        metadata: Of the file.
        name: ``thresholds``, ``rise`` or ``alone``.

    Raises:
        ModelError: It says something that is no score.
    """
    text = metadata.get(f"ecogate.{name}", "")
    if not text:
        return {}
    found = literal(text)
    said = {x: found[x] for x in LABELS if x in found} if type(found) is dict else {}
    if not said or not all(
        isinstance(value, float) and 0 < value < 1 for value in said.values()
    ):
        raise ModelError("thresholds", found=text[:80])
    return said

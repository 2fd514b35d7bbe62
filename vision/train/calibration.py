"""From a trained net to the chosen file with its thresholds and figures.

    net -> fp32 file -> int8 file -> the one that ships -> thresholds -> figures

Thresholds are set on the file that ships: quantised nets answer on another scale.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vision.train import evaluate, export, frames, hard, latency, outside
from vision.train.negative import NEGATIVES

if TYPE_CHECKING:
    from pathlib import Path

    from vision.train.backbone import Trunk
    from vision.train.book import Book, Page
    from vision.train.evaluate import Judged, Thresholds
    from vision.train.figures import Figure
    from vision.train.head import Net
    from vision.train.pairs import Pairs

RATE = 0.10  # of the val negatives that may be called anything
HARD_RATE = 0.30  # and of the hard negatives rendered over their backgrounds
# Of either that may be called light smoke, and dust.
OWN_RATES = {evaluate.LIGHT: 0.03, evaluate.DUST: 0.06}
# Of the pairs' negatives that may rise to an alarm, by class. Near plumes of smoke lose
# nothing by the stricter rate; dust would be named when the lorry has passed.
ALARM_RATES = (0.04, 0.04, 0.05)
WORTH = 0.01  # AUROC that int8 may cost
SHARPNESS = 3.0
_CALIBRATION_PICTURES = 160


class Chosen(NamedTuple):
    """The file that ships, and why.

    Attributes:
        path: The file.
        precision: ``int8`` or ``fp32``.
        cost: AUROC that int8 costs, by name.
        latency: Median milliseconds, by precision, then by size and threads.
    """

    path: Path
    precision: str
    cost: dict[str, float]
    latency: dict[str, dict[str, float]]


def judge(path: Path, pages: list[Page], size: tuple[int, int]) -> Judged:
    """Run a file over whole pictures of the book."""
    model = export.session(path)
    images = [frames.resized(p.rgb(), size) for p in pages]
    return evaluate.judged_pages(export.cells(model, images), pages)


def judge_hard(path: Path, shown: hard.Pictures, size: tuple[int, int]) -> Judged:
    """Run a file over rendered pictures."""
    model = export.session(path)
    images = [frames.resized(image, size) for image in shown.images]
    return evaluate.judged(
        export.cells(model, images), shown.truths, shown.kinds, shown.scenes
    )


def judge_outside(path: Path, folder: Path, size: tuple[int, int]) -> Judged:
    """Run a file over a folder of photographs that show nothing."""
    names, images = outside.photographs(folder)
    cells = export.cells(
        export.session(path), [frames.resized(i, size) for i in images]
    )
    count = len(names)
    return evaluate.judged(
        cells, [outside.NOTHING] * count, [outside.KIND] * count, names
    )


def quantised(
    trunk: Trunk, net: Net, book: Book, work: Path, size: tuple[int, int]
) -> Chosen:
    """Write fp32 and int8 and choose: int8 where it costs less than 0.01 AUROC.

    Args:
        trunk: The frozen part.
        net: The trained part.
        book: Train and val split; train pictures set the ranges, val pictures judge.
        work: Where the files go.
        size: Input (width, height).
    """
    full, small = work / "fp32.onnx", work / "int8.onnx"
    export.fp32(trunk, net, full, sharpness=SHARPNESS)
    seen = [p for p in book.pages if p.split == "train"]
    few = frames.few_of_each(seen, 2)
    step = max(1, len(few) // _CALIBRATION_PICTURES)
    export.int8(full, small, [frames.resized(p.rgb(), size) for p in few[::step]])
    pages = [p for p in book.pages if p.split == "val"]
    areas = [_areas(judge(path, pages, size)) for path in (full, small)]
    cost = {name: round(areas[0][name] - areas[1][name], 4) for name in areas[0]}
    precision = "int8" if max(cost.values()) < WORTH else "fp32"
    return Chosen(
        small if precision == "int8" else full,
        precision,
        cost,
        {"fp32": latency.of_file(full), "int8": latency.of_file(small)},
    )


def _areas(seen: Judged) -> dict[str, float]:
    found = evaluate.report(seen, evaluate.Thresholds(0.5, 0.5, 0.5))
    return {name: found[f"auroc_{name}"].value for name in ("smoke", "dark", "dust")}


def thresholds(real: Judged, rendered: Judged) -> Thresholds:
    """Set the thresholds of a file.

    Light smoke and dust, which clouds, steam and bare ground come closest to, may call
    few negatives of either sort. Dark smoke takes what is then left of the rates over
    all classes: to miss it costs more.

    Args:
        real: Pictures of the val split.
        rendered: Rendered pictures over its backgrounds.
    """
    sorts = [seen.only(seen.flags("negative")) for seen in (real, rendered)]
    limits = (RATE, HARD_RATE)
    strict = [
        max(evaluate.reached_by(seen.scores[:, c], rate) for seen in sorts)
        for c, rate in OWN_RATES.items()
    ]
    seen_dark = np.concatenate([seen.scores[:, evaluate.DARK] for seen in sorts])
    for dark in np.unique(seen_dark):
        above = float(np.nextafter(dark, np.float32(2)))
        at = evaluate.Thresholds(above, *strict)
        called = [evaluate.any_class(evaluate.called(seen, at)) for seen in sorts]
        if all(c.mean() <= r for c, r in zip(called, limits, strict=True)):
            return at
    return evaluate.Thresholds(1.0, *strict)


class Levels(NamedTuple):
    """What alarms ask of a picture, and how many pairs reach it.

    Attributes:
        rise: Over the same view before.
        alone: Of a picture whose view before is not known.
        found: Figures of ``rise``.
    """

    rise: Thresholds
    alone: Thresholds
    found: dict[str, dict[str, float | int]]


def levels(path: Path, shown: Pairs, size: tuple[int, int]) -> Levels:
    """Set what alarms ask of a file's scores.

    Of the pairs with a confounder that came into view 24 of 25 stay below for smoke, 19
    of 20 for dust: what is left is for persistence and motion to sort out.

    Args:
        path: The file that ships.
        shown: Pairs over the backgrounds of the val split.
        size: Input (width, height).
    """
    model = export.session(path)
    now, before = (
        export.cells(model, [frames.resized(image, size) for image in images])
        for images in (shown.images, shown.befores)
    )
    seen = evaluate.risen(now, before, shown.kinds, shown.scenes)
    negative = np.isin(seen.kinds, list(NEGATIVES))
    rise, alone = (
        rounded(
            evaluate.Thresholds(
                *(
                    evaluate.reached_by(of[negative, c], rate)
                    for c, rate in enumerate(ALARM_RATES)
                )
            )
        )
        for of in (seen.rises, seen.scores)
    )
    return Levels(rise, alone, as_data(evaluate.risen_report(seen, rise)))


def rounded(at: Thresholds) -> Thresholds:
    """Round up to three places, so that a rate that holds still holds."""
    return evaluate.Thresholds(*(float(np.ceil(v * 1000) / 1000) for v in at))


def as_data(found: dict[str, Figure]) -> dict[str, dict[str, float | int]]:
    """Return figures as they are stored: value, low, high, n, scenes."""
    return {
        name: {
            "value": round(f.value, 4),
            "low": round(f.low, 4),
            "high": round(f.high, 4),
            "n": f.n,
            "scenes": f.scenes,
        }
        for name, f in found.items()
    }


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def measured(
    path: Path,
    book: Book,
    shown: hard.Pictures,
    at: Thresholds,
    size: tuple[int, int],
) -> dict[str, Any]:
    """State every figure of a file on the val split and on rendered pictures."""
    pages = [p for p in book.pages if p.split == "val"]
    real = judge(path, pages, size)
    rendered = judge_hard(path, shown, size)
    return {
        "val": as_data(evaluate.report(real, at)),
        "rendered": as_data(evaluate.report(rendered, at)),
    }

"""What a model turned out to be, for whoever asks before using it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from vision.messages import LABELS

if TYPE_CHECKING:
    from vision.detect.detector import Detector
    from vision.detect.onnx_file import OnnxFile
    from vision.messages import Model


class Report(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="model"):
    """A model that can be used."""

    path: str
    id: str
    sha256: str
    bytes: int
    opset: int
    external: int
    """Files with weights beside it."""
    head: str
    declared: bool
    """The head was declared, not recognised."""
    layout: str
    dtype: str
    size: tuple[int, int]
    free: bool
    """Pictures of other shapes are fed in their own."""
    pixels: str
    names: dict[str, str]
    """Number -> name, as the file has them."""
    classes: dict[str, str]
    """The file's class -> our label."""
    unused: list[str]
    """Classes of the file that are not looked at."""
    thresholds: dict[str, float]
    """What a single picture's score is held against."""
    rises: dict[str, float]
    """What alarms ask of the rise over the view before; a rule replaces it."""
    alone: dict[str, float]
    """What alarms ask while that view is not known."""
    ms: float
    """A frame, one thread, of 1280x720."""
    licence: str
    """As the file says; empty: it says nothing."""
    notes: list[str]
    """What an operator must still see to: words of ``cli.vision.note.*``."""


def report(file: OnnxFile, model: Model, detector: Detector, ms: float) -> Report:
    """Put together what is known."""
    net = detector.net
    names = {str(index): name for index, name in sorted(net.names.items())}
    used: dict[str, str] = {
        names.get(str(n), str(n)): LABELS[x] for n, x in net.classes.items()
    }
    return Report(
        path=str(file.path),
        id=detector.id,
        sha256=file.sha256,
        bytes=len(file.data),
        opset=file.opset,
        external=len(file.external),
        head=detector.head,
        declared=model.head != "auto",
        layout=net.entry.layout,
        dtype=net.entry.dtype,
        size=net.entry.size,
        free=net.entry.free and detector.head == "grid",
        pixels=net.pixels,
        names=names,
        classes=used,
        unused=[name for name in names.values() if name not in used],
        thresholds={label: detector.thresholds[label] for label in detector.labels},
        rises={label: detector.rises[label] for label in detector.labels},
        alone={label: detector.alone[label] for label in detector.labels},
        ms=round(ms, 1),
        licence=file.metadata.get("license", "")[:200],
        notes=notes(detector, model),
    )


_SMOKE = {"dark_smoke", "light_smoke"}


def notes(detector: Detector, model: Model) -> list[str]:
    """What a person must still see to."""
    found = []
    if detector.net.ultralytics:
        found.append("ultralytics")
    if model.path and not detector.calibrated:
        found.append("thresholds")
    labels = set(detector.labels)
    if len(labels & _SMOKE) == 1:
        found.append("one_smoke")
    if not labels & _SMOKE:
        found.append("no_smoke")
    if "dust" not in labels:
        found.append("no_dust")
    if detector.head == "classification":
        found.append("no_region")
    if detector.net.deaf:
        found.append("deaf")
    return found

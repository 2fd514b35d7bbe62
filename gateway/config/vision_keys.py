"""Reads ``vision`` of a site: the model, the room for evidence, memory of a process.

vision:
  model: models/plume.onnx
  head: yolov8
  classes: {0: dark_smoke, smoke: light_smoke}
  memory: 400MB
  evidence: {path: /data/media, max_bytes: 2GB, keep: 90d, picture_bytes: 300kB}

What only shows with the cameras beside it stands here as well: whether a clip's ring
fits into memory, whether a core can look at that many pictures, whether the disk holds
records and pictures.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from drivers.profiles.reading import Section, closest, shown
from drivers.profiles.units import format_size
from gateway.config.cameras import Vision, groups, missing
from vision.messages import HEADS, LABELS, PIXELS, Evidence, Label, Model

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.cameras import SiteCamera
    from gateway.config.model import BufferLimits, HistoryLimits

VISION_KEYS = (
    "model", "head", "classes", "size", "pixels", "threads", "memory", "evidence",
)  # fmt: skip
EVIDENCE_KEYS = ("path", "max_bytes", "keep", "picture_bytes", "part_bytes")
LEAST_MEMORY, MOST_MEMORY = 200_000_000, 8_000_000_000
_LEAST_EVIDENCE = 10_000_000
_PICTURE = (20_000, 2_000_000)
_PART = (8_000, 120_000)
"""With its head it stays below the 128 kB of a message."""
_LONGEST_S = 3660 * 86_400.0
_SIZES = (64, 2048)
_JUDGED_S = 0.045
"""What one picture costs at most with the shipped model, seconds of one core."""
_SHARE = 0.7
_RING_SHARE = 0.25
"""Of the memory of a process, for the pictures kept for clips."""


def read_vision(
    root: Section, buffer: BufferLimits | None, folder: Path
) -> Vision | None:
    """The ``vision`` of a file, with its defaults; None where the file has errors."""
    media = str(buffer.path / "media") if buffer is not None else "media"
    node = root.get("vision")
    if node is None:
        return Vision(evidence=Evidence(folder=media))
    section = Section.open(root.report, node, "vision", VISION_KEYS)
    if section is None:
        return None
    memory = section.size("memory", LEAST_MEMORY, MOST_MEMORY)
    evidence = _evidence(section, media, buffer, folder)
    vision = Vision(model=_model(section, folder), evidence=evidence)
    return Vision(
        model=vision.model,
        evidence=vision.evidence,
        memory=vision.memory if memory is None else memory,
    )


def check_vision(
    root: Section,
    vision: Vision,
    cameras: dict[str, SiteCamera],
    buffer: BufferLimits,
    history: HistoryLimits,
) -> None:
    """What shows only when cameras, memory and disk are seen together."""
    if not cameras:
        return
    place = root.at("cameras")
    if gone := missing():
        names = ", ".join(gone)
        root.report.add(
            place, "cameras", "camera_extra_missing", warning=True, found=names
        )
    for group, members in groups(cameras).items():
        _check_ring(root, vision, members)
        share = sum(_cost_s(c) / c.camera.every_s for c in members)
        if share > _SHARE:
            root.report.add(
                place,
                "cameras",
                "camera_group_busy",
                warning=True,
                group=group,
                percent=round(100 * share),
            )
    _check_disk(root, vision, buffer, history)


def _cost_s(camera: SiteCamera) -> float:
    tiles = camera.camera.tiles
    return _JUDGED_S * (1 + tiles[0] * tiles[1] if tiles else 1)


def _check_ring(root: Section, vision: Vision, members: tuple[SiteCamera, ...]) -> None:
    """The pictures that clips need in memory, for all cameras of one process."""
    needed, most = 0.0, vision.memory * _RING_SHARE
    for member in members:
        camera = member.camera
        needed += camera.clip_s / camera.every_s * vision.evidence.picture_bytes
        if needed > most and camera.clip_s:
            node = root.at("cameras").get(camera.name)
            root.report.add(
                (node and node.get("clip")) or root.at("cameras"),
                f"cameras.{camera.name}.clip",
                "camera_clip_room",
                needed=format_size(int(needed)),
                most=format_size(int(most)),
            )
            return


def _check_disk(
    root: Section, vision: Vision, buffer: BufferLimits, history: HistoryLimits
) -> None:
    """A disk that cannot hold all quotas together, where that can be seen already."""
    size = _disk_size(vision.evidence.folder)
    if size is None or _disk_size(str(buffer.path)) != size:
        return  # another disk, or not here yet
    wanted = vision.evidence.max_bytes + buffer.max_bytes + buffer.keep_free
    if wanted + history.max_bytes > size:
        path = "vision.evidence.max_bytes" if root.has("vision") else "cameras"
        root.report.add(
            root.at("vision" if root.has("vision") else "cameras"),
            path,
            "camera_disk",
            warning=True,
            wanted=format_size(wanted + history.max_bytes),
            found=format_size(size),
        )


def _disk_size(folder: str) -> int | None:
    while folder and not os.path.isdir(folder):  # noqa: PTH112 - text of a struct
        folder = os.path.dirname(folder)  # noqa: PTH120
    try:
        found = os.statvfs(folder or ".")
    except OSError:
        return None
    return found.f_blocks * found.f_frsize


def _evidence(
    section: Section, media: str, buffer: BufferLimits | None, folder: Path
) -> Evidence:
    node = section.get("evidence")
    path = section.path_of("evidence")
    inner = Section.open(section.report, node, path, EVIDENCE_KEYS) if node else None
    if inner is None:
        return Evidence(folder=media)
    named = inner.text("path")
    chosen = media if named is None else str(folder / named)
    if buffer is not None and chosen == str(buffer.path):
        inner.wrong("path", "camera_evidence_in_buffer")
    said: dict[str, Any] = {
        "max_bytes": inner.size("max_bytes", _LEAST_EVIDENCE),
        "keep_s": inner.duration("keep", 3600.0, _LONGEST_S),
        "picture_bytes": inner.size("picture_bytes", *_PICTURE),
        "part_bytes": inner.size("part_bytes", *_PART),
    }
    given = {key: value for key, value in said.items() if value is not None}
    return Evidence(folder=chosen, **given)


def _model(section: Section, folder: Path) -> Model:
    name = section.text("model")
    path = None
    if name is not None:
        file = folder / name
        path = str(file)
        if not name.lower().endswith(".onnx"):
            section.wrong("model", "model_ending", found=name)
        elif not file.is_file():
            # A warning: a model that went missing must not keep the site from running.
            section.wrong("model", "file_absent", folder=folder, warning=True)
    # The shipped model takes any size: a small one for a small machine.
    for key in ("head", "classes", "pixels"):
        if section.has(key) and name is None:
            section.wrong(key, "goes_with", one=key, two="model")
    head = section.choice("head", HEADS) or "auto"
    pixels = section.choice("pixels", PIXELS) or "auto"
    return Model(
        path=path,
        head=cast("Any", head),
        classes=_classes(section),
        size=_size(section),
        pixels=cast("Any", pixels),
        threads=section.integer("threads", 1, 4) or 1,
    )


def _classes(section: Section) -> dict[str, Label]:
    found: dict[str, Label] = {}
    for name, node, _ in section.entries("classes"):
        if isinstance(node.value, str) and node.value in LABELS:
            found[str(name)] = node.value
        else:
            section.report.add(
                node,
                f"{section.path_of('classes')}.{name}",
                "choice",
                choices=", ".join(LABELS),
                found=shown(node),
                meant=closest(node.text, LABELS) if node.text else "",
            )
    return found


def _size(section: Section) -> tuple[int, int] | None:
    nodes = section.items("size")
    if not nodes:
        return None
    numbers = [node.value for node in nodes if type(node.value) is int]
    low, high = _SIZES
    pair = len(nodes) == len(numbers) == 2  # noqa: PLR2004 - a pair
    if not pair or not all(low <= number <= high for number in numbers):
        section.wrong("size", "model_size", low=low, high=high)
        return None
    return numbers[0], numbers[1]

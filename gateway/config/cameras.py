"""Cameras of a site: what the vision process is told of one, and what only we need."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec

from vision.messages import Camera, Evidence, Model

GROUP = "main"
"""The group of cameras that name none."""
_NEEDS = ("numpy", "cv2", "onnxruntime")
"""What the extra ``vision`` installs."""


class SiteCamera(msgspec.Struct, frozen=True, kw_only=True):
    """One camera as the site file has it."""

    camera: Camera
    """For the vision process; its password is filled in when that is started."""
    group: str = GROUP
    """Cameras of one group share a process, its model and its memory."""
    asset: str | None = None
    grid: str | None = None
    values: tuple[str, ...] = ()
    """``device.point`` or ``device``: what is told beside an alarm."""
    password_file: Path | None = None
    password_env: str | None = None
    password_credential: str | None = None

    @property
    def name(self) -> str:
        """The name it has in the site file."""
        return self.camera.name


class Vision(msgspec.Struct, frozen=True, kw_only=True):
    """What all cameras of a site share."""

    model: Model = Model()
    evidence: Evidence
    memory: int = 400_000_000
    """Bytes of one process from which on it is replaced at a quiet moment."""


def groups(cameras: dict[str, SiteCamera]) -> dict[str, tuple[SiteCamera, ...]]:
    """Group -> its cameras, in the order of the site file."""
    found: dict[str, tuple[SiteCamera, ...]] = {}
    for camera in cameras.values():
        found[camera.group] = (*found.get(camera.group, ()), camera)
    return found


def missing() -> list[str]:
    """What the extra ``vision`` would bring and is not there; nothing is imported."""
    return [name for name in _NEEDS if find_spec(name) is None]

"""Which cameras of a group can be logged in to: passwords, read when a process starts.

One whose secret cannot be read is refused and left out; the others are watched. It is
asked again now and then, so that nobody must restart anything once it is mended. Nor
where a camera refuses its login, which then is tried rarely (``vision.backoff``):
another password in the same place, or a reload of the site, is tried at once; the same
one no more than once by each process that follows.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from gateway.secrets import SecretError, password_of, read_secret
from gateway.texts import both

if TYPE_CHECKING:
    from gateway.cameras.standing import Standing
    from gateway.config.cameras import SiteCamera
    from vision.messages import Camera

RETRY_S = 60.0


class Logins:
    """Those of one group.

    Args:
        members: Its cameras.
        standing: Is told who is refused.
    """

    def __init__(self, members: tuple[SiteCamera, ...], standing: Standing) -> None:
        self._members = members
        self._standing = standing
        self._asked_s = 0.0
        self._given: dict[str, bytes] = {}
        self._again = False
        self.names: list[str] = []
        """Cameras of the process that was started last."""

    def read(self) -> tuple[Camera, ...]:
        """The cameras with their passwords; one whose secret is wrong is refused."""
        found = []
        self._again = False
        for camera in self._members:
            try:
                told, last = with_password(camera), self._given.get(camera.name)
                mark = self._given[camera.name] = _mark(told)
                refused = last == mark and self._by_camera(camera)
                found.append(msgspec.structs.replace(told, refused=refused))
            except SecretError as exc:
                reason = both("vision.said", error=exc)
                self._standing.refuse(camera, reason, "password")
        self.names = [camera.name for camera in found]
        return tuple(found)

    def try_again(self) -> None:
        """What was refused is tried at once."""
        self._again = any(self._refused(camera) for camera in self._members)

    def more(self, now: float) -> bool:
        """Whether a login is worth a try that was none before; looked at rarely."""
        if self._again:
            return True
        waiting = [c for c in self._members if self._refused(c)]
        if not waiting or now - self._asked_s < RETRY_S:
            return False
        self._asked_s = now
        return any(self._another(camera) for camera in waiting)

    def _refused(self, camera: SiteCamera) -> bool:
        """By its place, or by the camera."""
        return camera.name not in self.names or self._by_camera(camera)

    def _by_camera(self, camera: SiteCamera) -> bool:
        return "refused" in self._standing.faults_of(camera.name)

    def _another(self, camera: SiteCamera) -> bool:
        """Whether its secret can be read, and is another than was tried."""
        try:
            told = with_password(camera)
        except SecretError:
            return False
        return camera.name not in self.names or _mark(told) != self._given[camera.name]


def with_password(camera: SiteCamera) -> Camera:
    """What the vision process is told of a camera.

    Raises:
        SecretError: There should be a password, and it cannot be read.
    """
    place = password_of(camera)
    password = None if place is None else read_secret(place)
    return msgspec.structs.replace(camera.camera, password=password)


def _mark(camera: Camera) -> bytes:
    """What tells one password from another, and is none."""
    return hashlib.sha256((camera.password or "").encode()).digest()

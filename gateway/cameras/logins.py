"""Which cameras of a group can be logged in to: passwords, read when a process starts.

One whose secret cannot be read is refused and left out; the others are watched. It is
asked again now and then, so that nobody must restart anything once it is mended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.secrets import SecretError, password_of, read_secret

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
        self.names: list[str] = []
        """Cameras of the process that was started last."""

    def read(self) -> tuple[Camera, ...]:
        """The cameras with their passwords; one whose secret is wrong is refused."""
        found = []
        for camera in self._members:
            try:
                found.append(with_password(camera))
            except SecretError as exc:
                said = str(exc)
                reason = {"zh": said, "en": said}
                self._standing.refuse(camera, reason, "password")
        self.names = [camera.name for camera in found]
        return tuple(found)

    def more(self, now: float) -> bool:
        """Whether a secret that could not be read can be now; looked at rarely."""
        left_out = [c for c in self._members if c.name not in self.names]
        if not left_out or now - self._asked_s < RETRY_S:
            return False
        self._asked_s = now
        return any(_readable(camera) for camera in left_out)


def with_password(camera: SiteCamera) -> Camera:
    """What the vision process is told of a camera.

    Raises:
        SecretError: There should be a password, and it cannot be read.
    """
    place = password_of(camera)
    password = None if place is None else read_secret(place)
    return msgspec.structs.replace(camera.camera, password=password)


def _readable(camera: SiteCamera) -> bool:
    try:
        with_password(camera)
    except SecretError:
        return False
    return True

"""Where each kind of message goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from gateway.config.model import MqttTarget


class Topics(msgspec.Struct, frozen=True):
    """The topics of one gateway on one platform."""

    prefix: str

    @property
    def status(self) -> str:
        """Retained, and the last will."""
        return f"{self.prefix}/status"

    @property
    def data(self) -> str:
        """Scans, gaps and losses."""
        return f"{self.prefix}/data"

    @property
    def event(self) -> str:
        """Events."""
        return f"{self.prefix}/event"

    @property
    def receipt(self) -> str:
        """From the platform: what it has."""
        return f"{self.prefix}/receipt"

    def media(self, end: str) -> str:
        """A part of a picture; ``{event}/{n}`` says of which."""
        return f"{self.prefix}/media/{end}"

    def meta(self, meta: str) -> str:
        """Retained, one per version."""
        return f"{self.prefix}/meta/{meta}"


def topics_of(target: MqttTarget, gateway: str) -> Topics:
    """The topics of a target: its prefix with ``{gateway}`` filled in."""
    return Topics(target.prefix.replace("{gateway}", gateway).rstrip("/"))

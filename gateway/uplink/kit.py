"""What every connection to one target works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.model import MqttTarget
    from gateway.meta import MetaStore
    from gateway.uplink.delivery import Delivery
    from gateway.uplink.message import Packer
    from gateway.uplink.source import Source
    from gateway.uplink.topics import Topics


@dataclass(frozen=True)
class Kit:
    """One target's, outliving its connections."""

    target: MqttTarget
    topics: Topics
    source: Source
    packer: Packer
    metas: MetaStore
    delivery: Delivery
    status: Callable[[], bytes]
    wall_ms: Callable[[], int]
    promise: Callable[[float], None]
    """Told until when this loop will have reported again."""
    proof_s: float

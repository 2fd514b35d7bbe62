"""Retained messages beside the records: status, and what the numbers mean."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from gateway.texts import t
from gateway.uplink.message import compressed

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.meta import MetaStore
    from gateway.uplink.message import Bounds
    from gateway.uplink.topics import Topics

log = logging.getLogger(__name__)

USUAL_PACKET = 1_000_000
"""What brokers take that announce no limit (nats-server's default is 1 MiB)."""


class Retained(NamedTuple):
    """One such message."""

    topic: str
    payload: bytes
    empties: str = ""
    """The meta version whose topic this empties."""


class RetainedQueue:
    """Those of one connection that have not left yet; they go before records."""

    def __init__(
        self,
        target: str,
        topics: Topics,
        metas: MetaStore,
        status: Callable[[], bytes],
        bounds: Bounds,
    ) -> None:
        self._target = target
        self._topics = topics
        self._metas = metas
        self._status = status
        self._bounds = bounds
        self._queue: deque[Retained] = deque()
        self._described: set[str] = set()

    def __len__(self) -> int:
        return len(self._queue)

    def next(self) -> Retained:
        """The oldest; it leaves the queue."""
        return self._queue.popleft()

    def status(self) -> None:
        """Queue ``status`` as it is now, unless it waits already."""
        topic = self._topics.status
        if all(queued.topic != topic for queued in self._queue):
            self._queue.append(Retained(topic, self._status()))

    def describe(self, meta: str) -> bool:
        """Queue the description of a version, once a connection.

        Returns:
            Whether one was queued, which then goes before the records that name it.
        """
        if meta in self._described:
            return False
        self._described.add(meta)
        payload = self._metas.payload(meta)
        if payload is None:
            return False
        if len(payload) > self._bounds.payload:
            payload = compressed(payload)  # thousands of points, much alike
        limit = self._bounds.hard or USUAL_PACKET
        if len(payload) > limit:
            # Sent all the same, it would end the connection, again and again.
            said = {"target": self._target, "size": len(payload), "limit": limit}
            log.error("%s", t("uplink.meta_too_large", meta=meta, **said))
            return False
        self._queue.append(Retained(self._topics.meta(meta), payload))
        return True

    def clear(self, floor: int) -> None:
        """Empty the topics of versions that no record here refers to any more."""
        self._metas.retry()
        for meta in self._metas.unused(self._target, floor):
            topic = self._topics.meta(meta)
            if all(queued.topic != topic for queued in self._queue):
                self._queue.append(Retained(topic, b"", empties=meta))

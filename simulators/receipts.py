"""What a platform tells its gateways to have: ``{prefix}/receipt``.

Sent only for what is safe at the platform. What arrives again is confirmed again, so
that a lost receipt repairs itself; nothing needs to be remembered for that.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice

from simulators.intervals import Intervals

RANGES = 200
"""Ranges in one message: a few kB, whatever the holes."""


@dataclass
class _Pending:
    prefix: str
    ok: Intervals = field(default_factory=Intervals)
    refused: dict[int, str] = field(default_factory=dict)


class Receipts:
    """Gathers seqs and makes payloads of them."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str, str], _Pending] = {}

    def ok(self, prefix: str, store: str, seq: int) -> None:
        """The platform has this record."""
        pending = self._of(prefix, store)
        pending.ok.add(seq, seq)
        pending.refused.pop(seq, None)

    def refused(self, prefix: str, store: str, seq: int, reason: str) -> None:
        """The platform will not take this record."""
        self._of(prefix, store).refused[seq] = reason

    def take(self) -> list[tuple[str, bytes]]:
        """Topic and payload of everything gathered since the last call."""
        made: list[tuple[str, bytes]] = []
        pending, self._pending = self._pending, {}
        for (_, store), one in pending.items():
            ranges: list[tuple[int, int] | tuple[int, int, str]] = [
                *one.ok,
                *_runs(one.refused),
            ]
            left = iter(ranges)
            while batch := list(islice(left, RANGES)):
                ok = [part for part in batch if len(part) == 2]  # noqa: PLR2004
                body = {"store": store, "ok": ok, "refused": batch[len(ok) :]}
                payload = json.dumps(body, separators=(",", ":"))
                made.append((f"{one.prefix}/receipt", payload.encode()))
        return made

    def _of(self, prefix: str, store: str) -> _Pending:
        return self._pending.setdefault((prefix, store), _Pending(prefix))


def _runs(refused: dict[int, str]) -> list[tuple[int, int, str]]:
    """Neighbours that were refused for the same reason, as ranges."""
    by_reason: defaultdict[str, Intervals] = defaultdict(Intervals)
    for seq, reason in refused.items():
        by_reason[reason].add(seq, seq)
    return [
        (first, last, reason)
        for reason, seqs in by_reason.items()
        for first, last in seqs
    ]

"""The documented payloads as a platform reads them; unknown keys are ignored."""

from __future__ import annotations

from typing import Any

import msgspec

_ZSTD = b"\x28\xb5\x2f\xfd"
"""Magic number of a zstd frame (RFC 8878, 3.1.1)."""

Ranges = list[tuple[int, int]]
"""Of seqs, both ends included."""


class Data(msgspec.Struct):
    """A ``data`` or ``event`` message."""

    v: int
    gw: str
    store: str
    meta: str
    lane: str
    sent: int
    records: list[msgspec.Raw]
    again: bool = False
    """Sent once more because no receipt came: its place in the order is its past."""
    skipped: Ranges = []
    """Seqs that this platform's filter leaves out."""


class Record(msgspec.Struct):
    """One record of any kind."""

    seq: int
    kind: str
    t: int
    device: str | None = None
    until: int | None = None
    noted: int | None = None
    values: dict[str, Any] = {}
    q: dict[str, tuple[str, str]] = {}
    points: list[str] = []
    slots: int = 0
    every_ms: int | None = None
    """Of a gap: the period of its slots."""
    cause: str = ""
    type: str = ""
    state: str | dict[str, str] = ""
    seq_from: int | None = None
    seq_to: int | None = None
    counts: dict[str, int] = {}
    certain: bool | None = None
    at_most: int | None = None
    clock: str | None = None
    t_min: int | None = None
    t_max: int | None = None


class Media(msgspec.Struct):
    """The line of JSON before the bytes of a part of a picture."""

    v: int
    gw: str
    store: str
    meta: str
    seq: int
    t: int
    event: str
    n: int
    part: int
    parts: int
    offset: int
    bytes: int
    sha256: str
    type: str
    role: str
    annotated: bool
    camera: str
    kind: str = "media"
    clock: str | None = None


class Status(msgspec.Struct):
    """What the line of seqs needs of a ``status`` message."""

    gw: str
    store: str = ""
    seq_high: int = 0
    skipped: Ranges = []


def plain(payload: bytes) -> bytes:
    """A payload as JSON, whether or not the gateway compresses."""
    if not payload.startswith(_ZSTD):
        return payload
    import zstandard  # noqa: PLC0415 only where a gateway compresses

    return zstandard.ZstdDecompressor().decompress(payload)

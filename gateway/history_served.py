"""Questions to the history and their answers as JSON: over the control socket or not.

The answers to one question come some hundred at a time, each time as a JSON array:

    periods   {"station":"DA001","t":...,"rev":0,"agg":{...}}, the newest revision
    revs      the same, all revisions
    events    as on the wire (docs/mqtt.md), without a seq that means anything
    fates     [t, rev, "sent" | "written" | "proved"]
    span      [first t, last t]; nothing where there is none
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from gateway.chronicle import KIND
from gateway.record import PERIOD_AT, RecordError, head, to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from buffer import History, Revision

_encode = msgspec.json.Encoder().encode

What = Literal["periods", "revs", "events", "fates", "span"]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to know."""

    what: What
    subject: str
    """A station; for events a device."""
    kind: Literal["minute", "hour", "day"] = "minute"
    since_ms: int = 0
    until_ms: int = 1 << 62
    target: str = ""
    """Of fates."""


async def answers(history: History, asked: Question) -> AsyncGenerator[bytes]:
    """The answers to one question, as JSON arrays.

    Raises:
        DiskTroubleError: They cannot be read now.
    """
    span = asked.subject, asked.kind, asked.since_ms, asked.until_ms
    match asked.what:
        case "periods":
            async for part in history.walk(*span):
                yield _array(_figures(part))
        case "revs":
            yield _array(_figures(await history.revs(*span)))
        case "events":
            found = await history.revs(asked.subject, KIND, *span[2:])
            yield _array(_events(found))
        case "fates":
            yield _encode(await history.fates(asked.target, *span))
        case "span":
            yield _encode(await history.span(asked.subject, asked.kind) or ())


def _array(items: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _figures(found: Iterable[Revision]) -> Iterable[bytes]:
    """The JSON of each period as it stands: nothing is read."""
    for _, _, data in found:
        stop = data.find(b"\0", PERIOD_AT)
        if stop > 0:
            yield b"{" + data[PERIOD_AT:stop]


def _events(found: Iterable[Revision]) -> Iterable[bytes]:
    for _, _, data in found:
        try:
            if head(data).kind in ("event", "gap"):
                yield to_wire(0, data)
        except RecordError:
            continue  # of another release

"""Pictures as records: cut into parts, each with all that is needed to join them again.

    {"event":"north-1763712000123-1","n":1,"part":1,"parts":5,"offset":0,...}
    00
    the bytes of this part, as they are in the file

JSON has no zero byte of its own, so a reader cuts at the first. Every part names the
whole by its size and SHA-256: whoever joins them knows that nothing is missing. A part
has at most ``PART_BYTES``, so that a message with one stays below 128 kB; how a picture
was cut is in its records, and every platform gets these same parts.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from gateway.clock import Instant
from gateway.texts import t
from vision.messages import Role

if TYPE_CHECKING:
    from pathlib import Path

    from vision.messages import Picture

PART_BYTES = 96_000
LARGEST_BYTES = 32_000_000
"""Of a whole picture or clip: it is held in memory while it is cut."""

OF_ALARMS: frozenset[Role] = frozenset(("before", "at", "after", "clip"))
"""What shows an alarm: it travels before other pictures, and is kept longer."""
_CUT = b"\0"


class MediaError(ValueError):
    """A picture that cannot become records, and why in words; nothing was stored."""


class MediaRef(msgspec.Struct, frozen=True):
    """How an event names one of its pictures."""

    n: int
    sha256: str
    bytes: int
    role: Role
    type: str = "image/jpeg"
    annotated: bool = False


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """One part of one picture."""

    at: Instant
    data: bytes
    event: str
    """The id of the event it belongs to, or of a heartbeat or a question."""
    n: int
    """The picture's number within the event."""
    part: int
    """1 to ``parts``."""
    parts: int
    offset: int
    """Where ``data`` begins in the whole."""
    size: int
    """Bytes of the whole."""
    sha256: str
    """Of the whole, in hex."""
    type: str
    role: Role
    annotated: bool
    """Whether anything was drawn into it."""
    camera: str
    name: str
    """The file's name in the evidence folder of the gateway."""


class _Head(msgspec.Struct):
    event: str
    n: int
    part: int
    parts: int
    offset: int
    bytes: int
    sha256: str
    type: str
    role: Role
    annotated: bool
    camera: str
    name: str


def ref(picture: Picture) -> MediaRef:
    """What an event says of a picture."""
    return MediaRef(
        picture.n,
        picture.sha256,
        picture.bytes,
        picture.role,
        picture.type,
        picture.annotated,
    )


def media_records(
    picture: Picture, folder: Path, at: Instant, part_bytes: int = PART_BYTES
) -> list[Media]:
    """A picture's file as records, in order.

    Reads the whole file: call it outside the event loop where a card may be slow.

    Args:
        picture: What the vision process said of it.
        folder: The evidence folder.
        at: When the picture was taken.
        part_bytes: At most so many bytes of the file in one record.

    Raises:
        MediaError: The file is not there, is not the one that was meant, or is no file
            of the folder.
    """
    data = _read(picture, folder)
    parts = max(1, -(-len(data) // part_bytes))
    return [
        Media(
            event=picture.event,
            n=picture.n,
            part=index + 1,
            parts=parts,
            offset=index * part_bytes,
            size=len(data),
            sha256=picture.sha256,
            type=picture.type,
            role=picture.role,
            annotated=picture.annotated,
            camera=picture.camera,
            name=picture.file,
            at=at,
            data=data[index * part_bytes : (index + 1) * part_bytes],
        )
        for index in range(parts)
    ]


def tail(media: Media) -> bytes:
    """The JSON object with its braces, the cut, and the bytes."""
    head = _Head(
        media.event,
        media.n,
        media.part,
        media.parts,
        media.offset,
        media.size,
        media.sha256,
        media.type,
        media.role,
        media.annotated,
        media.camera,
        media.name,
    )
    return msgspec.json.encode(head) + _CUT + media.data


def wire_end(data: bytes, start: int) -> int:
    """Where the JSON ends that begins at ``start``; its bytes follow one after it.

    Raises:
        ValueError: There is no end.
    """
    return data.index(_CUT, start)


def read(at: Instant, body: bytes) -> Media:
    """The record behind its JSON, cut and bytes.

    Raises:
        msgspec.MsgspecError: Damaged.
    """
    text, cut, data = body.partition(_CUT)
    if not cut:
        raise msgspec.DecodeError("the bytes of the picture are missing")
    head = msgspec.json.decode(text, type=_Head)
    return Media(
        at=at,
        data=data,
        event=head.event,
        n=head.n,
        part=head.part,
        parts=head.parts,
        offset=head.offset,
        size=head.bytes,
        sha256=head.sha256,
        type=head.type,
        role=head.role,
        annotated=head.annotated,
        camera=head.camera,
        name=head.name,
    )


def topic_end(body: bytes) -> str:
    """``{event}/{n}`` of a part's JSON, safe in a topic.

    What could end a level, or be a wildcard, is percent-encoded as in a URL.

    Raises:
        msgspec.MsgspecError: Damaged.
    """
    named = msgspec.json.decode(body, type=_Named)
    return f"{quote(named.event, safe=':')}/{named.n}"


class _Named(msgspec.Struct):
    event: str
    n: int


def _read(picture: Picture, folder: Path) -> bytes:
    root = folder.resolve()
    path = (root / picture.file).resolve()
    if not path.is_relative_to(root):
        raise MediaError(
            t("media.outside", file=picture.file, folder=folder, path=path)
        )
    if picture.bytes > LARGEST_BYTES:
        raise MediaError(
            t("media.large", path=path, most=LARGEST_BYTES, found=picture.bytes)
        )
    try:
        # A pipe would keep its reader for ever, at the opening already.
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as file:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise MediaError(t("media.no_file", path=path))
            data = file.read(picture.bytes + 1)
    except OSError as exc:
        error = exc.strerror or str(exc)
        raise MediaError(t("media.unread", path=path, error=error)) from exc
    if len(data) != picture.bytes:
        found = f">= {len(data)}" if len(data) > picture.bytes else len(data)
        raise MediaError(
            t("media.size", path=path, expected=picture.bytes, found=found)
        )
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != picture.sha256:
        raise MediaError(
            t("media.sha256", path=path, expected=picture.sha256, found=sha256)
        )
    return data

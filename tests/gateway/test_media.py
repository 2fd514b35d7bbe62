"""Pictures as records: every byte of the file, and nothing that is not the file."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from gateway.clock import Instant
from gateway.media import PART_BYTES, MediaError, media_records, ref, topic_end
from gateway.record import (
    RecordError,
    decode,
    encode,
    is_dated,
    kind_of,
    media_bytes,
    media_topic,
    to_wire,
)
from vision.messages import Picture

if TYPE_CHECKING:
    from pathlib import Path

AT = Instant(1_763_712_000_123, 55_555, "0a0b0c0d", trusted=True)
META = "9c41d07a"


def made(folder: Path, size: int, seed: int = 1, **changes: object) -> Picture:
    data = random.Random(seed).randbytes(size)
    (folder / "a-1.jpg").write_bytes(data)
    picture = Picture(
        camera="north",
        event="north-17-1",
        n=1,
        role="at",
        annotated=True,
        file="a-1.jpg",
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=size,
        t_ms=AT.wall_ms,
    )
    return msgspec.structs.replace(picture, **changes)


@pytest.mark.parametrize(
    "size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 400_000]
)
def test_the_parts_of_a_picture_are_the_file(tmp_path: Path, size: int) -> None:
    records = media_records(made(tmp_path, size), tmp_path, AT)

    whole = b"".join(record.data for record in records)
    assert whole == (tmp_path / "a-1.jpg").read_bytes()
    assert [r.part for r in records] == list(range(1, len(records) + 1))
    assert {r.parts for r in records} == {len(records)}
    assert all(len(r.data) <= PART_BYTES for r in records)
    offset = 0
    for record in records:
        assert record.offset == offset
        offset += len(record.data)
    assert offset == size


def test_a_stored_part_says_all_but_its_bytes_on_the_wire(tmp_path: Path) -> None:
    picture = made(tmp_path, 200_000)
    record = media_records(picture, tmp_path, AT)[2]
    data = encode(record, META)

    wire = json.loads(to_wire(7, data))

    assert wire == {
        "seq": 7,
        "kind": "media",
        "t": AT.wall_ms,
        "event": "north-17-1",
        "n": 1,
        "part": 3,
        "parts": 3,
        "offset": 2 * PART_BYTES,
        "bytes": 200_000,
        "sha256": picture.sha256,
        "type": "image/jpeg",
        "role": "at",
        "annotated": True,
        "camera": "north",
        "name": "a-1.jpg",
    }
    assert media_bytes(data) == record.data
    assert decode(data) == (record, META)
    assert kind_of(data) == "media"
    assert is_dated(data)


def test_the_time_of_a_clock_nobody_trusted_is_said(tmp_path: Path) -> None:
    at = msgspec.structs.replace(AT, trusted=False)
    data = encode(media_records(made(tmp_path, 10), tmp_path, at)[0], META)

    assert not is_dated(data)
    assert json.loads(to_wire(1, data))["clock"] == "unknown"


@pytest.mark.parametrize(
    ("event", "topic"),
    [
        ("north-17-1", "north-17-1/1"),
        ("a:b:c", "a:b:c/1"),
        ("a/+/#", "a%2F%2B%2F%23/1"),
        ("北", "%E5%8C%97/1"),
    ],
)
def test_no_event_id_can_reach_another_topic(
    tmp_path: Path, event: str, topic: str
) -> None:
    picture = made(tmp_path, 10, event=event)
    data = encode(media_records(picture, tmp_path, AT)[0], META)

    assert media_topic(data) == topic
    assert topic_end(msgspec.json.encode({"event": event, "n": 1})) == topic


def test_what_is_cut_off_is_damage(tmp_path: Path) -> None:
    data = encode(media_records(made(tmp_path, 10), tmp_path, AT)[0], META)
    short = data[: data.index(b"\0", 28)]

    for look in (lambda d: to_wire(1, d), media_topic, media_bytes, decode):
        with pytest.raises(RecordError):
            look(short)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bytes": 99}, "expected 99 bytes, got >= 100"),
        ({"bytes": 101}, "expected 101 bytes, got 100"),
        ({"sha256": "0" * 64}, "expected SHA-256 0000"),
        ({"file": "gone.jpg"}, "No such file"),
        ({"file": "../a-1.jpg"}, "expected a file in"),
        ({"file": "/etc/hostname"}, "expected a file in"),
        ({"bytes": 10**9}, "expected at most"),
    ],
)
def test_a_file_that_is_not_what_was_meant_is_no_record(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    picture = made(folder, 100, **changes)

    with pytest.raises(MediaError, match=said):
        media_records(picture, folder, AT)


def test_an_event_names_its_pictures(tmp_path: Path) -> None:
    picture = made(tmp_path, 100)

    assert msgspec.to_builtins(ref(picture)) == {
        "n": 1,
        "sha256": picture.sha256,
        "bytes": 100,
        "role": "at",
        "type": "image/jpeg",
        "annotated": True,
    }

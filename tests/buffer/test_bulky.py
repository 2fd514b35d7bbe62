"""Pictures in the store: classes of their own, first to go, never in an event's way."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from buffer import BULKY, Buffer, Entry, Limits, PriorityClass
from buffer.batch import pack, unpack
from buffer.pending import BULKY_BYTES, Pending

if TYPE_CHECKING:
    from pathlib import Path

PART = 96 * 1024


def picture(seed: int, size: int = PART) -> bytes:
    return random.Random(seed).randbytes(size)


async def opened(folder: Path, targets: list[str], **limits: int) -> Buffer:
    return await Buffer.open(
        folder,
        Limits(keep_free=0, **limits),  # type: ignore[arg-type]
        targets,
        wall_ms=lambda: 1_763_712_000_000,
        boot="0a0b0c0d",
    )


def put(buffer: Buffer, cls: PriorityClass, data: bytes, subject: str = "cam") -> int:
    return buffer.append(data, cls=cls, subject=subject, t_ms=1_763_712_000_000)


def chains(folder: Path) -> set[str]:
    return {path.name.partition("-")[0] for path in folder.glob("*-*.sqlite")}


async def read_all(buffer: Buffer, target: str) -> list[Entry]:
    found: list[Entry] = []
    while more := await buffer.read(
        target, found[-1].seq if found else 0, 1000, 10_000_000
    ):
        found += more
    return found


async def test_pictures_come_back_as_they_were_and_are_not_compressed(
    tmp_path: Path,
) -> None:
    buffer = await opened(tmp_path, ["city"])
    for n in range(9):
        put(buffer, PriorityClass.EVIDENCE, picture(n))
        put(buffer, PriorityClass.LIVE, b"scan" * 40, "cems-1")
    put(buffer, PriorityClass.MEDIA, b"\0" * PART)
    await buffer.flush()
    stored = buffer.stats().bytes_stored
    await buffer.close()

    again = await opened(tmp_path, ["city"])
    found = await read_all(again, "city")
    await again.close()

    assert stored > 10 * PART
    assert [e.seq for e in found] == list(range(1, 20))
    assert [e.data for e in found if e.cls is PriorityClass.EVIDENCE] == [
        picture(n) for n in range(9)
    ]
    assert chains(tmp_path) == {"live", "evidence", "media"}


def test_what_one_commit_takes_of_pictures_is_bounded_and_nothing_is_lost() -> None:
    pending = Pending()
    for seq in range(1, 21):
        cls = PriorityClass.EVIDENCE if seq % 2 else PriorityClass.MEDIA
        pending.add(Entry(seq, cls, 0, "cam", b"x" * PART), None, 0.0)
    pending.add(Entry(21, PriorityClass.EVENT, 0, "", b"event"), None, 0.0)
    taken: list[int] = []
    while pending.count:
        groups = pending.begin(-1000.0)
        size = sum(len(e.data) for c in BULKY for e in groups.get(c, ()))
        assert 0 < size <= BULKY_BYTES
        left = pending.left()
        assert left is None or all(left != e.seq for g in groups.values() for e in g)
        taken += [e.seq for group in groups.values() for e in group]
        pending.end([(cls, len(found)) for cls, found in groups.items()])

    assert sorted(taken) == list(range(1, 22))
    assert pending.left() is None


def test_a_record_larger_than_the_bound_is_taken_alone() -> None:
    pending = Pending()
    for seq in (1, 2):
        entry = Entry(seq, PriorityClass.MEDIA, 0, "cam", b"x" * (BULKY_BYTES + 1))
        pending.add(entry, None, 0.0)

    assert [len(g) for g in pending.begin(-1000.0).values()] == [1]


async def test_a_kill_between_two_commits_of_pictures_loses_none_silently(
    tmp_path: Path,
) -> None:
    buffer = await opened(tmp_path, ["city"])
    for n in range(12):
        put(buffer, PriorityClass.EVIDENCE, picture(n))
        put(buffer, PriorityClass.LIVE, b"scan", "cems-1")
    commits = buffer._committer
    await commits._ended()  # one commit: not everything fits
    left = buffer._memory.pending.count
    buffer.abandon()

    again = await opened(tmp_path, ["city"])
    found = [entry.seq for entry in await read_all(again, "city")]
    losses = again.losses()
    await again.close()

    assert 0 < left < 24
    assert all(not loss.certain for loss in losses)
    covered = set(found)
    for loss in losses:
        covered |= set(range(loss.first, loss.last + 1))
        assert loss.at_most >= min(left, loss.last - loss.first + 1)
    assert covered >= set(range(1, 25))


async def test_heartbeats_go_first_then_evidence_and_live_data_last(
    tmp_path: Path,
) -> None:
    buffer = await opened(
        tmp_path, ["dead"], max_bytes=4_000_000, segment_bytes=200_000
    )
    for n in range(100):
        put(buffer, PriorityClass.LIVE, picture(n, 2000), "cems-1")
    for n in range(14):
        put(buffer, PriorityClass.EVIDENCE, picture(n))
        put(buffer, PriorityClass.MEDIA, picture(n))
        await buffer.flush()
    for n in range(20):
        put(buffer, PriorityClass.EVIDENCE, picture(n))
        await buffer.flush()
    kept = await read_all(buffer, "dead")
    lost = buffer.losses()
    size = buffer.stats().bytes
    await buffer.close()

    live = sum(e.cls is PriorityClass.LIVE for e in kept)
    evidence = sum(e.cls is PriorityClass.EVIDENCE for e in kept)
    media = sum(e.cls is PriorityClass.MEDIA for e in kept)
    assert live == 100
    assert media < 5 < evidence
    assert size <= 4_000_000
    assert sum(loss.counts.get("cam", 0) for loss in lost) == 48 - evidence - media
    assert not any("cems-1" in loss.counts for loss in lost)


async def test_a_burst_of_pictures_leaves_a_small_store_its_scans(
    tmp_path: Path,
) -> None:
    buffer = await opened(tmp_path, ["dead"], max_bytes=4_000_000)
    for n in range(100):
        put(buffer, PriorityClass.LIVE, picture(n, 1000), "cems-1")
    await buffer.flush()
    for n in range(45):
        put(buffer, PriorityClass.EVIDENCE, picture(n))
    await buffer.flush()
    kept = await read_all(buffer, "dead")
    await buffer.close()

    assert sum(e.cls is PriorityClass.LIVE for e in kept) == 100
    assert any(e.cls is PriorityClass.EVIDENCE for e in kept)


def test_a_row_of_pictures_is_stored_plain() -> None:
    entries = [Entry(1, PriorityClass.MEDIA, 5, "cam", b"\0" * 1000)]

    row = pack(entries, 0, None)

    assert row.body[:1] == b"\x95"
    assert unpack(row, PriorityClass.MEDIA) == entries

"""Bar 6, the daemon's part: a damaged store never holds back the start or the rest.

The gateway is stopped or killed with a backlog, a file of its store is damaged, and it
starts again. What plain SQLite still reads from the damaged file must be delivered;
what is gone must be stated, with the count. The birth log says what there was.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import time
from collections import Counter

import pytest

from tests.support.site_run import SiteRun, until

READY_S = 10.0
CHAIN = 5


def newest(data, stem):
    """The last file of a chain that holds anything: its WAL, or itself."""
    found = sorted(data.glob(f"{stem}*.sqlite"))
    wal = found[-1].with_name(found[-1].name + "-wal")
    return wal if wal.exists() and wal.stat().st_size else found[-1]


def damage(path, rng):
    """Truncate, flip or zero somewhere; says what was done."""
    size = path.stat().st_size
    at = rng.randrange(size)
    kind = rng.choice(["truncated", "flipped", "zeroed"])
    with path.open("r+b") as file:
        if kind == "truncated":
            file.truncate(at)
        else:
            length = min(size - at, rng.choice([1, 16, 512, 4096]))
            file.seek(at)
            old = file.read(length)
            new = bytes(b ^ 0x55 for b in old) if kind == "flipped" else bytes(length)
            file.seek(at)
            file.write(new)
            kind = f"{length} bytes {kind}"
    return f"{path.name}: {kind} at {at} of {size}"


def readable(folder, names, scratch):
    """Every batch row that plain SQLite reads from copies of these files."""
    rows = {}
    for name in names:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        for end in ("", "-wal"):
            if (folder / (name + end)).exists():
                shutil.copy(folder / (name + end), scratch)
        with contextlib.closing(sqlite3.connect(scratch / name)) as db:
            try:
                firsts = [f for (f,) in db.execute("SELECT first FROM batch")]
            except sqlite3.DatabaseError:
                firsts = range(_first(name), _first(name) + 5000)
            for first in firsts:
                with contextlib.suppress(sqlite3.DatabaseError):
                    for row in db.execute("SELECT * FROM batch WHERE first=?", [first]):
                        rows[name, first] = row
    return rows


def _first(name):
    return int(name.partition("-")[2][:16])


def damage_round(site, rng):
    """A backlog, an end, a damage, a new start; returns what is to be judged."""
    site.wait_fresh()
    site.cut()
    born = site.born()
    until(lambda: site.born() > born + rng.randrange(60, 260), 30, "a backlog")
    clean = rng.random() < 0.5
    if clean:
        site.gateway.stop()
    else:
        site.gateway.kill()
    stem = rng.choices(
        ["live-", "event-", "aggregate-", "control", "mark"], [14, 2, 1, 2, 1]
    )[0]
    chains = ["live-", "event-", "aggregate-"]
    names = [p.name for c in chains for p in site.data.glob(f"{c}*.sqlite")]
    scratch = site.folder / "scratch"
    before = readable(site.data, names, scratch)
    if stem.endswith("-") and not list(site.data.glob(f"{stem}*.sqlite")):
        # A chain whose records were all proved before their commit was never written.
        stem = "live-"
    path = site.data / "mark" if stem == "mark" else newest(site.data, stem)
    said = damage(path, rng)
    after = readable(site.data, names, scratch)
    intact = [row for key, row in after.items() if before.get(key) == row]
    ready_s = site.start()
    site.heal()
    site.wait_complete()
    return clean, stem, said, intact, ready_s


def judge(site, intact, words):
    """From outside, over all rounds of this store.

    Returns:
        Births that no record carries, seqs stated lost for certain, and the bound of
        all losses.
    """
    verdict, match = site.witness.verdict(), site.match()
    where = f"{words}\n{verdict.text()}\n{site.gateway.tail()}"
    assert not match.wrong, (match.wrong[:5], where)
    assert not match.unborn, (match.unborn[:5], where)
    for trouble in set(verdict.TROUBLES) - {"unexplained_slots", "retimed"}:
        assert getattr(verdict, trouble) == 0, (trouble, where)
    seqs = {record["seq"] for record in site.witness.records()}
    for row in intact:
        held = [seq for seq in range(row[0], row[1] + 1) if seq in seqs]
        assert len(held) >= row[2], (row[:3], "an intact batch", where)
    lost = site.witness.records("lost")
    spans = sum(r["seq_to"] - r["seq_from"] + 1 for r in lost if r["certain"])
    bound = sum(record["at_most"] for record in lost)
    absent = match.absent_scans
    assert len(absent) <= bound, (len(absent), lost, where)
    stated = Counter()
    for record in lost:
        stated.update(record["counts"])
        span = record["seq_to"] - record["seq_from"] + 1
        assert 0 < record["at_most"] <= span, (record, where)
        assert sum(record["counts"].values()) <= record["at_most"], (record, where)
    gone = Counter(f"bench-{birth.unit}" for birth in absent)
    for device, count in stated.items():
        if device.startswith("bench-"):
            assert count <= gone[device], (device, count, gone, lost, where)
    return len(absent), spans, bound


@pytest.mark.timeout(100)
@pytest.mark.sentence(2, 7)
def test_a_damaged_store_is_set_aside_counted_and_left_behind(
    tmp_path, seed, count, figure
):
    rounds, total, slowest, kept, absent, bound = count(3, 20), [], 0.0, 0, 0, 0
    for start in range(0, rounds, CHAIN):
        folder = tmp_path / f"chain-{start}"
        folder.mkdir()
        all_intact, found = {}, (0, 0, 0)
        with SiteRun(folder, devices=6, points=20, every="100ms") as site:
            site.start()
            for number in range(start, min(start + CHAIN, rounds)):
                rng = random.Random(f"{seed}/{number}")
                clean, stem, said, intact, ready_s = damage_round(site, rng)
                all_intact |= {row[0]: row for row in intact}
                end = "stopped" if clean else "killed"
                words = f"seed {seed}, round {number}: {end}; {said}"
                total.append(stem)
                slowest = max(slowest, ready_s)
                assert ready_s <= READY_S, words
                earlier, found = found, judge(site, all_intact.values(), words)
                if clean and stem == "live-":
                    # Every live record is a birth: what is gone is stated to the last,
                    # but for what was sent just before the end, unproved.
                    gone, sure, most = (
                        now - was for now, was in zip(found, earlier, strict=True)
                    )
                    assert sure <= gone <= most, (gone, sure, most, words)
            kept += len(all_intact)
            absent += found[0]
            bound += found[2]
            stop = time.monotonic()
            assert site.gateway.stop() < 5, time.monotonic() - stop
    figure("rounds", rounds)
    figure("damaged", dict(Counter(total)))
    figure("slowest_ready_s", round(slowest, 2))
    figure("intact_batches_delivered", kept)
    figure("records_lost", absent)
    figure("lost_stated_at_most", bound)

"""Groups of cameras share a folder, and the folder keeps to its one bound."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading

from vision.evidence import Shelf, tally
from vision.evidence.tally import TALLY
from vision.messages import Evidence

MOST = 20_000
NOW_S = 1_763_000_000.0


def held(folder):
    total = 0
    for path in folder.rglob("[!.]*.jpg"):
        with contextlib.suppress(FileNotFoundError):  # another makes room meanwhile
            total += path.stat().st_size
    return total


def test_two_processes_keep_to_one_bound_between_looks(tmp_path):
    evidence = Evidence(folder=str(tmp_path), max_bytes=MOST)
    one, other = Shelf(evidence), Shelf(evidence)

    for n in range(60):
        shelf, camera = (one, "north") if n % 3 else (other, "south")
        assert shelf.put(f"{camera}/2025-11-21/a{n}-1.jpg", bytes(1500), NOW_S + n)

        assert held(tmp_path) <= MOST
    assert held(tmp_path) > MOST - 2 * 1500  # and no more goes than must


def test_two_that_write_at_once_keep_to_it_too(tmp_path):
    evidence = Evidence(folder=str(tmp_path), max_bytes=MOST)
    most = []

    def write(camera):
        shelf = Shelf(evidence)
        for n in range(25):
            shelf.put(f"{camera}/2025-11-21/a{n}-1.jpg", bytes(1500), NOW_S + n)
            most.append(held(tmp_path))

    threads = [threading.Thread(target=write, args=(name,)) for name in ("n", "s")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # What is seen from outside may be in the middle of a look: one picture more.
    assert max(most) <= MOST + 1500
    assert held(tmp_path) <= MOST


def test_a_count_that_a_power_failure_spoiled_is_made_anew(tmp_path):
    evidence = Evidence(folder=str(tmp_path), max_bytes=MOST)
    first = Shelf(evidence)
    for n in range(10):
        first.put(f"north/2025-11-21/a{n}-1.jpg", bytes(1500), NOW_S + n)
    for n, spoiled in enumerate((b"", b"\0" * 8, b"12")):
        (tmp_path / TALLY).write_bytes(spoiled)

        Shelf(evidence).put(f"north/2025-11-21/b-{n}.jpg", bytes(9000), NOW_S)

        assert held(tmp_path) <= MOST
        assert (tmp_path / TALLY).read_bytes() == b"%d" % held(tmp_path)


def test_one_that_stands_still_with_the_lock_is_not_waited_for_for_ever(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tally, "PATIENCE_S", 0.05)
    handle = os.open(tmp_path / TALLY, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        shelf = Shelf(Evidence(folder=str(tmp_path), max_bytes=MOST))

        assert shelf.put("north/2025-11-21/a-1.jpg", bytes(1500), NOW_S)
    finally:
        os.close(handle)

"""Delivery bar 7: EIO and ENOSPC at the n-th call, for every n of every kind of call.

No life ends, nothing is lost silently, and once the call works again so does the store.
See `tests.support.cuts.bad_disk`; what is said of the whole life is judged as after a
power cut.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHM = Path("/dev/shm")  # noqa: S108 - fresh folders below it
CALLS = (
    "openat",
    "pwrite64",
    "pread64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "unlink",
    "rename",
    "mkdir",
)
CALLS_LIST = ",".join((*CALLS, "write"))

pytestmark = pytest.mark.needs("strace")


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def lives(
    folder: Path,
    seed: int,
    call: str,
    numbers: list[int],
    error: str,
    *,
    for_good: bool = False,
) -> list[dict]:
    """Lives whose ``call`` number n fails, one for each n."""
    # The forking process must not come as far itself: it imports a good deal.
    when = max(numbers) + (5000 if call == "openat" else 100)
    inject = f"error={error}:when={when}{'+' if for_good else ''}"
    end = "broken" if for_good else "healed"
    home = Path(tempfile.mkdtemp(dir=folder))
    for n in numbers:
        (home / str(n)).mkdir()
    done = subprocess.run(
        [
            *("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"),
            *("-e", "signal=none", "-e", f"trace={call}"),
            *("-e", f"inject={call}:{inject}"),
            *(sys.executable, "-m", "tests.support.cuts.bad_disk", str(home)),
            *(str(seed), call, str(when), end, *map(str, numbers)),
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    shutil.rmtree(home)
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def count_calls(folder: Path, seed: int) -> Counter[str]:
    """How many calls of each kind one undisturbed life makes."""
    found: Counter[str] = Counter()
    home = folder / "counting"
    (home / "1").mkdir(parents=True)
    trace = home / "trace"
    command = [
        *("strace", "-f", "--seccomp-bpf", "-qq", "-o", str(trace)),
        *("-e", "signal=none", "-e", f"trace={CALLS_LIST}"),
        *(sys.executable, "-m", "tests.support.cuts.bad_disk", str(home)),
        *(str(seed), "mkdir", "1", "healed", "1"),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    begun = False
    for line in trace.read_text(errors="replace").splitlines():
        name = line.split(None, 1)[1].partition("(")[0]
        begun = begun or name == "write"
        if begun:
            found[name] += 1
    shutil.rmtree(home)
    return found


def judge(said: list[dict], where: str) -> Counter[str]:
    wrong = [
        f"{where}, call {one['n']}: {one['wrong']}" for one in said if one["wrong"]
    ]
    assert not wrong, "\n".join(wrong[:5])
    return Counter(
        lives=len(said),
        degraded=sum(one["degraded"] for one in said),
        refused=sum(one["refused"] > 0 for one in said),
    )


@pytest.mark.timeout(100)
@pytest.mark.sentence(1, 2, 7)
def test_every_call_may_fail_once(folder, seed, count, figure) -> None:
    rng = random.Random(seed)
    total: Counter[str] = Counter()
    for life in rng.sample(range(10**6), count(1, 3)):
        calls = count_calls(folder, life)
        jobs = []
        for call in CALLS:
            numbers = list(range(1, calls[call] + 1))
            few = count(2, len(numbers))
            numbers = sorted(rng.sample(numbers, min(few, len(numbers))))
            errors = ["EIO"] if call == "pread64" else ["EIO", "ENOSPC"]
            jobs += [(call, error, numbers) for error in errors if numbers]

        def play(job, life=life):
            call, error, numbers = job
            said = lives(folder, life, call, numbers, error)
            assert len(said) == len(numbers), f"a life said nothing: {job}"
            return judge(said, f"life {life}, {call} {error}")

        with ThreadPoolExecutor(2) as pool:
            for found in pool.map(play, jobs):
                total += found
    figure("faults, one call each", total["lives"])
    figure("lives that were degraded for a while", total["degraded"])
    figure("starts refused, then made", total["refused"])


@pytest.mark.timeout(100)
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS"])
@pytest.mark.sentence(2, 7)
def test_a_disk_that_stays_broken_ends_nothing(
    folder, seed, count, figure, error
) -> None:
    """From the n-th call on, every write, sync, size and name is refused."""
    rng = random.Random(seed)
    life = rng.randrange(10**6)
    calls = count_calls(folder, life)
    total: Counter[str] = Counter()
    for call in ("pwrite64", "fdatasync", "ftruncate", "unlink"):
        top = max(2, calls[call] // 2)
        numbers = sorted(rng.sample(range(1, top + 1), min(top, count(1, 60))))
        said = lives(folder, life, call, numbers, error, for_good=True)
        total += judge(said, f"life {life}, {call} {error} for good")
    figure(f"lives on a disk with {error} for good", total["lives"])


@pytest.mark.sentence(2)
def test_cursors_that_cannot_be_read_make_no_target_a_new_one(folder) -> None:
    # Found by seed: what an old target was owed was stated to nobody.
    said = lives(folder, 975084, "pread64", [1, 2], "EIO")

    judge(said, "life 975084")

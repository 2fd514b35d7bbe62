"""What one process costs, as the kernel counts it."""

from __future__ import annotations

import os
import time
from pathlib import Path

SECTOR_BYTES = 512
"""The unit of /sys/dev/block/*/stat, whatever the device's own (iostats.rst)."""


def cpu_s(pid: int) -> float:
    """User and system seconds the process has used, with all threads it ever had.

    Read from its CPU-time clock (clock_getcpuclockid(3)): nanoseconds, where
    /proc/PID/stat counts ticks of 10 ms. The id's form is fixed kernel ABI: the
    inverted pid above three bits, 2 = scheduler time of the whole process.
    """
    return time.clock_gettime(~pid << 3 | 2)


def pss_bytes(pid: int) -> int:
    """Proportional set size: shared pages counted by share."""
    return _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") * 1024


def rss_bytes(pid: int) -> int:
    """Resident set size, for those who compare by it."""
    return _field(Path(f"/proc/{pid}/smaps_rollup"), "Rss:") * 1024


def children(pid: int) -> list[int]:
    """Processes that a process started and that run (proc(5), ``children``)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text("ascii").split())
    return found


def written_bytes(pid: int) -> int:
    """Bytes the process caused to be written to storage (proc(5), ``write_bytes``)."""
    return _field(Path(f"/proc/{pid}/io"), "write_bytes:")


def device_written_bytes(folder: Path) -> int | None:
    """Bytes written to the block device below a folder, by everybody.

    Returns:
        None where the folder lies on no block device (tmpfs, overlay).
    """
    number = folder.stat().st_dev
    stat = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat")
    try:
        return int(stat.read_text().split()[6]) * SECTOR_BYTES
    except OSError:
        return None


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise LookupError(f"{path}: expected a line {name!r}, found none")

"""What keeps a vision process in its place: last in line for processor and memory.

It dies with its parent, gives way to it, and is the first that the kernel ends when
memory is short: a gateway without its cameras still measures.

Source: prctl(2), setpriority(2), getrlimit(2), proc_pid_oom_score_adj(5).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

NICE = 5
OOM_SCORE = 500
ADDRESS_SPACE = 6 * 2**30
"""Generous: what is mapped is many times what is used. It bounds what a broken model
can ask for, not what we need; the parent replaces a process by its resident memory."""
_PR_SET_PDEATHSIG = 1


def keep_in_place(parent: int | None = None) -> None:
    """Bind this process to its parent and put it behind everybody else.

    What this system does not offer is left out: none of it is needed to see smoke.

    Args:
        parent: Pid of who started us; where it is gone already, we end at once.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(
            _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0
        )
    if parent is not None and os.getppid() != parent:
        os._exit(0)  # it died before the line above
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with contextlib.suppress(OSError, AttributeError):
        # Woken by a frame, it takes the processor from nobody (sched(7)).
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(f"{OOM_SCORE}", "ascii")
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = ADDRESS_SPACE if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_AS, (min(ADDRESS_SPACE, most), hard))
    with contextlib.suppress(OSError, ValueError):
        # Passwords and pictures are in it. 1, not 0: a collector on a pipe is given a
        # core in spite of 0, and none with 1 (core(5), fs/coredump.c of Linux).
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        soft = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
        resource.setrlimit(resource.RLIMIT_CORE, (soft, soft))
    # The gateway tells us when to end; Ctrl-C at its terminal is for the gateway.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def resident_bytes() -> int:
    """Memory of this process that is in use; 0 where the kernel does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()

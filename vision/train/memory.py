"""Keeps freed memory in the process, where training would hand it back every step.

glibc returns large blocks to the kernel as soon as they are freed and asks for fresh
ones at the next step: a quarter of the time went into page faults. Where the allocator
is another one, nothing happens.
"""

from __future__ import annotations

import ctypes
import os

_TRIM, _TOP_PAD, _MMAP = -1, -2, -3  # mallopt(3)
_SETTINGS = {
    "MALLOC_TRIM_THRESHOLD_": (_TRIM, 2**31 - 1),
    "MALLOC_TOP_PAD_": (_TOP_PAD, 2**26),
    "MALLOC_MMAP_THRESHOLD_": (_MMAP, 2**31 - 1),
}


def keep() -> None:
    """Ask the allocator to keep what is freed, here and in processes started later."""
    for name, (_, value) in _SETTINGS.items():
        os.environ.setdefault(name, str(value))
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    for option, value in _SETTINGS.values():
        mallopt(option, value)

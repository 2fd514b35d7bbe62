"""``python -m vision run``: what the vision process says, as lines; no gateway needed.

On standard input one JSON object: a ``Configure``. What it has of passwords is seen by
nobody else.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time

import msgspec

from vision.group import Group
from vision.messages import Configure
from vision.said import say

_IDLE_MS = 250.0


def main(arguments: list[str]) -> int:
    """Look until told to end, until the time is up, or until a file ends."""
    parser = argparse.ArgumentParser(prog="vision run")
    parser.add_argument("--for", dest="for_s", type=float, default=float("inf"))
    args = parser.parse_args(arguments)
    configure = msgspec.json.decode(sys.stdin.buffer.read(), type=Configure)
    woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    until = time.monotonic() + args.for_s
    group = Group(configure, say, wake=lambda: os.eventfd_write(woken, 1), store=False)
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    busy = True
    while time.monotonic() < until and (busy or not group.ended):
        if not busy and poll.poll(_IDLE_MS):
            os.eventfd_read(woken)
        busy = group.step()
    say(group.beat())
    group.close()
    return 0

"""The vision process: ``python -m vision.worker FD [PARENT]``.

One thread looks at all cameras of the group, one frame after the other; each camera has
a thread that reads it. What the gateway must know goes over the socket at once and
never waits for it (``vision.wire``). It ends within a second of ``Stop`` or of a closed
socket, whatever a reader's thread is doing; and with its parent in any case.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import TYPE_CHECKING

from vision.limits import keep_in_place
from vision.messages import Ask, Configure, Refused, Stop
from vision.said import Trouble
from vision.wire import Wire

if TYPE_CHECKING:
    from vision.group import Group

CONFIGURE_S = 30.0
"""The gateway speaks first; without a word we are nobody's."""
IDLE_S = 0.25
"""The longest wait for a frame or a word; faults are timed by the group."""
LAST_WORDS_S = 0.3


def main(arguments: list[str]) -> int:
    """Serve one group until told to end; see the module."""
    parent = int(arguments[1]) if len(arguments) > 1 else None
    keep_in_place(parent)
    wire = Wire(socket.socket(fileno=int(arguments[0])))
    configure = _configured(wire)
    if configure is None:
        return 0
    woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    try:
        # Numpy, OpenCV and onnxruntime come in here, when the process is in its place.
        from vision.group import Group  # noqa: PLC0415 - heavy

        group = Group(configure, wire.send, wake=lambda: os.eventfd_write(woken, 1))
    except Trouble as exc:
        _refuse(wire, exc.key, exc.args_)
        return 1
    except ImportError as exc:
        _refuse(wire, "vision.refused.extra", {"name": exc.name or str(exc)})
        return 1
    except (OSError, MemoryError) as exc:
        _refuse(wire, "vision.refused.failed", {"error": f"{exc!r}"})
        return 1
    try:
        _serve(wire, group, woken)
    except Trouble as exc:
        # A model that answers what is no probability: said, never turned into a score.
        _refuse(wire, exc.key, exc.args_)
        return 1
    finally:
        group.close()
    return 0


def _serve(wire: Wire, group: Group, woken: int) -> None:
    """Look at frames as they come, and hear what the gateway says in between."""
    busy = False
    while not wire.closed:
        for message in wire.receive(0.0 if busy else IDLE_S, woken):
            if isinstance(message, Stop):
                return
            if isinstance(message, Ask):
                group.ask(message.camera, message.id)
        busy = group.step()


def _configured(wire: Wire) -> Configure | None:
    until = time.monotonic() + CONFIGURE_S
    # Many cameras with many zones come in more than one piece.
    while not wire.closed and (left_s := until - time.monotonic()) > 0:
        for message in wire.receive(left_s):
            if isinstance(message, Configure):
                return message
    return None


def _refuse(wire: Wire, key: str, args: dict[str, str]) -> None:
    wire.send(Refused(key=key, args=args))
    wire.receive(LAST_WORDS_S if wire.waiting else 0.0)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: it would wait for readers that hang in a call of C.
    os._exit(status)

"""A model is tried in a child first, with bounded memory and processor time.

What is checked before onnxruntime opens a file cannot know what its operators do: a
``ConstantOfShape`` asks for all memory there is, a ``Loop`` never ends, a damaged
tensor may crash the library. So a file that is not ours is opened, fed and thrown away
by ``python -m vision.detect.trial`` before the process that watches cameras opens it.

The child gets ``Model`` as JSON on its standard input and prints one line, ``Tried``:
the file's hash, or the refusal.
"""

from __future__ import annotations

import math
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from vision.detect.errors import ModelError
from vision.messages import Model

ROOM = 600_000_000
"""Bytes of data the child may have beyond what its libraries take."""
CPU_S = 1.2
"""Processor time to open a model and answer two or three pictures; more where the
machine is slower, see ``_allowed``."""
LARGEST_FILE = 10_000_000
"""Bytes it could write, whatever for."""
_TIMES_START = 4.0
_WALL_S = 30.0


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says."""

    sha256: str = ""
    key: str = ""
    args: dict[str, str] = {}


def tried(model: Model, sha256: str) -> None:
    """Try a model in a child.

    Args:
        model: With a path.
        sha256: Of the file as it was read.

    Raises:
        ModelError: It cannot be used, and why.
    """
    try:
        child = subprocess.run(
            # -P: a numpy.py in the current folder must not stand in for the real one.
            [sys.executable, "-P", "-m", "vision.detect.trial"],
            input=msgspec.json.encode(model),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise ModelError("slow", limit=f"{_WALL_S:g}") from exc
    if child.returncode == -signal.SIGPROF:
        raise ModelError("slow", limit=f"{CPU_S:g}")
    try:
        found = msgspec.json.decode(child.stdout.splitlines()[-1], type=Tried)
    except (IndexError, msgspec.MsgspecError) as exc:
        raise ModelError("crashed", status=child.returncode) from exc
    if found.key:
        raise ModelError(found.key.removeprefix("vision.model."), **found.args)
    if found.sha256 != sha256:
        raise ModelError("changed", path=model.path)


def main() -> int:
    """The child."""
    model = msgspec.json.decode(sys.stdin.buffer.read(), type=Model)
    # Everything that opening needs is loaded first: limits are for the model alone.
    import numpy as np  # noqa: F401, PLC0415
    import onnxruntime  # noqa: F401, PLC0415

    from vision.detect.detector import Detector  # noqa: PLC0415

    _limit()
    try:
        found = Tried(sha256=Detector.open(model, tried=True).sha256)
    except ModelError as exc:
        found = Tried(key=exc.key, args=exc.args_)
    except MemoryError:
        found = Tried(key="vision.model.memory")
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    return 0


def _limit() -> None:
    """Memory, time and files of this process from here on."""
    _lower(resource.RLIMIT_DATA, _data_bytes() + ROOM)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, LARGEST_FILE)
    # Of the processor, not of the wall: a busy machine is no reason to refuse. Nothing
    # catches SIGPROF, so that it also ends what never comes back to Python.
    signal.setitimer(signal.ITIMER_PROF, _allowed(time.process_time()))


def _allowed(start_s: float) -> float:
    """Seconds a model may take where loading the libraries took ``start_s``."""
    return max(CPU_S, _TIMES_START * start_s)


def _lower(kind: int, limit: int) -> None:
    """Lower a soft and hard limit; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _data_bytes() -> int:
    """What counts against RLIMIT_DATA already (proc(5), status, VmData)."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmData:"):
            return math.ceil(float(line.split()[1])) * 1024
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Our own errors with one camera: a fault of that camera, not the end of all others.

What cannot be judged is tried again after 5 s, then ever more rarely: an error that
comes back with every frame must neither flood events nor take the others' time.
"""

from __future__ import annotations

import sys
import traceback

from vision.feed import NoFrame

FIRST_S, MOST_S = 5.0, 600.0
SETTLED_S = 1200.0
"""So long without one, the next is a first again."""
_WORDS = 200


class Mishaps:
    """What went wrong with one camera, and whether it is left alone for now.

    Args:
        camera: Its name, for the log.
    """

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._trouble: NoFrame | None = None
        self._pause_s = 0.0
        self._happened_s = float("-inf")
        self._said: set[str] = set()

    def happened(self, error: Exception, mono_s: float) -> NoFrame:
        """It failed now; what is to be said of it."""
        settled = mono_s - self._happened_s >= SETTLED_S
        self._pause_s = min(FIRST_S if settled else 2 * self._pause_s, MOST_S)
        self._happened_s = mono_s
        told = {"why": "vision.source.failed", "reason": type(error).__name__}
        told["text"] = str(error)[:_WORDS]
        self._trouble = NoFrame("corrupt", told)
        self.tell(error)
        return self._trouble

    def tell(self, error: Exception) -> None:
        """To the log, once from each place it happens at."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{type(error).__name__} {frames[-1].filename}:{frames[-1].lineno}"
        if place not in self._said:
            self._said.add(place)
            print(f"camera {self._camera}:", file=sys.stderr)  # noqa: T201
            traceback.print_exception(error, file=sys.stderr)

    def holding(self, mono_s: float) -> NoFrame | None:
        """Why the camera is left alone now; None: it is looked at."""
        return self._trouble if mono_s - self._happened_s < self._pause_s else None

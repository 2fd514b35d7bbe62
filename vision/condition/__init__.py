"""Whether a camera shows what is there: its faults, and which frames may be judged."""

from vision.condition.watch import Changed, Watch

__all__ = ["Changed", "Watch"]

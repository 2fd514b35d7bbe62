"""From the maps of a model to alarms: pure, frame by frame, numpy only.

``Watcher`` joins the parts; each other module holds one idea and is tested alone.
"""

from vision.alarms.levels import Levels
from vision.alarms.watcher import Watcher

__all__ = ["Levels", "Watcher"]

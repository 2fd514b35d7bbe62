"""DL/T 645 meters: the frame, the line, the meter; only ever read."""

from drivers.dlt645.device import Dlt645Device
from drivers.dlt645.frame import Finder, Frame, Function, request
from drivers.dlt645.line import Dlt645Line, serial, tcp
from drivers.dlt645.question import Timing

__all__ = [
    "Dlt645Device",
    "Dlt645Line",
    "Finder",
    "Frame",
    "Function",
    "Timing",
    "request",
    "serial",
    "tcp",
]

"""What is kept of an alarm: pictures before, at and after it, as files."""

from vision.evidence.keeper import Keeper
from vision.evidence.shelf import Shelf

__all__ = ["Keeper", "Shelf"]

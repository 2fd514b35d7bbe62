"""From which score on a label counts, by what is known of the view."""

from __future__ import annotations

from typing import NamedTuple


class Levels(NamedTuple):
    """Of one label; each belongs to a model and comes from its card."""

    rise: float
    """Over the cell's own background: how far a region's score must be above it."""
    alone: float
    """A region's score where nothing is known of the view: stricter, because what was
    always there cannot be told from what has come."""
    picture: float
    """A picture's score by itself, for a second look at a part of it."""

    def ruled(self, threshold: float | None) -> Levels:
        """With a camera's own threshold in the place of the rise.

        It never makes the first minute less strict, and a higher one makes it stricter:
        what a threshold was raised against does not come with the next restart.
        """
        if threshold is None:
            return self
        return Levels(threshold, max(self.alone, threshold), threshold)

"""From candidates, frame by frame, to those that are confirmed: a window a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vision.alarms.persistence import Window
from vision.messages import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from vision.alarms.candidates import Candidate, Candidates
    from vision.messages import Label, Rule


class Windows:
    """What the last frames said, for every label that is watched.

    Args:
        rules: Of the labels.
        every_s: From one judged frame to the next.
    """

    def __init__(self, rules: Mapping[Label, Rule], every_s: float) -> None:
        # Frames go missing; what is three windows old tells of another time.
        self._windows = {
            label: Window(
                rule.confirm,
                rule.of,
                longest_s=3 * max(2 * rule.of * every_s, 10.0),
            )
            for label, rule in rules.items()
        }
        most = max((rule.of for rule in rules.values()), default=1)
        self.longest_s = (most + 1) * every_s
        """The longest that something takes to be confirmed."""

    @property
    def pending(self) -> bool:
        """Something is half confirmed."""
        return any(window.pending for window in self._windows.values())

    def push(
        self,
        mono_s: float,
        t_ms: int,
        found: Candidates,
        moving: NDArray[np.bool_],
        new: NDArray[np.bool_],
    ) -> None:
        """Add a judged frame.

        Args:
            mono_s: When, on the monotonic clock.
            t_ms: And in UTC.
            found: In it.
            moving: (rows, columns): where it moved.
            new: Where it shows something new.
        """
        for label, window in self._windows.items():
            i = LABELS.index(label)
            shown = found.showing(label, new)
            window.push(mono_s, t_ms, found.risen[i], found.alone[i], moving, shown)

    def confirmed(self, found: Candidates) -> list[tuple[Label, Candidate]]:
        """Regions that count now and are confirmed, the strongest first.

        Args:
            found: In the frame that was pushed last.
        """
        ready: list[tuple[Label, Candidate]] = []
        for label, every in found.regions.items():
            strong = [one for one in every if one.strength >= 1]
            cells = self._windows[label].confirmed() if strong else None
            if cells is not None:
                ready += [(label, x) for x in strong if (x.region.mask & cells).any()]
        return sorted(ready, key=lambda one: -one[1].strength)

    def began_ms(self, label: Label, mask: NDArray[np.bool_]) -> int:
        """UTC of the first frame with something in these cells; 0: none."""
        return self._windows[label].began_ms(mask)

    def clear(self, label: Label | None = None) -> None:
        """Nothing before now counts, for one label or for all."""
        for of, window in self._windows.items():
            if label in {None, of}:
                window.clear()

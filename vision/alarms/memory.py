"""What a restart must not lose of one camera: its background and its alarms, as bytes.

Without it a process that is recycled during a fire would learn the smoke as usual, and
the alarm it had raised would never be cleared. A NumPy ``.npz`` (no pickles) of the
background's maps and of a head in JSON.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from vision.alarms.book import Alarm
from vision.messages import LABELS, Label, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.alarms.levels import Levels

VERSION = 2
_WIDEST = 1024
"""Cells of a side: no model has so many."""
LIVES_S = 1800.0
"""A background tells of now for so long; then light and shadows have moved."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a stored state."""

    version: int
    t_ms: int
    """UTC when it was stored."""
    model: str
    """Hash of the model: another one scores differently."""
    shape: tuple[int, int, int]
    age_s: float
    frames: int
    alarms: list[Alarm]
    """Their ``cleared_s`` counts from the storing, below 0."""

    def fresh(self, model: str, t_ms: int) -> bool:
        """Whether the background still tells of now."""
        return self.model == model and 0 <= t_ms - self.t_ms <= LIVES_S * 1000

    def watched(
        self,
        model: str,
        gone_s: float,
        rules: Mapping[Label, Rule],
        levels: Mapping[Label, Levels],
    ) -> list[Alarm]:
        """Alarms that a process takes over.

        The gateway closes after the cool-down what no process sees again; and what
        another model saw, this one must see for itself.

        Args:
            model: Hash of the process's model.
            gone_s: Since it was stored.
            rules: Of the labels that are watched now.
            levels: Of the same.
        """
        return [
            msgspec.structs.replace(alarm, threshold=levels[alarm.label].rise)
            for alarm in self.alarms
            if alarm.label in rules
            and self.model == model
            and (not alarm.open or gone_s < rules[alarm.label].cooldown_s)
        ]


def pack(head: Memory, arrays: dict[str, NDArray[np.float32]]) -> bytes:
    """One state as bytes: some tens of kB."""
    file = io.BytesIO()
    text = np.frombuffer(msgspec.json.encode(head), np.uint8)
    np.savez_compressed(file, allow_pickle=False, head=text, **dict(arrays))
    return file.getvalue()


def unpack(state: bytes) -> tuple[Memory, dict[str, NDArray[np.float32]]] | None:
    """What ``pack`` made; None: damaged, or of another version."""
    try:
        with np.load(io.BytesIO(state), allow_pickle=False) as stored:
            head = msgspec.json.decode(stored["head"].tobytes(), type=Memory)
            arrays = {name: stored[name] for name in stored.files if name != "head"}
    except Exception:  # noqa: BLE001 - what a power failure left fails in many ways
        return None
    labels, *grid = head.shape
    sound = labels == len(LABELS) and all(0 < side <= _WIDEST for side in grid)
    return (head, arrays) if head.version == VERSION and sound else None

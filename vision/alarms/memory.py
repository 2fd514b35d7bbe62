"""What a restart must not lose of one camera: its background and its alarms, as bytes.

Without it a process that is recycled during a fire would learn the smoke as usual, and
the alarm it had raised would never be cleared. A NumPy ``.npz`` (no pickles) of the
background's maps and of a head in JSON.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from vision.alarms.background import Background
from vision.alarms.book import Alarm
from vision.messages import LABELS, Label, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vision.alarms.levels import Levels

VERSION = 2
LARGEST = 2_000_000
"""Bytes; nothing of ours is so large."""
_WIDEST = 1024
"""Cells of a side: no model has so many."""
_MOST_ALARMS = 64
"""Of a camera; each costs time with every frame."""
_ROOM = 4_000_000
"""Bytes of a head unpacked: so many alarms over a fine grid."""
_NAMES = tuple(Background((1, 1, 1)).arrays())
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
    """What ``pack`` made; None: damaged, or of another version.

    Whatever it is, it takes no more memory than a state of ours.
    """
    if len(state) > LARGEST:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(state)) as stored:
            text = _array(stored, "head", np.dtype(np.uint8), _ROOM)
            head = msgspec.json.decode(text.tobytes(), type=Memory)
            labels, rows, columns = head.shape
            sound = labels == len(LABELS) and 0 < rows <= _WIDEST
            if head.version != VERSION or not sound or not 0 < columns <= _WIDEST:
                return None
            single, cells = np.dtype(np.float32), labels * rows * columns
            arrays = {
                name: _array(stored, name, single, cells).reshape(head.shape)
                for name in _NAMES
                if f"{name}.npy" in stored.namelist()  # else of a version before
            }
    except Exception:  # noqa: BLE001 - what a power failure left fails in many ways
        return None
    # The open ones, and of the others the newest.
    alarms = sorted(head.alarms, key=lambda alarm: alarm.open)[-_MOST_ALARMS:]
    return msgspec.structs.replace(head, alarms=alarms), arrays


def _array(
    stored: zipfile.ZipFile, name: str, kind: np.dtype[Any], most: int
) -> NDArray[Any]:
    """One array, flat; raises ``ValueError`` on another kind or more than ``most``."""
    member = stored.getinfo(f"{name}.npy")
    if member.file_size > most * kind.itemsize + 256:  # its header
        raise ValueError(name)
    file = io.BytesIO(stored.read(member))
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(name)
    shape, _, found = np.lib.format.read_array_header_1_0(file)
    if found != kind:
        raise ValueError(name)
    # A copy, for it is learned on in it.
    return np.frombuffer(file.read(), kind).reshape(shape).ravel().copy()

"""The alarms of one camera on disk, with what operators said of them.

One JSON object a line: a sight as it was told, or a label. Lines are only added, by the
vision process and by ``ecogate vision label``; a line cut off by a power failure is
passed over. Old alarms go when the file has twice as many lines as are kept.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from vision.alarms.confounders import Told, What
from vision.messages import Sight

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 2000
"""Lines: a camera with ten alarms a day is remembered for months."""


class Said(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="said"):
    """An operator's word on an alarm."""

    id: str
    what: What
    at_ms: int


_LINE = msgspec.json.Decoder(Sight | Said)
_ENCODE = msgspec.json.Encoder().encode


class Ledger:
    """The file of one camera.

    Args:
        folder: Made when the first line is written.
        camera: Its name.
    """

    def __init__(self, folder: Path, camera: str) -> None:
        self._path = folder / f"{camera}.jsonl"

    def add(self, line: Sight | Said) -> None:
        """Keep one line.

        Raises:
            OSError: It could not be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._shorten()
        # One write, appended: two writers never mix their lines. A line cut off
        # before must not swallow this one.
        with self._path.open("a+b", buffering=0) as file:
            torn = False
            if file.tell():
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"
            file.write((b"\n" if torn else b"") + _ENCODE(line) + b"\n")

    def alarms(self) -> list[Told]:
        """The alarms, oldest first, as they ended and as they are labelled now."""
        told: dict[str, Told] = {}
        for line in self._lines():
            if isinstance(line, Said):
                if line.id in told:
                    found = told[line.id]
                    told[line.id] = msgspec.structs.replace(found, what=line.what)
                continue
            before = told.get(line.id)
            if before is None:
                told[line.id] = Told(
                    id=line.id,
                    label=line.label,
                    t_ms=line.t_ms,
                    region=line.region,
                    peak=line.peak,
                    threshold=line.threshold,
                    night=line.night,
                )
            else:
                peak = max(before.peak, line.peak)
                told[line.id] = msgspec.structs.replace(before, peak=peak)
        return list(told.values())

    def _lines(self) -> list[Sight | Said]:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return []
        found: list[Sight | Said] = []
        for line in raw.split(b"\n"):
            try:
                found.append(_LINE.decode(line))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
        return found

    def _shorten(self) -> None:
        """Past twice what is kept, the older half goes; labelled alarms stay longer."""
        try:
            small = self._path.stat().st_size < 2 * KEPT * 100
        except FileNotFoundError:
            return
        if small:
            return
        lines = self._lines()
        if len(lines) < 2 * KEPT:
            return
        said = {line.id for line in lines if isinstance(line, Said)}
        older = [line for line in lines[:-KEPT] if line.id in said][-KEPT // 2 :]
        part = self._path.with_suffix(".part")
        kept = b"".join(_ENCODE(line) + b"\n" for line in (*older, *lines[-KEPT:]))
        part.write_bytes(kept)
        os.replace(part, self._path)  # noqa: PTH105 - the atomic one
